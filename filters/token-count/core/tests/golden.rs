//! Responses as servers send them, each cut at every place: the same count, and the same bytes but for
//! the one event that only this filter asked for.

use std::collections::BTreeMap;

use token_count_core::{Exchange, TokenCount};
use tollgate_effects::testkit::{Cut, Exchange as Host};
use tollgate_effects::{Direction, Plugin};

struct Golden {
    case: &'static str,
    /// The client asked for usage itself.
    client_asks: bool,
    content_type: &'static str,
    /// `«…»` is what the client must not see.
    body: &'static str,
    /// The fact `tollgate.usage`.
    usage: &'static str,
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

const GOLDEN: &[Golden] = &[
    Golden {
        case: "plain JSON, usage last",
        client_asks: false,
        content_type: JSON,
        body: r#"{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":99}}"},"finish_reason":"stop"}],
"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":8,
"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4}},"system_fingerprint":null}"#,
        usage: r#"{"prompt":19,"completion":10,"total":29,"cached":8,"reasoning":4,"status":"exact"}"#,
    },
    Golden {
        case: "usage first, text of several bytes",
        client_asks: false,
        content_type: JSON,
        body: r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12},
"choices":[{"message":{"content":"你好,世界 😀 \ud83d\ude00 \u0022"}}]}"#,
        usage: r#"{"prompt":5,"completion":7,"total":12,"status":"exact"}"#,
    },
    Golden {
        case: "a stream that was made to report",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}],\"usage\":null}\n\n",
            "data: {\"id\":\"c\",\"choices\":[{\"delta\":{\"content\":\"你好 😀\"}}],\"usage\":null}\n\n",
            "data: {\"id\":\"c\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
            "«data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n»",
            "data: [DONE]\n\n",
        ),
        usage: r#"{"prompt":9,"completion":2,"total":11,"status":"exact"}"#,
    },
    Golden {
        case: "CRLF, comments, a mark, an event name",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "\u{feff}: keep-alive\r\n\r\n",
            "event: chunk\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"é\"}}]}\r\n\r\n",
            "«id: 4\r\ndata: {\"choices\": [ ],\r\ndata: \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\r\n\r\n»",
            ": bye\r\n\r\n",
            "data: [DONE]\r\n\r\n",
        ),
        usage: r#"{"prompt":9,"completion":2,"total":11,"status":"exact"}"#,
    },
    Golden {
        case: "CR alone",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "data: {\"choices\":[{}]}\r\r",
            "«data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\r\r»",
            "data: [DONE]\r\r",
        ),
        usage: r#"{"prompt":1,"completion":1,"total":2,"status":"exact"}"#,
    },
    Golden {
        case: "usage in every chunk",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n",
            "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        ),
        usage: r#"{"prompt":9,"completion":2,"total":11,"status":"exact"}"#,
    },
    Golden {
        case: "the client asked itself",
        client_asks: true,
        content_type: EVENTS,
        body: concat!(
            "data: {\"choices\":[{}],\"usage\":null}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        ),
        usage: r#"{"prompt":9,"completion":2,"total":11,"status":"exact"}"#,
    },
    Golden {
        case: "no [DONE], no last empty line",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "data: {\"choices\":[{}]}\n\n",
            "«data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}»",
        ),
        usage: r#"{"prompt":9,"completion":2,"total":11,"status":"exact"}"#,
    },
    Golden {
        case: "an error in mid-stream",
        client_asks: false,
        content_type: EVENTS,
        body: concat!(
            "data: {\"choices\":[{}]}\n\n",
            "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n",
            "data: [DONE]\n\n",
        ),
        usage: r#"{"prompt":0,"completion":0,"total":0,"status":"partial"}"#,
    },
    Golden {
        case: "a page that says it is a stream",
        client_asks: false,
        content_type: EVENTS,
        body: "<!DOCTYPE html>\n<html>\n\n<body>data: 502\n\ndata\n\n</body></html>\n",
        usage: r#"{"prompt":0,"completion":0,"total":0,"status":"unknown"}"#,
    },
    Golden {
        case: "a page",
        client_asks: false,
        content_type: "text/html",
        body: "<!DOCTYPE html><html></html>",
        usage: r#"{"prompt":0,"completion":0,"total":0,"status":"unknown"}"#,
    },
];

#[expect(clippy::unwrap_used, reason = "an empty configuration is good")]
fn run(golden: &Golden, body: &[u8], cut: Cut<'_>) -> Host<Exchange> {
    let env = BTreeMap::new();
    let plugin = TokenCount::configure(b"", &env).unwrap().plugin;
    let mut host = Host::new(plugin.stream()).property("response.code_details", "via_upstream");
    let options =
        if golden.client_asks { r#","stream_options":{"include_usage":true}"# } else { "" };
    let request = format!(r#"{{"model":"m","stream":true{options}}}"#);
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions")];
    host.request(&headers, Some(request.as_bytes()), Cut::Whole);
    let headers = [(":status", "200"), ("content-type", golden.content_type)];
    host.response(&headers, Some(body), cut);
    host.log();
    host
}

#[test]
fn every_cut_counts_and_passes_the_same() {
    for golden in GOLDEN {
        let case = golden.case;
        let from_upstream = golden.body.replace(['«', '»'], "");
        let to_client = match golden.body.split_once('«') {
            Some((before, rest)) => before.to_owned() + rest.split_once('»').unwrap().1,
            None => golden.body.to_owned(),
        };
        let from_upstream = from_upstream.as_bytes();
        let at: Vec<[usize; 1]> = (1..from_upstream.len()).map(|at| [at]).collect();
        let cuts = at.iter().map(|at| Cut::At(at));
        for cut in cuts.chain([Cut::Whole, Cut::EveryByte, Cut::ThenEmpty]) {
            let host = run(golden, from_upstream, cut);
            assert_eq!(host.response.text(), to_client, "{case}, {cut:?}");
            assert_eq!(
                host.state("tollgate.usage").as_deref(),
                Some(golden.usage),
                "{case}, {cut:?}"
            );
            assert_eq!(host.counters.iter().filter(|(m, _)| m.contains("requests")).count(), 1);
        }
    }
}

#[test]
fn a_stream_cut_off_anywhere_is_settled_once() {
    for golden in GOLDEN.iter().filter(|golden| golden.content_type == EVENTS) {
        let body = golden.body.replace(['«', '»'], "");
        for end in 0..body.len() {
            let env = BTreeMap::new();
            let plugin = TokenCount::configure(b"", &env).unwrap().plugin;
            let mut host =
                Host::new(plugin.stream()).property("response.code_details", "via_upstream");
            host.request(
                &[(":method", "POST"), (":path", "/v1/chat/completions")],
                Some(br#"{"model":"m","stream":true}"#),
                Cut::Whole,
            );
            host.headers(
                Direction::Response,
                &[(":status", "200"), ("content-type", EVENTS)],
                false,
            );
            host.body(Direction::Response, &body.as_bytes()[..end], false);
            host.log();
            host.log();
            let requests: Vec<_> =
                host.counters.iter().filter(|(m, _)| m.contains("requests")).collect();
            assert_eq!(requests, [(&"tollgate_requests.model.m.status.partial".to_owned(), &1)]);
        }
    }
}
