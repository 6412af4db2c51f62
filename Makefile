# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Half as many again as cores: many tests wait for a process, a time-out or a disk.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((3 * (os.cpu_count() or 2) + 1) // 2)')

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types contracts coverage matrix mutants bench soak soak-streams generated docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "TradeGuard needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.mutants: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	@touch $@

demo: $(VENV)/.run  ## trade a faulty local exchange with a guarded Backtrader bot, then audit it
	$(BIN)/tradeguard demo $(ARGS)

test: $(VENV)/.dev  ## run the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: format lint types contracts coverage  ## everything that CI runs

format: $(VENV)/.dev  ## check the formatting
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev  ## lint
	$(BIN)/ruff check .

types: $(VENV)/.dev  ## mypy everywhere, pyright strict on the core
	$(BIN)/mypy
	$(BIN)/basedpyright --project pyproject.toml

contracts: $(VENV)/.dev  ## the layers of docs/architecture.md
	$(BIN)/lint-imports

coverage: $(VENV)/.dev  ## the test suite with its coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

matrix:  ## run the tests of the core and of orders on every Python that this machine has
	tests/matrix.sh $(ARGS)

mutants: $(VENV)/.mutants  ## break the core in thousands of ways, one at a time, and see which the tests do not notice
	$(BIN)/python tests/mutation/run.py $(ARGS)

bench: $(VENV)/.dev  ## measure, as ratios to named peers in the same run
	$(BIN)/python benchmarks/run.py $(ARGS)

soak: $(VENV)/.dev  ## 10,000 orders over 20 seeds under hostile faults and kill -9, audited
	$(BIN)/python tests/soak/soak.py --orders 500 --seeds $$(seq 20) --bots 5 --kills 8 --parallel 5 $(ARGS)

generated: $(VENV)/.dev  ## write anew what is derived from the installed ccxt
	$(BIN)/python scripts/ccxt_stubs.py
	$(BIN)/python scripts/ccxt_endpoint_kinds.py

soak-streams: $(VENV)/.dev  ## hours of streams under drops and freezes, audited
	$(BIN)/python tests/soak/streams.py --hours 3 --seeds 1 2 3 $(ARGS)
	$(BIN)/python tests/soak/streams.py --hours 3 --seeds 4 5 6 --reconnects 0 --drops-only $(ARGS)

docs: $(VENV)/.dev  ## build the documentation into build/docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "open build/docs/index.html"

clean:  ## remove what the other targets built
	rm -rf $(VENV) build mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage dist
