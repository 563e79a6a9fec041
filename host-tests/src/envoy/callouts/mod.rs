//! The scripted clusters that filters call: a port per cluster, each call with the next answer.
//!
//! All of them speak HTTP/2 without TLS, whatever their answers are: calls then share a connection,
//! so that they arrive in the order in which they were made (over HTTP/1.1 each would have a
//! connection of its own, and which is there first is chance), one cluster can answer both HTTP and
//! gRPC calls, and an answer has the headers of the scenario and no others.
//!
//! One thread with one single-threaded runtime serves everything until the [`Clusters`] are dropped.
//! How one call is answered is [`answer`]'s.
//!
//! # What a filter is told
//!
//! As measured on Envoy 1.40, and the same on 1.36. Each row has tests among the rules of the wasmtime
//! host, which mirrors it and is compared with a real Envoy there.
//!
//! | | `http_call` | `grpc_call`, `grpc_stream` |
//! |---|---|---|
//! | unknown cluster | 2 | 4 |
//! | bad headers, negative timeout | 2; also without `:path`, `:method` or `:authority` | made: without metadata, without a limit |
//! | timeout 0 | no limit | no limit |
//! | cluster without endpoint | 10, and never a callback | 10, and `on_grpc_close` 14 all the same; a stream's metadata callbacks come inside the call |
//! | more than 1024 open calls of a cluster | as without an endpoint | as without an endpoint, with `upstream connect error … overflow` |
//! | empty service name | | Envoy crashes: it reads an empty `GrpcService` |
//! | tokens | 4, 8, 12 … | 5, 9 … and 6, 10 …; of the wrong kind: 2, unknown: 1 |
//! | answer | number of headers (`:status` and `x-envoy-upstream-service-time` count), size, number of trailers | a call: `on_grpc_receive` with the last message, or `on_grpc_close`; a stream: initial metadata, messages, trailing metadata, close |
//! | no answer in time | a response: 504 `upstream request timeout` | close 14, `upstream request timeout{response_timeout}` |
//! | reset | a response: 503 `upstream connect error …` | close 14, the same text and `{upstream_reset_before_response_started{remote_reset}}` |
//! | reset after the headers | 0, 0, 0 and `get_status` 11 `reset` | |
//! | `get_status` | 0 and no text, but for the row above | the status, and the message with `{via_upstream}` behind it, or only `via_upstream` |
//! | headers and trailers in one | | initial metadata is empty, trailing metadata has all of it |
//! | an HTTP answer | | the status that gRPC maps it to; 200 without frames is 13 with a body and 2 without |
//! | outside of callbacks | pairs: none; value, size: 2; body: 1 | the same, but an empty message |
//!
//! Answers come to the root context, one at a time, in the order in which they come; the stream may be
//! gone by then, and `set_effective_context` says 2. Calls are made in every phase: in `on_log` they
//! are answered after `on_delete`, and in `on_configure` each worker makes them, and so does Envoy's
//! main thread, which has a VM of its own. A trap in an answer leaves the streams that wait for it
//! hanging. Neither the route's retries nor `bufferBytes` are for calls, and trailers of an `http_call`
//! are not sent.

mod answer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::message;
use super::process::POLL;
use crate::plan::{Callout, Headers};
use crate::report::{CalloutRequest, HOST, LogLine, used_up};

/// The most calls of a run, and the most bytes that one of them may send.
const MOST_CALLS: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// The window of flow control, above any body that is measured.
const WINDOW: u32 = 16 << 20;

/// How long what has arrived in part may take to arrive in whole.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// The clusters of a plan, listening on loopback until dropped.
pub(crate) struct Clusters {
    ports: BTreeMap<String, u16>,
    book: Arc<Mutex<Book>>,
    /// Calls of each cluster that Envoy has made and could not send, so that they never arrive.
    lost: Vec<u64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Everything that came, in order of arrival.
#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    /// Given out up to here.
    taken: usize,
    /// Calls that had no answer left, in words, since the last time they were given out.
    unanswered: Vec<String>,
    /// What stops the run.
    problem: Option<String>,
}

/// A call as far as it came, and how far its answer is.
struct Call {
    cluster: Arc<str>,
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
    grpc: bool,
    /// All of the request is here, or nothing more comes.
    ended: bool,
    /// Its answer is sent, or nobody waits for it any more.
    answered: bool,
    /// Its answer comes at once: neither after a time nor never.
    prompt: bool,
}

