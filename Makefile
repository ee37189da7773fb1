# Two commands are enough on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Of what is installed a small part is ever imported, and Python compiles that by itself.
export PIP_NO_COMPILE := 1

.PHONY: demo test browser setup fix clean

## Explain the starting case, from an empty folder to an answer with a verified diff.
demo: $(VENV)/.demo
	cd examples && ../$(BIN)/whyfit run sine_relu.py

## Everything that CI runs.
test: $(VENV)/.test browser
	$(BIN)/python scripts/check.py

## Chromium for the browser tests, where this machine lets us install it; else the tests say what is missing.
browser:
	@command -v chromium >/dev/null || test -n "$$WHYFIT_CHROMIUM" || \
	  { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && \
	    apt-get update -qq >/dev/null 2>&1 && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
	      >/dev/null 2>&1; } || \
	  echo "The browser tests are left out: there is no Chromium and it could not be installed."

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
	$(BIN)/python -m pip install --quiet -e '.[keras,torch,sklearn,dask,parquet,dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build
