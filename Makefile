# Jouleboard. `make help` lists the targets; every one works from a clean clone and from any directory.
ROOT     := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
PYTHON   ?= $(shell command -v python3.11 || command -v python3)
VENV     := $(ROOT)/.venv
BIN      := $(VENV)/bin
READY    := $(VENV)/.ready
SQL      := dbt_project benchmarks expectations plugins
# Tests of a few seconds that look at all files: `make hooks` runs them before a commit.
NAMES    := tests/test_docs.py tests/test_one_number.py tests/test_rooms.py tests/test_runtime_names.py

export JOULEBOARD_HOME ?= $(ROOT)/var
export PYTHONPATH := $(ROOT)/plugins
export DBT_SEND_ANONYMOUS_USAGE_STATS = false
export GX_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
# Some machines forbid bytecode: each of our many processes would then compile Airflow and dbt again, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup test test-compose sbom audit lint lint-sql types names format coverage docs hooks demo up down status gpu-worker install-service uninstall-service constraints clean findings picture

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(READY) ## Create .venv with everything pinned in constraints.txt

$(READY): $(ROOT)/pyproject.toml $(ROOT)/constraints.txt
	@echo "==> Setting up $(VENV) (about 500 MB of packages on the first run)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(ROOT)/constraints.txt uv
	@cd $(ROOT) && $(BIN)/uv pip install --python $(BIN)/python -c constraints.txt -e '.[dev]'
	@touch $@

test: $(READY) ## Set up and pass the tests; COVERAGE=1 shows the lines of this process that they do not reach
	@cd $(ROOT) && $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(if $(COVERAGE),--cov --cov-report=term --cov-report=html)

test-compose: $(READY) ## Build, start, kill, upgrade docker compose with a real engine (about 30 minutes)
	@docker compose version >/dev/null && docker info >/dev/null || { echo "error: no docker engine with compose answers here"; exit 1; }
	@cd $(ROOT) && $(BIN)/python -m pytest -m compose --exitfirst -s tests/compose

# What docker-compose.yml installs: the product's packages at the versions of constraints.txt, none of the developers'.
$(ROOT)/build/requirements.txt: $(READY)
	@mkdir -p $(@D) && cd $(ROOT) && $(BIN)/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-annotate \
		-c constraints.txt --extra scale-out --extra s3 pyproject.toml -o build/requirements.txt

sbom: $(ROOT)/build/requirements.txt ## Write build/sbom.cdx.json: every package of the image, as CycloneDX
	@cd $(ROOT) && $(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements build/requirements.txt \
		--pyproject pyproject.toml --output-reproducible -o build/sbom.cdx.json 2>/dev/null && echo build/sbom.cdx.json

audit: $(ROOT)/build/requirements.txt ## Look for known vulnerabilities of these packages; asks PyPI, and fails where it cannot
	@cd $(ROOT) && $(BIN)/uv tool run --quiet --from pip-audit==2.10.1 pip-audit --strict --no-deps --disable-pip -r build/requirements.txt

lint: $(READY) ## Check style, formatting, SQL and types
	@cd $(ROOT) && $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(MAKE) --no-print-directory --jobs=2 --output-sync lint-sql types

lint-sql: $(READY) ## Check the style of SQL
	@cd $(ROOT) && $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar $(SQL)

types: $(READY) ## Check types
	@cd $(ROOT) && $(BIN)/mypy

names: $(READY) ## Check that files and names in the docs exist, and that imports keep the order of the rooms
	@cd $(ROOT) && $(BIN)/python -m pytest -q --no-header --durations=0 --durations-min=5 $(NAMES)

format: $(READY) ## Sort imports and format
	@cd $(ROOT) && $(BIN)/ruff check --quiet --select I --fix . && $(BIN)/ruff format . && $(BIN)/sqlfluff fix --quiet $(SQL)

coverage: ## The same as make test COVERAGE=1
	@$(MAKE) --no-print-directory test COVERAGE=1

docs: $(READY) ## Build the documentation site into build/docs
	@cd $(ROOT) && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo build/docs/index.html

hooks: $(READY) ## Check each commit before it is made
	@cd $(ROOT) && $(BIN)/pre-commit install

demo: $(READY) ## Set everything up and run the main job end to end, without a GPU
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.demo

up: $(READY) ## Start the platform (Airflow, and a PostgreSQL for it) in the background
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.platform up

down: $(READY) ## Stop the platform
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.platform down

status: $(READY) ## Say for each component whether it works
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.platform status

install-service: $(READY) ## Start at boot, restart on failure (systemd); KIND=gpu-worker on a GPU host
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.platform install-service $(KIND) $(if $(RUN_AS),--user $(RUN_AS))

uninstall-service: $(READY) ## Stop and remove the service; all data stays
	@cd $(ROOT) && $(BIN)/python -m jouleboard_airflow.platform uninstall-service $(KIND)

gpu-worker: $(READY) ## Join a control plane with this machine's GPUs (docs/operations.md)
	@cd $(ROOT) && exec $(BIN)/python -m jouleboard_airflow.platform.worker

findings: $(READY) ## Recompute the published findings from the marts; fails on a miss
	@cd $(ROOT) && $(BIN)/python -m benchmarks.findings

picture: $(READY) ## Draw the README's picture again, from recorded_runs/
	@cd $(ROOT) && $(BIN)/python -m benchmarks.picture

constraints: $(READY) ## Pin again after changing pyproject.toml
	@cd $(ROOT) && $(BIN)/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --extra dev pyproject.toml -o constraints.txt

clean: ## Remove .venv and var
	rm -rf $(VENV) $(ROOT)/var $(ROOT)/build
