//! Guests in WebAssembly text that do what their configuration says.

use std::fmt::Write as _;

/// Host functions, with their parameters: `i` is 32 bits, `l` 64 bits.
const FUNCTIONS: [(&str, &str, &str); 44] = [
    ("env", "proxy_log", "iii"),
    ("env", "proxy_get_log_level", "i"),
    ("env", "proxy_get_current_time_nanoseconds", "i"),
    ("env", "proxy_set_tick_period_milliseconds", "i"),
    ("env", "proxy_set_effective_context", "i"),
    ("env", "proxy_done", ""),
    ("env", "proxy_continue_stream", "i"),
    ("env", "proxy_close_stream", "i"),
    ("env", "proxy_get_status", "iii"),
    ("env", "proxy_send_local_response", "iiiiiiii"),
    ("env", "proxy_get_buffer_bytes", "iiiii"),
    ("env", "proxy_set_buffer_bytes", "iiiii"),
    ("env", "proxy_get_buffer_status", "iii"),
    ("env", "proxy_get_header_map_size", "ii"),
    ("env", "proxy_get_header_map_pairs", "iii"),
    ("env", "proxy_set_header_map_pairs", "iii"),
    ("env", "proxy_get_header_map_value", "iiiii"),
    ("env", "proxy_add_header_map_value", "iiiii"),
    ("env", "proxy_replace_header_map_value", "iiiii"),
    ("env", "proxy_remove_header_map_value", "iii"),
    ("env", "proxy_http_call", "iiiiiiiiii"),
    ("env", "proxy_grpc_call", "iiiiiiiiiiii"),
    ("env", "proxy_grpc_stream", "iiiiiiiii"),
    ("env", "proxy_grpc_send", "iiii"),
    ("env", "proxy_grpc_cancel", "i"),
    ("env", "proxy_grpc_close", "i"),
    ("env", "proxy_get_shared_data", "iiiii"),
    ("env", "proxy_set_shared_data", "iiiii"),
    ("env", "proxy_register_shared_queue", "iii"),
    ("env", "proxy_resolve_shared_queue", "iiiii"),
    ("env", "proxy_enqueue_shared_queue", "iii"),
    ("env", "proxy_dequeue_shared_queue", "iii"),
    ("env", "proxy_define_metric", "iiii"),
    ("env", "proxy_increment_metric", "il"),
    ("env", "proxy_record_metric", "il"),
    ("env", "proxy_get_metric", "ii"),
    ("env", "proxy_get_property", "iiii"),
    ("env", "proxy_set_property", "iiii"),
    ("env", "proxy_call_foreign_function", "iiiiii"),
    ("wasi_snapshot_preview1", "fd_write", "iiii"),
    ("wasi_snapshot_preview1", "random_get", "ii"),
    ("wasi_snapshot_preview1", "environ_get", "ii"),
    ("wasi_snapshot_preview1", "environ_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "clock_time_get", "ili"),
];

/// What Envoy registers.
const FOREIGN: [&str; 10] = [
    "compress",
    "uncompress",
    "set_envoy_filter_state",
    "clear_route_cache",
    "declare_property",
    "expr_create",
    "expr_evaluate",
    "expr_delete",
    "sign",
    "verify_signature",
];

/// Callbacks and their parameters behind the context; `=` gives an action.
const CALLBACKS: [(&str, usize, bool); 18] = [
    ("on_tick", 0, false),
    ("on_queue_ready", 1, false),
    ("on_request_headers", 2, true),
    ("on_request_body", 2, true),
    ("on_request_trailers", 1, true),
    ("on_response_headers", 2, true),
    ("on_response_body", 2, true),
    ("on_response_trailers", 1, true),
    ("on_log", 0, false),
    ("on_done", 0, true),
    ("on_delete", 0, false),
    ("on_http_call_response", 4, false),
    ("on_grpc_receive_initial_metadata", 2, false),
    ("on_grpc_receive", 2, false),
    ("on_grpc_receive_trailing_metadata", 2, false),
    ("on_grpc_close", 2, false),
    ("on_foreign_function", 2, false),
    ("on_context_create", 1, false),
];

/// In each callback it reads calls from its configuration: a byte says which function, two bytes each
/// argument, from -32768 to 32767, which is a number, a place in the configuration, or far outside.
/// A byte 255 ends the callback with the answer behind it.
pub(super) fn any_calls() -> String {
    let mut calls = String::new();
    for (index, (_, _, parameters)) in FUNCTIONS.iter().enumerate() {
        let arguments: String = parameters
            .chars()
            .map(|kind| match kind {
                'l' => "(i64.extend_i32_s (call $arg))",
                _ => "(call $arg)",
            })
            .collect();
        let _ = writeln!(
            calls,
            "(if (i32.eq (local.get $op) (i32.const {index})) (then (drop (call $f{index} {arguments}))))"
        );
    }
    let count = FUNCTIONS.len();
    let act = format!(
        "(func $act (result i32)
           (local $left i32) (local $op i32)
           (local.set $left (i32.const 32))
           (loop $next
             (if (i32.or (i32.ge_u (global.get $at) (global.get $end)) (i32.eqz (local.get $left)))
               (then (return (i32.const 0))))
             (local.set $left (i32.sub (local.get $left) (i32.const 1)))
             (local.set $op (call $byte))
             (if (i32.eq (local.get $op) (i32.const 255)) (then (return (call $byte))))
             (local.set $op (i32.rem_u (local.get $op) (i32.const {count})))
             {calls}
             (br $next))
           (unreachable))"
    );
    let callbacks: String = CALLBACKS
        .iter()
        .map(|(name, more, answers)| {
            let parameters = " i32".repeat(more + 1);
            let (result, body) = match answers {
                true => ("(result i32)", "(call $act)"),
                false => ("", "(drop (call $act))"),
            };
            format!("(func (export \"proxy_{name}\") (param{parameters}) {result} {body})\n")
        })
        .collect();
    module(&act, &callbacks, "")
}

