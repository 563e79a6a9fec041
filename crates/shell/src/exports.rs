//! What the host calls: the callbacks of proxy-wasm ABI 0.2.1 that filters need, by their names.
//!
//! Our own, since the SDK's dispatcher panics when the host names a context that it does not know (which
//! Envoy does after some retries, see SECURITY.md), and since it is a third of a small filter's size.
//! A callback that is missing here is one that the host then does not make.
#![expect(unsafe_code, reason = "exported names are global, and the allocator hands out memory")]

use std::alloc::{Layout, alloc};
use std::ptr::NonNull;

use tollgate_effects::{Direction, Flow};

use crate::worker::with;

/// Makes a proxy-wasm module of a [`tollgate_effects::Plugin`].
#[macro_export]
macro_rules! filter {
    ($plugin:ty) => {
        #[cfg(target_os = "wasi")]
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }

        /// The host's first call.
        #[unsafe(no_mangle)]
        pub extern "C" fn _initialize() {
            // SAFETY: called once, by the host, before anything else.
            #[cfg(target_os = "wasi")]
            unsafe {
                __wasm_call_ctors();
            }
            $crate::install::<$plugin>();
        }
    };
}

/// Its presence tells the host the version of the ABI.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for what the host hands over: as `Vec` would allocate it, since `host::owned` makes it one. Not filled, since
/// the host writes all of it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout has a size. A failure is null, on which the host fails the call.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => NonNull::dangling().as_ptr(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    with(|worker| worker.create(id, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, _: usize) -> u32 {
    u32::from(with(|worker| worker.configure(id)).unwrap_or(false))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: u32) {
    with(|worker| worker.tick(id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _: usize, end: u32) -> u32 {
    headers(id, Direction::Request, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, size: usize, end: u32) -> u32 {
    body(id, Direction::Request, size, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _: usize) -> u32 {
    trailers(id, Direction::Request)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(id: u32, _: usize, end: u32) -> u32 {
    headers(id, Direction::Response, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(id: u32, size: usize, end: u32) -> u32 {
    body(id, Direction::Response, size, end)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(id: u32, _: usize) -> u32 {
    trailers(id, Direction::Response)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(id: u32) {
    with(|worker| worker.log(id));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_: u32) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    with(|worker| worker.delete(id));
}

fn headers(id: u32, of: Direction, end: u32) -> u32 {
    action(with(|worker| worker.headers(id, of, end != 0)))
}

fn body(id: u32, of: Direction, size: usize, end: u32) -> u32 {
    action(with(|worker| worker.body(id, of, size, end != 0)))
}

fn trailers(id: u32, of: Direction) -> u32 {
    action(with(|worker| worker.trailers(id, of)))
}

/// The ABI's number of a flow. Without a worker, which no host gets to see, nothing passes.
fn action(flow: Option<Flow>) -> u32 {
    match flow {
        Some(Flow::Continue) => 0,
        Some(Flow::Pause) | None => 1,
    }
}