/// One cluster's script.
struct Script {
    cluster: Arc<str>,
    answers: Vec<Callout>,
    book: Arc<Mutex<Book>>,
}

/// How many calls of a cluster there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    /// That have arrived.
    pub arrived: u64,
    /// That have not been answered.
    pub open: u64,
}

impl Clusters {
    /// Starts answering as `scripts` says. A cluster without any answer has no endpoint either.
    ///
    /// # Errors
    /// No free port.
    pub(crate) fn start(scripts: &BTreeMap<String, Vec<Callout>>) -> Result<Self> {
        let book: Arc<Mutex<Book>> = Arc::default();
        let (mut ports, mut listeners) = (BTreeMap::new(), Vec::new());
        for (cluster, answers) in scripts.iter().filter(|(_, answers)| !answers.is_empty()) {
            let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
                .with_context(|| format!("no port for the callouts of `{cluster}`"))?;
            listener.set_nonblocking(true)?;
            ports.insert(cluster.clone(), listener.local_addr()?.port());
            let script = Arc::new(Script {
                cluster: cluster.as_str().into(),
                answers: answers.clone(),
                book: Arc::clone(&book),
            });
            listeners.push((listener, script));
        }
        let (stop, stopped) = oneshot::channel();
        let thread = if listeners.is_empty() {
            None
        } else {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Some(thread::spawn(move || {
                runtime.block_on(async {
                    for (listener, script) in listeners {
                        if let Ok(listener) = TcpListener::from_std(listener) {
                            tokio::spawn(accept(listener, script));
                        }
                    }
                    let _ = stopped.await;
                });
            }))
        };
        let lost = vec![0; ports.len()];
        Ok(Self { ports, book, lost, stop: Some(stop), thread })
    }

    /// Where each cluster listens, in the order of names.
    pub(crate) fn ports(&self) -> &BTreeMap<String, u16> {
        &self.ports
    }

    /// How many calls of each cluster there are, in the order of [`Clusters::ports`].
    pub(crate) fn counts(&self) -> Vec<Count> {
        let book = locked(&self.book);
        let count = |cluster: &String| {
            let of = || book.calls.iter().filter(|call| *call.cluster == **cluster);
            let open = of().filter(|call| !call.answered).count();
            Count { arrived: of().count() as u64, open: open as u64 }
        };
        self.ports.keys().map(count).collect()
    }

    /// Whether every call is here in whole, and every answer that comes at once is sent. A gRPC
    /// stream that is open is as whole as it gets.
    pub(crate) fn is_settled(&self) -> bool {
        let book = locked(&self.book);
        let settled = |call: &Call| (call.ended || call.grpc) && (call.answered || !call.prompt);
        book.problem.is_some() || book.calls.iter().skip(book.taken).all(settled)
    }

