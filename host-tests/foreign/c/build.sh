#!/bin/sh
# Needs zig (PyPI: ziglang), for its clang and its wasi-libc.
set -eu
cd "$(dirname "$0")"
zig cc -target wasm32-wasi -mexec-model=reactor -Oz -s -o greeter.wasm greeter.c
