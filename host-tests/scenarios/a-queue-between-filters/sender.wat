;; At each request puts a parcel into the queue `post` of the VMs called `readers`; without one it crashes.
(module
  (import "env" "proxy_resolve_shared_queue" (func $resolve (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "readersposta parcel")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $resolve (i32.const 0) (i32.const 7) (i32.const 7) (i32.const 4) (i32.const 64))
      (then unreachable))
    (if (call $enqueue (i32.load (i32.const 64)) (i32.const 11) (i32.const 8)) (then unreachable))
    (i32.const 0)))
