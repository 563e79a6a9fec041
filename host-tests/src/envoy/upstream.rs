//! The scripted upstream: a port per attempt, each with one answer, each keeping what it was sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::client::is_timeout;
use super::message::{Kind, Message, Parser, frame, write_headers};
use super::pace::Pace;
use super::pieces::write_pieces;
use super::turns::Turns;
use crate::plan::Upstream;

/// How often a waiting thread looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);

/// How long a paced answer may be held back by a filter in all, and how long a piece of it at least.
const MOST_HELD: Duration = Duration::from_secs(1);
const LEAST_HELD: Duration = Duration::from_millis(2);

/// One scripted attempt, listening on loopback until dropped.
pub(crate) struct Server {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's thread and its owner both see.
struct Shared {
    script: Script,
    pace: Option<Arc<Pace>>,
    /// Of the exchange, if the answer is early.
    turns: Option<Arc<Turns>>,
    received: Mutex<Vec<Received>>,
    stop: AtomicBool,
    timeout: Duration,
}

/// A request that came, whole or in part.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Total order over all servers of the process.
    pub at: Instant,
    /// As far as it came.
    pub message: Message,
    /// Whether all of it came.
    pub complete: bool,
}

/// An answer in the form of the wire.
struct Script {
    head: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    end: Vec<u8>,
    /// Without body, if the request is `HEAD`.
    close: bool,
}

