# Two commands: `make demo` shows what Shelfwise does, `make test` checks that it does it. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-release test-fast lint format clean

demo: $(VENV)/base
	$(BIN)/shelfwise demo

test: lint
	$(BIN)/python -m pytest

# The reliability tests at full size (hours); their counts become the table of docs/reliability.md.
test-release: $(VENV)/test
	SHELFWISE_TIER=release SHELFWISE_SCOREBOARD=$(CURDIR)/tests/reliability/scoreboard.jsonl $(BIN)/python -m pytest tests/reliability
	$(BIN)/python tests/reliability/write_scoreboard.py tests/reliability/scoreboard.jsonl

test-fast: $(VENV)/test
	$(BIN)/python -m pytest -m "not slow"

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache shelfwise-demo

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/test: $(VENV)/base
	$(BIN)/pip install --quiet --editable '.[torch,dev]'
	touch $@
