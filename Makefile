# Deuteron's front door: `make help` lists the targets. Everything behind `make setup` lies in ${DEUTERON_CACHE}
# (default ~/.cache/deuteron) and is shared by all clones; what is built lies in build/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
export PYTHONDONTWRITEBYTECODE := 1

PYTHON := build/venv/bin/python
PROGRAM := build/bin/deuteron
# Tests start servers and worker processes; more test processes than this only wait for each other.
TEST_PROCESSES ?= 4
HISTORIES ?= 100000
# Seconds that each fuzzer runs.
FUZZ_SECONDS ?= 60
# make demo ARGS=--kill-rank=1 REMOTE=sc://HOST:PORT
ARGS ?=
REMOTE ?=

.PHONY: help setup build test test-libraries histories soak demo demo-spark bench record asan-ubsan tsan fuzz format tidy check

help: ## this list
	@echo "make TARGET [NAME=value …]; a first time: make demo, then make test"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 14

setup: ## Debian packages, Python, libduckdb, nanoarrow, protocol code; skipped where done
	@tools/setup

build: setup ## build/bin/deuteron
	@PRESET=release tools/build deuteron

test: setup ## build and run every test (TEST_PROCESSES=4)
	@PRESET=release tools/build
	@tools/run_tests build/release

test-libraries: build ## libraries for distributed training in gangs, the large ones too (TensorFlow, XGBoost)
	@tools/setup libraries
	@$(PYTHON) -m pytest tests/libraries -q -p no:cacheprovider
	@if [ -e build/xgboost ]; then build/xgboost/bin/python -m pytest tests/libraries/test_xgboost.py -q -p no:cacheprovider; fi

histories: setup ## random histories of the scheduler, many of them (HISTORIES=100000)
	@PRESET=release tools/build scheduler_scheduler_histories_test
	@DEUTERON_HISTORIES=$(HISTORIES) build/release/src/scheduler/scheduler_scheduler_histories_test

soak: build ## 2,000 gangs and Python queries while processes are killed; nothing may be wrong or left over (ARGS=--jobs=100)
	@$(PYTHON) tests/soak/soak.py $(ARGS)

check: ## the quick checks only: layers, generated pages, format
	@python3 tools/check_layers.py
	@python3 tools/render_layers.py --check
	@tools/format --check

demo: build ## the digits demo on Deuteron (REMOTE=sc://… on another server, ARGS=--kill-rank=1)
	@$(PYTHON) tools/with_server.py $(if $(REMOTE),--remote $(REMOTE)) -- $(PYTHON) examples/digits/demo.py $(ARGS)

demo-spark: setup ## the same demo on Apache Spark itself
	@tools/setup peers
	@$(PYTHON) tools/with_server.py --spark -- $(PYTHON) examples/digits/demo.py $(ARGS)

bench: build ## comparison with DuckDB, Sail and Spark in the same run
	@tools/setup peers
	@$(PYTHON) bench/run.py $(ARGS)

record: setup ## record expected answers again, from Apache Spark (ARGS=dates: one family)
	@tools/setup peers
	@$(PYTHON) tests/oracle/record.py $(ARGS)

asan-ubsan: setup ## unit tests under the address and undefined-behaviour sanitizers
	@PRESET=asan-ubsan tools/build
	@ulimit -s 131072; ctest --test-dir build/asan-ubsan --output-on-failure  # frames are larger under the sanitizers

tsan: setup ## unit tests of what links neither gRPC nor libduckdb, under the thread sanitizer
	@PRESET=tsan tools/build
	@ctest --test-dir build/tsan --output-on-failure

fuzz: setup ## each fuzzer for a while (FUZZ_SECONDS=60)
	@PRESET=asan-ubsan tools/build fuzzers
	@tools/run_fuzzers build/asan-ubsan $(FUZZ_SECONDS)

format: ## clang-format over src/ and include/
	@tools/format

tidy: setup ## clang-tidy over the files that differ from HEAD (FILES=… for others, FILES=all)
	@tools/tidy $(FILES)
