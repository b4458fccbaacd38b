# Each target does all of its own set-up; a second call costs no set-up time.
#
#   make run      the quickstart: real text to a judged model and its report, then where to look
#   make test     the tests; MARKS="not gpu and not peer" adds the slow ones, ARGS="-k store" narrows
#   make check    lint, format and types
#   make lock     resolve pyproject.toml's ranges anew into constraints.txt
#   make peers    neighbouring systems for benchmarks, in environments of their own
#   make readers  other trainers' own readers, and a client of Google's buckets, for tests
#   make clean    remove the environments and caches, never data
#
# PYTHON chooses the interpreter that the environment is created with (3.11 to 3.13).

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MARKS  ?= not slow and not gpu and not peer
ARGS   ?=

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
NEED_PYTHON = { echo "set-up: Millrace needs Python 3.11, 3.12 or 3.13, but '$(PYTHON)' is" \
	"$$('$(PYTHON)' --version 2>/dev/null || echo missing): name one with make PYTHON=/path/to/python3.11." \
	>&2; exit 1; }

.PHONY: run test check lock peers readers clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed-run
	@$(BIN)/millrace run quickstart

test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -m "$(MARKS)" $(ARGS)

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

lock:
	@'$(PYTHON)' -c '$(SUPPORTED)' 2>/dev/null || $(NEED_PYTHON)
	@'$(PYTHON)' tools/lock.py

peers: .venv-peers/.installed .venv-peers-text-dedup/.installed
.venv-peers/.installed: benchmarks/peers.txt
	@'$(PYTHON)' -c '$(SUPPORTED)' 2>/dev/null || $(NEED_PYTHON)
	@echo "set-up: installing benchmarks/peers.txt into .venv-peers"
	@'$(PYTHON)' -m venv --clear .venv-peers
	@.venv-peers/bin/python -m pip install -qq -r benchmarks/peers.txt
	@touch $@

.venv-peers-text-dedup/.installed: benchmarks/peers-text-dedup.txt
	@'$(PYTHON)' -c '$(SUPPORTED)' 2>/dev/null || $(NEED_PYTHON)
	@echo "set-up: installing benchmarks/peers-text-dedup.txt into .venv-peers-text-dedup"
	@'$(PYTHON)' -m venv --clear .venv-peers-text-dedup
	@.venv-peers-text-dedup/bin/python -m pip install -qq -r benchmarks/peers-text-dedup.txt
	@touch $@

readers: .venv-readers/.installed
.venv-readers/.installed: benchmarks/readers.txt | $(VENV)/.installed-dev
	@echo "set-up: installing benchmarks/readers.txt into .venv-readers, over $(VENV)"
	@$(BIN)/python -m venv --clear .venv-readers
	@.venv-readers/bin/python -m pip install -qq --no-deps -r benchmarks/readers.txt
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$(.venv-readers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/below.pth
	@touch $@

$(VENV)/.installed-%: pyproject.toml constraints.txt tools/set_up.py
	@'$(PYTHON)' -c '$(SUPPORTED)' 2>/dev/null || $(NEED_PYTHON)
	@'$(PYTHON)' tools/set_up.py $(VENV) $*

clean:
	@rm -rf $(VENV) .venv-peers .venv-peers-text-dedup .venv-readers build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
