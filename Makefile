# One command a chore, the same for a person and for CI.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup quickstart test test-full check format docs clean

help:
	@echo "make quickstart   set up and run the main job"
	@echo "make test         set up, check the style and pass the tests (under 30 minutes on 2 cores)"
	@echo "make test-full    the long tests too"
	@echo "make check        ruff, mypy, import contracts"
	@echo "make docs         write docs/yaml.md anew, after a change of keys or components"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,s3]'
	touch $(STAMP)

quickstart: setup
	$(BIN)/advorch pipeline run pipelines/quickstart.yaml

check: setup
	$(BIN)/ruff format --check advorch plugins tests benchmarks
	$(BIN)/ruff check advorch plugins tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m pytest -m "not long"

test-full: check
	$(BIN)/python -m pytest

format: setup
	$(BIN)/ruff format advorch plugins tests benchmarks
	$(BIN)/ruff check --fix advorch plugins tests benchmarks

docs: setup
	$(BIN)/python -m advorch.cli.reference > docs/yaml.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
