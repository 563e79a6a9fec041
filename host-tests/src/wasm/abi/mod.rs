//! The host functions of the proxy-wasm ABI: the 39 of 0.2.1, and those of older versions
//! ([`version`]), each with Envoy's behaviour where Envoy and the specification differ (`E` numbers
//! name Envoy's rules, see the module documentation).
//!
//! A function that a module imports and that is not here is a link error with its name.

mod attributes;
mod buffers;
mod callouts;
mod control;
mod expressions;
mod foreign;
mod headers;
mod metrics;
pub(crate) use callouts::Tokens;
pub(crate) mod properties;
mod shared;
mod signatures;
pub(crate) mod version;

pub(crate) use expressions::Expressions;

use wasmtime::{Caller, Linker, Memory};

use super::guest::{GuestState, Phase};
use super::recorder::{Argument, Recorder};
use version::Version;

/// Values above this are refused: no header, body or property of a scenario comes near.
const MOST_BYTES: u32 = 1 << 30;

/// A host function's result, by its number in the ABI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    InternalFailure = 10,
    Unimplemented = 12,
}

/// Why a host function did not do it.
pub(crate) enum Fail {
    /// The guest learns of it.
    Status(Status),
    /// The guest ends here.
    Trap(wasmtime::Error),
}

impl From<Status> for Fail {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

pub(crate) type Answer<T = ()> = Result<T, Fail>;

/// A host function's way to the guest that called it.
pub(crate) struct Cx<'a> {
    caller: Caller<'a, GuestState>,
    memory: Memory,
}

impl Cx<'_> {
    pub(crate) fn state(&self) -> &GuestState {
        self.caller.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut GuestState {
        self.caller.data_mut()
    }

    /// The guest's bytes at `at`.
    pub(crate) fn bytes(&self, at: u32, size: u32) -> Answer<&[u8]> {
        let (at, size) = (at as usize, size as usize);
        let end = at.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
        let memory = self.memory.data(&self.caller);
        let bytes = memory.get(at..end).ok_or(Status::InvalidMemoryAccess)?;
        self.charge(size);
        Ok(bytes)
    }

    pub(crate) fn text(&self, at: u32, size: u32) -> Answer<String> {
        Ok(String::from_utf8_lossy(self.bytes(at, size)?).into_owned())
    }

    /// Writes bytes that the guest made room for.
    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) -> Answer {
        let at = at as usize;
        let end = at.checked_add(bytes.len()).ok_or(Status::InvalidMemoryAccess)?;
        self.charge(bytes.len());
        let memory = self.memory.data_mut(&mut self.caller);
        memory.get_mut(at..end).ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(bytes);
        self.record(|recorder| recorder.wrote(bytes.len()));
        Ok(())
    }

    pub(crate) fn put_u32(&mut self, at: u32, value: u32) -> Answer {
        self.put(at, &value.to_le_bytes())
    }

    pub(crate) fn put_u64(&mut self, at: u32, value: u64) -> Answer {
        self.put(at, &value.to_le_bytes())
    }

    /// Hands over bytes in memory from the guest's allocator, which the guest then owns. Nothing is
    /// allocated for an empty value: pointer and length are 0.
    pub(crate) fn give(&mut self, bytes: &[u8], to: u32, to_size: u32) -> Answer {
        let (at, size) = self.allocate(bytes)?;
        self.put_u32(to, at)?;
        self.put_u32(to_size, size)
    }

    /// As [`Self::give`]; where the bytes are and how many is for the caller to hand over.
    fn allocate(&mut self, bytes: &[u8]) -> Answer<(u32, u32)> {
        let size = u32::try_from(bytes.len()).ok().filter(|n| *n < MOST_BYTES);
        let size = size.ok_or(Status::InternalFailure)?;
        if size == 0 {
            return Ok((0, 0));
        }
        let allocate = self.state().allocate.clone();
        let allocate = allocate.ok_or(Status::InvalidMemoryAccess)?;
        let before = std::mem::replace(&mut self.state_mut().phase, Phase::Allocating);
        self.record(Recorder::allocated);
        let allocated = allocate.call(&mut self.caller, size);
        self.state_mut().phase = before;
        let at = allocated.map_err(Fail::Trap)?;
        if at == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        self.put(at, bytes)?;
        Ok((at, size))
    }

    /// Counts bytes that a host function moves or looks at beyond those it reads from the guest or
    /// writes to it, so that a guest cannot keep the host busy for ever.
    pub(crate) fn charge(&self, bytes: usize) {
        self.state().work.charge(bytes);
    }

    /// Takes room for bytes that the host keeps beyond the call.
    pub(crate) fn keep(&self, bytes: usize) -> Answer {
        let kept = self.state().world.borrow_mut().allowance.keep(bytes);
        if kept { Ok(()) } else { Err(Status::InternalFailure.into()) }
    }

    /// Tells the recorder, if there is one.
    pub(crate) fn record(&self, what: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &self.state().recorder {
            what(&mut recorder.borrow_mut());
        }
    }
}

