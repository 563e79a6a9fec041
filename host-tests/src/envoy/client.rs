//! A small HTTP/1.1 client: one connection, one request, every byte under control.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::message::{Kind, Message, Parser, frame, write_headers};
use super::pace::Pace;
use super::pieces::write_pieces;
use super::turns::Turns;
use crate::plan::{Headers, Request};

/// A request in the form of the wire.
#[derive(Default)]
pub(crate) struct Call<'c> {
    /// Request line and headers with the empty line behind.
    pub head: Vec<u8>,
    /// Written one by one after the head.
    pub pieces: &'c [Vec<u8>],
    /// Whether the method is `HEAD`.
    pub to_head: bool,
    /// Close after this many bytes of the response's body.
    pub abort_after_bytes: Option<u64>,
    /// Told of each read, and of the abort.
    pub pace: Option<&'c Pace>,
    /// Keeps the pieces behind an early answer.
    pub turns: Option<&'c Turns>,
    /// Go away behind the last piece.
    pub reset: bool,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// As far as it came; status 0 if no head did.
    pub message: Message,
    /// Whether it broke off, and not because the client went away.
    pub reset: bool,
}

/// What a client that goes away waits before, so that what it sent has passed the gateway, and what
/// that answers comes; longer than `delayed_close_timeout`, with which a reset comes.
const BEFORE_LEAVING: Duration = Duration::from_millis(150);

/// The head of `request`, and its pieces.
pub(crate) fn prepare(request: &Request) -> (Vec<u8>, Vec<Vec<u8>>) {
    // A client that goes away needs a body whose end can be missing.
    let cut_body = request.reset.then_some(&[][..]);
    let body = request.body.as_deref().or(cut_body);
    let body = frame(&request.headers, body, &request.trailers);
    let mut head =
        format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, request.path, request.authority)
            .into_bytes();
    // Both would be request smuggling, and refused.
    let sized = body.header.is_some();
    let headers: Headers = (request.headers.iter())
        .filter(|(name, _)| !(sized && name == "content-length"))
        .cloned()
        .chain(body.header)
        .collect();
    write_headers(&mut head, &headers);
    head.extend_from_slice(b"\r\n");
    let mut pieces = body.pieces;
    if !body.end.is_empty() && !request.reset {
        pieces.push(body.end);
    }
    (head, pieces)
}

/// Sends `call` to `to` and reads what comes back, while still writing if need be.
///
/// # Errors
/// No connection, nothing complete by `deadline`, or no HTTP.
pub(crate) fn call(to: SocketAddr, call: &Call<'_>, deadline: Instant) -> Result<Answer> {
    let stream = TcpStream::connect_timeout(&to, left(deadline)?).context("cannot connect")?;
    stream.set_nodelay(true)?;
    let reader = stream.try_clone()?;
    let gone = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Fails if the other side answers and leaves before it has read everything.
            let _ = write(&stream, call, deadline);
            if call.reset {
                thread::sleep(BEFORE_LEAVING);
                gone.store(true, Ordering::Release);
                let _ = stream.shutdown(Shutdown::Write);
            }
        });
        let mut answer = read_answer(&reader, call, deadline);
        if let Ok(answer) = &mut answer {
            answer.reset &= !gone.load(Ordering::Acquire);
        }
        // Also ends a write that nobody reads.
        let _ = reader.shutdown(Shutdown::Both);
        answer
    })
}

fn write(mut stream: &TcpStream, call: &Call<'_>, deadline: Instant) -> std::io::Result<()> {
    let Some(turns) = call.turns else {
        return write_pieces(stream, &call.head, call.pieces, deadline);
    };
    stream.write_all(&call.head)?;
    for piece in call.pieces {
        turns.wait(call.pieces.len(), deadline);
        stream.write_all(piece)?;
    }
    // What comes last is followed by the client's end, if by anything.
    if call.reset {
        turns.wait(call.pieces.len(), deadline);
    }
    Ok(())
}

