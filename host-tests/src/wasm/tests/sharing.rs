//! What plugins share: VMs, shared data, queues.

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// Two plugins of the same bytes.
fn twice<'a>(callbacks: &'a [(&'a str, &'a str)], first: &'a str, second: &'a str) -> Chain<'a> {
    Chain { filters: vec![("m", callbacks, first), ("m", callbacks, second)], scenario: "" }
}

/// The numbers of the stream contexts: 2 is the first one in a VM with one root, 3 in one with two.
const CONTEXTS: &[(&str, &str)] =
    &[("on_request_headers", "(call $note (local.get $id)) (i32.const 0)")];

#[test]
fn e24_plugins_of_one_module_share_a_vm() {
    let seen = twice(CONTEXTS, "", "").observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 3", "m-2 4"]);
}

#[test]
fn e24_a_vm_id_of_its_own_is_a_vm_of_its_own() {
    let seen = twice(CONTEXTS, ", vmId: one", "").observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 2", "m-2 2"]);
    let seen = twice(CONTEXTS, ", vmId: one", ", vmId: one").observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 3", "m-2 4"]);
}

#[test]
fn e24_a_vm_configuration_of_its_own_is_a_vm_of_its_own() {
    let seen = twice(CONTEXTS, ", vmConfig: a", ", vmConfig: b").observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 2", "m-2 2"]);
    // Together they are the same text, apart they are not.
    let seen = twice(CONTEXTS, ", vmId: ab", ", vmId: a, vmConfig: b").observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 2", "m-2 2"]);
}

#[test]
fn e24_plugins_are_apart_even_with_the_same_root_id_and_configuration() {
    let same = ", rootId: r";
    let seen = twice(CONTEXTS, same, same).observe(EXCHANGE);
    assert_eq!(named(&seen), ["m 3", "m-2 4"]);
}

