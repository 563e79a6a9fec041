;; Registers the queue `post`, and logs what comes through it.
(module
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "post")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.eqz (call $register (i32.const 0) (i32.const 4) (i32.const 64))))
  (func (export "proxy_on_queue_ready") (param i32) (param $queue i32)
    (if (i32.eqz (call $dequeue (local.get $queue) (i32.const 64) (i32.const 68)))
      (then (drop (call $log (i32.const 2) (i32.load (i32.const 64)) (i32.load (i32.const 68))))))))
