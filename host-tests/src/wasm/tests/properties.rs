//! The tree of attributes: what is there when, and how it is handed over.

use super::*;

const EXCHANGE: &str = "{request: {path: '/p?q=1', headers: {x-a: [1, 2], user-agent: ua}, body: abc}, \
    upstream: [{hostMetadata: {tollgate: {provider: anthropic}}, headers: {x-m: [a, b]}, body: fine, \
    trailers: {t: v}}]}";

/// Logs each of these properties in `callback`, in lower-case hexadecimal if `hex`, or its status.
fn properties(callback: &str, paths: &[&str], hex: bool) -> Vec<String> {
    let show = if hex { "$hex" } else { "$say" };
    let mut body = String::new();
    for path in paths {
        let path = path.replace('.', "\\00");
        body += &format!("(call $property @\"{path}\")");
    }
    if callback != "on_log" {
        body += "(i32.const 0)";
    }
    let raw = format!(
        "(func $hex (param $at i32) (param $n i32) (local $i i32) (local $byte i32)
           (loop $next
             (if (i32.lt_u (local.get $i) (local.get $n)) (then
               (local.set $byte (i32.load8_u (i32.add (local.get $at) (local.get $i))))
               (i32.store8 (i32.add (i32.const 32000) (i32.mul (local.get $i) (i32.const 2)))
                 (call $digit (i32.shr_u (local.get $byte) (i32.const 4))))
               (i32.store8 (i32.add (i32.const 32001) (i32.mul (local.get $i) (i32.const 2)))
                 (call $digit (i32.and (local.get $byte) (i32.const 15))))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br $next))))
           (call $say (i32.const 32000) (i32.mul (local.get $n) (i32.const 2))))
         (func $digit (param i32) (result i32)
           (i32.add (local.get 0) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get 0) (i32.const 10)))))
         (func $property (param i32 i32) (local $status i32)
           (local.set $status (call $get_property (local.get 0) (local.get 1) (i32.const 16) (i32.const 20)))
           (if (local.get $status)
             (then (call $note (local.get $status)))
             (else (call {show} (i32.load (i32.const 16)) (i32.load (i32.const 20))))))"
    );
    let callbacks = [("raw", raw.as_str()), (callback, body.as_str())];
    let seen = Chain::one(&callbacks).observe(EXCHANGE);
    messages(&seen)[..paths.len()].iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn e10_request_attributes_are_there_with_the_headers() {
    let paths = [
        "request.path",
        "request.url_path",
        "request.query",
        "request.host",
        "request.method",
        "request.scheme",
        "request.useragent",
        "request.referer",
        "request.protocol",
        "request.id",
        "request.headers.x-a",
        "request.headers.none",
        "request.bogus",
    ];
    let found = properties("on_request_headers", &paths, false);
    let expected = [
        "/p?q=1",
        "/p",
        "q=1",
        "gateway.test",
        "POST",
        "http",
        "ua",
        "1",
        "HTTP/1.1",
        "1",
        "1,2",
        "1",
        "1",
    ];
    assert_eq!(found, expected);
    let late = properties("on_response_headers", &["request.path", "request.protocol"], false);
    assert_eq!(late, ["1", "HTTP/1.1"]);
}

#[test]
fn numbers_are_eight_bytes_and_booleans_one() {
    let paths =
        ["request.size", "connection.mtls", "xds.listener_direction", "upstream.num_endpoints"];
    let found = properties("on_request_headers", &paths, true);
    assert_eq!(found, ["0300000000000000", "00", "0000000000000000", "0100000000000000"]);
    let paths = [
        "response.code",
        "response.grpc_status",
        "response.flags",
        "upstream.request_attempt_count",
    ];
    let found = properties("on_response_headers", &paths, true);
    assert_eq!(found[0], "c800000000000000");
    assert_eq!(found[1], "0200000000000000", "unknown: from the status 200");
    assert_eq!(found[2..], ["0000000000000000", "0100000000000000"]);
}

#[test]
fn a_group_of_attributes_cannot_be_handed_over_and_what_is_empty_can() {
    let groups = [
        "request",
        "response",
        "source",
        "destination",
        "connection",
        "upstream",
        "xds",
        "filter_state",
    ];
    assert_eq!(properties("on_request_headers", &groups, false), ["3"; 8]);
    let empty =
        ["metadata", "xds.route_metadata", "connection.requested_server_name", "xds.node.id"];
    assert_eq!(properties("on_request_headers", &empty, false), [""; 4]);
    let absent =
        ["connection.tls_version", "upstream_filter_state", "xds.bogus", "nothing", "metadata.x"];
    assert_eq!(properties("on_request_headers", &absent, false), ["1"; 5]);
}

#[test]
fn maps_are_pairs_and_what_may_not_be_read_is_an_empty_one() {
    let none = "00000000";
    let paths = ["response.headers", "response.trailers", "metadata.filter_metadata"];
    assert_eq!(properties("on_request_headers", &paths, true), [none; 3]);
    assert_eq!(properties("on_response_headers", &["request.headers"], true), [none]);
    // One pair: name `t`, value `v`.
    let trailers = "010000000100000001000000740076".to_owned() + "00";
    let found =
        properties("on_response_trailers", &["response.trailers", "response.trailers.t"], true);
    assert_eq!(found, [trailers.as_str(), "76"]);
    assert_eq!(properties("on_log", &["response.headers.x-m"], false), ["a,b"]);
}

#[test]
fn host_metadata_is_a_message_that_can_be_walked() {
    let path = "xds.upstream_host_metadata";
    let below = "xds.upstream_host_metadata.filter_metadata.tollgate";
    let provider = "xds.upstream_host_metadata.filter_metadata.tollgate.provider";
    assert_eq!(properties("on_request_headers", &[path, provider], false), ["1", "1"]);
    assert_eq!(properties("on_response_headers", &[provider], false), ["anthropic"]);
    let found = properties("on_response_headers", &[path, below], true);
    // Metadata { filter_metadata { "tollgate": Struct { fields { "provider": "anthropic" } } } }
    let message = "0a250a08746f6c6c6761746512190a170a0870726f7669646572120b1a09616e7468726f706963";
    let map = "010000000800000009000000".to_owned() + "70726f766964657200" + "616e7468726f70696300";
    assert_eq!(found, [message, map.as_str()]);
}

#[test]
fn late_attributes_are_late() {
    let paths = ["request.duration", "response.backend_latency"];
    assert_eq!(properties("on_request_headers", &paths, false), ["1", "1"]);
    assert_eq!(properties("on_response_headers", &paths, false), ["1", "1"]);
    let sizes = properties("on_log", &["request.duration", "response.backend_latency"], true);
    assert!(sizes.iter().all(|hex| hex.len() == 16), "{sizes:?}");
    assert_eq!(properties("on_log", &["response.size"], true), ["0400000000000000"]);
}

#[test]
fn an_empty_path_cannot_be_serialized_and_a_nul_at_the_end_is_dropped() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $state (i32.const 1024) (i32.const 0))
         (call $state @\"request\\00method\\00\")
         (call $state @\"request\\00\\00method\")
         (call $state @\"plugin_name\")
         (call $state @\"plugin_vm_id\")
         (i32.const 0)",
    )]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!(messages(&seen), ["3", "POST", "1", "a", ""]);
}