fn read_answer(mut stream: &TcpStream, call: &Call<'_>, deadline: Instant) -> Result<Answer> {
    let mut parser = Parser::new(Kind::Response { to_head: call.to_head });
    let mut buffer = vec![0; 64 << 10];
    loop {
        if let Some(most) = enough(&parser, call) {
            call.pace.inspect(|pace| pace.gone());
            let mut message = parser.into_message();
            message.body.truncate(most);
            return Ok(Answer { message, reset: false });
        }
        if parser.is_complete() {
            return Ok(Answer { message: parser.into_message(), reset: false });
        }
        let left = left(deadline).with_context(|| unfinished(&parser))?;
        stream.set_read_timeout(Some(left))?;
        let bytes = match stream.read(&mut buffer) {
            Ok(0) => {
                let reset = !parser.close();
                return Ok(Answer { message: parser.into_message(), reset });
            }
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if is_timeout(error.kind()) => continue,
            Err(_) => return Ok(Answer { message: parser.into_message(), reset: true }),
        };
        parser.push(bytes)?;
        if enough(&parser, call).is_none() {
            call.pace.inspect(|pace| pace.got());
        }
    }
}

/// After how many bytes the client goes away, once they are there.
fn enough(parser: &Parser, call: &Call<'_>) -> Option<usize> {
    let most = usize::try_from(call.abort_after_bytes?).unwrap_or(usize::MAX);
    (parser.has_head() && parser.message().body.len() >= most).then_some(most)
}

fn unfinished(parser: &Parser) -> String {
    if !parser.has_head() {
        return "no response: the stream hangs".into();
    }
    let Message { start, body, .. } = parser.message();
    format!("a response of status {} hangs after {} bytes of body", start.status, body.len())
}

pub(crate) fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The time until `deadline`.
///
/// # Errors
/// None is left.
pub(crate) fn left(deadline: Instant) -> Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    ensure!(!left.is_zero(), "time limit reached");
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::message::value;

    fn request(body: Option<Vec<Vec<u8>>>, headers: Headers) -> Request {
        Request {
            method: "POST".into(),
            path: "/v1".into(),
            authority: "gateway.test".into(),
            headers,
            body,
            trailers: vec![],
            abort_after_bytes: None,
            reset: false,
        }
    }

    #[test]
    fn pieces_go_chunked_and_raw_bytes_stay() {
        let cut = request(
            Some(vec![b"ab".to_vec(), b"c".to_vec()]),
            vec![("x-raw".into(), vec![0xff, 0xfe])],
        );
        let (head, pieces) = prepare(&cut);
        assert_eq!(
            head,
            b"POST /v1 HTTP/1.1\r\nhost: gateway.test\r\nx-raw: \xff\xfe\r\n\
              transfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(pieces, [&b"2\r\nab\r\n"[..], b"1\r\nc\r\n", b"0\r\n\r\n"]);
    }

    #[test]
    fn a_length_is_kept_unless_there_are_trailers() {
        let length = vec![("content-length".to_owned(), b"2".to_vec())];
        let mut sized = request(Some(vec![b"ab".to_vec()]), length);
        let (head, pieces) = prepare(&sized);
        assert!(head.ends_with(b"host: gateway.test\r\ncontent-length: 2\r\n\r\n"));
        assert_eq!(pieces, [b"ab"]);

        sized.trailers = vec![("t".into(), b"1".to_vec())];
        let (head, pieces) = prepare(&sized);
        assert!(head.ends_with(b"host: gateway.test\r\ntransfer-encoding: chunked\r\n\r\n"));
        assert_eq!(pieces.concat(), b"2\r\nab\r\n0\r\nt: 1\r\n\r\n");
        assert!(value(&sized.headers, "content-length").is_some());
    }

    #[test]
    fn no_body_is_no_body() {
        let (head, pieces) = prepare(&request(None, vec![]));
        assert_eq!(head, b"POST /v1 HTTP/1.1\r\nhost: gateway.test\r\n\r\n");
        assert!(pieces.is_empty());
    }
}
