# One obvious command for each chore. Everything installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all test-others check bench docs clean
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

# pyenv hides all interpreters but the chosen one: this lets tox see every one that it has installed.
PYENV = $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.[0-9]+\.[0-9]+$$' | paste -s -d: -)
WITH_EVERY_PYTHON = $(if $(PYENV),PYENV_VERSION=$(PYENV))

test-all: $(STAMP)  ## every test on each Python that the classifiers name; one that is missing is skipped
	$(WITH_EVERY_PYTHON) $(BIN)/tox run

test-others: $(STAMP)  ## the oldest and the newest Python of this machine, where they are not the one of .venv
	others=$$($(WITH_EVERY_PYTHON) $(BIN)/python .ci/pythons.py) && \
	if [ -n "$$others" ]; then $(WITH_EVERY_PYTHON) $(BIN)/tox run -e "$$others"; fi

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
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tox
