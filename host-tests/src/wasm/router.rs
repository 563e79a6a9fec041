//! The router: what is behind the downstream chain and on both ends of the upstream one.
//!
//! An attempt takes the next scripted upstream. Its filters get the request's headers as the attempt
//! before left them, and the original body again. The last scripted upstream's answer is final.

use std::collections::VecDeque;
use std::rc::Rc;

use super::chain::{At, Chain, Level, Source};
use super::exchange::Exchange;
use super::headers::{HeaderMap, SharedMap};
use super::reply::LocalReply;
use super::stream::{Direction, flags};
use crate::plan;
use crate::scenario::Position;

const DOWNSTREAM_RESPONSE: At = At { level: Level::Downstream, direction: Direction::Response };
const UPSTREAM_REQUEST: At = At { level: Level::Upstream, direction: Direction::Request };
const UPSTREAM_RESPONSE: At = At { level: Level::Upstream, direction: Direction::Response };

/// A message's parts, as they arrive.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The flag says that nothing follows.
    Headers(bool),
    Data(Vec<u8>, bool),
    Trailers(Vec<(String, Vec<u8>)>),
    Reset,
}

/// A request as an upstream gets it.
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) complete: bool,
}

/// The router's state in one exchange.
#[derive(Default)]
pub(crate) struct Router {
    /// What upstreams got, an entry per attempt whose headers left.
    pub(crate) sent: Vec<Sent>,
    /// What the scripted upstream of this attempt still does.
    events: VecDeque<Event>,
    /// The request's body, for the next attempt.
    body: Vec<u8>,
    has_body: bool,
    request_ended: bool,
    /// The upstream's answer was good reason for another attempt.
    retry_due: bool,
    /// The upstream of this attempt has what it waits for: the whole request, or its headers.
    may_answer: bool,
    /// The request became complete in this step: it is on its way, and a reply can still stop it.
    leaving: bool,
    /// The headers of this attempt left.
    left: bool,
    /// The attempt began in this step: what is done to headers and trailers that have left is still
    /// seen, since the connection comes later.
    connecting: bool,
    /// The answer of this attempt has gone to the downstream chain.
    answering: bool,
}

