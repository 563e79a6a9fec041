#!/bin/sh
# Needs the target wasm32-wasip1, and wasm-opt (npm: binaryen).
set -eu
cd "$(dirname "$0")"
cargo build --release --target wasm32-wasip1 --target-dir target
wasm-opt -Oz --converge --enable-simd --enable-bulk-memory --enable-sign-ext --enable-multivalue \
  --enable-nontrapping-float-to-int --enable-mutable-globals --enable-reference-types \
  target/wasm32-wasip1/release/greeter.wasm -o greeter.wasm
