//! A small HTTP/1.1 client: one connection, one request, every byte under control.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::message::{Kind, Message, Parser, frame, write_headers};
use super::pace::Pace;
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
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// As far as it came; status 0 if no head did.
    pub message: Message,
    /// Whether it broke off.
    pub reset: bool,
}

/// The head of `request`, and its pieces.
pub(crate) fn prepare(request: &Request) -> (Vec<u8>, Vec<Vec<u8>>) {
    let body = frame(&request.headers, request.body.as_deref(), &request.trailers);
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
    if !body.end.is_empty() {
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
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = &stream;
            // Fails if the other side answers and leaves before it has read everything.
            let _ = write_pieces(&mut stream, &call.head, call.pieces, deadline);
        });
        let answer = read_answer(&reader, call, deadline);
        // Also ends a write that nobody reads.
        let _ = reader.shutdown(Shutdown::Both);
        answer
    })
}

/// Writes `head`, then each piece apart, so that the other side reads several times.
pub(crate) fn write_pieces(
    stream: &mut &TcpStream,
    head: &[u8],
    pieces: &[Vec<u8>],
    deadline: Instant,
) -> std::io::Result<()> {
    let gap = gap(pieces.len());
    stream.write_all(head)?;
    for piece in pieces {
        if Instant::now() > deadline {
            return Err(ErrorKind::TimedOut.into());
        }
        thread::sleep(gap);
        stream.write_all(piece)?;
    }
    Ok(())
}

/// Long enough that a reader wakes in between, short enough that a body cut at every byte is sent
/// in well under a second.
fn gap(pieces: usize) -> Duration {
    let share = 200_000 / u64::try_from(pieces).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(share.clamp(20, 2_000))
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
