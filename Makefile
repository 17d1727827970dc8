# Everything here is one line; what it takes is in scripts/ and in the programs themselves.
CARGO ?= cargo
# A toolchain that was just installed is not on the PATH of this shell yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: demo test test-long fuzz bench bench-scale cluster lint generate setup

## Build and start the demonstration: a small model, the gate in front of it, and a tour. TOUR=only ends after the tour,
## TOUR=off leaves it out; UPSTREAM=URL puts the gate in front of a real server.
demo: setup
	$(CARGO) build --quiet --profile demo --bin countersign
	exec target/demo/countersign demo $(if $(TOUR),--tour $(TOUR)) $(if $(UPSTREAM),--upstream $(UPSTREAM)) $(ARGS)

## Everything that must pass.
test: setup
	scripts/test

## What takes minutes, besides.
test-long: setup
	scripts/test-long

## Each fuzz target for SECONDS (600); TARGETS="json head" only those.
fuzz: setup
	SECONDS_EACH=$(or $(SECONDS),600) scripts/fuzz $(TARGETS)

## Speed: single decisions, then the gate and nginx side by side. ROUNDS=1 for a short run, ONLY=decision or
## ONLY=end-to-end for one half; SAVE=1 puts table and chart into benches/.
bench: setup
	scripts/bench $(ONLY) -- $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SAVE),--out benches --readme benches/README.md)

## The operator with many gates, on a real API server: 100 gates in about a minute, or GATES=1000; ARGS="--rounds 3" and others.
bench-scale: setup
	scripts/bench scale -- --gates $(or $(GATES),100) $(ARGS)

## A Kubernetes control plane to play with, on this machine: prints its kubeconfig, ends with Ctrl-C.
cluster: setup
	scripts/cluster start

## Formatting and lints.
lint: setup
	$(CARGO) fmt --check
	$(CARGO) clippy --features operator --all-targets -- -D warnings

## Rewrite what is generated from the code: schemas, custom resources, the CLI reference, golden files.
generate: setup
	UPDATE=1 $(CARGO) test --features operator --test artefacts --test lint

setup:
	@scripts/setup
