//! The greeter in Zig, freestanding: ABI 0.2.1, no WASI, no initializer, memory from a fixed buffer.

extern "env" fn proxy_log(u32, [*]const u8, usize) u32;
extern "env" fn proxy_get_buffer_bytes(u32, u32, u32, *?[*]u8, *usize) u32;
extern "env" fn proxy_set_buffer_bytes(u32, u32, u32, [*]const u8, usize) u32;
extern "env" fn proxy_get_header_map_value(u32, [*]const u8, usize, *?[*]u8, *usize) u32;
extern "env" fn proxy_replace_header_map_value(u32, [*]const u8, usize, [*]const u8, usize) u32;
extern "env" fn proxy_remove_header_map_value(u32, [*]const u8, usize) u32;
extern "env" fn proxy_send_local_response(u32, [*]const u8, usize, [*]const u8, usize, [*]const u8, usize, i32) u32;
extern "env" fn proxy_define_metric(u32, [*]const u8, usize, *u32) u32;
extern "env" fn proxy_increment_metric(u32, i64) u32;

const request_headers = 0;
const response_headers = 2;
const response_body = 1;
const plugin_configuration = 7;

var greeting_buffer: [256]u8 = undefined;
var greeting: []const u8 = "";
var requests: u32 = 0;

// What the host hands over is read at once, so each value may take the place of the last.
var given: [4096]u8 align(8) = undefined;

export fn proxy_abi_version_0_2_1() void {}

export fn malloc(size: usize) ?[*]u8 {
    return if (size <= given.len) &given else null;
}

export fn proxy_on_configure(_: u32, size: u32) u32 {
    var at: ?[*]u8 = null;
    var len: usize = 0;
    if (proxy_get_buffer_bytes(plugin_configuration, 0, size, &at, &len) != 0) return 0;
    if (len > greeting_buffer.len) return 0;
    if (at) |bytes| @memcpy(greeting_buffer[0..len], bytes[0..len]);
    greeting = greeting_buffer[0..len];
    const name = "greeter.requests";
    if (proxy_define_metric(0, name, name.len, &requests) != 0) return 0;
    log("configured with ", greeting);
    return 1;
}

export fn proxy_on_request_headers(_: u32, _: u32, _: u32) u32 {
    _ = proxy_increment_metric(requests, 1);
    var at: ?[*]u8 = null;
    var len: usize = 0;
    _ = proxy_get_header_map_value(request_headers, ":path", 5, &at, &len);
    const path: []const u8 = if (at) |bytes| bytes[0..len] else "";
    log("request of ", path);
    if (equal(path, "/denied")) {
        var map: [512]u8 = undefined;
        const headers = pair(&map, "x-greeting", greeting);
        const body = "not for you";
        _ = proxy_send_local_response(403, "", 0, body, body.len, headers.ptr, headers.len, -1);
        return 1;
    }
    set(request_headers, "x-greeting", greeting);
    return 0;
}

export fn proxy_on_response_headers(_: u32, _: u32, _: u32) u32 {
    const name = "content-length";
    _ = proxy_remove_header_map_value(response_headers, name, name.len);
    set(response_headers, "x-greeted", "yes");
    return 0;
}

export fn proxy_on_response_body(_: u32, size: u32, end: u32) u32 {
    if (end != 0) _ = proxy_set_buffer_bytes(response_body, size, 0, "!", 1);
    return 0;
}

fn set(map: u32, name: []const u8, value: []const u8) void {
    _ = proxy_replace_header_map_value(map, name.ptr, name.len, value.ptr, value.len);
}

fn log(text: []const u8, value: []const u8) void {
    var line: [512]u8 = undefined;
    const len = @min(value.len, line.len - text.len);
    @memcpy(line[0..text.len], text);
    @memcpy(line[text.len..][0..len], value[0..len]);
    _ = proxy_log(2, &line, text.len + len);
}

fn equal(a: []const u8, b: []const u8) bool {
    if (a.len != b.len) return false;
    for (a, b) |x, y| if (x != y) return false;
    return true;
}

/// A map of one pair: the count, the lengths, then name and value, each with a NUL behind it.
fn pair(out: []u8, name: []const u8, value: []const u8) []const u8 {
    number(out[0..4], 1);
    number(out[4..8], name.len);
    number(out[8..12], value.len);
    var at: usize = 12;
    for ([_][]const u8{ name, value }) |part| {
        @memcpy(out[at..][0..part.len], part);
        out[at + part.len] = 0;
        at += part.len + 1;
    }
    return out[0..at];
}

fn number(out: []u8, value: usize) void {
    for (out, 0..) |*byte, i| byte.* = @truncate(value >> @intCast(8 * i));
}
