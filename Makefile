# Everything here works on a fresh machine with Python 3.11+ and make.
# `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 3141
DATA   ?= data
PYTEST_ARGS ?=
CLIENTS := $(patsubst tests/clients/requirements/%.txt,.clients/%.done,$(wildcard tests/clients/requirements/*.txt))
CONFORMANCE_ARGS ?=
JUDGES := $(patsubst %,.clients/%.done,poetry pdm hatch flit http2-front)

.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/server.done  ## install, create the data folder, start (PORT=3141 DATA=data)
	$(BIN)/stillroom-server serve --port $(PORT) --data $(DATA)

install: $(VENV)/dev.done  ## install everything that development needs

test: $(VENV)/dev.done  ## run the tests, on SQLite and on Postgres (PYTEST_ARGS=...)
	$(BIN)/python -m pytest -n 2 -m "not online" $(PYTEST_ARGS)

test-online: $(VENV)/dev.done  ## the newcomer's tour against the real public index
	$(BIN)/python -m pytest -m online $(PYTEST_ARGS)

test-clients: $(VENV)/dev.done $(CLIENTS)  ## install and publish with pip, uv, twine, poetry, pdm, hatch, flit
	$(BIN)/python -m pytest tests/clients -n 2 \
		--table docs/reference/clients.md --statuses docs/reference/statuses.md

conformance: $(VENV)/dev.done $(JUDGES)  ## judge our server, or the one that CONFORMANCE_ARGS="--server …" names
	$(BIN)/python tests/conformance/run.py $(CONFORMANCE_ARGS)

check: lint types architecture docs  ## lint, types, architecture, docs

lint: $(VENV)/dev.done  ## ruff: style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/dev.done  ## mypy, strict
	$(BIN)/mypy

architecture: $(VENV)/dev.done  ## import-linter: the layers of the design
	$(BIN)/lint-imports

docs: $(VENV)/dev.done  ## build the documentation; stale reference pages are an error
	$(BIN)/python docs/reference.py --check
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

reference: $(VENV)/dev.done  ## write the reference pages anew from the code
	$(BIN)/python docs/reference.py

# legacy-cgi is what WebOb needs from Python 3.13 on; an older Python does not have it installed.
constraints: $(VENV)/dev.done  ## pin what is installed now
	{ $(BIN)/pip freeze --all --exclude-editable; grep '^legacy-cgi' constraints.txt; } \
		| LC_ALL=C sort -fu > constraints.new
	mv constraints.new constraints.txt

clean:  ## remove the environment and what the tools left
	rm -rf $(VENV) .clients docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# An old pip cannot resolve some of the pinned versions.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip

$(VENV)/server.done: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[server]'
	touch $@

$(VENV)/dev.done: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# Each client in an environment of its own: their dependencies need not agree.
.clients/%.done: tests/clients/requirements/%.txt
	rm -rf .clients/$*
	$(PYTHON) -m venv .clients/$*
	.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

# Not a client, but a proxy for one.
.clients/http2-front.done: tests/conformance/http2-front.txt
	rm -rf .clients/http2-front
	$(PYTHON) -m venv .clients/http2-front
	.clients/http2-front/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.PHONY: help serve install test test-online test-clients conformance check lint types architecture docs reference constraints clean