/// Runs host function `name` and makes its answer a number.
fn answer(
    caller: Caller<'_, GuestState>,
    name: &'static str,
    arguments: &[Argument],
    function: impl FnOnce(&mut Cx<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    with(caller, name, arguments, |cx| match function(cx) {
        Ok(()) => Ok(0),
        Err(Fail::Status(status)) => Ok(status as u32),
        Err(Fail::Trap(error)) => Err(error),
    })
}

/// Runs host function `name`, and records it with its `arguments` if somebody asked.
pub(crate) fn with(
    caller: Caller<'_, GuestState>,
    name: &'static str,
    arguments: &[Argument],
    function: impl FnOnce(&mut Cx<'_>) -> wasmtime::Result<u32>,
) -> wasmtime::Result<u32> {
    let Some(recorder) = caller.data().recorder.clone() else {
        return permitted(caller, name, function);
    };
    let memory = caller.data().memory.map(|memory| memory.data(&caller));
    let begun = recorder.borrow_mut().begin(name, arguments, memory);
    let result = permitted(caller, name, function);
    recorder.borrow_mut().end(begun, result.as_ref().ok().copied());
    result
}

/// Runs host function `name` unless the phase forbids it, which traps, as in Envoy.
fn permitted(
    caller: Caller<'_, GuestState>,
    name: &str,
    function: impl FnOnce(&mut Cx<'_>) -> wasmtime::Result<u32>,
) -> wasmtime::Result<u32> {
    permit(caller.data(), name)?;
    let memory = caller.data().memory;
    let memory = memory.ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?;
    function(&mut Cx { caller, memory })
}

/// Functions of WASI that may not be called while the module starts; of the host's own only the log
/// may.
const NOT_WHILE_STARTING: [&str; 6] =
    ["fd_close", "fd_read", "fd_seek", "path_open", "proc_exit", "sched_yield"];

/// What the guest's allocator may call, beside the log.
const WHILE_ALLOCATING: [&str; 3] = ["clock_time_get", "fd_write", "poll_oneoff"];

/// Whether host function `name` may be called now, and often enough. If not, the guest ends.
pub(crate) fn permit(state: &GuestState, name: &str) -> wasmtime::Result<()> {
    let (allowed, phase) = match state.phase {
        Phase::Running => (true, ""),
        Phase::Starting => {
            let refused = name.starts_with("proxy_") || NOT_WHILE_STARTING.contains(&name);
            (!refused, "in _initialize")
        }
        Phase::Allocating => (WHILE_ALLOCATING.contains(&name), "in the allocator"),
    };
    if !allowed && name != "proxy_log" {
        return Err(wasmtime::Error::msg(format!("restricted_callback: {name} called {phase}")));
    }
    if !state.work.begin() {
        return Err(wasmtime::Error::msg(
            "the call made the host work too long (too many host calls, or bytes moved): an \
             endless loop?",
        ));
    }
    Ok(())
}

macro_rules! link {
    ($linker:ident: $($path:path as $name:literal ($($arg:ident $(: $type:ty)?),*);)*) => {
        $($linker.func_wrap(
            "env",
            $name,
            |caller: Caller<'_, GuestState>, $($arg: link!(@type $($type)?)),*| {
                let arguments: &[Argument] = &[$((stringify!($arg), i128::from($arg))),*];
                answer(caller, $name, arguments, |cx| $path(cx, $($arg),*))
            },
        )?;)*
    };
    (@type) => { u32 };
    (@type $type:ty) => { $type };
}

/// Defines every host function of ABI `version`.
pub(crate) fn link(linker: &mut Linker<GuestState>, version: Version) -> wasmtime::Result<()> {
    link! { linker:
        control::log as "proxy_log"(level, at, size);
        control::get_time as "proxy_get_current_time_nanoseconds"(to);
        control::set_tick_period as "proxy_set_tick_period_milliseconds"(period);
        control::set_effective_context as "proxy_set_effective_context"(id);
        control::done as "proxy_done"();
        control::get_status as "proxy_get_status"(to_code, to, to_size);
        control::send_local_response as "proxy_send_local_response"(
            code, details, details_size, body, body_size, headers, headers_size, grpc_status
        );
        buffers::get_bytes as "proxy_get_buffer_bytes"(buffer, start, most, to, to_size);
        buffers::set_bytes as "proxy_set_buffer_bytes"(buffer, start, size, at, at_size);
        buffers::get_status as "proxy_get_buffer_status"(buffer, to_size, to_flags);
        headers::get_size as "proxy_get_header_map_size"(map, to);
        headers::get_pairs as "proxy_get_header_map_pairs"(map, to, to_size);
        headers::set_pairs as "proxy_set_header_map_pairs"(map, at, size);
        headers::get as "proxy_get_header_map_value"(map, key, key_size, to, to_size);
        headers::add as "proxy_add_header_map_value"(map, key, key_size, value, value_size);
        headers::replace as "proxy_replace_header_map_value"(map, key, key_size, value, value_size);
        headers::remove as "proxy_remove_header_map_value"(map, key, key_size);
        callouts::http_call as "proxy_http_call"(
            upstream, upstream_size, headers, headers_size, body, body_size, trailers,
            trailers_size, timeout, to_token
        );
        callouts::grpc_call as "proxy_grpc_call"(
            upstream, upstream_size, service, service_size, method, method_size, metadata,
            metadata_size, message, message_size, timeout, to_token
        );
        callouts::grpc_stream as "proxy_grpc_stream"(
            upstream, upstream_size, service, service_size, method, method_size, metadata,
            metadata_size, to_token
        );
        callouts::grpc_send as "proxy_grpc_send"(token, at, size, end);
        callouts::grpc_cancel as "proxy_grpc_cancel"(token);
        callouts::grpc_close as "proxy_grpc_close"(token);
        shared::get_data as "proxy_get_shared_data"(key, key_size, to, to_size, to_cas);
        shared::set_data as "proxy_set_shared_data"(key, key_size, value, value_size, cas);
        shared::register_queue as "proxy_register_shared_queue"(name, name_size, to);
        shared::resolve_queue as "proxy_resolve_shared_queue"(vm, vm_size, name, name_size, to);
        shared::enqueue as "proxy_enqueue_shared_queue"(queue, at, size);
        shared::dequeue as "proxy_dequeue_shared_queue"(queue, to, to_size);
        metrics::define as "proxy_define_metric"(kind, name, name_size, to);
        metrics::increment as "proxy_increment_metric"(id, by: i64);
        metrics::record as "proxy_record_metric"(id, value: u64);
        metrics::get as "proxy_get_metric"(id, to);
        properties::get as "proxy_get_property"(path, path_size, to, to_size);
        properties::set as "proxy_set_property"(path, path_size, value, value_size);
        foreign::call as "proxy_call_foreign_function"(
            name, name_size, argument, argument_size, to, to_size
        );
    }
    match version {
        Version::V0_1_0 => {
            link! { linker:
                control::get_configuration as "proxy_get_configuration"(to, to_size);
                control::continue_request as "proxy_continue_request"();
                control::continue_response as "proxy_continue_response"();
                control::clear_route_cache as "proxy_clear_route_cache"();
            }
        }
        Version::V0_2_0 | Version::V0_2_1 => {
            link! { linker:
                control::continue_stream as "proxy_continue_stream"(stream);
                control::close_stream as "proxy_close_stream"(stream);
            }
        }
    }
    if version == Version::V0_2_1 {
        link! { linker: control::get_log_level as "proxy_get_log_level"(to); }
    }
    // Emscripten's runtime, which C++ modules may be built with.
    linker.func_wrap("env", "pthread_equal", |a: u32, b: u32| u32::from(a == b))?;
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    Ok(())
}
