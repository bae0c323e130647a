# `make` shows what there is. Only Python 3.11 to 3.13 with venv and pip, and make, must be there.

PYTHON ?= python3
# The text handed to `pip install` to get PyTorch, before everything else.
TORCH ?= torch==2.13.0
# Test processes: each imports torch, so more than the machine has cores does not help.
WORKERS ?= 2
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check

# One thread per process: the nets are small, and two threads made them slower.
export OMP_NUM_THREADS ?= 1
# The theme of the docs advertises a successor on every build.
export NO_MKDOCS_2_WARNING := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test check format format-check lint types imports docs bench faults clean

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-15s%s\n", $$1, $$2}'
	@echo
	@echo "Settings, for example make setup PYTHON=python3.12:"
	@echo "  PYTHON       the Python that makes $(VENV), now: $(PYTHON)"
	@echo "  TORCH        what pip installs as PyTorch, now: $(TORCH)"
	@echo "               Where that brings several GB of GPU libraries, name the index of PyTorch's CPU builds:"
	@echo "               make setup TORCH=\"torch --index-url ADDRESS\" (ADDRESS: see pytorch.org, Get Started, CPU)"
	@echo "  PYTEST_ARGS  more arguments for pytest, for example PYTEST_ARGS=\"-k report\""
	@echo "  WORKERS      test processes, now: $(WORKERS)"
	@echo "  BENCHMARKS, DATA, SEEDS, RESULTS  what make bench runs, on what and into which folder"

# Each stamp is younger than what it stands for, so a second call does nothing.
$(STAMPS)/torch:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@echo "PyTorch comes first, as the build asked for: else pip takes the largest (see make help)"
	$(PIP) install $(TORCH)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/torch pyproject.toml
	$(PIP) install --quiet --editable ".[cli,report]"
	@touch $@

$(STAMPS)/dev: $(STAMPS)/core
	$(PIP) install --quiet --editable ".[dev]"
	@touch $@

setup: $(STAMPS)/dev ## make .venv with everything that development needs

demo: $(STAMPS)/core ## a first look: learn a bundled series and show its anomalies
	$(BIN)/diabolo demo

# The examples in docstrings are tests too.
test: setup ## all tests and the examples in docstrings
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules src tests $(PYTEST_ARGS)

check: format-check lint types imports docs test ## everything that must pass before a change lands

format: setup ## lay out all files
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

format-check: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

docs: setup ## build the pages into site/, warnings are errors
	$(BIN)/mkdocs build --strict --quiet

BENCHMARKS ?= $(basename $(notdir $(shell grep -l __main__ benchmarks/*.py)))
DATA ?= data
SEEDS ?= 1
RESULTS ?= benchmarks/results
bench: setup ## run BENCHMARKS on the folder DATA, figures into RESULTS
	@test -d "$(DATA)" || { echo "no folder $(DATA): make bench DATA=FOLDER"; exit 2; }
	@mkdir -p "$(RESULTS)"
	@skipped=; failed=; for name in $(BENCHMARKS); do \
		echo "== $$name"; code=0; \
		$(BIN)/python -m benchmarks.$$name --data "$(DATA)" --seeds $(SEEDS) --json "$(RESULTS)/$$name.json" || code=$$?; \
		case $$code in 0) ;; 3) skipped="$$skipped $$name";; 130) exit 130;; *) failed="$$failed $$name";; esac; \
	done; \
	test -z "$$skipped" || echo "skipped, as $(DATA) holds nothing for them (said above):$$skipped"; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

faults: setup ## only the tests that kill, fill disks and feed hostile files
	$(BIN)/python -m pytest -m faults $(PYTEST_ARGS)

clean: ## remove what builds, tests and docs left; .venv stays (rm -r .venv removes it)
	rm -rf build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
