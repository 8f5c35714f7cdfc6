# One obvious command for each chore. Everything installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test chaos test-all test-wheel coverage check generate package bench docs clean
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

chaos: $(STAMP)  ## the long tests: processes and servers are killed for minutes; their figures are printed
	$(BIN)/python -m pytest -m chaos -s

# pyenv hides all interpreters except the chosen one. With this, tox sees every one that is installed.
PYENV = $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.[0-9]+\.[0-9]+$$' | paste -s -d: -)
WITH_EVERY_PYTHON = $(if $(PYENV),PYENV_VERSION=$(PYENV))

test-all: $(STAMP)  ## every test on each Python that the classifiers name; one that is missing is skipped
	$(WITH_EVERY_PYTHON) $(BIN)/tox run

coverage: $(STAMP)  ## every test, and which lines and branches no test reaches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(STAMP)  ## lint, spelling, types, import contracts, public API, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/api.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

generate: $(STAMP)  ## the pages of the documentation that come from the code
	$(BIN)/python docs/_generate.py

package: $(STAMP)  ## wheel, source archive and list of dependencies (SBOM) in dist, checked
	rm -rf dist build
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/python .ci/package.py

test-wheel: package  ## every test against the wheel, without the source tree, on the oldest and newest other Python
	mkdir build/archive
	tar -xzf dist/*.tar.gz -C build/archive --strip-components=1
	rm -r build/archive/src
	pythons=$$($(WITH_EVERY_PYTHON) $(BIN)/python .ci/pythons.py) && cd build/archive && \
	$(WITH_EVERY_PYTHON) $(CURDIR)/$(BIN)/tox run --workdir $(CURDIR)/.tox --installpkg $(CURDIR)/dist/*.whl -e "$$pythons"

bench: $(STAMP)  ## the numbers in docs/performance.md
	$(BIN)/pip install --quiet --group bench
	$(BIN)/python -m benchmarks

docs: $(STAMP)  ## the documentation on a local port
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tox
