# Everything starts here. Needs Python 3.10 to 3.13 and make, nothing else.
# `make` alone lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help setup reproduce laptop paper lab test test-data test-slow faults mutants bench growth lint scoreboard fidelity docs teaching slides lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

reproduce: $(VENV)/.ready ## the demo: every experiment and the report, minutes on two cores, no download of data
	$(BIN)/siamese reproduce --profile demo

laptop: $(VENV)/.ready ## real Omniglot scaled down; its runs are in the repository; says how long what is missing takes
	$(BIN)/siamese reproduce --profile laptop

paper: $(VENV)/.ready ## the paper's full protocol with three seeds; needs a GPU
	$(BIN)/siamese reproduce --profile paper

lab: $(VENV)/.ready ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

test: $(VENV)/.ready-dev ## all tests but those on real data and the slow ones; no data, no network
	$(BIN)/python -m pytest -m "not slow and not real_data" -n 2 --dist loadfile

test-data: $(VENV)/.ready-dev ## the tests on real Omniglot, in SIAMESE_DATA_DIR or got by `siamese data`
	$(BIN)/python -m pytest -m "real_data and not slow"

test-slow: $(VENV)/.ready-dev ## the slow tests, some on real Omniglot
	$(BIN)/python -m pytest -m slow

faults: $(VENV)/.ready-dev ## a thousand faults on purpose: damaged files, kills, full disks; prints what came of them, 7 to 20 minutes
	PYTHONPATH=tests $(BIN)/python -m faults --faults 1000 --out tests/faults/results.csv

mutants: $(VENV)/.ready-dev ## change the code in small ways and print the changes that no test notices: hours, or MUTANTS="siamese_utils.data.pairs*"
	$(BIN)/mutmut run --max-children 1 $(MUTANTS)
	$(BIN)/mutmut results

bench: $(VENV)/.ready ## how fast it all is, beside the author's loop: a table and a figure, under 20 minutes
	$(BIN)/python benchmarks/bench.py

growth: $(VENV)/.ready ## 10,000 runs, 100,000 classes, a million embeddings, 10,000 jobs: docs/growth.md anew, an hour or two
	$(BIN)/python benchmarks/growth.py $(GROWTH)

lint: $(VENV)/.ready-dev ## formatting, lint and types, notebooks too
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

scoreboard: $(VENV)/.ready ## renew RESULTS.md, the README's results and the costs in docs/running.md from the runs on disk
	$(BIN)/siamese scoreboard

fidelity: export SIAMESE_REPORTS_DIR = build/fidelity
fidelity: $(VENV)/.ready ## train the full-protocol baseline's first 400 iterations and compare them with the author's, about 20 minutes
	$(BIN)/siamese run baseline --profile paper --seed 0 --until 400
	$(BIN)/siamese fidelity baseline

docs: $(VENV)/.ready-dev ## the documentation as a site, build/docs/index.html; needs Python 3.11 or later, no network
	$(BIN)/python -m sphinx -W --keep-going --quiet -c docs . build/docs

teaching: slides ## for a class, in build/teaching: the notebooks without and with solutions, and slides, see docs/teaching.md
	$(BIN)/siamese copies

slides: $(VENV)/.ready ## slides with speaker's notes, which need no network: PROFILE=paper by default
	$(BIN)/siamese slides --profile $(or $(PROFILE),paper)

setup: $(VENV)/.ready ## only create the environment

lock: $(VENV)/.ready-dev ## renew requirements*.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra all --extra build $(LOCK_OPTIONS) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra all --extra build --extra dev --extra docs -c requirements.lock $(LOCK_OPTIONS) -o requirements-dev.lock

LOCK_OPTIONS = --universal --python-version 3.10 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet

clean: ## remove the environment and what demo runs left
	rm -rf $(VENV) reports/demo .pytest_cache .ruff_cache .mypy_cache

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.13: name one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready: $(VENV)/.python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
