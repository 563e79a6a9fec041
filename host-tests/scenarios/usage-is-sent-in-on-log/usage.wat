;; Sends what a response cost, its `x-tokens`, to the cluster `billing` when the exchange has ended, and counts what
;; was taken there.
(module
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))

  (memory (export "memory") 2)
  (data (i32.const 64) "billing")
  (data (i32.const 80) "x-tokens")
  (data (i32.const 96) ":status")
  (data (i32.const 112) "usage.taken")
  (data (i32.const 128) "usage.lost")
  (data (i32.const 256)
    "\03\00\00\00" "\07\00\00\00\04\00\00\00" "\05\00\00\00\06\00\00\00" "\0a\00\00\00\0c\00\00\00"
    ":method\00POST\00" ":path\00/usage\00" ":authority\00billing.test\00")

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

  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 112) (i32.const 11) (i32.const 32)))
    (drop (call $define (i32.const 0) (i32.const 128) (i32.const 10) (i32.const 36)))
    (i32.const 1))

  ;; All headers can be read here, whatever phase they are of.
  (func (export "proxy_on_log") (param i32)
    (if (call $header (i32.const 2) (i32.const 80) (i32.const 8) (i32.const 16) (i32.const 20)) (then (return)))
    (if (call $call (i32.const 64) (i32.const 7) (i32.const 256) (i32.const 78)
          (i32.load (i32.const 16)) (i32.load (i32.const 20)) (i32.const 0) (i32.const 0)
          (i32.const 1000) (i32.const 24))
      (then (drop (call $increment (i32.load (i32.const 36)) (i64.const 1))))))

  (func (export "proxy_on_http_call_response") (param $root i32) (param $token i32) (param i32 i32 i32)
    (local $metric i32)
    (local.set $metric (i32.const 36))
    (if (i32.eqz (call $header (i32.const 6) (i32.const 96) (i32.const 7) (i32.const 16) (i32.const 20)))
      (then (if (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 50)) ;; 2
        (then (local.set $metric (i32.const 32))))))
    (drop (call $increment (i32.load (local.get $metric)) (i64.const 1)))))
