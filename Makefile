# The commands of the README. Each sets itself up: a virtual environment in .venv, made once.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow lint setup

demo: setup  ## trains the embedded digits and prints their measured quality
	$(BIN)/jaxgan train experiments/digits.py

test: setup  ## the default tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder  # A file's fixtures are made once.

test-slow: setup  ## the tests that train, or kill processes, for minutes
	XLA_FLAGS=--xla_backend_optimization_level=3 $(BIN)/python -m pytest -m slow  # XLA as it is used.

lint: setup  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("jaxgan needs Python 3.11 or newer; set PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
