//! Every call that came to a cluster, how far its answer is, and which answer is the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use bytes::Bytes;

use super::answer;
use crate::envoy::{message, printable};
use crate::plan::{Callout, Headers};
use crate::report::{CalloutRequest, HOST, LogLine, text_or_base64, used_up};

/// The most calls of a run, and the most bytes that those of an exchange may send.
const MOST_CALLS: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// Everything that came, in order of arrival.
#[derive(Default)]
pub(super) struct Book {
    calls: Vec<Call>,
    /// Given out up to here.
    taken: usize,
    /// Bytes of the bodies that are not given out yet.
    kept: usize,
    /// Calls that had no answer left, in words, since the last time they were given out.
    unanswered: Vec<String>,
    /// What stops the run.
    problem: Option<String>,
}

/// A call as far as it came, and how far its answer is.
pub(super) struct Call {
    cluster: Arc<str>,
    method: String,
    path: String,
    headers: Headers,
    body: Vec<u8>,
    pub(super) grpc: bool,
    /// All of the request is here, or nothing more comes.
    pub(super) ended: bool,
    /// Its answer is sent, or nobody waits for it any more.
    pub(super) answered: bool,
    /// Its answer comes at once: neither after a time nor never.
    prompt: bool,
}

/// One cluster's script.
pub(super) struct Script {
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

impl Book {
    pub(super) fn count(&self, cluster: &str) -> Count {
        let of = || self.calls.iter().filter(|call| &*call.cluster == cluster);
        let open = of().filter(|call| !call.answered).count();
        Count { arrived: of().count() as u64, open: open as u64 }
    }

    /// Whether every call is here in whole, and every answer that comes at once is sent. A gRPC
    /// stream that is open is as whole as it gets.
    pub(super) fn is_settled(&self) -> bool {
        let settled = |call: &Call| (call.ended || call.grpc) && (call.answered || !call.prompt);
        self.problem.is_some() || self.calls.iter().skip(self.taken).all(settled)
    }

    /// What there is to say of the calls since the last time.
    pub(super) fn remarks(&mut self) -> Vec<LogLine> {
        let line = |message| LogLine { level: "warn".into(), filter: HOST.into(), message };
        std::mem::take(&mut self.unanswered).into_iter().map(line).collect()
    }

    /// The calls that came since the last time.
    ///
    /// # Errors
    /// More came than is kept, or an answer cannot be sent as it is.
    pub(super) fn take(&mut self) -> Result<Vec<CalloutRequest>> {
        ensure!(self.problem.is_none(), "{}", self.problem.as_deref().unwrap_or_default());
        let from = std::mem::replace(&mut self.taken, self.calls.len());
        self.kept = 0;
        Ok(self.calls.iter_mut().skip(from).map(Call::report).collect())
    }
}

impl Call {
    /// Its report, which takes the body.
    fn report(&mut self) -> CalloutRequest {
        let sent = std::mem::take(&mut self.body);
        let body = if self.grpc { messages(&sent).0.concat() } else { sent };
        let (body, body_base64) = text_or_base64(body);
        CalloutRequest {
            cluster: self.cluster.to_string(),
            method: self.method.clone(),
            path: self.path.clone(),
            headers: printable(self.headers.clone(), is_implied),
            body,
            body_base64,
        }
    }
}

impl Script {
    /// `answers` to the calls of `cluster`.
    pub(super) fn new(cluster: &str, answers: Vec<Callout>, book: Arc<Mutex<Book>>) -> Self {
        Self { cluster: cluster.into(), answers, book }
    }

    /// Its cluster.
    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Notes a call, and says which it is and how to answer it; `None` if there are too many.
    pub(super) fn arrived(&self, head: &http::request::Parts) -> Option<(usize, Option<Callout>)> {
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
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut Call)) {
        if let Some(call) = locked(&self.book).calls.get_mut(index) {
            change(call);
        }
    }

    /// Keeps a piece of a call's body; `false` if it is too much.
    pub(super) fn keep(&self, index: usize, piece: &Bytes) -> bool {
        let mut book = locked(&self.book);
        let Book { calls, taken, kept, problem, .. } = &mut *book;
        if index < *taken {
            // An open stream whose report is out.
            return true;
        }
        let Some(call) = calls.get_mut(index) else { return false };
        *kept = kept.saturating_add(piece.len());
        if *kept > MOST_BYTES {
            let cluster = &self.cluster;
            *problem = Some(format!(
                "the callouts of an exchange send more than {MOST_BYTES} bytes, the last to `{cluster}`"
            ));
            return false;
        }
        call.body.extend_from_slice(piece);
        true
    }

    /// Whether no message of the gRPC call number `index` is there in part.
    pub(super) fn has_whole_messages(&self, index: usize) -> bool {
        let mut whole = true;
        self.update(index, |call| whole = messages(&call.body).1);
        whole
    }

    /// Stops the run.
    pub(super) fn fail(&self, problem: String) {
        locked(&self.book).problem.get_or_insert(problem);
    }
}

/// What `mutex` guards; a panic elsewhere changes nothing about it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Headers of a call that are Envoy's affair. Reports leave them out, whoever set them.
fn is_implied(name: &str) -> bool {
    name.starts_with("x-envoy-") || name == "x-forwarded-for"
}

/// The messages of a gRPC body, each without its prefix (a flag and the length), and whether all of
/// them are whole.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
pub(super) fn messages(mut body: &[u8]) -> (Vec<&[u8]>, bool) {
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