impl Server {
    /// Starts answering as `upstream` says, at `pace` if the client will go away, and telling `turns`
    /// of an early answer; an answer that is not taken within `timeout` is given up.
    ///
    /// # Errors
    /// No free port.
    pub(crate) fn start(
        upstream: &Upstream,
        pace: Option<Arc<Pace>>,
        turns: Option<Arc<Turns>>,
        timeout: Duration,
    ) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port for an upstream")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            script: script(upstream),
            pace,
            turns: turns.filter(|_| upstream.early),
            received: Mutex::default(),
            stop: AtomicBool::new(false),
            timeout,
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || of_thread.accept(&listener));
        Ok(Self { port, shared, thread: Some(thread) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The pace that it keeps, for the client.
    pub(crate) fn pace(&self) -> Option<&Pace> {
        self.shared.pace.as_deref()
    }

    /// What it tells of its early answer, for the client.
    pub(crate) fn turns(&self) -> Option<&Turns> {
        self.shared.turns.as_deref()
    }

    /// Every request so far, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // Wakes the accepting thread.
        let _ = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], self.port)), LOOK);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            for stream in listener.incoming() {
                if self.stopped() {
                    return;
                }
                if let Ok(stream) = stream {
                    scope.spawn(move || self.serve(&stream));
                }
            }
        });
    }

    /// Answers the requests of a connection until it ends. A failing write is the gateway's doing,
    /// and shows in what the client got.
    fn serve(&self, stream: &TcpStream) {
        let prepared = stream.set_nodelay(true).is_ok()
            && stream.set_read_timeout(Some(LOOK)).is_ok()
            && stream.set_write_timeout(Some(self.timeout)).is_ok();
        if !prepared {
            return;
        }
        loop {
            let mut request = Incoming::default();
            if self.turns.is_some()
                && self.read(stream, &mut request, Parser::has_head)
                && !request.parser.is_complete()
            {
                if self.answer(stream, request.to_head()).is_err() || self.script.close {
                    self.received().extend(request.received());
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
                request.answered = true;
            }
            self.read(stream, &mut request, Parser::is_complete);
            let Some(received) = request.received() else { return };
            let (complete, to_head) = (received.complete, received.message.start.method == "HEAD");
            self.received().push(received);
            if !complete {
                return;
            }
            if !request.answered && (self.answer(stream, to_head).is_err() || self.script.close) {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    fn answer(&self, stream: &TcpStream, to_head: bool) -> std::io::Result<()> {
        let Some(turns) = &self.turns else { return self.write_answer(stream, to_head) };
        turns.begin();
        let result = self.write_answer(stream, to_head);
        turns.end();
        result
    }

    fn write_answer(&self, mut stream: &TcpStream, to_head: bool) -> std::io::Result<()> {
        let script = &self.script;
        let pieces = if to_head { &[][..] } else { script.pieces.as_slice() };
        let deadline = Instant::now() + self.timeout;
        match &self.pace {
            None => write_pieces(stream, &script.head, pieces, deadline)?,
            Some(pace) => {
                // A held body must not take longer in many pieces than in few.
                let share = u32::try_from(pieces.len()).unwrap_or(u32::MAX).saturating_add(1);
                let most = (MOST_HELD / share).max(LEAST_HELD);
                for piece in std::iter::once(&script.head).chain(pieces) {
                    let reads = pace.reads();
                    stream.write_all(piece)?;
                    if pace.wait(reads, most) {
                        self.wait_for_close(stream);
                        return Ok(());
                    }
                }
            }
        }
        if !to_head && !script.close {
            stream.write_all(&script.end)?;
        }
        Ok(())
    }

    /// What a gateway does to a stream whose client has gone.
    fn wait_for_close(&self, mut stream: &TcpStream) {
        let deadline = Instant::now() + self.timeout;
        while !self.stopped() && Instant::now() < deadline {
            match stream.read(&mut [0; 1024]) {
                Ok(0) => return,
                Err(error) if !is_timeout(error.kind()) => return,
                _ => {}
            }
        }
    }

    /// Reads on until there is `enough` of the request. False: nothing more comes.
    fn read(
        &self,
        mut stream: &TcpStream,
        request: &mut Incoming,
        enough: impl Fn(&Parser) -> bool,
    ) -> bool {
        let mut buffer = vec![0; 64 << 10];
        while !enough(&request.parser) {
            if self.stopped() {
                return false;
            }
            let count = match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => count,
                Err(error) if is_timeout(error.kind()) => continue,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            request.at.get_or_insert_with(Instant::now);
            if request.parser.push(buffer.get(..count).unwrap_or_default()).is_err() {
                return false;
            }
        }
        true
    }
}

/// A request that comes.
struct Incoming {
    parser: Parser,
    at: Option<Instant>,
    answered: bool,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { parser: Parser::new(Kind::Request), at: None, answered: false }
    }
}

impl Incoming {
    fn to_head(&self) -> bool {
        self.parser.message().start.method == "HEAD"
    }

    /// As far as it came; `None` if nothing did.
    fn received(&mut self) -> Option<Received> {
        let parser = std::mem::replace(&mut self.parser, Parser::new(Kind::Request));
        let complete = parser.is_complete();
        parser.has_head().then(|| Received {
            at: self.at.unwrap_or_else(Instant::now),
            message: parser.into_message(),
            complete,
        })
    }
}

fn script(upstream: &Upstream) -> Script {
    // A connection that is cut needs a body whose end can be missing.
    let cut_body = upstream.reset.then_some(&[][..]);
    let body = upstream.body.as_deref().or(cut_body);
    let mut framed = frame(&upstream.headers, body, &upstream.trailers);
    let mut headers = upstream.headers.clone();
    if framed.header.is_some() {
        headers.retain(|(name, _)| name != "content-length");
    } else if body.is_none() && !has_length(upstream) {
        headers.push(("content-length".into(), b"0".to_vec()));
    }
    headers.extend(framed.header.take());
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", upstream.status).into_bytes();
    write_headers(&mut head, &headers);
    head.extend_from_slice(b"\r\n");
    Script { head, pieces: framed.pieces, end: framed.end, close: upstream.reset }
}

/// Whether a response without body says so by itself.
fn has_length(upstream: &Upstream) -> bool {
    let framing = ["content-length", "transfer-encoding"];
    upstream.headers.iter().any(|(name, _)| framing.contains(&name.as_str()))
        || matches!(upstream.status, 100..200 | 204 | 304)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::client::{Call, call};

    fn upstream(body: Option<Vec<Vec<u8>>>, reset: bool) -> Upstream {
        Upstream {
            host_metadata: vec![],
            status: 429,
            headers: vec![("x-a".into(), vec![0xff])],
            body,
            trailers: vec![],
            reset,
            early: false,
        }
    }

    fn ask(server: &Server) -> crate::envoy::client::Answer {
        let call_data = Call {
            head: b"POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n".to_vec(),
            pieces: &[b"h".to_vec(), b"i".to_vec()],
            ..Call::default()
        };
        let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
        call(to, &call_data, Instant::now() + Duration::from_secs(5)).unwrap()
    }

    #[test]
    fn answers_and_keeps_what_came() {
        let pieces = Some(vec![b"ab".to_vec(), b"c".to_vec()]);
        let server =
            Server::start(&upstream(pieces, false), None, None, Duration::from_secs(5)).unwrap();
        let answer = ask(&server);
        assert!(!answer.reset);
        assert_eq!(answer.message.start.status, 429);
        assert_eq!(answer.message.headers[0].1, [0xff]);
        assert_eq!(answer.message.body, b"abc");
        let received = server.received();
        assert_eq!(received.len(), 1);
        assert!(received[0].complete);
        assert_eq!(received[0].message.start.path, "/p");
        assert_eq!(received[0].message.body, b"hi");
    }

    #[test]
    fn a_reset_cuts_the_body() {
        for body in [None, Some(vec![b"ab".to_vec()])] {
            let expected = body.clone().unwrap_or_default().concat();
            let server =
                Server::start(&upstream(body, true), None, None, Duration::from_secs(5)).unwrap();
            let answer = ask(&server);
            assert!(answer.reset);
            assert_eq!((answer.message.start.status, answer.message.body), (429, expected));
        }
    }

    #[test]
    fn no_body_is_an_empty_answer() {
        let server =
            Server::start(&upstream(None, false), None, None, Duration::from_secs(5)).unwrap();
        let answer = ask(&server);
        assert_eq!((answer.reset, answer.message.body), (false, vec![]));
    }
}
