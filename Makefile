# `make help` lists what there is to do.
SHELL := /bin/bash
MAKEFLAGS += --always-make --no-print-directory
.DEFAULT_GOAL := help

BUNDLE ?= bundles/dmz.yaml
TLS ?= yes
BIN := .venv/bin
PYTEST := $(BIN)/pytest -q
PARTS := charmkit charms jujulet lifecycle matrix
UNIT := $(wildcard $(addsuffix /tests/unit,$(PARTS) charms/*) tests/unit)
FUNCTIONAL := $(wildcard $(addsuffix /tests/functional,$(PARTS) charms/*))
INTEGRATION := jujulet/tests/integration matrix/tests/integration
TWO := -n 2 --dist loadscope

help:  ## list what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-19s %s\n", $$1, $$2}'

ready:  ## install what this machine lacks, and make .venv
	@tools/bootstrap

root:
	@[ "$$(id -u)" = 0 ] || { echo 'ERROR system containers need root: sudo make $(MAKECMDGOALS)' >&2; exit 1; }

up: root ready  ## deploy bundles/dmz.yaml (or BUNDLE=…) on this machine (BASE=debian@13 …, TLS=no), and prove that it works
	@$(BIN)/python tools/up.py $(BUNDLE) $(addprefix --base=,$(BASE)) --tls=$(TLS)

down: root ready  ## remove everything that `make up` made
	@$(BIN)/python tools/down.py

# Two at a time, but for whole bundles; tests/groups.py says which stay together.
test: root ready check images  ## everything that must pass: what CI runs
	$(PYTEST) $(TWO) -m '(functional or integration) and not slow' $(FUNCTIONAL) $(INTEGRATION)
	@$(MAKE) integration-bundles

test-all: test  ## the same, and what takes longer
	$(PYTEST) -m slow $(UNIT) $(FUNCTIONAL) tests/integration $(INTEGRATION)
	@$(BIN)/python -m tools.fresh

test-fresh: root ready  ## the commands on machines that have nothing yet; BASE=debian@12, COMMANDS='up test cni'
	@$(BIN)/python -m tools.fresh $(addprefix --base=,$(BASE)) $(addprefix --command=,$(COMMANDS))

check: ready  ## lint, types and unit tests, side by side
	@$(MAKE) --jobs=2 --output-sync=line lint unit

lint: ready  ## ruff, import-linter, pyright
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright

format: ready  ## put the code in its one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Whatever the environment says: without bytecode, each worker and each program that a test runs compiles all it imports.
unit: export PYTHONDONTWRITEBYTECODE =
unit: ready  ## unit tests: no root, no containers
	$(PYTEST) -n auto --dist worksteal -m 'not slow' $(UNIT)

functional: root ready images  ## one real program at a time, in containers
	$(PYTEST) $(TWO) -m 'functional and not slow' $(FUNCTIONAL)

integration: integration-parts integration-bundles  ## whole charms and bundles on jujulet

integration-parts: root ready images  ## jujulet and matrix, with machines that are processes or small
	$(PYTEST) -m 'integration and not slow' $(INTEGRATION)

integration-bundles: root ready images  ## whole bundles: nothing else is to run beside them
	$(PYTEST) -m 'integration and not slow' tests/integration

tempest: root ready images  ## OpenStack's own test suite against bundles/core.yaml (in test-all)
	$(PYTEST) -m slow tests/integration/test_tempest.py

tempest-servers: root ready images  ## the same, hours, against the small cloud with two compute nodes (in test-all)
	$(PYTEST) -m slow tests/integration/test_tempest_servers.py

images: root ready  ## build the bases that tests run on
	@tools/test-images

guest-image: root ready  ## the guest that servers of a cloud under test boot; prints where it is
	@$(BIN)/python -m tools.guest

pages: ready  ## write docs/reference/charms from the charms, and what is supported
	$(BIN)/python -m tools.charm_store
	$(BIN)/python -m tools.charm_pages
	$(BIN)/python -m tools.release --pages

site: ready  ## the documents as a site with search, in build/site
	$(BIN)/python -m tools.site

charms: ready  ## pack every charm into build/, for Juju and jujulet alike
	$(BIN)/jujulet pack charms/* -o build

release: ready  ## make release VERSION=27.02 in build/release: a rehearsal; TAG=yes KEY=~/.ssh/id_ed25519 tags it
	@$(BIN)/python -m tools.release $(VERSION) $(addprefix --key=,$(KEY)) $(if $(filter yes,$(TAG)),--tag)

release-check: ready  ## the same without the tag, of the next version
	@$(BIN)/python -m tools.release $(VERSION) $(addprefix --without=,$(WITHOUT))

bench: ready  ## measure; figures, and how they were taken: docs/benchmarks.md
	$(BIN)/python -m tests.bench

mutants: ready  ## nightly, hours: change what decides, and see whether tests notice; docs/mutants.md
	$(BIN)/python tools/mutants.py

pins: ready  ## choose the newest versions of everything again
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header \
	  --no-annotate -o constraints.txt pyproject.toml */pyproject.toml --group dev --group tempest
