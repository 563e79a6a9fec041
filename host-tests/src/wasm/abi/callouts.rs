//! HTTP and gRPC callouts (E17–E20): what is checked and refused at once. What comes of a call is
//! told between calls into the VM, by the gateway's loop.

use super::{Answer, Cx, Status};
use crate::wasm::callouts::{Call, Id, Kind, Refused, reply};
use crate::wasm::grpc_service::GrpcService;
use crate::wasm::guest::GuestState;
use crate::wasm::headers::{HeaderMap, from_wire};

/// Tokens are numbered per VM, in steps of four; the rest tells the kinds apart.
const STEP: u32 = 4;
const HTTP: u32 = 0;
const GRPC_CALL: u32 = 1;
const GRPC_STREAM: u32 = 2;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The last tokens that a VM was given, by kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens([u32; 3]);

impl Default for Tokens {
    fn default() -> Self {
        Self([HTTP, GRPC_CALL, GRPC_STREAM])
    }
}

impl Tokens {
    fn next(&mut self, kind: Kind) -> u32 {
        let [http, call, stream] = &mut self.0;
        let last = match kind {
            Kind::Http => http,
            Kind::Grpc => call,
            Kind::Stream => stream,
        };
        *last = last.wrapping_add(STEP);
        *last
    }
}

/// `proxy_http_call` (E17): a cluster that the scenario does not name is unknown. As in Envoy, the
/// trailers go nowhere.
#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn http_call(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: u32,
    to_token: u32,
) -> Answer {
    let cluster = cx.text(upstream, upstream_size)?;
    let body = cx.bytes(body, body_size)?.to_vec();
    let mut headers = HeaderMap::of_call(&from_wire(cx.bytes(headers, headers_size)?));
    cx.bytes(trailers, trailers_size)?;
    // Whatever becomes of the call, a token that cannot be written is an error first.
    cx.put_u32(to_token, 0)?;
    let timeout = timeout.cast_signed();
    let complete = [&b":path"[..], b":method", b":authority"];
    if timeout < 0
        || !cx.state().world.borrow().callouts.has_cluster(&cluster)
        || complete.into_iter().any(|name| headers.get(name).is_none())
    {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.set(b"content-length", body.len().to_string().as_bytes());
    }
    let timeout = u64::from(timeout.unsigned_abs());
    let timeout = (timeout > 0).then_some(timeout * NANOS_PER_MILLI);
    let token = make(cx, Kind::Http, cluster, headers, body, timeout)?;
    cx.put_u32(to_token, token)
}

/// `proxy_grpc_call`: one message there, one back, or else a status (E19).
#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn grpc_call(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    message: u32,
    message_size: u32,
    timeout: u32,
    to_token: u32,
) -> Answer {
    let upstream = cx.bytes(upstream, upstream_size)?.to_vec();
    let path = path(cx, [service, service_size], [method, method_size])?;
    let metadata = from_wire(cx.bytes(metadata, metadata_size)?);
    let message = cx.bytes(message, message_size)?.to_vec();
    let service = grpc_service(cx, &upstream)?;
    let mut headers = service.headers(&path, Some(timeout));
    headers.add_call_metadata(&metadata);
    let timeout = (timeout > 0).then(|| u64::from(timeout) * NANOS_PER_MILLI);
    let token = make(cx, Kind::Grpc, service.cluster, headers, message, timeout)?;
    cx.put_u32(to_token, token)
}

/// `proxy_grpc_stream`.
#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn grpc_stream(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    to_token: u32,
) -> Answer {
    let upstream = cx.bytes(upstream, upstream_size)?.to_vec();
    let path = path(cx, [service, service_size], [method, method_size])?;
    let metadata = from_wire(cx.bytes(metadata, metadata_size)?);
    let service = grpc_service(cx, &upstream)?;
    let mut headers = service.headers(&path, None);
    headers.add_call_metadata(&metadata);
    let token = make(cx, Kind::Stream, service.cluster, headers, Vec::new(), None)?;
    cx.put_u32(to_token, token)
}

