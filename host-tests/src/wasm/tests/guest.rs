//! Modules in WebAssembly text, from the instructions of their callbacks.

/// Signatures of the callbacks that tests use.
const SIGNATURES: &[(&str, &str)] = &[
    ("on_context_create", "(param $id i32) (param $parent i32)"),
    ("on_vm_start", "(param $id i32) (param i32) (result i32)"),
    ("on_configure", "(param $id i32) (param i32) (result i32)"),
    ("on_tick", "(param $id i32)"),
    ("on_queue_ready", "(param $id i32) (param $queue i32)"),
    ("on_request_headers", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_request_body", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_request_trailers", "(param $id i32) (param $n i32) (result i32)"),
    ("on_response_headers", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_response_body", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_response_trailers", "(param $id i32) (param $n i32) (result i32)"),
    (
        "on_http_call_response",
        "(param $id i32) (param $token i32) (param $n i32) (param $body i32) (param $trailers i32)",
    ),
    ("on_grpc_receive_initial_metadata", "(param $id i32) (param $token i32) (param $n i32)"),
    ("on_grpc_receive", "(param $id i32) (param $token i32) (param $n i32)"),
    ("on_grpc_receive_trailing_metadata", "(param $id i32) (param $token i32) (param $n i32)"),
    ("on_grpc_close", "(param $id i32) (param $token i32) (param $status i32)"),
    ("on_new_connection", "(param $id i32) (result i32)"),
    ("on_downstream_data", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_upstream_data", "(param $id i32) (param $n i32) (param $end i32) (result i32)"),
    ("on_downstream_connection_close", "(param $id i32) (param $peer i32)"),
    ("on_upstream_connection_close", "(param $id i32) (param $peer i32)"),
    ("on_log", "(param $id i32)"),
    ("on_done", "(param $id i32) (result i32)"),
    ("on_delete", "(param $id i32)"),
];

/// Host functions in shorter form: `$say` logs text, `$note` a number, `$header`, `$body`, `$state`
/// and `$shared` a value, or the status if there is none; `$count` increments a counter by its name,
/// and `$counted` logs it.
const PRELUDE: &str = r#"
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_replace_header_map_value" (func $set_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_remove_header_map_value" (func $remove_header (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_pairs" (func $get_pairs (param i32 i32 i32) (result i32)))
(import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_buffer_bytes" (func $get_body (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_buffer_bytes" (func $set_body (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_property" (func $set_state (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
(import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
(import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
(import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
(import "env" "proxy_done" (func $done (result i32)))
(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
(import "env" "proxy_get_metric" (func $get_metric (param i32 i32) (result i32)))
(import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
(import "env" "proxy_resolve_shared_queue" (func $resolve (param i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
(import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
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
(func $shared (param i32 i32)
  (call $result (call $get_shared (local.get 0) (local.get 1) (i32.const 16) (i32.const 20) (i32.const 24))))
(func $count (param i32 i32)
  (drop (call $define (i32.const 0) (local.get 0) (local.get 1) (i32.const 28)))
  (drop (call $increment (i32.load (i32.const 28)) (i64.const 1))))
(func $counted (param i32 i32)
  (drop (call $define (i32.const 0) (local.get 0) (local.get 1) (i32.const 28)))
  (drop (call $get_metric (i32.load (i32.const 28)) (i32.const 32)))
  (call $note (i32.load (i32.const 32))))
(func $reply (param $code i32) (param i32 i32)
  (drop (call $send (local.get $code) (i32.const 0) (i32.const 0) (local.get 1) (local.get 2)
    (i32.const 0) (i32.const 0) (i32.const -1))))
"#;

/// For callouts. `$http`, `$grpc` and `$stream` log the status, keep the token in `$token` and log it
/// too; `$map` logs a header map, line by line; `$status` logs code and message of `get_status`.
const CALLOUTS: &str = r#"
(import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_grpc_call" (func $grpc_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_grpc_stream" (func $grpc_stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
(import "env" "proxy_grpc_send" (func $grpc_send (param i32 i32 i32 i32) (result i32)))
(import "env" "proxy_grpc_cancel" (func $grpc_cancel (param i32) (result i32)))
(import "env" "proxy_grpc_close" (func $grpc_close (param i32) (result i32)))
(import "env" "proxy_get_status" (func $get_status (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_header_map_size" (func $map_size (param i32 i32) (result i32)))
(memory
(global $token (mut i32) (i32.const 0))
(func $made (param $status i32)
  (call $note (local.get $status))
  (if (i32.eqz (local.get $status)) (then
    (global.set $token (i32.load (i32.const 24)))
    (call $note (global.get $token)))))
(func $http (param i32 i32 i32 i32 i32 i32 i32)
  (call $made (call $http_call (local.get 0) (local.get 1) (local.get 2) (local.get 3)
    (local.get 4) (local.get 5) (i32.const 0) (i32.const 0) (local.get 6) (i32.const 24))))
(func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
  (call $made (call $grpc_call (local.get 0) (local.get 1) (local.get 2) (local.get 3)
    (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8) (local.get 9)
    (local.get 10) (i32.const 24))))
(func $stream (param i32 i32 i32 i32 i32 i32 i32 i32)
  (call $made (call $grpc_stream (local.get 0) (local.get 1) (local.get 2) (local.get 3)
    (local.get 4) (local.get 5) (local.get 6) (local.get 7) (i32.const 24))))
(func $status
  (local $result i32)
  (local.set $result (call $get_status (i32.const 28) (i32.const 16) (i32.const 20)))
  (if (local.get $result) (then (call $note (local.get $result)) (return)))
  (call $note (i32.load (i32.const 28)))
  (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20))))
(func $map (param $map i32)
  (local $status i32) (local $left i32) (local $sizes i32) (local $at i32) (local $key i32) (local $length i32)
  (local.set $status (call $get_pairs (local.get $map) (i32.const 16) (i32.const 20)))
  (if (local.get $status) (then (call $note (local.get $status)) (return)))
  (if (i32.eqz (i32.load (i32.const 20))) (then (return)))
  (local.set $left (i32.load (i32.load (i32.const 16))))
  (local.set $sizes (i32.add (i32.load (i32.const 16)) (i32.const 4)))
  (local.set $at (i32.add (local.get $sizes) (i32.mul (local.get $left) (i32.const 8))))
  (block $end (loop $next
    (br_if $end (i32.eqz (local.get $left)))
    (local.set $key (i32.load (local.get $sizes)))
    (local.set $length (i32.add (i32.add (local.get $key) (i32.const 1)) (i32.load offset=4 (local.get $sizes))))
    (i32.store8 (i32.add (local.get $at) (local.get $key)) (i32.const 61))
    (call $say (local.get $at) (local.get $length))
    (local.set $at (i32.add (i32.add (local.get $at) (local.get $length)) (i32.const 1)))
    (local.set $sizes (i32.add (local.get $sizes) (i32.const 8)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br $next))))
"#;

/// A header map as a constant: `@"…"` with what the ABI makes of `headers`.
pub(super) fn map(headers: &[(&str, &str)]) -> String {
    let number = |n: usize| format!("\\{:02x}\\{:02x}\\00\\00", n & 0xff, n >> 8);
    let mut out = number(headers.len());
    headers.iter().for_each(|(name, value)| out += &(number(name.len()) + &number(value.len())));
    headers.iter().for_each(|(name, value)| out += &format!("{name}\\00{value}\\00"));
    format!("@\"{out}\"")
}

/// A module with these callbacks, as bytes. `@"text"` in them is pointer and length of a constant;
/// a callback `"raw"` is put into the module as it is; an only one `"module"` is all of it. The name makes modules differ.
pub(crate) fn guest(name: &str, callbacks: &[(&str, &str)]) -> Vec<u8> {
    if let [("module", text)] = callbacks {
        return wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
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
    let (more_imports, more) = CALLOUTS.split_once("(memory\n").unwrap();
    let wat = format!(
        "(module ;; {name}\n{imports}{more_imports}\n(memory{rest}{more}\n{functions}\n{data}\n(@custom \"name-of-test\" \"{name}\"))"
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
