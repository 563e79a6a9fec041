;; Asks the cluster `auth` whether a request may pass. A 200 lets it pass, with the `x-user` of the answer; a 5xx,
;; which is also what the gateway says of a service that does not answer, is a 503; anything else is a 403. A request
;; without `authorization` is a 401, and nobody is asked.
(module
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $as (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  ;; Page 0: constants, results, the streams that wait. Page 1: what the host gives.
  (memory (export "memory") 2)
  (data (i32.const 64) "auth")
  (data (i32.const 80) "authorization")
  (data (i32.const 96) ":status")
  (data (i32.const 112) "x-user")
  (data (i32.const 128) "no key")
  (data (i32.const 160) "not allowed")
  (data (i32.const 192) "the authorization service is not there")
  ;; The call's headers: their number, their lengths, then each name and value with a zero behind it. The last value
  ;; is the request's.
  (data (i32.const 256)
    "\04\00\00\00"
    "\07\00\00\00\03\00\00\00" "\05\00\00\00\06\00\00\00"
    "\0a\00\00\00\09\00\00\00" "\0d\00\00\00\00\00\00\00"
    ":method\00GET\00" ":path\00/check\00" ":authority\00auth.test\00" "authorization\00")

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
    (if (call $header (i32.const 0) (i32.const 80) (i32.const 13) (i32.const 16) (i32.const 20))
      (then (call $reply (i32.const 401) (i32.const 128) (i32.const 6)) (return (i32.const 1))))
    ;; More than this is no key.
    (if (i32.gt_u (call $length) (i32.const 0x2000))
      (then (call $reply (i32.const 401) (i32.const 128) (i32.const 6)) (return (i32.const 1))))
    (i32.store (i32.const 288) (call $length))
    (memory.copy (i32.const 352) (call $value) (call $length))
    (i32.store8 (i32.add (i32.const 352) (call $length)) (i32.const 0))
    (if (call $call (i32.const 64) (i32.const 4) (i32.const 256) (i32.add (i32.const 97) (call $length))
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200) (i32.const 24))
      (then (call $reply (i32.const 503) (i32.const 192) (i32.const 38)) (return (i32.const 1))))
    (i32.store (call $place (i32.load (i32.const 24))) (local.get $stream))
    (i32.const 1))

  (func (export "proxy_on_http_call_response") (param $root i32) (param $token i32) (param $headers i32) (param i32 i32)
    (local $first i32)
    ;; An answer that broke off has no headers.
    (if (i32.eqz (call $header (i32.const 6) (i32.const 96) (i32.const 7) (i32.const 16) (i32.const 20)))
      (then (local.set $first (i32.load8_u (call $value)))))
    (if (i32.eq (local.get $first) (i32.const 50)) ;; 2
      (then
        (if (call $header (i32.const 6) (i32.const 112) (i32.const 6) (i32.const 16) (i32.const 20))
          (then (i32.store (i32.const 20) (i32.const 0))))))
    ;; The client may have gone in the meantime.
    (if (call $as (i32.load (call $place (local.get $token)))) (then (return)))
    (if (i32.eq (local.get $first) (i32.const 50))
      (then
        (drop (call $set (i32.const 0) (i32.const 112) (i32.const 6) (call $value) (call $length)))
        (drop (call $continue (i32.const 0)))
        (return)))
    (if (i32.eq (local.get $first) (i32.const 52)) ;; 4
      (then (call $reply (i32.const 403) (i32.const 160) (i32.const 11)))
      (else (call $reply (i32.const 503) (i32.const 192) (i32.const 38))))))
