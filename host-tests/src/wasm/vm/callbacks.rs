//! The callbacks of a module, with the signatures of its version of the ABI.

use anyhow::Context;
use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use super::super::abi::version::Version;
use super::super::engine::plain;
use super::super::guest::GuestState;

/// Context, count or size, end of stream; gives an action.
pub(super) type Piece = TypedFunc<(u32, u32, u32), u32>;

/// A headers callback.
#[derive(Clone)]
pub(super) enum Headers {
    Of020(Piece),
    /// ABI 0.1.0 tells it nothing of the end.
    Of010(TypedFunc<(u32, u32), u32>),
}

/// What a callout's parts are told with.
pub(super) const GRPC: [&str; 4] = [
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
];

/// Root, token, numbers of headers, bytes, trailers.
pub(super) type Answered = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// Root, token, and a number.
pub(super) type GrpcPart = TypedFunc<(u32, u32, u32), ()>;

/// The callbacks that the module has. A missing one means Continue, or true.
pub(super) struct Callbacks {
    pub(super) on_context_create: Option<TypedFunc<(u32, u32), ()>>,
    pub(super) on_vm_start: Option<TypedFunc<(u32, u32), u32>>,
    pub(super) on_configure: Option<TypedFunc<(u32, u32), u32>>,
    pub(super) on_tick: Option<TypedFunc<u32, ()>>,
    pub(super) on_queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    pub(super) headers: [Option<Headers>; 2],
    pub(super) body: [Option<Piece>; 2],
    pub(super) trailers: [Option<TypedFunc<(u32, u32), u32>>; 2],
    pub(super) on_http_call_response: Option<Answered>,
    pub(super) on_grpc: [Option<GrpcPart>; 4],
    pub(super) on_new_connection: Option<TypedFunc<u32, u32>>,
    pub(super) data: [Option<Piece>; 2],
    pub(super) close: [Option<TypedFunc<(u32, u32), ()>>; 2],
    pub(super) on_log: Option<TypedFunc<u32, ()>>,
    pub(super) on_done: Option<TypedFunc<u32, u32>>,
    pub(super) on_delete: Option<TypedFunc<u32, ()>>,
}

impl Callbacks {
    /// Those of `instance`.
    ///
    /// # Errors
    ///
    /// When an export has another signature than the ABI.
    pub(super) fn of(store: &mut Store<GuestState>, instance: &Instance) -> anyhow::Result<Self> {
        Ok(Self {
            on_context_create: export(store, instance, "proxy_on_context_create")?,
            on_vm_start: export(store, instance, "proxy_on_vm_start")?,
            on_configure: export(store, instance, "proxy_on_configure")?,
            on_tick: export(store, instance, "proxy_on_tick")?,
            on_queue_ready: export(store, instance, "proxy_on_queue_ready")?,
            headers: [
                headers(store, instance, "proxy_on_request_headers")?,
                headers(store, instance, "proxy_on_response_headers")?,
            ],
            body: [
                export(store, instance, "proxy_on_request_body")?,
                export(store, instance, "proxy_on_response_body")?,
            ],
            trailers: [
                export(store, instance, "proxy_on_request_trailers")?,
                export(store, instance, "proxy_on_response_trailers")?,
            ],
            on_http_call_response: export(store, instance, "proxy_on_http_call_response")?,
            on_grpc: [
                export(store, instance, GRPC[0])?,
                export(store, instance, GRPC[1])?,
                export(store, instance, GRPC[2])?,
                export(store, instance, GRPC[3])?,
            ],
            on_new_connection: export(store, instance, "proxy_on_new_connection")?,
            data: [
                export(store, instance, "proxy_on_downstream_data")?,
                export(store, instance, "proxy_on_upstream_data")?,
            ],
            close: [
                export(store, instance, "proxy_on_downstream_connection_close")?,
                export(store, instance, "proxy_on_upstream_connection_close")?,
            ],
            on_log: export(store, instance, "proxy_on_log")?,
            on_done: export(store, instance, "proxy_on_done")?,
            on_delete: export(store, instance, "proxy_on_delete")?,
        })
    }
}

/// The headers callback `name` with the signature of the module's version.
fn headers(
    store: &mut Store<GuestState>,
    instance: &Instance,
    name: &str,
) -> anyhow::Result<Option<Headers>> {
    Ok(match store.data().version {
        Version::V0_1_0 => export(store, instance, name)?.map(Headers::Of010),
        Version::V0_2_0 | Version::V0_2_1 => export(store, instance, name)?.map(Headers::Of020),
    })
}

/// Export `name` with the ABI's signature; `None` if the module has none.
pub(super) fn export<P: WasmParams, R: WasmResults>(
    store: &mut Store<GuestState>,
    instance: &Instance,
    name: &str,
) -> anyhow::Result<Option<TypedFunc<P, R>>> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let typed = function.typed(&*store).map_err(plain);
    typed.map(Some).with_context(|| format!("export `{name}` has another signature than the ABI"))
}
