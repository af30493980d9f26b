# `make` lists what there is. CI runs `make demo lint test test-mesh fuzz e2e` (.ci/run).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kyma-istio

# Every tool below is told where things are; nothing guesses.
export CARGO_TARGET_DIR ?= $(cache)/target
export KYMA_ISTIO_WASM ?= $(CURDIR)/out/header-policy.wasm

PREFIX ?= $(HOME)/.local
# More arguments for the bench: `--rounds 3 --seconds 1` for a look.
BENCH_ARGS ?=
FUZZ_SECONDS ?= 10

plugin := $(CARGO_TARGET_DIR)/debug/kubectl-kyma_istio
bench := cargo run --profile plugin -p lab --bin bench --
# Always the same packages: with others, cargo may choose other features of what they share and build it once more. That includes
# the plugin, which comes with its tests.
export all_tests := --workspace --exclude e2e-kind
export demo_plugin := -p kubectl-kyma-istio --no-default-features --features as-tested,simulate
# Crates that no workspace command reaches, because each is a workspace of its own.
islands := $(wildcard scripts/lean-exports/Cargo.toml lab/noop-filter/Cargo.toml playground/glue/Cargo.toml fuzz/Cargo.toml)
deny := cargo deny --all-features check bans licenses sources
shell_scripts := $(wildcard scripts/*.sh lab/*/*.sh fuzz/*.sh e2e/*.sh release/*.sh) .ci/run

.PHONY: help
help: ## What you are reading
	@echo "make TARGET, with one of:"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16 | sed 's/^/  /'

# On a new machine the two builds run at once: the link of the module keeps one core busy, and what the plugin is made of needs no module.
.PHONY: demo
demo: preflight ## Build the filter and the part of the plugin that judges requests, and show requests accepted and refused
	@if [[ ! -e "$(KYMA_ISTIO_WASM)" ]]; then \
		KYMA_ISTIO_WASM_COMES=1 scripts/beside.sh scripts/wasm.sh cargo build $(demo_plugin); \
	fi
	@scripts/wasm.sh
	cargo build $(demo_plugin)
	KYMA_ISTIO="$(plugin)" scripts/demo.sh

.PHONY: test
test: preflight ## Unit tests, the plugin, the registry, the corpus natively, under wasmtime, in real Envoy and in Node: needs Rust and Python 3
	@scripts/beside.sh "scripts/tools.sh --fetch envoy node && cargo fetch --locked --target host-tuple" scripts/wasm.sh
	@scripts/beside.sh scripts/playground.sh cargo test $(all_tests) --no-run
	KYMA_ISTIO="$(plugin)" cargo test $(all_tests) -- --show-output

.PHONY: test-mesh
test-mesh: wasm ## The plugin against a real API server, istiod, istioctl and registry, built by Go from their modules (15 minutes on a new machine, once)
	@scripts/test-mesh.sh

.PHONY: test-all
test-all: test test-mesh ## Both

# What no script of ours can bring: told in one line, before anything is built.
.PHONY: preflight
preflight:
	@scripts/preflight.sh

# Envoy and Node, pinned in tools/requirements.txt. Before the tests, so that a missing registry is told at once.
.PHONY: tools
tools:
	@scripts/tools.sh --fetch envoy node

# Kubernetes, etcd, kwok and Istio from the Go module proxy. istioctl first: most tests need only it. A second one says another version.
.PHONY: go-tools
go-tools:
	@scripts/go-tools.sh istio etcd kubernetes kwok registry wasm-judge path-judge "istio@$$(scripts/go-tools.sh --older)" >/dev/null

# What the kind cluster is made of, beside those.
.PHONY: kind-tools
kind-tools:
	@scripts/go-tools.sh kind kubernetes-node containerd crictl coredns cni echo istio-cni "istio-cni@$$(scripts/go-tools.sh --older)" >/dev/null

.PHONY: e2e-up
e2e-up: ## The kind cluster of the end-to-end tests; its kubeconfig is the last line (KYMA_E2E_IMAGES=official: nothing is built; as root)
	@e2e/up.sh

.PHONY: e2e
e2e: e2e-check wasm ## Real requests through real gateways and sidecars: kind, Istio by our plugin, the filter (KUBECONFIG= and KYMA_E2E_CLUSTER= for a cluster of your own)
	@e2e/run.sh

.PHONY: conformance
conformance: ## The rendering and the scenarios with Istio's official releases instead of the built one; needs the internet
	@e2e/conformance.sh

# What can't work is told before anything is built.
.PHONY: e2e-check
e2e-check:
	@[[ -n "$${KUBECONFIG-}" ]] || e2e/up.sh --check

.PHONY: e2e-down
e2e-down: ## Remove it (KEEP=1 leaves it)
	@e2e/down.sh

.PHONY: lint
lint: wasm ## Format, clippy, shellcheck, and cargo-deny where it is installed
	cargo fmt --all --check
	@for manifest in $(islands); do cargo fmt --manifest-path "$$manifest" --check; done
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --test 'go_*' -- -D warnings
	@scripts/as-tested.sh
	@shellcheck=$$(scripts/tools.sh shellcheck); "$$shellcheck" $(shell_scripts)
	@if command -v cargo-deny >/dev/null; then $(deny); else echo "lint: cargo-deny is not installed, not run (cargo install cargo-deny --locked)"; fi

.PHONY: deny
deny: ## Licenses, bans and sources of all dependencies (cargo-deny)
	$(deny)

.PHONY: advisories
advisories: ## Known vulnerabilities of all dependencies (cargo-deny; fetches the RustSec database)
	cargo deny --all-features check advisories

.PHONY: wasm
wasm: preflight ## Build out/header-policy.wasm
	@scripts/wasm.sh

.PHONY: playground
playground: ## Build the engine for the browser: out/playground
	@scripts/playground.sh

.PHONY: bench
bench: wasm tools go-tools ## What filters cost: CPU of a real Envoy side by side, fuel and memory under wasmtime; what the plugin's commands take (needs wrk and a quiet machine)
	cargo build --profile plugin -p kubectl-kyma-istio
	$(bench) all --filter "$(KYMA_ISTIO_WASM)" --plugin "$(CARGO_TARGET_DIR)/plugin/kubectl-kyma_istio" $(BENCH_ARGS)

.PHONY: bench-commands
bench-commands: wasm go-tools ## Only what the plugin's commands take beside istioctl
	cargo build --profile plugin -p kubectl-kyma-istio
	$(bench) commands --plugin "$(CARGO_TARGET_DIR)/plugin/kubectl-kyma_istio" $(BENCH_ARGS)

.PHONY: bench-docs
bench-docs: ## Bring the last `make bench` into docs/performance.md
	$(bench) publish

.PHONY: costs
costs: wasm ## Fuel, bytes and host calls under wasmtime
	cargo test -q -p corpus --test typical -- --nocapture
	$(bench) costs --filter "$(KYMA_ISTIO_WASM)"

.PHONY: costs-v8
costs-v8: wasm tools ## Large policies, long paths and 6,000 tokens in V8, the engine of Envoy's official builds
	@node=$$(scripts/tools.sh node); "$$node" --no-liftoff lab/bench/v8.mjs "$(KYMA_ISTIO_WASM)"

.PHONY: fuzz
fuzz: ## Each fuzz target for FUZZ_SECONDS (10)
	fuzz/run.sh $(FUZZ_SECONDS)

.PHONY: image
image: wasm ## Image of the plugin and istioctl, for the Job `istio-kyma-patch`; IMAGE= names it (needs a Docker engine)
	@scripts/image.sh

.PHONY: install
install: wasm ## Install the plugin to PREFIX/bin (~/.local/bin)
	cargo build --profile plugin -p kubectl-kyma-istio
	install -d "$(PREFIX)/bin"
	install "$(CARGO_TARGET_DIR)/plugin/kubectl-kyma_istio" "$(PREFIX)/bin/kubectl-kyma_istio"
	ln -sf kubectl-kyma_istio "$(PREFIX)/bin/kubectl-kyma-istio"
	"$(PREFIX)/bin/kubectl-kyma_istio" completion install --dir "$(PREFIX)/bin"
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) echo "kubectl finds the plugin once $(PREFIX)/bin is in PATH" ;; esac

# Where the archives will be: it stands in krew's manifest.
RELEASE_URL ?= https://example.com/kubectl-kyma-istio
release_out := $(CURDIR)/out/release
release := RELEASE_URL="$(RELEASE_URL)" release

.PHONY: release
release: wasm ## Archive, filter, bill of materials, checksums and krew's manifest in out/release (RELEASE_URL= says where they will be); docs/release.md
	rm -rf "$(release_out)"
	$(release)/build.sh "$(release_out)" "$(cache)/target-release"

.PHONY: release-test
release-test: ## What `make release` made, in an empty root and in bash with an empty home (as root)
	release/test.sh "$(release_out)"

.PHONY: release-compare
release-compare: ## Build the release a second time: the bytes must be the same
	$(release)/compare.sh "$(release_out)"

.PHONY: ci
ci: lint test-all ## What must pass before a push

.PHONY: soak
soak: export KYMA_ISTIO_SOAK = 1
soak: test-all ## The long versions: 20 times the property cases, 250,000 chains, 20,000 tokens, 3,000 key sets and 200,000 spellings against Envoy, a million requests and a thousand reconfigurations with memory flat, longer fuzzing
	$(MAKE) fuzz FUZZ_SECONDS=60
