# One obvious command for each chore. Each installs what it needs into .venv, and no more.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test chaos test-all test-wheel coverage check generate package bench docs clean
.DEFAULT_GOAL := test

# What a target needs is a set: the package with extras, and dependency groups of pyproject.toml. The file .venv/.NAME
# says that the set NAME is installed; .venv/.installed says it of all that a developer needs.
$(VENV)/.demo:      SET = --editable ".[emulator,receiver,device]"
$(VENV)/.test:      SET = --editable ".[all]" --group test --group pythons
$(VENV)/.coverage:  SET = --editable ".[all]" --group test --group pythons --group coverage
$(VENV)/.check:     SET = --editable ".[all]" --group test --group pythons --group check --group docs
$(VENV)/.generate:  SET = --editable ".[emulator]"
$(VENV)/.docs:      SET = --editable . --group docs
$(VENV)/.pythons:   SET = --group pythons
$(VENV)/.package:   SET = --group package --group pythons
$(VENV)/.bench:     SET = --editable ".[all]" --group test --group pythons --group bench
$(VENV)/.installed: SET = --editable ".[all]" --group dev
# The sets that .installed contains.
PARTS := demo test coverage check generate docs pythons package

# uv if it is there, otherwise pip. pip knows groups since 25.1.
ifneq ($(shell command -v uv 2>/dev/null),)
INSTALLER := $(BIN)/python
CREATE = uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL = uv pip install --quiet --python $(VENV) $(SET)
else
INSTALLER := $(BIN)/pip
CREATE = $(PYTHON) -m venv $(VENV)
INSTALL = $(if $(findstring --group,$(SET)),$(BIN)/pip install --quiet --upgrade "pip>=25.1" &&) \
	$(BIN)/pip install --quiet $(SET)
endif

$(INSTALLER):
	$(CREATE)

$(PARTS:%=$(VENV)/.%) $(VENV)/.bench: pyproject.toml | $(INSTALLER)
	$(INSTALL)
	touch $@

$(VENV)/.installed: pyproject.toml | $(INSTALLER)
	$(INSTALL)
	touch $(PARTS:%=$(VENV)/.%) $@

demo: $(VENV)/.demo  ## the main job, end to end, on the embedded platform
	$(BIN)/python examples/demo.py

# Every test runs in one of three processes, because some tests wait: two would leave part of two cores idle. All tests of
# a file run in the same one, because they share servers. Tests start many Pythons, which keep what they have compiled,
# even if the environment says not to: else each compiles it again.
WORKERS ?= 3
EVERY = -n $(WORKERS) --dist loadfile
test coverage: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.test  ## every test
	$(BIN)/python -m pytest $(EVERY)

chaos: $(VENV)/.test  ## the long tests: processes and servers are killed for minutes; their figures are printed
	$(BIN)/python -m pytest -m chaos -s

# pyenv hides all interpreters except the chosen one. With this, tox sees every one that is installed.
PYENV = $(shell pyenv versions --bare 2>/dev/null | grep -E '^3\.[0-9]+\.[0-9]+$$' | paste -s -d: -)
WITH_EVERY_PYTHON = $(if $(PYENV),PYENV_VERSION=$(PYENV))

test-all: $(VENV)/.pythons  ## every test on each Python that the classifiers name; one that is missing is skipped
	$(WITH_EVERY_PYTHON) $(BIN)/tox run -- $(EVERY)

coverage: $(VENV)/.coverage  ## every test, and which lines and branches no test reaches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(EVERY)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(VENV)/.check  ## lint, spelling, types, import contracts, public API, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python .ci/api.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

generate: $(VENV)/.generate  ## the pages of the documentation that come from the code
	$(BIN)/python docs/_generate.py

package: $(VENV)/.package  ## wheel, source archive and list of dependencies (SBOM) in dist, checked
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
	$(WITH_EVERY_PYTHON) $(CURDIR)/$(BIN)/tox run --workdir $(CURDIR)/.tox --installpkg $(CURDIR)/dist/*.whl -e "$$pythons" -- $(EVERY)

bench: $(VENV)/.bench  ## the numbers in docs/performance.md
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs  ## the documentation on a local port
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tox