impl Exchange<'_> {
    /// Does the next thing of an answer that comes before the request's body. False: there is none.
    pub(crate) fn step_early(&mut self) -> bool {
        self.upstream_of_attempt().is_some_and(|upstream| upstream.early) && self.step_upstream()
    }

    /// A step has ended: what was to leave has left.
    pub(crate) fn settle(&mut self) {
        self.router.leaving = false;
        if std::mem::take(&mut self.router.connecting) {
            let headers = self.info.borrow().request_headers.borrow().clone();
            let trailers = self.with_lane(UPSTREAM_REQUEST, |lane| lane.trailers.clone());
            if let Some(sent) = self.router.sent.last_mut().filter(|_| self.router.left) {
                sent.headers = headers;
                if let (Some(sent), Some(now)) = (&mut sent.trailers, trailers) {
                    sent.clone_from(&now.borrow());
                }
            }
        }
    }

    fn upstream_of_attempt(&self) -> Option<&plan::Upstream> {
        let attempt = self.info.borrow().attempts as usize;
        self.plan.upstream.get(attempt.checked_sub(1)?)
    }

    /// Does the next thing on the upstream's side. False: nothing to do.
    pub(crate) fn step_upstream(&mut self) -> bool {
        if std::mem::take(&mut self.router.retry_due) {
            self.end_filters(Level::Upstream);
            self.attempt();
            return true;
        }
        if !self.router.may_answer || self.path(UPSTREAM_RESPONSE).aborted {
            return false;
        }
        let Some(event) = self.router.events.pop_front() else { return false };
        match event {
            Event::Headers(end) => self.pass_headers(UPSTREAM_RESPONSE, None, end),
            Event::Data(bytes, end) => {
                self.with_lane(UPSTREAM_RESPONSE, |lane| lane.piece = bytes);
                self.pass_data(UPSTREAM_RESPONSE, None, Source::Piece, end);
                let sized = |upstream: &plan::Upstream| plan::has_length(&upstream.headers);
                if ends_with_the_last(&self.router.events)
                    && self.upstream_of_attempt().is_some_and(sized)
                {
                    self.step_upstream();
                }
            }
            Event::Trailers(trailers) => {
                let trailers = HeaderMap::response_trailers(&trailers).shared();
                self.with_lane(UPSTREAM_RESPONSE, |lane| lane.trailers = Some(trailers));
                self.pass_trailers(UPSTREAM_RESPONSE, None);
            }
            Event::Reset => self.upstream_reset(),
        }
        true
    }

    /// Headers leave the downstream chain.
    pub(crate) fn route_headers(&mut self, end: bool) {
        if !self.info.borrow_mut().refresh_route() {
            let mut reply = LocalReply::new(404, "", "route_not_found");
            reply.flags = flags::NO_ROUTE_FOUND;
            self.local_reply(Level::Downstream, &reply);
            return;
        }
        self.router.has_body = !end;
        self.router.request_ended = end;
        self.attempt();
    }

    pub(crate) fn route_data(&mut self, bytes: Vec<u8>, end: bool) {
        self.router.body.extend_from_slice(&bytes);
        self.router.request_ended |= end;
        self.with_lane(UPSTREAM_REQUEST, |lane| lane.piece = bytes);
        self.pass_data(UPSTREAM_REQUEST, None, Source::Piece, end);
    }

    pub(crate) fn route_trailers(&mut self) {
        self.router.request_ended = true;
        self.share_request_trailers();
        self.pass_trailers(UPSTREAM_REQUEST, None);
    }

    /// Starts the next attempt, and gives it what is there of the request.
    fn attempt(&mut self) {
        let attempt = {
            let mut info = self.info.borrow_mut();
            info.attempts += 1;
            info.attempts as usize
        };
        let Some(upstream) = self.plan.upstream.get(attempt - 1) else {
            self.info.borrow_mut().attempts -= 1;
            let mut reply = LocalReply::new(503, "no healthy upstream", "no_healthy_upstream");
            reply.flags = flags::NO_HEALTHY_UPSTREAM;
            self.local_reply(Level::Downstream, &reply);
            return;
        };
        self.info.borrow_mut().host_metadata = Some(upstream.host_metadata.clone());
        let filters = self.worker.borrow_mut().open(Position::Upstream);
        self.upstream = Chain::new(filters);
        self.router.answering = false;
        self.router.may_answer = false;
        self.router.connecting = true;
        self.router.left = false;
        let request = Rc::clone(&self.info.borrow().request_headers);
        let to_head = request.borrow().text(":method").is_some_and(|method| method == "HEAD");
        self.router.events = script(upstream, to_head);
        self.with_lane(UPSTREAM_REQUEST, |lane| lane.headers = Some(request));
        let headers = HeaderMap::response(upstream.status, &upstream.headers).shared();
        self.with_lane(UPSTREAM_RESPONSE, |lane| lane.headers = Some(headers));

        let (ended, has_body) = (self.router.request_ended, self.router.has_body);
        let has_trailers = ended && self.request_trailers().is_some();
        self.pass_headers(UPSTREAM_REQUEST, None, ended && !has_body && !has_trailers);
        if has_body && (ended || !self.router.body.is_empty()) {
            let body = self.router.body.clone();
            self.with_lane(UPSTREAM_REQUEST, |lane| lane.piece = body);
            self.pass_data(UPSTREAM_REQUEST, None, Source::Piece, ended && !has_trailers);
        }
        if has_trailers {
            self.share_request_trailers();
            self.pass_trailers(UPSTREAM_REQUEST, None);
        }
    }

    fn request_trailers(&self) -> Option<SharedMap> {
        let at = At { level: Level::Downstream, direction: Direction::Request };
        self.with_lane(at, |lane| lane.trailers.clone())
    }

    fn share_request_trailers(&mut self) {
        let trailers = self.request_trailers();
        self.with_lane(UPSTREAM_REQUEST, |lane| lane.trailers = trailers);
    }

    /// Headers leave the upstream chain for the wire: the codec's side.
    pub(crate) fn send_headers(&mut self, end: bool) {
        let headers = self.info.borrow().request_headers.borrow().clone();
        let required = [&b":method"[..], b":path", b":authority"];
        // An upstream filter may have removed them, too.
        if let Some(missing) = required.into_iter().find(|name| headers.get(name).is_none()) {
            let name = String::from_utf8_lossy(missing);
            let text = format!("missing required header: {name}");
            let details =
                format!("filter_removed_required_request_headers{{{}}}", text.replace(' ', "_"));
            self.local_reply(Level::Upstream, &LocalReply::new(503, &text, &details));
            return;
        }
        self.router.sent.push(Sent { headers, body: Vec::new(), trailers: None, complete: false });
        self.router.left = true;
        self.router.may_answer = self.upstream_of_attempt().is_some_and(|upstream| upstream.early);
        if end {
            self.request_sent();
        }
    }

    pub(crate) fn send_data(&mut self, bytes: &[u8], end: bool) {
        if let Some(sent) = self.router.sent.last_mut() {
            sent.body.extend_from_slice(bytes);
        }
        if end {
            self.request_sent();
        }
    }

    pub(crate) fn send_trailers(&mut self) {
        let trailers = self.with_lane(UPSTREAM_REQUEST, |lane| lane.trailers.clone());
        if let Some(sent) = self.router.sent.last_mut().filter(|sent| !sent.complete) {
            // As they are now: the next attempt changes the same.
            sent.trailers = trailers.map(|trailers| trailers.borrow().clone());
        }
        self.request_sent();
    }

    /// The whole request is with the upstream.
    pub(crate) fn request_sent(&mut self) {
        let Some(sent) = self.router.sent.last_mut() else { return };
        sent.complete = true;
        self.router.may_answer = true;
        self.router.leaving = true;
        if let Some(problem) = wrong_length(&sent.headers, sent.body.len()) {
            self.problem(format!("the request to upstream {problem}"));
        }
    }

    /// Response headers leave the upstream chain: another attempt, or on to the client.
    pub(crate) fn answer_headers(&mut self, end: bool) {
        let headers = self.with_lane(UPSTREAM_RESPONSE, |lane| lane.headers.clone());
        let Some(headers) = headers else { return };
        let status: u16 =
            headers.borrow().text(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        let attempts = self.info.borrow().attempts as usize;
        let named = |name: &String| headers.borrow().get(name.as_bytes()).is_some();
        let wants_retry =
            self.route.retry_on.contains(&status) || self.route.retriable_headers.iter().any(named);
        if wants_retry && attempts < self.plan.upstream.len() {
            // What a filter lets go together with the headers still passes those behind it.
            self.path(UPSTREAM_REQUEST).aborted = true;
            self.router.events.clear();
            self.router.retry_due = true;
            return;
        }
        self.router.answering = true;
        {
            let mut info = self.info.borrow_mut();
            info.code = Some(status);
            info.code_details = Some("via_upstream".to_owned());
            // With one attempt there is no retry policy whose limit it could be.
            if wants_retry && attempts > 1 {
                info.flags |= flags::UPSTREAM_RETRY_LIMIT_EXCEEDED;
            }
            info.response_headers = Some(Rc::clone(&headers));
            info.route.block();
        }
        self.with_lane(DOWNSTREAM_RESPONSE, |lane| lane.headers = Some(headers));
        self.pass_headers(DOWNSTREAM_RESPONSE, None, end);
    }

    pub(crate) fn answer_data(&mut self, bytes: Vec<u8>, end: bool) {
        if self.router.retry_due {
            return;
        }
        self.with_lane(DOWNSTREAM_RESPONSE, |lane| lane.piece = bytes);
        self.pass_data(DOWNSTREAM_RESPONSE, None, Source::Piece, end);
    }

    pub(crate) fn answer_trailers(&mut self) {
        if self.router.retry_due {
            return;
        }
        let trailers = self.with_lane(UPSTREAM_RESPONSE, |lane| lane.trailers.clone());
        self.info.borrow_mut().response_trailers.clone_from(&trailers);
        self.with_lane(DOWNSTREAM_RESPONSE, |lane| lane.trailers = trailers);
        self.pass_trailers(DOWNSTREAM_RESPONSE, None);
    }

    /// The upstream cut the connection in the body, which is a protocol error: 502 if nothing of the
    /// answer is on the wire, else a reset.
    fn upstream_reset(&mut self) {
        self.path(UPSTREAM_RESPONSE).aborted = true;
        self.info.borrow_mut().flags |= flags::UPSTREAM_PROTOCOL_ERROR;
        let when = if self.router.answering { "after" } else { "before" };
        let details = format!("upstream_reset_{when}_response_started{{protocol_error}}");
        let retried = if self.info.borrow().attempts > 1 { "retried and the latest " } else { "" };
        let text = format!(
            "upstream connect error or disconnect/reset before headers. {retried}reset reason: \
             protocol error"
        );
        // Resets the client's stream if it has the answer's headers.
        self.local_reply(Level::Downstream, &LocalReply::new(502, &text, &details));
    }

    /// Ends the attempt, whatever it still had to do.
    pub(crate) fn abort_upstream(&mut self) {
        self.path(UPSTREAM_REQUEST).aborted = true;
        self.path(UPSTREAM_RESPONSE).aborted = true;
        self.router.events.clear();
        self.router.retry_due = false;
        if std::mem::take(&mut self.router.leaving)
            && let Some(sent) = self.router.sent.last_mut()
        {
            sent.complete = false;
        }
    }
}