/// `proxy_grpc_send`: Ok also after the other side's end.
pub(super) fn grpc_send(cx: &mut Cx<'_>, token: u32, at: u32, size: u32, end: u32) -> Answer {
    let message = cx.bytes(at, size)?;
    if token % STEP != GRPC_STREAM {
        return Err(Status::BadArgument.into());
    }
    let id = Id { vm: cx.state().vm_number, token };
    let sent = cx.state().world.borrow_mut().callouts.send(id, message, end != 0);
    match sent {
        Ok(true) => Ok(()),
        Ok(false) => Err(Status::NotFound.into()),
        Err(refused) => Err(refuse(cx.state(), &refused).into()),
    }
}

/// `proxy_grpc_cancel`: the guest hears no more of it.
pub(super) fn grpc_cancel(cx: &mut Cx<'_>, token: u32) -> Answer {
    end(cx, token, |state, id| {
        let mut world = state.world.borrow_mut();
        let world = &mut *world;
        world.callouts.cancel(id, &mut world.agenda)
    })
}

/// `proxy_grpc_close`: of a stream, the guest's half; a call is cancelled.
pub(super) fn grpc_close(cx: &mut Cx<'_>, token: u32) -> Answer {
    end(cx, token, |state, id| {
        let mut world = state.world.borrow_mut();
        let world = &mut *world;
        world.callouts.close(id, &mut world.agenda)
    })
}

fn end(cx: &Cx<'_>, token: u32, how: impl FnOnce(&GuestState, Id) -> bool) -> Answer {
    if ![GRPC_CALL, GRPC_STREAM].contains(&(token % STEP)) {
        return Err(Status::BadArgument.into());
    }
    match how(cx.state(), Id { vm: cx.state().vm_number, token }) {
        true => Ok(()),
        false => Err(Status::NotFound.into()),
    }
}

fn path(cx: &Cx<'_>, service: [u32; 2], method: [u32; 2]) -> Answer<String> {
    let (service, method) = (cx.text(service[0], service[1])?, cx.text(method[0], method[1])?);
    Ok(format!("/{service}/{method}"))
}

/// Whom a gRPC call is to: a serialized `GrpcService`, else the name of a cluster.
fn grpc_service(cx: &mut Cx<'_>, upstream: &[u8]) -> Answer<GrpcService> {
    let known = |name: &str| cx.state().world.borrow().callouts.has_cluster(name);
    match GrpcService::parse(upstream) {
        None => {
            let name = String::from_utf8_lossy(upstream).into_owned();
            match known(&name) {
                true => Ok(GrpcService::of(name)),
                false => Err(Status::ParseFailure.into()),
            }
        }
        Some(Ok(service)) => Ok(service),
        Some(Err(what)) => {
            cx.state().log(4, &format!("gRPC call: {what}"));
            Err(Status::BadArgument.into())
        }
    }
}

/// Makes a call of the root context, and gives its token.
fn make(
    cx: &mut Cx<'_>,
    kind: Kind,
    cluster: String,
    headers: HeaderMap,
    body: Vec<u8>,
    timeout: Option<u64>,
) -> Answer<u32> {
    let root = cx.state().root();
    let token = cx.state_mut().tokens.next(kind);
    let state = cx.state();
    let id = Id { vm: state.vm_number, token };
    let call = Call {
        kind,
        root,
        filter: state.plugin().map(|plugin| plugin.name.clone()).unwrap_or_default(),
        exchange: state.exchange(),
        cluster,
        headers,
        body,
        timeout,
    };
    let made = {
        let mut world = state.world.borrow_mut();
        let world = &mut *world;
        let (callouts, agenda) = (&mut world.callouts, &mut world.agenda);
        if let Some(obstacle) = callouts.obstacle(&call.cluster) {
            let parts = reply::hindered(kind, obstacle, &call.headers);
            if !parts.is_empty() {
                callouts.fail_at_once(id, call, parts, world.now, agenda);
            }
            return Err(Status::InternalFailure.into());
        }
        callouts.make(id, call, world.now, agenda)
    };
    match made {
        Ok(()) => Ok(token),
        Err(refused) => Err(refuse(state, &refused).into()),
    }
}

/// Only this host has these limits, so a reader wants to know.
fn refuse(state: &GuestState, Refused(why): &Refused) -> Status {
    state.log(4, &format!("callout refused: {why}"));
    Status::InternalFailure
}
