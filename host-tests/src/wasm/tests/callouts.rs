//! HTTP callouts (E17, E18, E20, E29).

mod streams;

use super::guest::map;
use super::*;

/// A complete request: `GET` of `path`.
fn get(path: &str) -> String {
    map(&[(":method", "GET"), (":path", path), (":authority", "auth.test")])
}

/// Instructions that call `auth`, and log the status and the token.
fn call(path: &str, body: &str, timeout: i32) -> String {
    format!("(call $http @\"auth\" {} @\"{body}\" (i32.const {timeout}))", get(path))
}

/// Instructions that hold a request until something resumes it.
fn hold(instructions: &str) -> String {
    format!("(global.set $kept (local.get $id)) {instructions} (i32.const 1)")
}

/// Instructions that let a held request go.
pub(super) const RESUME: &str = "(drop (call $effective (global.get $kept)))
     (drop (call $continue (i32.const 0)))";

/// Logs everything that a callback can see of an answer.
const SHOW: &str = "(call $note (local.get $token)) (call $note (local.get $n))
     (call $note (local.get $body)) (call $note (local.get $trailers))
     (call $header (i32.const 6) @\":status\") (call $header (i32.const 6) @\"content-type\")
     (call $body (i32.const 4)) (call $map (i32.const 7)) (call $status)";

const ONE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// A filter that makes one call per request, shows its answer and resumes.
fn asks(instructions: &str) -> [(&'static str, String); 2] {
    [
        ("on_request_headers", hold(instructions)),
        ("on_http_call_response", format!("{SHOW} {RESUME}")),
    ]
}

pub(super) fn observe(callbacks: &[(&str, String)], callouts: &str) -> Observed {
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let scenario = format!("callouts: {callouts}");
    Chain { filters: vec![("a", &callbacks, "")], scenario: &scenario }.observe(ONE)
}

#[test]
fn e17_a_call_is_made_with_its_length_and_answered_in_the_root_context() {
    let seen = observe(
        &asks(&call("/check", "who", 1000)),
        "{auth: [{status: 201, headers: {content-type: a/b}, body: yes, trailers: {x-t: u}}]}",
    );
    assert_eq!(seen.response.status, 200);
    assert_eq!(seen.callouts.len(), 1);
    let made = &seen.callouts[0];
    assert_eq!((&*made.cluster, &*made.method, &*made.path), ("auth", "GET", "/check"));
    assert_eq!(value(&made.headers, "host"), Some("auth.test"));
    assert_eq!(value(&made.headers, "content-length"), Some("3"));
    assert_eq!(made.body.as_deref(), Some("who"));
    assert_eq!(
        messages(&seen),
        ["0", "4", "4", "3", "3", "1", "201", "a/b", "yes", "x-t=u", "0", ""]
    );
}

#[test]
fn e17_what_is_no_request_is_refused() {
    let try_it = |cluster: &str, headers: &[(&str, &str)], timeout: i32| {
        let headers = map(headers);
        format!("(call $http @\"{cluster}\" {headers} @\"\" (i32.const {timeout}))")
    };
    let (method, path, authority) = ((":method", "GET"), (":path", "/"), (":authority", "a"));
    let calls = [
        try_it("nobody", &[method, path, authority], 0),
        try_it("auth", &[path, authority], 0),
        try_it("auth", &[method, authority], 0),
        try_it("auth", &[method, path], 0),
        try_it("auth", &[method, path, authority], -1),
        // `host` is the authority.
        try_it("auth", &[method, path, ("host", "a")], 0),
    ];
    let callbacks = [("on_request_headers", format!("{} (i32.const 0)", calls.concat()))];
    let seen = observe(&callbacks, "{auth: [{}, {}]}");
    assert_eq!(messages(&seen), ["2", "2", "2", "2", "2", "0", "4"]);
    assert_eq!(seen.callouts.len(), 1);
}

#[test]
fn e17_tokens_count_in_fours_per_vm() {
    let calls = [call("/1", "", 0), call("/2", "", 0), call("/3", "", 0)].concat();
    let callbacks = [("on_request_headers", format!("{calls} (i32.const 0)"))];
    let seen = observe(&callbacks, "{auth: [{}, {}, {}]}");
    assert_eq!(messages(&seen), ["0", "4", "0", "8", "0", "12"]);
    let paths: Vec<_> = seen.callouts.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(paths, ["/1", "/2", "/3"]);
}

#[test]
fn e18_a_timeout_is_a_response_of_the_router() {
    let seen = observe(&asks(&call("/", "", 50)), "{auth: [{never: true}]}");
    assert_eq!(seen.response.status, 200);
    assert_eq!(
        messages(&seen),
        ["0", "4", "4", "3", "24", "0", "504", "text/plain", "upstream request timeout", "0", ""]
    );
}

#[test]
fn e18_a_reset_is_a_response_of_the_router() {
    let seen = observe(&asks(&call("/", "", 0)), "{auth: [{reset: true}]}");
    assert_eq!(
        messages(&seen)[2..],
        [
            "4",
            "3",
            "85",
            "0",
            "503",
            "text/plain",
            "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
            "0",
            ""
        ]
    );
}

#[test]
fn e18_a_response_over_the_limit_of_the_client_is_broken() {
    let callbacks = asks(&call("/", "", 0));
    let file = std::env::temp_dir().join(format!("tollgate-large-{}", std::process::id()));
    std::fs::write(&file, vec![b'x'; (32 << 20) + 1]).unwrap();
    let seen = observe(&callbacks, &format!("{{auth: [{{bodyFile: '{}'}}]}}", file.display()));
    std::fs::remove_file(file).unwrap();
    // The maps and the body are not there, but a status is.
    assert_eq!(messages(&seen)[2..], ["4", "0", "0", "0", "2", "2", "1", "11", "reset"]);
}

#[test]
fn e18_a_cluster_without_endpoints_fails_at_once_and_says_no_more() {
    let calls = format!("{} (i32.const 0)", call("/", "", 0));
    let callbacks = [
        ("on_request_headers", calls),
        ("on_http_call_response", "(call $note (i32.const 99))".into()),
    ];
    let seen = observe(&callbacks, "{auth: []}");
    assert_eq!(messages(&seen), ["10"]);
    assert_eq!(seen.callouts.len(), 0);
}

#[test]
fn e18_behind_the_last_answer_there_is_no_healthy_upstream() {
    let callbacks = [
        ("on_request_headers", hold(&[call("/1", "", 0), call("/2", "", 0)].concat())),
        (
            "on_http_call_response",
            format!(
                "(call $header (i32.const 6) @\":status\") (call $body (i32.const 4))
                 (if (i32.eq (local.get $token) (i32.const 8)) (then {RESUME}))"
            ),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{body: a}]}");
    let of_filter = |line: &&crate::report::LogLine| line.filter == "a";
    let lines: Vec<_> = seen.logs.iter().filter(of_filter).map(|line| &*line.message).collect();
    assert_eq!(lines[4..], ["200", "a", "503", "no healthy upstream"]);
    let warning = seen.logs.iter().find(|line| line.filter == "host").unwrap();
    assert_eq!(warning.level, "warn");
    assert_eq!(
        warning.message,
        "callouts.auth: this is call 2, but there is 1 answer: it gets 503 no healthy upstream"
    );
}

#[test]
fn e18_an_answer_with_too_many_headers_is_a_reset() {
    for (count, status) in [(98, "200"), (99, "200"), (100, "503"), (101, "503")] {
        let headers: Vec<_> = (0..count).map(|i| format!("x-{i}: a")).collect();
        let answer = format!("{{auth: [{{headers: {{{}}}}}]}}", headers.join(", "));
        let seen = observe(&asks(&call("/", "", 0)), &answer);
        assert!(messages(&seen).contains(&status), "{count}: {:?}", messages(&seen));
    }
    for (size, status) in [(61_000, "200"), (61_500, "503")] {
        let answer = format!("{{auth: [{{headers: {{x: {}}}}}]}}", "a".repeat(size));
        let seen = observe(&asks(&call("/", "", 0)), &answer);
        assert!(messages(&seen).contains(&status), "{size}");
    }
}

#[test]
fn e18_late_answers_come_to_nothing() {
    let callbacks = asks(&call("/", "", 20));
    let seen = observe(&callbacks, "{auth: [{delayMs: 300}]}");
    let times = messages(&seen).iter().filter(|line| **line == "504").count();
    assert_eq!((times, messages(&seen).contains(&"200")), (1, false));
}

#[test]
fn e18_answers_come_in_the_order_of_their_delays() {
    let calls = [call("/1", "", 0), call("/2", "", 0), call("/3", "", 0)].concat();
    let callbacks = [
        ("on_request_headers", hold(&calls)),
        (
            "on_http_call_response",
            format!(
                "(call $note (local.get $token))
                 (if (i32.eq (local.get $token) (i32.const 4)) (then {RESUME}))"
            ),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{delayMs: 200}, {delayMs: 100}, {}]}");
    assert_eq!(messages(&seen)[6..], ["12", "8", "4"]);
    assert_eq!(seen.response.status, 200);
}

#[test]
fn e18_nothing_of_an_answer_is_there_after_the_callback() {
    let callbacks = [
        ("on_request_headers", hold(&call("/", "", 0))),
        ("on_http_call_response", RESUME.to_owned()),
        (
            "on_response_headers",
            "(call $header (i32.const 6) @\":status\") (call $body (i32.const 4))
             (call $note (call $map_size (i32.const 6) (i32.const 24)))
             (call $note (call $set_header (i32.const 6) @\"a\" @\"b\")) (i32.const 0)"
                .to_owned(),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{body: x}]}");
    assert_eq!(messages(&seen)[2..], ["2", "1", "2", "2"]);
}

#[test]
fn e18_an_answer_is_for_reading_only() {
    let callbacks = [
        ("on_request_headers", hold(&call("/", "", 0))),
        (
            "on_http_call_response",
            format!(
                "(call $note (call $set_header (i32.const 6) @\"a\" @\"b\"))
                 (call $note (call $map_size (i32.const 6) (i32.const 24)))
                 (call $note (call $set_body (i32.const 4) (i32.const 0) (i32.const 1) @\"b\"))
                 {RESUME}"
            ),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{body: x}]}");
    assert_eq!(messages(&seen)[2..], ["2", "2", "2"]);
}