/// In the request's headers callback it hands its configuration to a function that the first byte
/// names (of a foreign function the second says which).
pub(super) fn one_argument() -> String {
    let function = |name: &str| {
        let at = FUNCTIONS.iter().position(|(_, n, _)| *n == name).unwrap_or_default();
        format!("$f{at}")
    };
    // Pointer and size of what is behind the first byte, and of the constants below.
    let rest = "(i32.const 1) (i32.sub (global.get $end) (i32.const 1))";
    let none = "(i32.const 0) (i32.const 0)";
    let (cluster, service, headers) =
        ("(i32.const 49152) (i32.const 1)", "(i32.const 49153) (i32.const 3)", HEADERS.len());
    let headers = format!("(i32.const 49160) (i32.const {headers})");
    let to = "(i32.const 40000) (i32.const 40004)";
    let ms = "(i32.const 100) (i32.const 40000)";
    let map = |map: u32| format!("(i32.const {map})");
    let calls = [
        format!("(call {} {} {rest})", function("proxy_set_header_map_pairs"), map(0)),
        format!("(call {} {rest} {to})", function("proxy_get_property")),
        format!("(call {} {rest} {rest})", function("proxy_set_property")),
        format!(
            "(call {} (i32.const 200) {none} {none} {rest} (i32.const -1))",
            function("proxy_send_local_response")
        ),
        format!("(call {} {cluster} {rest} {none} {none} {ms})", function("proxy_http_call")),
        format!("(call {} {cluster} {headers} {none} {rest} {ms})", function("proxy_http_call")),
        format!(
            "(call {} {rest} {service} {service} {none} {none} {ms})",
            function("proxy_grpc_call")
        ),
        format!(
            "(call {} {cluster} {service} {service} {rest} {none} {ms})",
            function("proxy_grpc_call")
        ),
        format!(
            "(call {} {rest} {service} {service} {none} (i32.const 40000))",
            function("proxy_grpc_stream")
        ),
        format!(
            "(call {} (i32.load (i32.add (i32.const 50000) (i32.mul (call $pick) (i32.const 8))))
               (i32.load (i32.add (i32.const 50004) (i32.mul (call $pick) (i32.const 8))))
               (i32.const 2) (i32.sub (global.get $end) (i32.const 2)) {to})",
            function("proxy_call_foreign_function")
        ),
    ];
    let count = calls.len();
    let mut body = String::new();
    for (index, call) in calls.iter().enumerate() {
        let _ = writeln!(
            body,
            "(if (i32.eq (local.get $op) (i32.const {index})) (then (drop {call})))"
        );
    }
    let act = format!(
        "(func $pick (result i32)
           (i32.rem_u (i32.load8_u (i32.const 1)) (i32.const {}))) ",
        FOREIGN.len()
    );
    let callbacks = format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
           (local $op i32)
           (if (i32.lt_u (global.get $end) (i32.const 2)) (then (return (i32.const 0))))
           (local.set $op (i32.rem_u (i32.load8_u (i32.const 0)) (i32.const {count})))
           {body}
           (i32.const 0))"
    );
    let mut data = format!(
        "(data (i32.const 49152) \"ca.B\") (data (i32.const 49160) \"{}\")\n",
        HEADERS.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>()
    );
    let mut at = 51000;
    for (index, name) in FOREIGN.iter().enumerate() {
        let entry = 50000 + index * 8;
        let _ = writeln!(data, "(data (i32.const {at}) \"{name}\")");
        let number = |n: usize| {
            u32::try_from(n).unwrap_or(0).to_le_bytes().map(|b| format!("\\{b:02x}")).concat()
        };
        let _ =
            writeln!(data, "(data (i32.const {entry}) \"{}{}\")", number(at), number(name.len()));
        at += name.len();
    }
    module(&act, &callbacks, &data)
}

