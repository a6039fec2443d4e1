# make study | study-all | test | test-all | lint | lock | notebooks-strip | clean
# VENV=dir uses an existing environment; PYTHON=name is the Python 3.11 or 3.12 that creates .venv (tools/install.sh).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# No rule names a file: the folder's path, and VENV, may hold spaces.
export VENV PYTHON
# Tests and notebooks start many processes; each compiled the whole tree anew where bytecode is not kept.
unexport PYTHONDONTWRITEBYTECODE
BIN := $(if $(VENV),$(VENV),.venv)/bin
POSEUR := "$(BIN)/poseur"
# Two test processes of one thread each; the linear algebra libraries would otherwise start one thread a core in both.
# A test that hangs fails by name, with every thread's stack; the longest of them takes two minutes.
PYTEST := OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -n 2 --dist worksteal --durations 10

# What `make study` runs, in minutes; `make study-all` runs every table. A run a core, two at most.
TABLES := 1b,1c,1d,S2,S4,noisy_proposals,figure_s2
WORKERS := $(if $(filter 1,$(shell nproc)),1,2)

.PHONY: help install study study-all smoke test test-slow test-all lint lock audit notebooks-strip clean

help:
	@echo "make study            install, run the smoke profile of $(TABLES)"
	@echo "                      and render reports/smoke/index.html; TABLES=1a,5 takes others (under 10 minutes)"
	@echo "make study-all        the same with every table (22 minutes on 2 cores)"
	@echo "make test             install, run the tests (under 10 minutes on 2 cores)"
	@echo "make test-all         the slow tests too (under 45 minutes)"
	@echo "make lint             check style, types and that notebooks hold no output (under a minute)"
	@echo "make lock             resolve pyproject.toml into requirements.lock again"
	@echo "make audit            known vulnerabilities of the locked packages, bandit on our code, sbom.cdx.json"
	@echo "make notebooks-strip  remove outputs from notebooks/"
	@echo "make clean            remove caches, and what the smoke profile wrote but its data set"

install:
	@tools/install.sh

study: install
	@$(POSEUR) study run --profile smoke --workers $(WORKERS) --tables $(TABLES)
	@$(MAKE) smoke

study-all: install
	@$(POSEUR) study run --profile smoke --workers $(WORKERS)
	@$(MAKE) smoke

smoke:
	@$(POSEUR) report --profile smoke
	@echo
	@echo "Report: $$PWD/reports/smoke/index.html"
	@echo "Smoke proves the plumbing and is no evidence. Next, models that are trained long enough to compare:"
	@printf '  %q study run --profile mini && %q report --profile mini\n' $(POSEUR) $(POSEUR)

test: install
	@$(PYTEST) --timeout 900 -m "not slow"

# pytest exits 5 where no test is marked slow.
test-slow: install
	@$(PYTEST) --timeout 3600 -m slow || [ $$? -eq 5 ]

test-all: test test-slow

# mypy checks the library alone; the whole takes some seconds, without any test.
lint: install
	@"$(BIN)/python" -m ruff check .
	@"$(BIN)/python" -m ruff format --check .
	@"$(BIN)/python" -m mypy
	@"$(BIN)/python" -m nbstripout --verify notebooks/*.ipynb notebooks/report/*.ipynb

lock: install
	@"$(BIN)/python" tools/lock.py

audit: install
	@"$(BIN)/python" tools/audit.py

notebooks-strip: install
	@"$(BIN)/python" -m nbstripout notebooks/*.ipynb notebooks/report/*.ipynb

clean:
	rm -rf build dist ./*.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis lightning_logs runs/smoke reports/smoke
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
