;; Holds requests and lets them go, all at once, at the next tick. A request with `x-urgent` does not wait, and takes
;; all others with it. One that comes when there is no room is a 503.
(module
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $as (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $every (param i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 64) "x-urgent")
  (data (i32.const 80) "batch_released")
  (data (i32.const 112) "try again later")
  ;; The streams that wait, from 1024 on.
  (global $waiting (mut i32) (i32.const 0))
  (global $most i32 (i32.const 4))
  (global $released (mut i32) (i32.const 0))

  (func (export "proxy_abi_version_0_2_1"))
  ;; Only one value is ever asked for, and only whether it is there.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (select (i32.const 4096) (i32.const 0) (i32.le_u (local.get $size) (i32.const 4096))))

  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 80) (i32.const 14) (i32.const 16)))
    (global.set $released (i32.load (i32.const 16)))
    (drop (call $every (i32.const 100)))
    (i32.const 1))

  (func $release
    (local $stream i32)
    (loop $next
      (if (global.get $waiting) (then
        (global.set $waiting (i32.sub (global.get $waiting) (i32.const 1)))
        (local.set $stream (i32.load (i32.add (i32.const 1024) (i32.mul (global.get $waiting) (i32.const 4)))))
        ;; One that has ended in the meantime is no context any more.
        (if (i32.eqz (call $as (local.get $stream))) (then
          (drop (call $continue (i32.const 0)))
          (drop (call $add (global.get $released) (i64.const 1)))))
        (br $next)))))

  (func (export "proxy_on_tick") (param i32) (call $release))

  (func (export "proxy_on_request_headers") (param $stream i32) (param i32 i32) (result i32)
    (if (i32.eqz (call $header (i32.const 0) (i32.const 64) (i32.const 8) (i32.const 16) (i32.const 20)))
      (then (call $release) (return (i32.const 0))))
    (if (i32.eq (global.get $waiting) (global.get $most)) (then
      (drop (call $send (i32.const 503) (i32.const 0) (i32.const 0) (i32.const 112) (i32.const 15)
        (i32.const 0) (i32.const 0) (i32.const -1)))
      (return (i32.const 1))))
    (i32.store (i32.add (i32.const 1024) (i32.mul (global.get $waiting) (i32.const 4))) (local.get $stream))
    (global.set $waiting (i32.add (global.get $waiting) (i32.const 1)))
    (i32.const 1)))
