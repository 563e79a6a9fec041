//! Foreign functions.

use super::*;

const EXCHANGE: &str =
    "{request: {path: '/p?q=1', headers: {x-a: [1, 2]}}, upstream: [{body: fine}]}";

/// Functions for these tests: `$call` logs the status and the size of the result, which stay in
/// memory at 16 and 20; `$value` logs the result.
const CALL: &str = "(func $call (param i32 i32 i32 i32)
      (i32.store (i32.const 16) (i32.const 77)) (i32.store (i32.const 20) (i32.const 78))
      (call $note (call $foreign (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 16) (i32.const 20)))
      (call $note (i32.load (i32.const 20))))
    (func $value (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20))))
    (func $evaluate (param i32 i32)
      (drop (call $foreign @\"expr_create\" (local.get 0) (local.get 1) (i32.const 16) (i32.const 20)))
      (i32.store (i32.const 900) (i32.load (i32.load (i32.const 16))))
      (call $call @\"expr_evaluate\" (i32.const 900) (i32.const 4)))";

/// What a filter logs that does `body` with the request's headers.
fn said(body: &str) -> Vec<String> {
    let body = format!("{body} (i32.const 0)");
    let callbacks = [("raw", CALL), ("on_request_headers", body.as_str())];
    let chain = Chain::one(&callbacks);
    let seen = chain.observe(EXCHANGE);
    messages(&seen).into_iter().map(str::to_owned).collect()
}

#[test]
fn an_unknown_function_is_not_found_and_writes_nothing_and_a_failed_one_an_empty_result() {
    assert_eq!(said("(call $call @\"nothing\" @\"x\")"), ["1", "78"]);
    assert_eq!(said("(call $call @\"uncompress\" @\"xxxx\")"), ["3", "0"]);
    assert_eq!(said("(call $call @\"clear_route_cache\" @\"\")"), ["0", "0"]);
    // Whoever wants no result gives no place for it.
    let none = "(call $note (call $foreign @\"compress\" @\"abc\" (i32.const 0) (i32.const 0)))";
    assert_eq!(said(none), ["0"]);
}

#[test]
fn what_is_compressed_can_be_uncompressed() {
    let body = "(call $call @\"compress\" @\"hello hello hello hello hello hello hello\")
        (call $call @\"uncompress\" (i32.load (i32.const 16)) (i32.load (i32.const 20)))
        (call $value)";
    let found = said(&body.replace(
        "(call $call @\"uncompress\" (i32.load (i32.const 16)) (i32.load (i32.const 20)))",
        "(global.set $kept (i32.load (i32.const 16))) (i32.store (i32.const 904) (i32.load (i32.const 20)))
         (call $call @\"uncompress\" (global.get $kept) (i32.load (i32.const 904)))",
    ));
    assert_eq!(found[2..], ["0", "41", "hello hello hello hello hello hello hello"]);
    assert_eq!(found[0], "0");
    assert_eq!(said("(call $call @\"uncompress\" @\"\")"), ["3", "0"]);
}

#[test]
fn uncompressing_has_a_limit() {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; (16 << 20) + 1]).unwrap();
    let bomb: String = encoder.finish().unwrap().iter().map(|b| format!("\\{b:02x}")).collect();
    let size = bomb.len() / 3;
    let raw = format!("(data (i32.const 100000) \"{bomb}\")\n{CALL}");
    let body =
        format!("(call $call @\"uncompress\" (i32.const 100000) (i32.const {size})) (i32.const 0)");
    let callbacks = [("raw", raw.as_str()), ("on_request_headers", body.as_str())];
    let folder = std::env::temp_dir().join(format!("tollgate-bomb-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), guest("a", &callbacks)).unwrap();
    let yaml = format!(
        "description: a bomb\nhosts: [wasmtime]\nchain: [{{wasm: ./a.wasm}}]\nexchanges: [{EXCHANGE}]\n"
    );
    std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
    // Not on Envoy, which has no limit.
    let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
    let report = crate::wasm::run(&plan).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let seen = messages(&report.exchanges[0]);
    assert_eq!(seen[1..], ["3", "0"]);
    assert!(seen[0].contains("the limit of this host"), "{seen:?}");
}

#[test]
fn e27_a_declared_property_may_be_read_only() {
    // name: "p", readonly: true, type: String
    let declare = "(call $call @\"declare_property\" @\"\\0a\\01p\\10\\01\\18\\01\")";
    let set = "(call $note (call $set_state @\"p\" @\"one\"))
        (call $note (call $set_state @\"p\" @\"two\"))
        (call $state @\"p\") (i32.const 0)";
    let configure = format!("{declare} {declare} (i32.const 1)");
    let callbacks =
        [("raw", CALL), ("on_configure", configure.as_str()), ("on_request_headers", set)];
    let chain = Chain::one(&callbacks);
    let report = chain.run(&[EXCHANGE]).unwrap();
    // Twice is a bad argument; each line of the start is told once.
    let start: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(start, ["0", "2"]);
    assert_eq!(messages(&report.exchanges[0]), ["0", "2", "one"]);
    // A stream's context declares for itself only.
    let late = format!("{declare} {set}");
    let seen = Chain::one(&[("raw", CALL), ("on_request_headers", &late)]).observe(EXCHANGE);
    assert_eq!(messages(&seen), ["0", "0", "0", "0", "two"]);
    assert_eq!(said("(call $call @\"declare_property\" @\"\\0a\\09p\")"), ["2", "0"]);
}

#[test]
fn only_known_objects_are_made_of_text_that_they_understand() {
    let set = |path: &str, value: &str| {
        let message = format!("\\0a\\{:02x}{path}\\12\\{:02x}{value}", path.len(), value.len());
        said(&format!(
            "(call $call @\"set_envoy_filter_state\" @\"{message}\")
             (call $state @\"filter_state\\00{path}\")"
        ))
    };
    assert_eq!(set("envoy.tcp_proxy.cluster", "c"), ["0", "0", "c"]);
    assert_eq!(set("envoy.ratelimit.hits_addend", "3"), ["0", "0", "3"]);
    assert_eq!(set("envoy.ratelimit.hits_addend", "x"), ["2", "0", "1"]);
    assert_eq!(set("envoy.network.application_protocols", "h2"), ["0", "0", "1"]);
    assert_eq!(set("unknown", "x"), ["1", "0", "1"]);
    assert_eq!(said("(call $call @\"set_envoy_filter_state\" @\"\\0a\\ffx\")"), ["2", "0"]);
}

#[test]
fn expressions_see_the_attributes() {
    for (expression, expected) in [
        ("request.path", "/p?q=1"),
        ("request.headers['x-a']", "1,2"),
        ("request.method + ' ' + request.host", "GET gateway.test"),
        ("string(size(request.headers) > 3)", "true"),
        ("has(request.headers.foo) ? 'yes' : 'no'", "no"),
        ("request.path.startsWith('/p') && request.path.matches('^/p') ? 'a' : 'b'", "a"),
        ("plugin_name", "a"),
        ("string(request.headers.all(k, k != 'x'))", "true"),
        ("string(request.time > timestamp('2020-01-01T00:00:00Z'))", "true"),
    ] {
        let found = said(&format!("(call $evaluate @\"{expression}\") (call $value)"));
        assert_eq!(found[0], "0", "{expression}");
        assert_eq!(found[2], expected, "{expression}");
    }
    let set = "(drop (call $set_state @\"mine\" @\"x\")) (call $evaluate @\"mine\") (call $value)";
    assert_eq!(said(set), ["0", "1", "x"]);
}

#[test]
fn expressions_that_cannot_be_evaluated_are_failures() {
    for (expression, status) in [
        ("request.nothing", "10"),
        ("nothing", "10"),
        ("response.code", "10"),
        ("1/0", "10"),
        ("'a' + 1", "10"),
        ("request", "3"),
        ("null", "3"),
    ] {
        let found = said(&format!("(call $evaluate @\"{expression}\")"));
        assert_eq!(found, [status, "0"], "{expression}");
    }
    assert_eq!(said("(call $call @\"expr_create\" @\"1 +\")"), ["2", "0"]);
}

#[test]
fn expressions_have_numbers_from_0_that_are_used_once() {
    let number = "(call $note (i32.load (i32.load (i32.const 16))))";
    let create = |text: &str| format!("(call $call @\"expr_create\" @\"{text}\") {number}");
    let body = create("1")
        + &create("2")
        + "(call $call @\"expr_delete\" @\"\\00\\00\\00\\00\")
           (call $call @\"expr_delete\" @\"\\07\\00\\00\\00\")
           (call $call @\"expr_evaluate\" @\"\\00\\00\\00\\00\")
           (call $call @\"expr_evaluate\" @\"\\00\")
           (call $call @\"expr_delete\" @\"\")"
        + &create("3");
    let expected = [
        "0", "4", "0", "0", "4", "1", "0", "0", "0", "0", "1", "0", "2", "0", "2", "0", "0", "4",
        "2",
    ];
    assert_eq!(said(&body), expected);
}

#[test]
fn expressions_that_are_deep_or_loop_much_do_no_harm() {
    let refused = |expression: &str| {
        let body = format!("(call $call @\"expr_create\" @\"{expression}\") (i32.const 0)");
        let callbacks = [("raw", CALL), ("on_request_headers", body.as_str())];
        let bytes = guest("a", &callbacks);
        let folder = std::env::temp_dir().join(format!(
            "tollgate-deep-{}-{}",
            std::process::id(),
            expression.len()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.wasm"), bytes).unwrap();
        let yaml = format!(
            "description: deep\nhosts: [wasmtime]\nchain: [{{wasm: ./a.wasm}}]\nexchanges: [{EXCHANGE}]\n"
        );
        std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
        let report = crate::wasm::run(&Plan::load(&folder.join("scenario.yaml")).unwrap()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        messages(&report.exchanges[0]).contains(&"2")
    };
    assert!(refused(&"x".repeat(2049)));
    assert!(refused("[1].all(a, [1].all(b, [1].all(c, true)))"));
    // Whether they are taken does not matter, but the host is still there.
    refused(&format!("{}1{}", "(".repeat(1000), ")".repeat(1000)));
    refused(&format!("{}1", "!".repeat(2000)));
    refused(&format!("{}1", "-".repeat(2000)));
    refused(&format!("{}1", "1+".repeat(1000)));
    refused(&format!("{}1{}", "[".repeat(1000), "]".repeat(1000)));
    refused(&format!("{}1", "true?1:".repeat(280)));
}

#[test]
fn expressions_that_loop_are_not_evaluated_for_ever() {
    let source = "request.headers.all(a, request.headers.all(b, true))";
    let body = format!(
        "(local $status i32)
         (call $evaluate @\"{source}\")
         (loop $again
           (local.set $status
             (call $foreign @\"expr_evaluate\" (i32.const 900) (i32.const 4) (i32.const 0) (i32.const 0)))
           (br_if $again (i32.eqz (local.get $status))))
         (call $note (local.get $status))"
    );
    let expected = ["0", "1", "expr_evaluate: this host does not loop so often in one call", "10"];
    assert_eq!(said(&body), expected);
}
