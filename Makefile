# make demo and make test do all the set-up that they need; nothing has to be installed first but Python and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check bench crash shared clean

demo: $(VENV)/.runtime
	@examples/quickstart/demo.sh "$(CURDIR)/$(BIN)/lunform"

# Three processes share what needs no daemons. The rigs have the machine to themselves: some measure rates.
test: $(VENV)/.dev
	tests/rigs/install.sh || [ -z "$$CI" ]
	$(BIN)/pip install --quiet -e '.[libvirt]' || [ -z "$$CI" ]
	$(BIN)/pytest --numprocesses=3 -m 'not rig'
	$(BIN)/pytest -m rig

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# FULL=1 adds Terraform's chain of 1000, which takes it about ten minutes.
bench: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/compare.py $(if $(FULL),--full)
	$(BIN)/python tests/benchmarks/bench_apply.py
	$(BIN)/python tests/benchmarks/bench_place.py
	$(BIN)/python tests/benchmarks/bench_element.py

# Kills of `lunform apply` wherever it can be killed, on the sandbox, on tgt, and on an emulated Element cluster; needs
# root and tests/rigs/install.sh.
crash: $(VENV)/.dev
	$(BIN)/pip install --quiet -e '.[libvirt]'
	$(BIN)/python -m tests.crash.campaign

# 1,000 applies by 8 processes on one state in PostgreSQL, and what became of them. Takes some minutes.
shared: $(VENV)/.dev
	$(BIN)/python -m tests.rigs.appliers

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Lunform needs Python 3.11 or newer, and this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.runtime