fn script(upstream: &plan::Upstream, to_head: bool) -> VecDeque<Event> {
    // The answer to HEAD ends with its headers, whatever they announce.
    let (body, trailers) = match to_head {
        true => (None, &[][..]),
        false => (upstream.body.as_deref(), upstream.trailers.as_slice()),
    };
    let reset = upstream.reset && !to_head;
    let mut events = events(&upstream.headers, body, trailers, reset);
    if reset {
        events.push_back(Event::Reset);
    }
    events
}

/// A message's events, as Envoy's HTTP/1.1 codec makes them: a body ends with an empty piece.
pub(crate) fn events(
    headers: &[(String, Vec<u8>)],
    body: Option<&[Vec<u8>]>,
    trailers: &[(String, Vec<u8>)],
    open: bool,
) -> VecDeque<Event> {
    let pieces = body.unwrap_or_default();
    let empty = pieces.iter().all(Vec::is_empty);
    let no_length = |(name, value): &(String, Vec<u8>)| {
        name.eq_ignore_ascii_case("content-length") && value == b"0"
    };
    let no_body = body.is_none() || (empty && headers.iter().any(no_length));
    let mut events = VecDeque::new();
    let more = open || !trailers.is_empty();
    events.push_back(Event::Headers(no_body && !more));
    if !no_body {
        let pieces = pieces.iter().filter(|piece| !piece.is_empty());
        events.extend(pieces.map(|piece| Event::Data(piece.clone(), false)));
        if !more {
            events.push_back(Event::Data(Vec::new(), true));
        }
    }
    if !trailers.is_empty() && !open {
        events.push_back(Event::Trailers(trailers.to_vec()));
    }
    events
}

/// Whether only the end is to come. Where a length says that a piece was the last, the end comes with
/// it.
pub(crate) fn ends_with_the_last(events: &VecDeque<Event>) -> bool {
    matches!(events.front(), Some(Event::Data(rest, true)) if rest.is_empty())
}

/// What is wrong with the declared length of a body that is complete.
pub(crate) fn wrong_length(headers: &HeaderMap, sent: usize) -> Option<String> {
    let declared = headers.text("content-length")?;
    if declared.parse() == Ok(sent) {
        return None;
    }
    Some(format!(
        "says content-length {declared}, but its body has {sent} bytes: a filter that changes a \
         body sets the length right or removes it, in the headers callback or while it holds them"
    ))
}
