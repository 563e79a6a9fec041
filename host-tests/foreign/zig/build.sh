#!/bin/sh
# Needs zig (PyPI: ziglang).
set -eu
cd "$(dirname "$0")"
zig build-exe greeter.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic --name greeter