#[test]
fn the_configurations_and_names_of_a_vm_and_its_plugin() {
    let chain = Chain {
        filters: vec![(
            "a",
            &[
                (
                    "on_context_create",
                    "(call $note (local.get $id)) (call $body (i32.const 6)) (call $body (i32.const 7))",
                ),
                (
                    "on_vm_start",
                    "(call $note (local.get 1)) (call $body (i32.const 6)) (call $body (i32.const 7)) (i32.const 1)",
                ),
                (
                    "on_configure",
                    "(call $note (i32.add (i32.const 100) (local.get 1))) (call $body (i32.const 7)) (i32.const 1)",
                ),
                (
                    "on_request_headers",
                    "(call $body (i32.const 6)) (call $body (i32.const 7))
                     (call $state @\"plugin_name\") (call $state @\"plugin_root_id\")
                     (call $state @\"plugin_vm_id\") (i32.const 0)",
                ),
            ],
            ", vmId: v, vmConfig: given, rootId: r",
        )],
        scenario: "",
    };
    let report = chain.run(&[EXCHANGE]).unwrap();
    let start: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    // Each line once: on_vm_start's `given` and `1` were said before.
    assert_eq!(start, ["1", "given", "a", "5", "101"]);
    let seen = &report.exchanges[0];
    assert_eq!(messages(seen), ["2", "given", "1", "given", "1", "a", "r", "v"]);
}

#[test]
fn e25_shared_data_are_those_of_a_vm_id() {
    let callbacks: &[_] = &[(
        "on_request_headers",
        "(call $shared @\"k\") (drop (call $set_shared @\"k\" @\"v\" (i32.const 0))) (i32.const 0)",
    )];
    // Another VM, the same id.
    let seen = twice(callbacks, ", vmId: one, vmConfig: a", ", vmId: one, vmConfig: b");
    assert_eq!(named(&seen.observe(EXCHANGE)), ["m 1", "m-2 v"]);
    let seen = twice(callbacks, ", vmId: one", ", vmId: two");
    assert_eq!(named(&seen.observe(EXCHANGE)), ["m 1", "m-2 1"]);
}

#[test]
fn e25_shared_data_outlive_a_vm_that_failed() {
    let callbacks = &[(
        "on_request_headers",
        "(call $shared @\"k\")
         (if (i32.eq (call $set_shared @\"k\" @\"kept\" (i32.const -1)) (i32.const 0)) (then unreachable))
         (i32.const 0)",
    )];
    let chain = Chain::one(callbacks);
    let later = "{advance: 2s, request: {path: /}, upstream: [{body: fine}]}";
    let report = chain.run(&[EXCHANGE, later]).unwrap();
    assert_eq!(messages(&report.exchanges[1]), ["kept"]);
}

#[test]
fn e25_workers_race_for_shared_data() {
    // Both read before either writes: the second one's cas is stale.
    let callbacks = &[
        (
            "on_request_headers",
            "(call $shared @\"k\") (global.set $kept (i32.load (i32.const 24))) (i32.const 0)",
        ),
        (
            "on_request_body",
            "(if (local.get $end) (then
               (call $note (call $set_shared @\"k\" @\"w\" (global.get $kept))))) (i32.const 0)",
        ),
        ("on_configure", "(drop (call $set_shared @\"k\" @\"v\" (i32.const 0))) (i32.const 1)"),
    ];
    let chain = Chain { filters: vec![("a", callbacks, "")], scenario: "workers: 2" };
    let together = "{concurrent: true, request: {path: /, body: ab, chunks: [1]}, upstream: [{}]}";
    let report = chain.run(&[together, together]).unwrap();
    assert_eq!(messages(&report.exchanges[0]), ["v", "0"]);
    assert_eq!(messages(&report.exchanges[1]), ["v", "8"]);
}

#[test]
fn an_exchange_may_name_its_worker() {
    let chain = Chain { filters: vec![("a", CONTEXTS, "")], scenario: "workers: 2" };
    let first = "{worker: 0, request: {path: /}, upstream: [{}]}";
    let second = "{worker: 1, request: {path: /}, upstream: [{}]}";
    let report = chain.run(&[first, first, second]).unwrap();
    let ids: Vec<_> = report.exchanges.iter().map(|seen| messages(seen)[0]).collect();
    assert_eq!(ids, ["2", "3", "2"]);
}

/// Registers `q` at the start, and says what comes out of it.
const READER: (&str, &str) = (
    "on_queue_ready",
    "(call $note (local.get $id))
     (call $result (call $dequeue (local.get $queue) (i32.const 16) (i32.const 20)))",
);
const REGISTER: (&str, &str) =
    ("on_configure", "(drop (call $register @\"q\" (i32.const 40))) (i32.const 1)");
const SEND: (&str, &str) = (
    "on_request_headers",
    "(call $note (call $resolve @\"\" @\"q\" (i32.const 40)))
     (call $note (call $enqueue (i32.load (i32.const 40)) @\"x\"))
     (call $note (call $enqueue (i32.load (i32.const 40)) @\"y\"))
     (call $say @\"sent\") (i32.const 0)",
);

#[test]
fn e25_a_queue_calls_its_reader_after_the_call_that_filled_it() {
    let seen = Chain::one(&[REGISTER, SEND, READER]).observe(EXCHANGE);
    assert_eq!(messages(&seen), ["0", "0", "0", "sent", "1", "x", "1", "y"]);
}

#[test]
fn e25_a_queue_that_is_not_there_or_empty() {
    let chain = Chain::one(&[
        REGISTER,
        (
            "on_request_headers",
            "(call $note (call $resolve @\"other\" @\"q\" (i32.const 40)))
             (call $note (call $resolve @\"\" @\"p\" (i32.const 40)))
             (call $note (call $enqueue (i32.const 77) @\"x\"))
             (call $note (call $dequeue (i32.const 77) (i32.const 16) (i32.const 20)))
             (call $note (call $dequeue (i32.const 1) (i32.const 16) (i32.const 20)))
             (i32.const 0)",
        ),
    ]);
    assert_eq!(messages(&chain.observe(EXCHANGE)), ["1", "1", "1", "1", "7"]);
}

#[test]
fn e25_another_vm_finds_a_queue_by_its_vm_id() {
    let reader: &[_] = &[REGISTER, READER];
    let sender: &[_] = &[(
        "on_request_headers",
        "(call $note (call $resolve @\"readers\" @\"q\" (i32.const 40)))
         (call $note (call $enqueue (i32.load (i32.const 40)) @\"x\")) (i32.const 0)",
    )];
    let filters = vec![("r", reader, ", vmId: readers"), ("s", sender, ", vmId: senders")];
    let seen = Chain { filters, scenario: "" }.observe(EXCHANGE);
    assert_eq!(named(&seen), ["s 0", "s 0", "r 1", "r x"]);
}

#[test]
fn e25_the_last_worker_to_register_reads() {
    // A worker's VM counts its exchanges; the reader that says how many it had is the last one's.
    let callbacks = &[
        REGISTER,
        ("on_queue_ready", "(call $note (global.get $kept))"),
        (
            "on_request_headers",
            "(global.set $kept (i32.add (global.get $kept) (i32.const 1)))
             (drop (call $enqueue (i32.const 1) @\"x\")) (i32.const 0)",
        ),
    ];
    let chain = Chain { filters: vec![("a", callbacks, "")], scenario: "workers: 2" };
    let on_first = "{worker: 0, request: {path: /}, upstream: [{}]}";
    let report =
        chain.run(&[on_first, on_first, "{worker: 1, request: {path: /}, upstream: [{}]}"]);
    let seen = report.unwrap();
    let read: Vec<_> = seen.exchanges.iter().map(|seen| messages(seen)[0]).collect();
    assert_eq!(read, ["0", "0", "1"]);
}

#[test]
fn a_queue_reader_may_resume_a_stream() {
    let chain = Chain::one(&[
        REGISTER,
        (
            "on_request_headers",
            "(global.set $kept (local.get $id)) (drop (call $enqueue (i32.const 1) @\"x\")) (i32.const 4)",
        ),
        (
            "on_queue_ready",
            "(drop (call $effective (global.get $kept))) (drop (call $continue (i32.const 0)))",
        ),
    ]);
    assert_eq!(chain.observe(EXCHANGE).response.status, 200);
}

#[test]
fn a_queue_reader_that_feeds_itself_for_ever_is_an_error() {
    let chain = Chain::one(&[
        REGISTER,
        ("on_request_headers", "(drop (call $enqueue (i32.const 1) @\"x\")) (i32.const 0)"),
        ("on_queue_ready", "(drop (call $enqueue (i32.const 1) @\"x\"))"),
    ]);
    let error = format!("{:#}", chain.run(&[EXCHANGE]).unwrap_err());
    assert!(error.contains("proxy_on_queue_ready was called"), "{error}");
}