    /// Waits until every call is here that `made`, which is asked again and again, counts on Envoy's
    /// side, and [`Clusters::is_settled`]; or for as long as `most`.
    ///
    /// # Errors
    /// Those of `made`.
    pub(crate) fn wait(
        &mut self,
        most: Duration,
        made: impl Fn() -> Result<Vec<Count>>,
    ) -> Result<()> {
        let until = Instant::now() + most;
        loop {
            let (made, here) = (made()?, self.counts());
            let both = || made.iter().zip(&here).zip(&self.lost);
            let arrived = |((made, here), lost): ((&Count, &Count), &u64)| {
                made.arrived == here.arrived + lost && made.open == here.open
            };
            if both().all(arrived) && self.is_settled() {
                return Ok(());
            }
            if Instant::now() > until {
                // Nobody waits for these again.
                self.lost = both()
                    .map(|((made, here), _)| made.arrived.saturating_sub(here.arrived))
                    .collect();
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }

    /// What there is to say of the calls since the last time.
    pub(crate) fn remarks(&self) -> Vec<LogLine> {
        let line = |message| LogLine { level: "warn".into(), filter: HOST.into(), message };
        std::mem::take(&mut locked(&self.book).unanswered).into_iter().map(line).collect()
    }

    /// The calls that came since the last time.
    ///
    /// # Errors
    /// More came than is kept, or an answer cannot be sent as it is.
    pub(crate) fn take(&self) -> Result<Vec<CalloutRequest>> {
        let mut book = locked(&self.book);
        ensure!(book.problem.is_none(), "{}", book.problem.as_deref().unwrap_or_default());
        let upto = book.calls.len();
        let from = std::mem::replace(&mut book.taken, upto);
        Ok(book.calls.iter().skip(from).map(Call::report).collect())
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Call {
    fn report(&self) -> CalloutRequest {
        let body = if self.grpc { messages(&self.body).0.concat() } else { self.body.clone() };
        let (body, body_base64) = super::text_or_base64(body);
        CalloutRequest {
            cluster: self.cluster.to_string(),
            method: self.method.clone(),
            path: self.path.clone(),
            headers: super::printable(self.headers.clone(), is_implied),
            body,
            body_base64,
        }
    }
}

impl Script {
    /// Notes a call, and says which it is and how to answer it; `None` if there are too many.
    fn arrived(&self, head: &http::request::Parts) -> Option<(usize, Option<Callout>)> {
        let mut book = locked(&self.book);
        if book.calls.len() >= MOST_CALLS {
            let cluster = &self.cluster;
            book.problem =
                Some(format!("more than {MOST_CALLS} callouts, the last to `{cluster}`"));
            return None;
        }
        let earlier = book.calls.iter().filter(|call| call.cluster == self.cluster).count();
        let answer = self.answers.get(earlier).cloned();
        if answer.is_none() {
            book.unanswered.push(used_up(&self.cluster, earlier + 1, self.answers.len()));
        }
        let bytes = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        let mut headers: Headers = head
            .headers
            .iter()
            .map(|(name, value)| bytes(name.as_str(), value.as_bytes()))
            .collect();
        if let Some(authority) = head.uri.authority() {
            headers.insert(0, bytes("host", authority.as_str().as_bytes()));
        }
        let grpc = message::value(&headers, "content-type")
            .is_some_and(|kind| kind.starts_with(b"application/grpc"));
        book.calls.push(Call {
            cluster: Arc::clone(&self.cluster),
            method: head.method.to_string(),
            path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers,
            body: Vec::new(),
            grpc,
            ended: false,
            answered: false,
            prompt: answer.as_ref().is_none_or(answer::is_prompt),
        });
        Some((book.calls.len() - 1, answer))
    }

    /// Changes call number `index`.
    fn update(&self, index: usize, change: impl FnOnce(&mut Call)) {
        if let Some(call) = locked(&self.book).calls.get_mut(index) {
            change(call);
        }
    }

    /// Keeps a piece of a call's body; `false` if it is too much.
    fn keep(&self, index: usize, piece: &Bytes) -> bool {
        let mut book = locked(&self.book);
        let Book { calls, problem, .. } = &mut *book;
        let Some(call) = calls.get_mut(index) else { return false };
        if call.body.len().saturating_add(piece.len()) > MOST_BYTES {
            let cluster = &self.cluster;
            *problem = Some(format!("a callout to `{cluster}` sends more than {MOST_BYTES} bytes"));
            return false;
        }
        call.body.extend_from_slice(piece);
        true
    }

    /// Whether no message of the gRPC call number `index` is there in part.
    fn has_whole_messages(&self, index: usize) -> bool {
        let mut whole = true;
        self.update(index, |call| whole = messages(&call.body).1);
        whole
    }

    /// Stops the run.
    fn fail(&self, problem: String) {
        locked(&self.book).problem.get_or_insert(problem);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(socket, Arc::clone(&script)))),
            // Too many open files, say: it passes.
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Serves the calls of a connection until it ends. What fails is the gateway's doing, and shows in
/// what the filter got.
async fn connection(socket: TcpStream, script: Arc<Script>) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let handshake = h2::server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake::<_, Bytes>(socket);
    let Ok(mut connection) = handshake.await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        match script.arrived(&head) {
            Some((index, answer)) => {
                tokio::spawn(answer::serve(Arc::clone(&script), index, answer, body, respond));
            }
            None => respond.send_reset(h2::Reason::ENHANCE_YOUR_CALM),
        }
    }
}

/// Headers of a call that are Envoy's affair. Reports leave them out, whoever set them.
fn is_implied(name: &str) -> bool {
    name.starts_with("x-envoy-") || name == "x-forwarded-for"
}

/// The messages of a gRPC body, each without its prefix (a flag and the length), and whether all of
/// them are whole.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
fn messages(mut body: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut messages = Vec::new();
    while let Some(([_, length @ ..], rest)) = body.split_first_chunk::<5>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((message, rest)) = rest.split_at_checked(length) else {
            messages.push(rest);
            return (messages, false);
        };
        messages.push(message);
        body = rest;
    }
    (messages, body.is_empty())
}

#[cfg(test)]
mod tests;