/// The headers of a call, as a guest serializes them.
const HEADERS: &[u8] = b"\x03\0\0\0\x07\0\0\0\x03\0\0\0\x05\0\0\0\x01\0\0\0\x0a\0\0\0\x01\0\0\0\
                         :method\0GET\0:path\0/\0:authority\0c\0";

/// A module that keeps its configuration at address 0.
fn module(act: &str, callbacks: &str, data: &str) -> String {
    let mut imports = String::new();
    for (index, (from, name, parameters)) in FUNCTIONS.iter().enumerate() {
        let parameters: String =
            parameters.chars().map(|kind| if kind == 'l' { " i64" } else { " i32" }).collect();
        let _ = writeln!(
            imports,
            "(import \"{from}\" \"{name}\" (func $f{index} (param{parameters}) (result i32)))"
        );
    }
    format!(
        "(module
{imports}
(memory (export \"memory\") 4)
(global $at (mut i32) (i32.const 0))
(global $end (mut i32) (i32.const 0))
(global $heap (mut i32) (i32.const 65536))
(func (export \"proxy_abi_version_0_2_1\"))
(func (export \"malloc\") (param $size i32) (result i32)
  (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 0))))
  (if (i32.gt_u (global.get $heap) (i32.const 131072))
    (then (global.set $heap (i32.const 65536))))
  (global.get $heap)
  (global.set $heap (i32.add (global.get $heap) (local.get $size))))
(func $byte (result i32)
  (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const 0))))
  (i32.load8_u (global.get $at))
  (global.set $at (i32.add (global.get $at) (i32.const 1))))
(func $arg (result i32)
  (i32.extend16_s (i32.or (call $byte) (i32.shl (call $byte) (i32.const 8)))))
{act}
(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) (i32.const 1))
(func (export \"proxy_on_configure\") (param i32) (param $size i32) (result i32)
  (drop (call $f10 (i32.const 7) (i32.const 0) (local.get $size) (i32.const 40000) (i32.const 40004)))
  (memory.copy (i32.const 0) (i32.load (i32.const 40000)) (i32.load (i32.const 40004)))
  (global.set $end (i32.load (i32.const 40004)))
  (i32.const 1))
{callbacks}
{data})"
    )
}
