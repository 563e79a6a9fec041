//! How modules are loaded, started and ended.

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

#[test]
fn configured_once_per_thread_and_once_on_trial() {
    let chain = Chain::one(&[
        ("on_vm_start", "(call $count @\"started\") (i32.const 1)"),
        ("on_configure", "(call $count @\"configured\") (i32.const 1)"),
        (
            "on_request_headers",
            "(call $counted @\"started\") (call $counted @\"configured\") (call $note (local.get $id)) (i32.const 0)",
        ),
    ]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!(messages(&seen), ["3", "3", "2"]);
}
