//! One call: its body is kept, and its answer comes when it is due.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tokio::time::{Instant, sleep_until, timeout};

use super::book::Script;
use crate::plan::{Callout, CalloutAnswer, Headers};

/// A gRPC stream that was silent for so long, with only whole messages, waits for an answer before it
/// says more.
const SILENCE: Duration = Duration::from_millis(2);

/// The text of the answers after the last: what Envoy says of a cluster that has no endpoint.
const NO_ENDPOINT: &str = "no healthy upstream";

/// gRPC's `UNAVAILABLE`.
const UNAVAILABLE: u8 = 14;

/// Whether the answer comes as soon as the call is there.
pub(super) fn is_prompt(callout: &Callout) -> bool {
    callout.delay_nanos == 0 && !matches!(callout.answer, CalloutAnswer::Never)
}

/// Keeps what comes of call number `index` and answers it; `None` is a script that is used up.
pub(super) async fn serve(
    script: Arc<Script>,
    index: usize,
    callout: Option<Callout>,
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
) {
    let arrived = Instant::now();
    let mut grpc = false;
    script.update(index, |call| grpc = call.grpc);
    let patience = grpc.then_some(SILENCE);
    let mut ended = read(&script, index, &mut body, patience).await;
    let (answer, delay) = match callout {
        Some(Callout { answer, delay_nanos }) => (answer, Duration::from_nanos(delay_nanos)),
        None => (used_up(grpc), Duration::ZERO),
    };
    let due = arrived + delay;
    // The rest of a stream goes on coming in the meantime, and the caller may go away.
    while Instant::now() < due || matches!(answer, CalloutAnswer::Never) {
        tokio::select! {
            _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => {
                script.update(index, |call| (call.ended, call.answered) = (true, true));
                return;
            }
            end = read(&script, index, &mut body, None), if !ended => ended = end,
            () = sleep_until(due), if !matches!(answer, CalloutAnswer::Never) => break,
        }
    }
    match send(&answer, respond) {
        Ok(()) => {}
        Err(Unsent::Invalid(what)) => {
            let cluster = script.cluster();
            script.fail(format!("an answer of `callouts.{cluster}` cannot be sent: {what}"));
        }
        Err(Unsent::Gone) => {}
    }
    script.update(index, |call| call.answered = true);
    if !ended {
        read(&script, index, &mut body, None).await;
    }
}

/// Keeps what comes until the end, or until nothing comes for as long as `patience` and no message is
/// open; says whether it was the end.
async fn read(
    script: &Script,
    index: usize,
    body: &mut RecvStream,
    patience: Option<Duration>,
) -> bool {
    loop {
        let next = match patience {
            None => body.data().await,
            Some(patience) => match timeout(patience, body.data()).await {
                Ok(next) => next,
                Err(_) if script.has_whole_messages(index) => return false,
                Err(_) => continue,
            },
        };
        match next {
            Some(Ok(piece)) => {
                let _ = body.flow_control().release_capacity(piece.len());
                if !script.keep(index, &piece) {
                    break;
                }
            }
            Some(Err(_)) | None => break,
        }
    }
    script.update(index, |call| call.ended = true);
    true
}

/// Why an answer was not sent.
enum Unsent {
    /// Nobody waits for it.
    Gone,
    /// It is no HTTP/2 message.
    Invalid(String),
}

impl From<h2::Error> for Unsent {
    fn from(error: h2::Error) -> Self {
        // The crate's own checks; anything else is a stream that has ended.
        if error.to_string().contains("malformed") {
            Self::Invalid(error.to_string())
        } else {
            Self::Gone
        }
    }
}

fn used_up(grpc: bool) -> CalloutAnswer {
    if grpc {
        return CalloutAnswer::Grpc {
            status: UNAVAILABLE,
            message: NO_ENDPOINT.to_owned(),
            initial_metadata: Vec::new(),
            messages: Vec::new(),
            trailing_metadata: Vec::new(),
        };
    }
    CalloutAnswer::Http {
        status: 503,
        headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
        body: NO_ENDPOINT.into(),
        trailers: Vec::new(),
    }
}

fn send(answer: &CalloutAnswer, mut respond: SendResponse<Bytes>) -> Result<(), Unsent> {
    match answer {
        CalloutAnswer::Http { status, headers, body, trailers } => {
            let ends = body.is_empty() && trailers.is_empty();
            let mut stream = respond.send_response(head(*status, map(headers)?)?, ends)?;
            if !body.is_empty() {
                stream.send_data(Bytes::copy_from_slice(body), trailers.is_empty())?;
            }
            if !trailers.is_empty() {
                stream.send_trailers(map(trailers)?)?;
            }
        }
        CalloutAnswer::Grpc { status, message, initial_metadata, messages, trailing_metadata } => {
            let mut headers = map(initial_metadata)?;
            headers.insert("content-type", HeaderValue::from_static("application/grpc"));
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(u16::from(*status)));
            if !message.is_empty() {
                trailers
                    .insert("grpc-message", value("grpc-message", percent(message).as_bytes())?);
            }
            trailers.extend(map(trailing_metadata)?);
            if messages.is_empty() && initial_metadata.is_empty() {
                // Headers and trailers in one, as servers do.
                headers.extend(trailers);
                respond.send_response(head(200, headers)?, true)?;
                return Ok(());
            }
            let mut stream = respond.send_response(head(200, headers)?, false)?;
            for message in messages {
                send_message(&mut stream, message)?;
            }
            stream.send_trailers(trailers)?;
        }
        CalloutAnswer::Reset => respond.send_reset(Reason::INTERNAL_ERROR),
        CalloutAnswer::Never => {}
    }
    Ok(())
}

fn send_message(stream: &mut SendStream<Bytes>, message: &[u8]) -> Result<(), Unsent> {
    let length = u32::try_from(message.len())
        .map_err(|_| Unsent::Invalid(format!("a message of {} bytes", message.len())))?;
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    stream.send_data(framed.freeze(), false)?;
    Ok(())
}

fn head(status: u16, headers: HeaderMap) -> Result<Response<()>, Unsent> {
    let mut response = Response::new(());
    *response.status_mut() =
        http::StatusCode::from_u16(status).map_err(|error| Unsent::Invalid(error.to_string()))?;
    *response.headers_mut() = headers;
    Ok(response)
}

fn map(headers: &Headers) -> Result<HeaderMap, Unsent> {
    let mut map = HeaderMap::new();
    for (name, bytes) in headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Unsent::Invalid(format!("`{name}` is not the name of a header")))?;
        map.append(key, value(name, bytes)?);
    }
    Ok(map)
}

fn value(name: &str, bytes: &[u8]) -> Result<HeaderValue, Unsent> {
    HeaderValue::from_bytes(bytes).map_err(|_| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Unsent::Invalid(format!("`{text}` cannot be the value of `{name}`"))
    })
}

/// A status message in the form of a header.
fn percent(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}
