# Two commands matter to a newcomer: `make demo` and `make test`. Logic of more than a line is in scripts/.
# What is fetched goes to .tools/, what is built to target/, nothing anywhere else.

FILTERS := key-check body-model token-count provider-rewrite
WASM_PACKAGES := $(addprefix --package ,$(FILTERS))
# What the filters are measured against.
YARDSTICKS := --package reads-body --package same-host-calls
CARGO := cargo
PYTHON := python3
# envoy.yaml names the filters by paths below target/.
export CARGO_TARGET_DIR := $(CURDIR)/target
# What runs the filters uses those of `build`, on which every such target depends, and does not build them again.
export TOLLGATE_WASM_DIR := $(CARGO_TARGET_DIR)/wasm32-wasip1/release

.PHONY: help demo test build unit scenarios scenarios-envoy rules-envoy e2e lint docs bench bench-test bench-envoy fuzz-build schema tools clean-tools

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: tools build ## the story in a running gateway, until Ctrl-C (ONCE=1: ends by itself)
	@exec $(PYTHON) scripts/demo.py

test: tools build ## every test there is
	@exec $(PYTHON) scripts/run_tests.py

unit: build ## tests of the Rust workspace and of the scripts
	@exec $(PYTHON) scripts/run_tests.py scripts unit

scenarios: build ## every scenario, on the offline host
	@exec $(PYTHON) scripts/run_tests.py scenarios

scenarios-envoy: tools build ## every scenario, on the newest Envoy and the oldest (ENVOY=/path: on that)
	@exec $(PYTHON) scripts/run_tests.py scenarios-envoy scenarios-envoy-oldest

rules-envoy: tools build ## the tests of the offline host's rules, compared with a real Envoy
	@exec $(PYTHON) scripts/run_tests.py rules-envoy

e2e: tools build ## official SDKs, through a real Envoy
	@exec $(PYTHON) scripts/run_tests.py e2e

build: ## the four filters, into target/wasm32-wasip1/release
	@$(PYTHON) scripts/prerequisites.py rust
	$(CARGO) build --release --target wasm32-wasip1 $(WASM_PACKAGES)

tools:
	@$(PYTHON) scripts/prerequisites.py
	@$(PYTHON) scripts/fetch.py

lint: ## formatting and clippy, native and wasm
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --target wasm32-wasip1 $(WASM_PACKAGES) $(YARDSTICKS) -- -D warnings

# Private items too, since the documentation is for those who work on the code; so links to them are fine.
docs: ## the documentation of the code, warnings being errors
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" \
		$(CARGO) doc --workspace --no-deps --document-private-items

bench: build ## the benchmarks, measured
	$(CARGO) bench --workspace --bench '*'

bench-test: build ## the benchmarks, each once as a test
	$(CARGO) test --workspace --bench '*'

# The tool as a part of the whole workspace's build, which is how the tests build it.
bench-envoy: tools build ## body-model in a real Envoy beside others (needs wrk); BENCH='--rounds 3 --only "1 KB"'
	$(CARGO) build --release --target wasm32-wasip1 $(WASM_PACKAGES) $(YARDSTICKS)
	$(CARGO) test --workspace --no-run --quiet
	@exec $(PYTHON) benchmarks/envoy/body_model.py $(BENCH)

fuzz-build: ## the fuzz targets, built only
	$(CARGO) build --manifest-path fuzz/Cargo.toml --target-dir fuzz/target

schema: ## the JSON Schemas of the filters' configurations, written anew
	TOLLGATE_BLESS=1 $(CARGO) test --package host-tests --test all schemas_are_current

clean-tools: ## removes what was fetched
	rm -rf .tools
