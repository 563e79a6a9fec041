//! Modules in WebAssembly text, from the instructions of their callbacks.

/// Signatures of the callbacks that tests use.
const SIGNATURES: &[(&str, &str)] = &[
    ("on_context_create", "(param $id i32) (param $parent i32)"),
    ("on_vm_start", "(param $id i32) (param i32) (result i32)"),
    ("on_configure", "(param $id i32) (param i32) (result i32)"),
    ("on_tick", "(param $id i32)"),
    ("on_request_headers", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_request_body", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_request_trailers", "(param $id i32) (param $n i32) (result i32)"),
    ("on_response_headers", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_response_body", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_response_trailers", "(param $id i32) (param $n i32) (result i32)"),
    ("on_log", "(param $id i32)"),
    ("on_done", "(param $id i32) (result i32)"),
    ("on_delete", "(param $id i32)"),
];

/// Host functions in shorter form: `$say` logs text, `$note` a number, `$header`, `$body` and
/// `$state` a value, or the status if there is none.
const PRELUDE: &str = r#"
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_pairs" (func $get_pairs (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_buffer_bytes" (func $get_body (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_buffer_bytes" (func $set_body (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_property" (func $set_state (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
(memory (export "memory") 64)
(global $heap (mut i32) (i32.const 65536))
(global $kept (mut i32) (i32.const 0))
(func (export "proxy_abi_version_0_2_1"))
(func (export "malloc") (param $n i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $heap))
  (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $n)) (i32.const 7)) (i32.const -8)))
  (local.get $at))
(func $say (param i32 i32) (drop (call $log (i32.const 2) (local.get 0) (local.get 1))))
(func $note (param $n i32)
  (local $at i32)
  (local.set $at (i32.const 64))
  (loop $digit
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
    (br_if $digit (local.get $n)))
  (call $say (local.get $at) (i32.sub (i32.const 64) (local.get $at))))
(func $result (param $status i32)
  (if (local.get $status)
    (then (call $note (local.get $status)))
    (else (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20))))))
(func $header (param i32 i32 i32)
  (call $result (call $get_header (local.get 0) (local.get 1) (local.get 2) (i32.const 16) (i32.const 20))))
(func $body (param i32)
  (call $result (call $get_body (local.get 0) (i32.const 0) (i32.const 0x7fffffff) (i32.const 16) (i32.const 20))))
(func $state (param i32 i32)
  (call $result (call $get_property (local.get 0) (local.get 1) (i32.const 16) (i32.const 20))))
(func $reply (param $code i32) (param i32 i32)
  (drop (call $send (local.get $code) (i32.const 0) (i32.const 0) (local.get 1) (local.get 2)
    (i32.const 0) (i32.const 0) (i32.const -1))))
"#;

/// A module with these callbacks, as bytes. `@"text"` in them is pointer and length of a constant;
/// a callback `"raw"` is put into the module as it is. The name makes modules differ.
pub(crate) fn guest(name: &str, callbacks: &[(&str, &str)]) -> Vec<u8> {
    let mut functions = String::new();
    for (callback, body) in callbacks {
        if *callback == "raw" {
            functions += body;
            continue;
        }
        let signature = SIGNATURES.iter().find(|(name, _)| name == callback).unwrap().1;
        functions += &format!("(func (export \"proxy_{callback}\") {signature}\n{body})\n");
    }
    let (functions, data) = constants(&functions);
    let (imports, rest) = PRELUDE.split_once("(memory").unwrap();
    let wat = format!(
        "(module ;; {name}\n{imports}\n(memory{rest}\n{functions}\n{data}\n(@custom \"name-of-test\" \"{name}\"))"
    );
    match wat::parse_str(&wat) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}\n{wat}"),
    }
}

/// Replaces `@"text"`, and makes the data segment that it points to.
fn constants(text: &str) -> (String, String) {
    let (mut out, mut data) = (String::new(), String::new());
    let mut at = 1024;
    let mut parts = text.split("@\"");
    out += parts.next().unwrap();
    for part in parts {
        let (constant, rest) = part.split_once('"').unwrap();
        // `\00` and the like are one byte.
        let length = constant.len() - 2 * constant.matches('\\').count();
        out += &format!("(i32.const {at}) (i32.const {length}){rest}");
        data += &format!("(data (i32.const {at}) \"{constant}\")\n");
        at += length;
    }
    (out, data)
}
