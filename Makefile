# One command each. `make start` and `make test` install what they need on Debian and Ubuntu and say so.

SHELL := /bin/bash
PORT ?= 5432
# Builds go where Cargo is told to, or into target/ here.
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
SERVER := $(TARGET)/ci/heliosdb-nano
VENV := $(TARGET)/client-venv
PYTHON := $(VENV)/bin/python

.PHONY: help start build test unit-tests client-tests lint conformance round-trips bench bench-dump bench-sessions bench-transactions bench-storage bench-memory bench-embedded install-build install-clients

help:
	@echo "make start          build and run a server on port $(PORT) (PORT=...)"
	@echo "make test           unit tests, then a real server against psql, pgbench, Python drivers and hostile bytes"
	@echo "make lint           formatting and clippy"
	@echo "make conformance    score the server with the suites in ../shared/conformance against the recorded floors"
	@echo "make round-trips    dump and restore what the scripts of the conformance suites make, through PostgreSQL 15 too"
	@echo "make bench          pgbench side by side with PostgreSQL 15 and the canned-reply ceiling"
	@echo "make bench-dump     dump, restore and COPY FROM side by side with PostgreSQL 15"
	@echo "make bench-transactions  SERIALIZABLE workloads: commits and aborts beside PostgreSQL 15; what a savepoint costs"
	@echo "make bench-sessions 10,000 idle sessions and 100 active among them, against their targets"
	@echo "make bench-memory   what a million rows take, loaded in three ways, against the target"
	@echo "make bench-embedded  single statements of a program that embeds the database, beside SQLite in memory"
	@echo "make bench-storage  micro-benchmarks of the storage and the values"

start: install-build
	@command -v psql >/dev/null || tools/install.sh psql
	$(MAKE) --no-print-directory build
	$(SERVER) start --memory --port $(PORT)

build: install-build
	cargo build --profile ci --bin heliosdb-nano

test: unit-tests client-tests

unit-tests: install-build
	cargo test --profile ci --workspace
	cargo test --profile ci -p heliosdb-txn --features planted-faults --test simulation planted
	cargo test --profile ci -p heliosdb-txn --features shuttle --test schedules

client-tests: build install-clients
	$(PYTHON) tools/client_tests.py --server $(SERVER)

lint: install-build
	cargo fmt --all --check
	cargo clippy --profile ci --workspace --all-targets -- -D warnings

conformance: build
	@tools/install.sh conformance $(VENV)
	$(PYTHON) tools/conformance.py --server $(SERVER)

round-trips: build install-clients
	$(PYTHON) tools/round_trips.py --server $(SERVER)

bench: install-clients
	cargo build --release --bin heliosdb-nano
	$(PYTHON) tools/bench.py --server $(TARGET)/release/heliosdb-nano

bench-dump: install-clients
	cargo build --release --bin heliosdb-nano
	$(PYTHON) tools/bench_dump.py --server $(TARGET)/release/heliosdb-nano

bench-transactions: install-clients
	cargo build --release --bin heliosdb-nano
	$(PYTHON) tools/bench_transactions.py --server $(TARGET)/release/heliosdb-nano
	$(PYTHON) tools/compare_schedules.py --server $(TARGET)/release/heliosdb-nano
	cargo bench -p heliosdb-txn

bench-sessions: install-clients
	cargo build --release --bin heliosdb-nano
	$(PYTHON) tools/bench_sessions.py --server $(TARGET)/release/heliosdb-nano

bench-memory: install-clients
	cargo build --release --bin heliosdb-nano
	$(PYTHON) tools/bench_memory.py --server $(TARGET)/release/heliosdb-nano

bench-embedded: install-build
	cargo bench -p heliosdb-nano

bench-storage: install-build
	cargo bench -p heliosdb-storage -p heliosdb-types

install-build:
	@tools/install.sh build

install-clients:
	@tools/install.sh clients $(VENV)
