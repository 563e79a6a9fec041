#!/bin/sh
# Needs npm.
set -eu
cd "$(dirname "$0")"
npm ci
npx asc assembly/index.ts -b greeter.wasm --use abort=abort_proc_exit --optimize --noAssert
