# Bytecode must be written: without it every Airflow task pays for its imports anew.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin

.PHONY: help setup demo test check format ui pictures bench-step docs clean

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv
	@scripts/setup.sh

demo: setup  ## a real Airflow scales a real Spark cluster (ARGS=--compare, ARGS=--keep)
	@$(BIN)/kitwai demo $(ARGS)

# Tests that only compute run two at a time. The others start real parts and wait for them: those with Docker in one
# process, the rest in another, and each of the two in its own order. Tests that race a clock run last, one by one.
# Where ARGS choose none of the one kind (pytest's status 5), the other kind is still run.
NONE_CHOSEN = $(if $(ARGS),|| [ $$? -eq 5 ])

REAL_PARTS = tests/real

test: setup  ## all tests (ARGS="-m 'not airflow'" for some of them)
	$(BIN)/pytest -n 2 tests/unit $(ARGS) $(NONE_CHOSEN)
	$(BIN)/pytest -n 2 --dist loadscope --alone=never $(REAL_PARTS) $(ARGS) $(NONE_CHOSEN)
	$(BIN)/pytest --alone=only $(REAL_PARTS) $(ARGS) $(NONE_CHOSEN)

check: setup  ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup  ## build the page, its types made of the API's own description (needs Node 20.19 or later)
	$(BIN)/python scripts/openapi.py
	cd ui && npm ci --no-audit --no-fund && npm run build

pictures: setup  ## take the page's pictures anew, of a real Airflow that scales real clusters
	KITWAI_PICTURES=1 $(BIN)/pytest tests/real/browser/test_pictures.py

bench-step: setup  ## a step against an empty three-task DAG in the same Airflow
	$(BIN)/kitwai bench step

docs: setup  ## build the documentation into run/site
	$(BIN)/mkdocs build --strict

clean:  ## remove what setup, demo and tests made
	rm -rf .venv run .setup.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis
