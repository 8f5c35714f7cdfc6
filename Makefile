# One obvious command for each chore. Everything installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench docs clean
.DEFAULT_GOAL := test

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable ".[all]" --group dev
	touch $(STAMP)

demo: $(STAMP)  ## the main job, end to end, on the embedded platform
	$(BIN)/python examples/demo.py

test: $(STAMP)  ## every test
	$(BIN)/python -m pytest

check: $(STAMP)  ## lint, types, import contracts, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)  ## the numbers in docs/performance.md
	$(BIN)/pip install --quiet --group bench
	$(BIN)/python -m benchmarks

docs: $(STAMP)  ## the documentation on a local port
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
