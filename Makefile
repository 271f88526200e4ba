# Homeport. `make` alone prints what can be made.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# With it set, each portal that a test starts compiles all of Homeport again: 0.5 s of processor time.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv/bin
DATA ?= ./data
PIP := $(VENV)/python -m pip --disable-pip-version-check --quiet
UI_SOURCES := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: .venv/.runtime ui/dist/.built ## Serve the portal at https://localhost:8443, data in ./data (DATA=…), until Ctrl-C
	@exec $(VENV)/homeport up --data-dir $(DATA)

.PHONY: test
# In the order of the folders: the slowest files (apps, browser, cli) begin first, so that no worker is left with one.
test: .venv/.dev ui/dist/.built ## Run all tests; as root, what they need comes from Debian first
	@tools/test-parts.sh
	@cd ui && npm test --silent
	@$(VENV)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q

.PHONY: check
check: .venv/.dev ui/node_modules/.installed ## Check style, types, layers and generated files
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/python tools/reference.py --check
	ui/types.sh --check
	cd ui && npm run --silent check

.PHONY: bench
bench: .venv/.dev ui/dist/.built ## Measure: redeploy, crash, list, auth, logs, proxy, sign, relay, idle (ONLY="list idle" for some)
	@if [ "$$(id -u)" = 0 ]; then tools/debian.sh nginx-light libnginx-mod-stream haproxy openssh-server openssh-client wrk caddy docker.io docker-compose iptables iproute2 busybox-static postgresql; fi
	$(VENV)/python -m bench $(ONLY)

.PHONY: ui
ui: ui/dist/.built ## Build the web pages

.PHONY: docs
docs: .venv/.dev ## Write the generated pages of docs/reference and the UI's API types
	$(VENV)/python tools/reference.py
	cd ui && npm run --silent types

.PHONY: lock
lock: .venv/.dev ## Write requirements.lock and requirements-dev.lock from what is installed
	$(VENV)/python tools/lock.py

.PHONY: clean
clean: ## Remove everything that make made, except ./data
	rm -rf .venv ui/node_modules ui/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	rm -rf tools/oidc-provider/node_modules
	rm -rf *.egg-info bench/results tests/browser/screenshots

.venv/.runtime: requirements.lock pyproject.toml tools/venv.sh
	@tools/venv.sh
	@echo "Installing Homeport into .venv…"
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "Installing what tests and checks need into .venv…"
	@$(PIP) install -r requirements-dev.lock
	@touch $@

ui/node_modules/.installed: ui/package.json ui/package-lock.json
	@tools/node.sh
	@echo "Installing what builds the web pages into ui/node_modules…"
	@cd ui && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui/dist/.built: ui/node_modules/.installed $(UI_SOURCES)
	@echo "Building the web pages…"
	@cd ui && npm run --silent build >/dev/null
	@touch $@
