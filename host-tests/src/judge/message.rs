//! Of requests and responses: their headers and bodies against what is expected.

use serde_json::Value;

use super::{Judge, sse, subset, text};
use crate::report::{CalloutRequest, Response, UpstreamRequest, body_bytes};
use crate::scenario::{ExpectCallout, ExpectResponse, ExpectUpstream, HeaderMap, HeaderValue};

impl Judge<'_> {
    pub(super) fn request(&mut self, at: &str, expect: &ExpectUpstream, request: &UpstreamRequest) {
        self.equal(&format!("{at}.method"), expect.method.as_ref(), &request.method);
        self.equal(&format!("{at}.path"), expect.path.as_ref(), &request.path);
        self.headers(&format!("{at}.headers"), &expect.headers, &request.headers);
        let body = body_bytes(request.body.as_deref(), request.body_base64.as_deref());
        self.body(at, expect.json.as_ref(), expect.body.as_deref(), &expect.body_contains, &body);
        let lines = [format!("{} {}", request.method, request.path)];
        let lines = lines.into_iter().chain(header_lines(&request.headers)).collect::<Vec<_>>();
        self.nowhere(&format!("{at}.nowhere"), &expect.nowhere, &lines, &body);
    }

    pub(super) fn response(&mut self, expect: &ExpectResponse, response: &Response) {
        if let Some(status) = expect.status
            && status != response.status
        {
            self.differs("response.status", format!("`{status}`"), answer(response));
        }
        self.equal("response.localReply", expect.local_reply.as_ref(), &response.local_reply);
        self.equal("response.reset", expect.reset.as_ref(), &response.reset);
        self.headers("response.headers", &expect.headers, &response.headers);
        let body = body_bytes(response.body.as_deref(), response.body_base64.as_deref());
        self.body(
            "response",
            expect.json.as_ref(),
            expect.body.as_deref(),
            &expect.body_contains,
            &body,
        );
        if let Some(expected) = &expect.sse {
            let events = sse::events(&body);
            if expected.len() != events.len() {
                let found = format!("{} in {}", events.len(), text(&body));
                self.differs("response.sse", format!("{} events", expected.len()), found);
            }
            for (i, (expected, event)) in expected.iter().zip(&events).enumerate() {
                let at = format!("response.sse[{i}]");
                if let Some(name) = &expected.event {
                    let found = event.event.as_deref().unwrap_or("message").to_owned();
                    self.equal(&format!("{at}.event"), Some(name), &found);
                }
                match &expected.data {
                    Value::String(data) => self.equal(&at, Some(data), &event.data),
                    json => self.json(&at, json, event.data.as_bytes()),
                }
            }
        }
        let lines: Vec<String> = header_lines(&response.headers).collect();
        self.nowhere("response.nowhere", &expect.nowhere, &lines, &body);
    }

    fn headers(&mut self, at: &str, expect: &HeaderMap, headers: &[(String, String)]) {
        for (name, expected) in &expect.0 {
            let found: Vec<&str> = headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
                .collect();
            // A report holds text, so bytes that are none are compared as it shows them.
            let expected: Vec<String> = match expected {
                HeaderValue::Absent => Vec::new(),
                HeaderValue::Values(values) => {
                    values.iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
                }
            };
            if expected != found {
                let shown = |values: &[&str]| match values {
                    [] => "no such header".to_owned(),
                    values => {
                        values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
                    }
                };
                let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                self.differs(&format!("{at}.{name}"), shown(&expected), shown(&found));
            }
        }
    }

    fn body(
        &mut self,
        at: &str,
        json: Option<&Value>,
        exact: Option<&str>,
        contains: &[String],
        body: &[u8],
    ) {
        if let Some(expected) = json {
            self.json(&format!("{at}.json"), expected, body);
        }
        if let Some(expected) = exact
            && expected.as_bytes() != body
        {
            self.differs(&format!("{at}.body"), text(expected.as_bytes()), text(body));
        }
        for part in contains {
            if !occurs(part, body) {
                self.differs(&format!("{at}.bodyContains"), format!("`{part}`"), text(body));
            }
        }
    }

    fn json(&mut self, at: &str, expected: &Value, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(found) => self.subset(at, expected, &found),
            Err(_) => self.differs(at, expected.to_string(), format!("no JSON: {}", text(body))),
        }
    }

    pub(super) fn subset(&mut self, at: &str, expected: &Value, found: &Value) {
        for (path, expected, found) in subset::differences(expected, found) {
            self.differs(&format!("{at}{path}"), expected, found);
        }
    }

    fn nowhere(&mut self, at: &str, texts: &[String], lines: &[String], body: &[u8]) {
        for text in texts {
            if let Some(line) = lines.iter().find(|line| line.contains(text.as_str())) {
                self.differs(at, format!("`{text}` nowhere"), format!("it in `{line}`"));
            } else if occurs(text, body) {
                self.differs(at, format!("`{text}` nowhere"), "it in the body");
            }
        }
    }
}

/// A callout is a request like any other.
impl From<&ExpectCallout> for ExpectUpstream {
    fn from(expect: &ExpectCallout) -> Self {
        let ExpectCallout { cluster: _, method, path, headers, json, body, body_contains, nowhere } =
            expect.clone();
        Self { method, path, headers, json, body, body_contains, nowhere }
    }
}

impl From<&CalloutRequest> for UpstreamRequest {
    fn from(call: &CalloutRequest) -> Self {
        let CalloutRequest { cluster: _, method, path, headers, body, body_base64 } = call.clone();
        Self { method, path, headers, body, body_base64, trailers: Vec::new() }
    }
}

/// A response in a few words, for a reader who wonders why.
pub(super) fn answer(response: &Response) -> String {
    let body = body_bytes(response.body.as_deref(), response.body_base64.as_deref());
    match (response.status, body.is_empty()) {
        (0, _) => "no response".to_owned(),
        (status, true) => format!("`{status}`"),
        (status, false) => format!("`{status}` with the body {}", text(&body)),
    }
}

fn occurs(part: &str, body: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part.as_bytes())
}

fn header_lines(headers: &[(String, String)]) -> impl Iterator<Item = String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}"))
}
