.PHONY: help install demo ui pictures moving-picture test test-all test-next test-clients reliability soak cluster cluster-outages cluster-short docs lint release-check lock

help:  ## List the targets, with the time that they take on two cores
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

install:  ## Make .venv with the package and everything its tests need
	@scripts/install.sh

demo: install  ## Send a real video through Airflow to a post on the sandbox (VIDEO=path for your own)
	@.venv/bin/python -m demo.run

ui: install  ## The same in a standalone Airflow that is left running, with the sandbox
	@.venv/bin/python -m demo.ui

pictures:  # Take the pictures of the Posts page for the docs, in a running Airflow (5 minutes)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m demo.pictures

moving-picture:  # Take the moving picture of the README, in a running Airflow (15 minutes)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m demo.moving_picture

test:  ## What every change has to pass: unit, integration, sandbox, and a sample of the rest (16 minutes)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m tests.run

MINUTES := inf
SEED := $(shell git rev-parse HEAD 2>/dev/null)

test-all:  ## All that make test leaves out (3 hours; MINUTES=30 plays as much as fits, SEED decides what)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m tests.run --rest --minutes $(MINUTES) --seed "$(SEED)"

test-next:  ## The unit and integration tests on the next version of Airflow, and the tests of its loops (33 minutes)
	@scripts/install.sh --next
	@.venv-next/bin/python -m pytest --numprocesses 8 --dist worksteal sandbox/tests tests/unit tests/integration
	@.venv-next/bin/python -m pytest tests/next

test-clients:  # Publish with clients from the npm registry and PyPI, on Debian's Node (2 minutes)
	@scripts/install.sh --for-clients
	@.venv/bin/python -m pytest -m registry sandbox/tests

reliability:  ## Break the main job in hundreds of ways and count the posts (50 minutes)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m tests.reliability

soak:  ## 60 posts of a calendar in a running Airflow while things are killed and edited (16 minutes)
	@scripts/install.sh --for-tests
	@.venv/bin/python -m tests.soak

cluster:  ## A calendar on CeleryExecutor while each component is killed, frozen and stopped (2 hours)
	@scripts/install.sh --for-cluster
	@.venv/bin/python -m tests.cluster

cluster-short:  # The same with two of the faults (7 minutes)
	@scripts/install.sh --for-cluster
	@.venv/bin/python -m tests.cluster --short

cluster-outages:  # What must lose no post: S3 refuses, a first run has to wait, clocks are wrong, all slots are taken, calendars move (50 minutes)
	@scripts/install.sh --for-cluster
	@.venv/bin/python -m tests.cluster --only outages

docs:  ## Build the documentation site into build/docs, and check its links (1 minute)
	@scripts/install.sh --docs
	@.venv-docs/bin/python -m scripts.docs

lint:  ## Style, types, who may import whom, and the size of the code (1 minute)
	@scripts/install.sh --for-lint
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	MYPYPATH=sandbox .venv/bin/mypy --package instagram_sandbox
	.venv/bin/lint-imports
	.venv/bin/python scripts/house.py
	node_modules/.bin/tsc
	node_modules/.bin/prettier --check "airflow_provider_instagram/**/*.js"
	cmp node_modules/uplot/dist/uPlot.esm.js airflow_provider_instagram/plugin/board/static/uplot.mjs
	cmp node_modules/uplot/dist/uPlot.min.css airflow_provider_instagram/plugin/board/static/uplot.css

release-check: install  # Build both wheels, install them in empty environments and run the main job from them (2 minutes)
	@.venv/bin/python scripts/release_check.py

NEXT_AIRFLOW := 3.4.0b2

lock:  # Pin the newest versions again
	.tools/bin/uv pip compile --universal --generate-hashes --python-version 3.10 --upgrade \
		--custom-compile-command "make lock" --quiet pyproject.toml sandbox/pyproject.toml --group dev --output-file requirements/dev.txt
	echo apache-airflow==$(NEXT_AIRFLOW) | .tools/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade \
		--custom-compile-command "make lock" --quiet pyproject.toml sandbox/pyproject.toml - --group dev --output-file requirements/next.txt
	.tools/bin/uv pip compile --universal --generate-hashes --no-deps --python-version 3.11 --upgrade \
		--custom-compile-command "make lock" --quiet --group agent --output-file requirements/agent.txt
	.tools/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade --constraint requirements/dev.txt \
		--custom-compile-command "make lock" --quiet pyproject.toml sandbox/pyproject.toml --group docs --output-file requirements/docs.txt
	echo uv | .tools/bin/uv pip compile --universal --generate-hashes --no-annotate --upgrade \
		--custom-compile-command "make lock" --quiet - --output-file requirements/uv.txt
	echo cyclonedx-bom | .tools/bin/uv pip compile --universal --generate-hashes --no-annotate --python-version 3.10 --upgrade \
		--custom-compile-command "make lock" --quiet - --output-file requirements/sbom.txt
