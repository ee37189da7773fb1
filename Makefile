# Two commands are enough on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check setup fix clean

## Explain the starting case, from an empty folder to an answer with a verified diff.
demo: $(VENV)/.demo
	cd examples && ../$(BIN)/whyfit run sine_relu.py

## Everything that CI runs.
test: $(VENV)/.test
	$(BIN)/python scripts/check.py

## Format and mend what a tool can mend.
fix: $(VENV)/.test
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

setup: $(VENV)/.test

# The tests run small networks on the CPU. Where plain torch would bring a GPU's libraries along, add
# --index-url to take the CPU build: make TORCH='torch==2.13.0 --index-url ...' test
TORCH ?= torch==2.13.0

SOURCES := pyproject.toml CMakeLists.txt $(wildcard src/whyfit/engine/kernels/*)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "whyfit needs Python 3.11 or newer; try: make PYTHON=python3.12 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet -e '.[keras,sklearn]'
	@touch $@

$(VENV)/.test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -e '.[keras,torch,sklearn,dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build
