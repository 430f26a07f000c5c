# `make demo` runs the main job on the sample issue, `make test` the tests; `make faults` kills the
# sender 200 times, hangs up on it and takes its database away.
# All use .venv, and create it if needed: `demo` installs what requirements.lock pins, the others also
# the development tools of requirements-dev.lock. PYTHON=python3.13 selects another Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEV := $(VENV)/dev
# One more than there are cores, since tests also wait for sockets and timers.
WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# A worker gets some tests of a file at once, which share what the file makes for all of its tests.
# (The other ways to distribute them, loadgroup and loadfile, look through all tests after each one.)
PARALLEL = -n $(WORKERS) --dist load --maxschedchunk 10
# Containers often set it: then each of some hundred processes would compile the package again, and
# each worker the tests, with their assertions rewritten.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage faults check audit bench format lock schema golden reference pictures release release-check clean

$(VENV)/packages: requirements.lock
	@scripts/python-ready $(PYTHON)
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@scripts/install-locked $(BIN)/python requirements.lock
	@touch $@

$(VENV)/project: $(VENV)/packages pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(VENV)/dev: $(VENV)/packages requirements-dev.lock | $(VENV)/project
	@scripts/install-locked $(BIN)/python requirements-dev.lock
	@touch $@

demo: $(VENV)/project
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo

test: $(DEV)
	@scripts/system-packages
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered $(ARGS)
	$(BIN)/python scripts/coverage_gate.py

# `make test` measures only the packages that have a coverage gate; this measures all, and takes longer.
coverage: $(DEV)
	@scripts/system-packages
	MEASURE=all $(BIN)/python -m pytest $(PARALLEL) --cov=newsletter --cov-report=term:skip-covered $(ARGS)

faults: $(DEV)
	FAULTS_KILLS=$${FAULTS_KILLS:-200} $(BIN)/python -m pytest tests/faults $(ARGS)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

# pip-audit has its own environment: what looks for vulnerable packages adds none to the project.
audit:
	@scripts/python-ready $(PYTHON)
	@test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && \
	  build/audit/bin/python -m pip install --quiet --disable-pip-version-check "pip-audit>=2.9"; }
	@build/audit/bin/python scripts/audit.py build/audit/bin/pip-audit

bench: $(DEV)
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(DEV)
	$(BIN)/python -m pytest tests/golden --update-golden

schema: $(DEV)
	$(BIN)/python -m newsletter.config.json_schema
	$(BIN)/python -m newsletter.posts.front_matter.json_schema

reference: $(DEV)
	$(BIN)/python scripts/cli_reference.py > docs/reference/cli.md
	$(BIN)/python scripts/config_reference.py > docs/reference/configuration.md
	$(BIN)/python scripts/front_matter_reference.py
	$(BIN)/python scripts/checks_reference.py > docs/checks.md
	$(BIN)/python scripts/architecture_tree.py
	$(BIN)/python scripts/scale_model.py

# The pictures of the README and the documentation.
pictures: $(DEV)
	@scripts/system-packages
	$(BIN)/python scripts/pictures.py

# Each lock keeps its versions unless they no longer satisfy pyproject.toml; delete it first to get the
# newest. The second lock is constrained to the versions of the first. uv has its own environment,
# since .venv can't be created while the lock lacks a requirement of pyproject.toml.
UV := build/uv/bin
LOCK := $(UV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-emit-find-links pyproject.toml --group build

lock:
	@scripts/python-ready $(PYTHON)
	$(PYTHON) -m venv build/uv
	$(UV)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev --extra postgres --constraint requirements.lock -o requirements-dev.lock

# make release VERSION=1.2.0: see docs/how-to/release.md
release: $(DEV)
	$(BIN)/python scripts/release.py $(VERSION)

release-check: $(DEV)
	$(BIN)/python scripts/release.py --dry-run $(VERSION)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
