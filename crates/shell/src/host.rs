//! Host functions of proxy-wasm ABI 0.2.1, with statuses as numbers and bytes instead of strings.
//!
//! The only `unsafe` of the filters. Two rules make each call sound: what goes in are pointers and
//! lengths of slices that live across the call; what comes out is memory the host got from this
//! module's allocator (`proxy_on_memory_allocate`, which is Rust's), with capacity equal to length,
//! and hands over.
#![expect(unsafe_code, reason = "host functions are foreign functions")]

use std::ptr::null_mut;

use tollgate_effects::{Direction, UnixNanos};

/// Status 0: the host did it.
const OK: u32 = 0;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(out: *mut u64) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, out: *mut *mut u8, out_size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, out: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
}

/// A buffer by its number in the ABI.
#[derive(Clone, Copy)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    PluginConfiguration = 7,
}

impl Buffer {
    pub(crate) fn body(of: Direction) -> Self {
        match of {
            Direction::Request => Self::RequestBody,
            Direction::Response => Self::ResponseBody,
        }
    }
}

fn map(of: Direction) -> u32 {
    match of {
        Direction::Request => 0,
        Direction::Response => 2,
    }
}

/// Takes over what the host left at `data`.
fn owned(status: u32, data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if status != OK {
        return None;
    }
    if data.is_null() || size == 0 {
        return Some(Vec::new());
    }
    // SAFETY: second rule of this file.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

pub(crate) fn log(level: u32, message: &str) {
    // SAFETY: first rule of this file.
    unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

pub(crate) fn now() -> UnixNanos {
    let mut nanos = 0;
    // SAFETY: the host writes 8 bytes to a live u64.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    nanos
}

/// Up to `max` bytes of `buffer` from `start`; `None` if the host has no such buffer now.
pub(crate) fn buffer(buffer: Buffer, start: usize, max: usize) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes to two live variables; see `owned` for what they point to.
    let status =
        unsafe { proxy_get_buffer_bytes(buffer as u32, start, max, &raw mut data, &raw mut size) };
    owned(status, data, size)
}

/// Replaces `size` bytes at `start`; whether the host did.
pub(crate) fn set_buffer(buffer: Buffer, start: usize, size: usize, data: &[u8]) -> bool {
    // SAFETY: first rule of this file.
    let status =
        unsafe { proxy_set_buffer_bytes(buffer as u32, start, size, data.as_ptr(), data.len()) };
    status == OK
}

/// All headers, in the ABI's serialization.
pub(crate) fn headers(of: Direction) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes to two live variables; see `owned` for what they point to.
    let status = unsafe { proxy_get_header_map_pairs(map(of), &raw mut data, &raw mut size) };
    owned(status, data, size)
}

pub(crate) fn set_header(of: Direction, name: &str, value: &[u8]) -> bool {
    // SAFETY: first rule of this file.
    let status = unsafe {
        proxy_replace_header_map_value(
            map(of),
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    status == OK
}

pub(crate) fn remove_header(of: Direction, name: &str) -> bool {
    // SAFETY: first rule of this file.
    let status = unsafe { proxy_remove_header_map_value(map(of), name.as_ptr(), name.len()) };
    status == OK
}

/// The value at `path`; `None` if there is none or it is empty.
pub(crate) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let joined = path.join("\0");
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: first rule for the path; the host writes to two live variables, see `owned`.
    let status =
        unsafe { proxy_get_property(joined.as_ptr(), joined.len(), &raw mut data, &raw mut size) };
    owned(status, data, size).filter(|value| !value.is_empty())
}

pub(crate) fn set_property(key: &str, value: &[u8]) -> bool {
    // SAFETY: first rule of this file.
    let status =
        unsafe { proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()) };
    status == OK
}

/// Sends a local reply; `headers` in the ABI's serialization.
pub(crate) fn reply(status: u16, details: &str, body: &[u8], headers: &[u8]) -> bool {
    // SAFETY: first rule of this file.
    let status = unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
    status == OK
}

/// Defines a counter. Every call makes a new id, so the caller keeps it.
pub(crate) fn define_counter(name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: first rule for the name; the host writes to a live u32.
    let status = unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(crate) fn increment(id: u32, by: i64) -> bool {
    // SAFETY: takes and gives plain numbers.
    unsafe { proxy_increment_metric(id, by) == OK }
}

/// Calls a foreign function of the host and drops its result.
pub(crate) fn foreign(name: &str, argument: &[u8]) -> bool {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: first rule for name and argument; the host writes to two live variables, see `owned`.
    let status = unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            &raw mut data,
            &raw mut size,
        )
    };
    owned(status, data, size).is_some()
}

/// Has the current root context called every `period` milliseconds; 0: no more.
pub(crate) fn set_tick_period(period: u32) -> bool {
    // SAFETY: takes and gives plain numbers.
    unsafe { proxy_set_tick_period_milliseconds(period) == OK }
}

/// Makes the calls that follow in this callback be about context `id`; whether the host knows it.
pub(crate) fn set_effective_context(id: u32) -> bool {
    // SAFETY: takes and gives plain numbers.
    unsafe { proxy_set_effective_context(id) == OK }
}

/// Lets the held request of the effective context go on.
pub(crate) fn continue_request() -> bool {
    // SAFETY: takes and gives plain numbers.
    unsafe { proxy_continue_stream(0) == OK }
}
