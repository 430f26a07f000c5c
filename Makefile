# `make demo` runs the main job on the sample issue; `make test` passes the tests; `make faults`
# kills the sender 200 times.
# Each makes its own .venv from requirements.lock. PYTHON=python3.12 picks another Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test faults check bench format lock schema golden reference clean

$(VENV)/installed: requirements.lock pyproject.toml
	@scripts/python-ready $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(VENV)/installed
	@scripts/system-packages
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered $(ARGS)
	$(BIN)/python scripts/coverage_gate.py

faults: $(VENV)/installed
	FAULTS_KILLS=$${FAULTS_KILLS:-200} $(BIN)/python -m pytest tests/faults $(ARGS)

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

bench: $(VENV)/installed
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/installed
	$(BIN)/python -m pytest tests/golden --update-golden

schema: $(VENV)/installed
	$(BIN)/python -m newsletter.config.schema

reference: $(VENV)/installed
	$(BIN)/python scripts/cli_reference.py > docs/reference/cli.md
	$(BIN)/python scripts/config_reference.py > docs/reference/configuration.md
	$(BIN)/python scripts/checks_reference.py > docs/checks.md

lock: $(VENV)/installed
	$(BIN)/python -m pip install --quiet "uv>=0.9"
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
