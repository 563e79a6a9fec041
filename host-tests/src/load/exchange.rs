//! What a scenario's clients and upstreams send.

use super::{Loader, Source, body, times};
use crate::plan;
use crate::scenario;

impl Loader {
    pub(super) fn exchange(&mut self, i: usize, exchange: &scenario::Exchange) -> plan::Exchange {
        let at = format!("exchanges[{i}]");
        let advance_nanos = exchange.advance.as_deref().map_or(0, |text| {
            times::duration(text).unwrap_or_else(|| {
                self.note(
                    format!("{at}.advance"),
                    format!("found `{text}`, expected a duration such as `30s`, `5ms` or `1h`"),
                );
                0
            })
        });
        plan::Exchange {
            name: exchange.name.clone().unwrap_or_else(|| (i + 1).to_string()),
            advance_nanos,
            concurrent: exchange.concurrent,
            worker: exchange.worker,
            request: self.request(&format!("{at}.request"), &exchange.request),
            upstream: exchange
                .upstream
                .iter()
                .enumerate()
                .map(|(k, upstream)| self.upstream(&format!("{at}.upstream[{k}]"), upstream))
                .collect(),
            expect: exchange.expect.clone(),
        }
    }

    fn request(&mut self, at: &str, request: &scenario::Request) -> plan::Request {
        let source = Source {
            json: request.json.as_ref(),
            text: request.body.as_deref(),
            base64: request.body_base64.as_deref(),
            file: request.body_file.as_deref(),
            sse: None,
        };
        if request.path.is_empty() {
            self.note(format!("{at}.path"), "found nothing, expected a path such as `/v1/models`");
        }
        let mut headers = self.headers(&format!("{at}.headers"), &request.headers);
        let authority = match headers.iter().position(|(name, _)| name == "host") {
            Some(host) => String::from_utf8_lossy(&headers.remove(host).1).into_owned(),
            None => "gateway.test".to_owned(),
        };
        if headers.iter().any(|(name, _)| name == "host") {
            self.note(format!("{at}.headers.host"), "found several, expected one");
        }
        let trailers = self.headers(&format!("{at}.trailers"), &request.trailers);
        // With its length announced, a body that came whole would be complete in spite of the cut.
        let open_ended = request.reset || !trailers.is_empty();
        let body = self.pieces(at, &source, &request.chunks, &mut headers, open_ended);
        let method = match (&request.method, &body) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        plan::Request {
            method,
            path: request.path.clone(),
            authority,
            headers,
            body,
            trailers,
            abort_after_bytes: request.abort_after_bytes,
            reset: request.reset,
        }
    }

    fn upstream(&mut self, at: &str, upstream: &scenario::Upstream) -> plan::Upstream {
        let source = Source {
            json: upstream.json.as_ref(),
            text: upstream.body.as_deref(),
            base64: upstream.body_base64.as_deref(),
            file: upstream.body_file.as_deref(),
            sse: upstream.sse.as_deref(),
        };
        let status = self.status(at, upstream.status);
        let mut headers = self.headers(&format!("{at}.headers"), &upstream.headers);
        let trailers = self.headers(&format!("{at}.trailers"), &upstream.trailers);
        let open_ended = upstream.reset || !trailers.is_empty();
        let body = self.pieces(at, &source, &upstream.chunks, &mut headers, open_ended);
        if body.is_none() && !open_ended && !matches!(status, 100..=199 | 204 | 304) {
            body::imply_length(&mut headers, 0);
        }
        plan::Upstream {
            host_metadata: upstream
                .host_metadata
                .iter()
                .map(|(namespace, members)| {
                    let members = members.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                    (namespace.clone(), members)
                })
                .collect(),
            status,
            headers,
            body,
            trailers,
            reset: upstream.reset,
            early: upstream.early,
        }
    }
}
