;; A network filter: what the client sends goes on when it ends in a newline, and what the upstream sends gets a `!`.
(module
  (import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "!")
  (func (export "proxy_abi_version_0_2_1"))
  ;; One value at a time is enough here.
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_downstream_data") (param $context i32) (param $size i32) (param $end i32) (result i32)
    ;; Nothing but the end: nothing to hold.
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    ;; The last byte: pointer at 8, length at 12.
    (drop (call $get (i32.const 2) (i32.sub (local.get $size) (i32.const 1)) (i32.const 1) (i32.const 8) (i32.const 12)))
    (i32.ne (i32.load8_u (i32.load (i32.const 8))) (i32.const 10)))
  (func (export "proxy_on_upstream_data") (param $context i32) (param $size i32) (param $end i32) (result i32)
    (if (local.get $size)
      (then (drop (call $set (i32.const 3) (local.get $size) (i32.const 0) (i32.const 0) (i32.const 1)))))
    (i32.const 0)))
