# The same few targets that people and CI run. Each creates what it needs, .venv included.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up down cluster cluster-down test test-long test-cluster lint docs reference bench pictures images lock embedded dev

ARGS ?=
IMAGES ?=
# Two files at a time: one after the other leaves the second core idle. What promises
# seconds (a crash, a slow start) is judged with the machine's load in mind.
WORKERS ?= 2

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: embedded ## start the platform in the background and print the link (ARGS="--port 8000")
	@.venv/bin/autonoe up --detach $(ARGS)

down: embedded ## stop the platform; the data stays
	@.venv/bin/autonoe down $(ARGS)

test: dev ## run every test (ARGS="tests/core -k slug", WORKERS=0 for one after the other)
	@scripts/chromium.sh
	.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

test-long: dev ## the tests that wait for real expiries: 20 minutes
	.venv/bin/python -m pytest tests/long $(ARGS)

cluster: dev ## start a one-node Kubernetes for tests; the first time builds it, 25 minutes
	@.venv/bin/python -m tests.testbed up

cluster-down: dev ## end that Kubernetes and remove everything of it; what was built is kept
	@.venv/bin/python -m tests.testbed down

test-cluster: dev cluster ## run the tests on Kubernetes: ours, or the one KUBECONFIG names
	@$(MAKE) --no-print-directory images ARGS= IMAGES=
	@scripts/chromium.sh
	.venv/bin/python -m pytest tests/cluster $(ARGS)

lint: dev ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

docs: dev ## build the documentation into docs/_build/html; a warning is an error
	.venv/bin/python -m sphinx -W --keep-going --quiet --builder html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

reference: dev ## write the reference pages anew from the code
	.venv/bin/python -m scripts.reference

bench: dev ## measure against the stock tools; writes build/bench.json
	.venv/bin/python -m benchmarks $(ARGS)

pictures: dev ## draw the pictures of the README and the documentation anew, from the browser tests
	@scripts/chromium.sh
	AUTONOE_PICTURES=docs/_static .venv/bin/python -m pytest tests/browser $(ARGS)

images: dev ## build what changed of the container images into build/images (IMAGES="hub agent", ARGS="--fresh")
	.venv/bin/python -m scripts.images $(ARGS) $(IMAGES)

lock: dev ## resolve the requirement files anew
	scripts/lock.sh

embedded dev:
	@scripts/bootstrap.sh $@
