;; Asks a gRPC service whether a request may pass: the message has the path as field 1, the answer is field 1, a
;; boolean. True lets it pass; false is a 403; a status instead of an answer is a 503.
(module
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $as (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  ;; Page 0: constants, results, the streams that wait. Page 1: what the host gives.
  (memory (export "memory") 2)
  (data (i32.const 64) "authz")
  (data (i32.const 80) "gateway.v1.Access")
  (data (i32.const 112) "Check")
  (data (i32.const 128) ":path")
  ;; One pair of metadata.
  (data (i32.const 160) "\01\00\00\00" "\08\00\00\00\07\00\00\00" "x-tenant\00gateway\00")
  (data (i32.const 224) "not allowed")
  (data (i32.const 256) "no answer")

  (global $free (mut i32) (i32.const 0x10000))
  (func (export "proxy_abi_version_0_2_1"))
  ;; Values are read before the next one comes, so the page is used in a circle.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (if (i32.gt_u (local.get $size) (i32.const 0x8000)) (then (return (i32.const 0))))
    (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 0x20000))
      (then (global.set $free (i32.const 0x10000))))
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  ;; Results of host functions: a value's place and length, a token.
  (func $value (result i32) (i32.load (i32.const 16)))
  (func $length (result i32) (i32.load (i32.const 20)))
  (func $reply (param $status i32) (param $text i32) (param $size i32)
    (drop (call $send (local.get $status) (i32.const 0) (i32.const 0) (local.get $text) (local.get $size)
      (i32.const 0) (i32.const 0) (i32.const -1))))
  ;; Where the stream of a call is kept. Tokens go up by 4; there is room for 1024 calls at once.
  (func $place (param $token i32) (result i32)
    (i32.add (i32.const 0x4000) (i32.and (local.get $token) (i32.const 0xffc))))

  (func (export "proxy_on_request_headers") (param $stream i32) (param i32 i32) (result i32)
    (drop (call $header (i32.const 0) (i32.const 128) (i32.const 5) (i32.const 16) (i32.const 20)))
    ;; Its length has to fit into one byte of the message.
    (if (i32.gt_u (call $length) (i32.const 127)) (then (i32.store (i32.const 20) (i32.const 127))))
    (i32.store8 (i32.const 512) (i32.const 10))
    (i32.store8 (i32.const 513) (call $length))
    (memory.copy (i32.const 514) (call $value) (call $length))
    (if (call $call (i32.const 64) (i32.const 5) (i32.const 80) (i32.const 17) (i32.const 112) (i32.const 5)
          (i32.const 160) (i32.const 29) (i32.const 512) (i32.add (call $length) (i32.const 2))
          (i32.const 200) (i32.const 24))
      (then (call $reply (i32.const 503) (i32.const 256) (i32.const 9)) (return (i32.const 1))))
    (i32.store (call $place (i32.load (i32.const 24))) (local.get $stream))
    (i32.const 1))

  (func (export "proxy_on_grpc_receive") (param $root i32) (param $token i32) (param $size i32)
    (local $yes i32)
    (if (i32.eqz (call $bytes (i32.const 5) (i32.const 0) (local.get $size) (i32.const 16) (i32.const 20)))
      (then (if (i32.eq (call $length) (i32.const 2)) (then
        (local.set $yes (i32.eq (i32.load16_u (call $value)) (i32.const 0x0108)))))))
    ;; The client may have gone in the meantime.
    (if (call $as (i32.load (call $place (local.get $token)))) (then (return)))
    (if (local.get $yes)
      (then (drop (call $continue (i32.const 0))))
      (else (call $reply (i32.const 403) (i32.const 224) (i32.const 11)))))

  (func (export "proxy_on_grpc_close") (param $root i32) (param $token i32) (param $status i32)
    (if (call $as (i32.load (call $place (local.get $token)))) (then (return)))
    (call $reply (i32.const 503) (i32.const 256) (i32.const 9))))
