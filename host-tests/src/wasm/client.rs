//! The client: sends its request piece by piece, takes the response, may go away.

use std::collections::VecDeque;

use super::chain::{At, Level, Source};
use super::exchange::Exchange;
use super::headers::HeaderMap;
use super::reply::LocalReply;
use super::router::{Event, ends_with_the_last, wrong_length};
use super::stream::{Direction, flags};
use crate::plan;

const REQUEST: At = At { level: Level::Downstream, direction: Direction::Request };
const RESPONSE: At = At { level: Level::Downstream, direction: Direction::Response };

/// The client's state in one exchange.
#[derive(Default)]
pub(crate) struct Client {
    /// What it still sends.
    pub(crate) events: VecDeque<Event>,
    /// Response headers, as they went out.
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// The gateway answered itself.
    pub(crate) local_reply: bool,
    /// The stream broke off, and not because the client went away.
    pub(crate) reset: bool,
}

impl Exchange<'_> {
    /// Sends the next part of the request. False: nothing left, or nobody listens.
    pub(crate) fn step_client(&mut self) -> bool {
        if self.path(REQUEST).aborted {
            self.client.events.clear();
        }
        let Some(event) = self.client.events.pop_front() else { return false };
        match event {
            Event::Headers(end) => self.pass_headers(REQUEST, None, end),
            Event::Data(bytes, end) => {
                // What has arrived, whoever holds it (tried on Envoy 1.36 and 1.40).
                self.info.borrow_mut().request_bytes += bytes.len() as u64;
                self.with_lane(REQUEST, |lane| lane.piece = bytes);
                self.pass_data(REQUEST, None, Source::Piece, end);
                if ends_with_the_last(&self.client.events)
                    && plan::has_length(&self.plan.request.headers)
                {
                    self.step_client();
                }
            }
            Event::Trailers(trailers) => {
                let trailers = HeaderMap::trailers(&trailers).shared();
                self.with_lane(REQUEST, |lane| lane.trailers = Some(trailers));
                self.pass_trailers(REQUEST, None);
            }
            Event::Reset => self.client_leaves(),
        }
        true
    }

    /// Response headers leave the downstream chain for the wire.
    pub(crate) fn respond_headers(&mut self, end: bool) {
        let headers = self.with_lane(RESPONSE, |lane| lane.headers.clone());
        let Some(mut headers) = headers.map(|headers| headers.borrow().clone()) else { return };
        headers.remove_connection_headers();
        if end && self.plan.request.method != "HEAD" {
            headers.imply_no_body();
        }
        if headers.text(":status").and_then(|status| status.parse::<u16>().ok()).is_none() {
            let details = "filter_removed_required_response_headers{missing_required_header}";
            let text = "missing required header: :status";
            self.local_reply(Level::Downstream, &LocalReply::new(502, text, details));
            return;
        }
        self.client.headers = Some(headers);
        if end {
            self.response_sent();
        }
    }

    pub(crate) fn respond_data(&mut self, bytes: &[u8], end: bool) {
        self.client.body.extend_from_slice(bytes);
        self.info.borrow_mut().response_bytes += bytes.len() as u64;
        if end {
            self.response_sent();
        }
    }

    /// Whether the client has what it waits for to go away. It leaves when the step that brought it
    /// is done: what passes together arrives together.
    pub(crate) fn client_has_enough(&self) -> bool {
        let taken = self.client.body.len() as u64;
        let most = self.plan.request.abort_after_bytes;
        self.client.headers.is_some() && most.is_some_and(|most| taken >= most)
    }

    /// The body as the client took it: what came after it left is nobody's.
    pub(crate) fn body_taken(&self) -> &[u8] {
        let most = self.plan.request.abort_after_bytes.unwrap_or(u64::MAX);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.client.body.get(..most).unwrap_or(&self.client.body)
    }

    pub(crate) fn respond_trailers(&mut self) {
        let trailers = self.with_lane(RESPONSE, |lane| lane.trailers.clone());
        self.client.trailers = trailers.map(|trailers| trailers.borrow().clone());
        self.response_sent();
    }

    fn response_sent(&mut self) {
        self.over = true;
        let bodyless = self.plan.request.method == "HEAD" || self.status() == 304;
        let problem = match &self.client.headers {
            Some(headers) if !bodyless => wrong_length(headers, self.client.body.len()),
            _ => None,
        };
        if let Some(problem) = problem {
            self.problem(format!("the response to the client {problem}"));
        }
    }

    pub(crate) fn client_leaves(&mut self) {
        self.info.borrow_mut().flags |= flags::DOWNSTREAM_CONNECTION_TERMINATION;
        let details = "downstream_remote_disconnect";
        self.info.borrow_mut().code_details = Some(details.to_owned());
        self.reset_client();
        self.client.reset = false;
    }

    /// The stream breaks off.
    pub(crate) fn reset_client(&mut self) {
        self.client.reset = true;
        self.over = true;
        self.abort_upstream();
    }

    /// The status that the client got; 0 if none came.
    pub(crate) fn status(&self) -> u16 {
        let headers = self.client.headers.as_ref();
        headers.and_then(|headers| headers.text(":status")?.parse().ok()).unwrap_or(0)
    }

    /// The gateway answers itself (E15): through the response side of the chain if no response has
    /// come, straight to the client if one is in the chain, and by a reset if one is on the wire.
    pub(crate) fn local_reply(&mut self, level: Level, reply: &LocalReply) {
        if self.over {
            return;
        }
        // From an upstream filter, too, it goes to the client: it is no answer to retry on.
        let _ = level;
        self.abort_upstream();
        self.path(REQUEST).aborted = true;
        {
            let mut info = self.info.borrow_mut();
            info.code_details = Some(reply.details.clone());
            info.flags |= reply.flags;
            // Envoy asks for the route of a reply, too.
            info.refresh_route();
            info.route.block();
        }
        if self.client.headers.is_some() {
            self.reset_client();
            return;
        }
        let in_chain = self.with_lane(RESPONSE, |lane| lane.headers.is_some());
        let grpc = self.is_grpc;
        let mut headers = if grpc { reply.grpc_header_map() } else { reply.header_map() };
        let bodiless = grpc || self.plan.request.method == "HEAD";
        let body = if bodiless { &[][..] } else { &reply.body };
        if self.plan.request.method != "HEAD" && body.is_empty() {
            headers.remove(b"content-length");
        }
        self.client.local_reply = true;
        self.info.borrow_mut().code = Some(if grpc { 200 } else { reply.status });
        let headers = headers.shared();
        self.info.borrow_mut().response_headers = Some(headers.clone());
        self.with_lane(RESPONSE, |lane| {
            lane.headers = Some(headers);
            lane.held = None;
            lane.trailers = None;
        });
        if in_chain {
            self.path(RESPONSE).aborted = true;
            self.respond_headers(body.is_empty());
            if !body.is_empty() && !self.over {
                self.respond_data(body, true);
            }
            return;
        }
        self.pass_headers(RESPONSE, None, body.is_empty());
        if !body.is_empty() {
            self.with_lane(RESPONSE, |lane| lane.piece = body.to_vec());
            self.pass_data(RESPONSE, None, Source::Piece, true);
        }
    }
}
