//! The scripted clusters that filters call: a port per cluster, each call with the next answer.
//!
//! All of them speak HTTP/2 without TLS, whatever their answers are: calls then share a connection,
//! so that they arrive in the order in which they were made (over HTTP/1.1 each would have a
//! connection of its own, and which is there first is chance), one cluster can answer both HTTP and
//! gRPC calls, and an answer has the headers of the scenario and no others.
//!
//! One thread with one single-threaded runtime serves everything until the [`Clusters`] are dropped.
//! How one call is answered is [`answer`]'s, what came is in the [`book`].
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
//! | headers over 60 KiB, or more than 100 of them | as a reset | as a reset |
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
mod book;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::process::POLL;
use crate::plan::Callout;
use crate::report::{CalloutRequest, LogLine};
pub(crate) use book::Count;
use book::{Book, Script, locked};

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
            let script = Script::new(cluster, answers.clone(), Arc::clone(&book));
            listeners.push((listener, Arc::new(script)));
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
        self.ports.keys().map(|cluster| book.count(cluster)).collect()
    }

    /// Whether every call is here in whole, and every answer that comes at once is sent. A gRPC
    /// stream that is open is as whole as it gets.
    pub(crate) fn is_settled(&self) -> bool {
        locked(&self.book).is_settled()
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
        locked(&self.book).remarks()
    }

    /// The calls that came since the last time.
    ///
    /// # Errors
    /// More came than is kept, or an answer cannot be sent as it is.
    pub(crate) fn take(&self) -> Result<Vec<CalloutRequest>> {
        locked(&self.book).take()
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

#[cfg(test)]
mod tests;
