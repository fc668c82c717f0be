# Bytecode must be written: without it every Airflow task pays for its imports anew.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin

.PHONY: help setup setup-unit setup-test demo test test-quick check format ui pictures bench-step docs clean

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## make .venv: the product, the demo, the checks
	@scripts/setup.sh

setup-unit:
	@scripts/setup.sh unit

setup-test:  ## install what tests of real parts run as well
	@scripts/setup.sh test

demo: setup  ## a real Airflow scales a real Spark cluster (ARGS=--compare, ARGS=--keep)
	@$(BIN)/kitwai demo $(ARGS)

test: setup-test  ## all tests (ARGS="-m 'not airflow'" for some of them); see tests/README.md
	@scripts/test.sh $(ARGS)

test-quick: setup-unit  ## the tests that need no real part and no long computation
	$(BIN)/pytest -q -n 2 -m "not slow" tests/unit $(ARGS)

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

pictures: setup-test  ## take the page's pictures anew, of a real Airflow that scales real clusters
	KITWAI_PICTURES=1 $(BIN)/pytest tests/real/browser/test_pictures.py

bench-step: setup  ## a step against an empty three-task DAG in the same Airflow
	$(BIN)/kitwai bench step

docs: setup  ## build the documentation into run/site
	$(BIN)/mkdocs build --strict

clean:  ## remove what setup, demo and tests made
	rm -rf .venv run .setup.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis
