# The commands of the README. Each sets itself up: a virtual environment in .venv, made once;
# another one beside it: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FUNCTIONS := $(wildcard tests/test_*.py) $(addprefix tests/,data evaluation games layers metrics networks)

.PHONY: demo test test-functions test-slow lint setup

demo: $(VENV)/trains  ## trains the embedded digits and prints their measured quality
	$(BIN)/jaxgan train experiments/digits.py

test: setup  ## the default tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder  # A file's fixtures are made once.

test-functions: setup  ## the fast half: no whole runs, no commands, no browser
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(FUNCTIONS)

test-slow: setup  ## the tests that train, or kill processes, for minutes
	XLA_FLAGS=--xla_backend_optimization_level=3 $(BIN)/python -m pytest -m slow  # XLA as it is used.

lint: setup  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/ready

# Modules are compiled when they are first imported: most never are.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable

$(VENV)/ready: $(VENV)/trains
	$(INSTALL) '.[test]'
	touch $@

$(VENV)/trains: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("jaxgan needs Python 3.11 or newer; set PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[train]'
	touch $@
