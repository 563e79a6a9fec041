//! HTTP and gRPC callouts: refused with a log line, as a host without the cluster would.
//!
//! They will need answers scripted per cluster, virtual time for delays and timeouts, tokens of the
//! root context, and completions delivered between calls (E17–E20).

use super::{Answer, Cx, Status};

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn http_call(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
) -> Answer {
    let upstream = cx.text(upstream, upstream_size)?;
    Err(refused(cx, "proxy_http_call", &upstream).into())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn grpc_call(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
) -> Answer {
    let upstream = cx.text(upstream, upstream_size)?;
    Err(refused(cx, "proxy_grpc_call", &upstream).into())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn grpc_stream(
    cx: &mut Cx<'_>,
    upstream: u32,
    upstream_size: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
) -> Answer {
    let upstream = cx.text(upstream, upstream_size)?;
    Err(refused(cx, "proxy_grpc_stream", &upstream).into())
}

/// No stream was ever opened, so no token is known.
pub(super) fn grpc_send(_: &mut Cx<'_>, _: u32, _: u32, _: u32, _: u32) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn grpc_cancel(_: &mut Cx<'_>, _: u32) -> Answer {
    Err(Status::NotFound.into())
}

pub(super) fn grpc_close(_: &mut Cx<'_>, _: u32) -> Answer {
    Err(Status::NotFound.into())
}

fn refused(cx: &Cx<'_>, name: &str, upstream: &str) -> Status {
    let text = format!("{name}: this host makes no callouts yet (cluster `{upstream}`)");
    cx.state().log(5, &text);
    Status::InternalFailure
}
