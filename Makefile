# `make` alone says what there is. Everything lives in .venv and node_modules; what has
# been done is remembered by stamp files in .venv, so that running a target again is cheap.

PYTHON ?= python3
BIN := .venv/bin
STAMPS := .venv/stamps
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# Extra arguments: `make demo ARGS="--once --calls 3"`, `make test ARGS="-k journal"`.
ARGS ?=
# Test processes: as many as cores, four at most. Many tests run whole installations with a
# browser that plays or speaks in real time, and get in their own way. The tests of a file
# stay together: they share what they started.
WORKERS ?= --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup ready demo test test-pure test-postgres test-suite faults lies press fuzz listen \
	talk check audit bench echo wallboard archive-bench soak autobahn fix texts lock clean migrate

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ready ## Install everything into .venv and prepare the database
	@echo "Ready. Try: make demo"

demo: ready ## Run the whole system here against the emulator (ARGS="--once --calls 3")
	$(BIN)/python manage.py demo $(ARGS)

test: test-pure test-postgres test-suite ## Run every test (ARGS="-k journal" goes to pytest)

test-pure: $(STAMPS)/dev ## Pure code: every branch covered by its own tests alone
	scripts/covered streaming.protocol tests/protocol
	scripts/covered calls.audio tests/audio

test-postgres: $(STAMPS)/dev $(STAMPS)/npm-dev ## The database tests again, on a real PostgreSQL
	@# --reuse-db: the databases go with their server, while threads still hold them.
	$(BIN)/python -m tests.postgres $(BIN)/pytest --reuse-db $(WORKERS) -m database $(ARGS)

test-suite: $(STAMPS)/dev $(STAMPS)/npm-dev ## All other tests, browsers included
	$(BIN)/pytest $(WORKERS) --ignore tests/protocol --ignore tests/audio $(ARGS)

faults: $(STAMPS)/dev ## Kill, stop, fill and cut what can be, and see what it cost: part of make test
	$(BIN)/pytest $(WORKERS) tests/faults tests/journal/test_death.py tests/streaming/test_death.py $(ARGS)

# Examples of `make lies`, presses of `make press`.
SEQUENCES ?= 500
PRESSES ?= 40

lies: $(STAMPS)/dev ## SEQUENCES=500 random calls with faults: what is shown must be true in the end
	ACSSTREAM_TEST_SEQUENCES=$(SEQUENCES) $(BIN)/pytest --numprocesses 0 \
		-o faulthandler_timeout=0 tests/control/test_no_lies.py $(ARGS)

press: $(STAMPS)/dev $(STAMPS)/npm-dev ## From a button to the confirmed state, PRESSES=40 in a browser on the demo
	ACSSTREAM_TEST_PRESSES=$(PRESSES) $(BIN)/pytest --numprocesses 0 \
		-o faulthandler_timeout=0 tests/e2e/test_press.py $(ARGS)

listen: $(STAMPS)/dev $(STAMPS)/npm-dev ## How late a listener hears, in a browser, and what listening costs ingest
	ACSSTREAM_TEST_LISTEN=1 $(BIN)/pytest --numprocesses 0 tests/listen/test_browser.py $(ARGS)
	$(BIN)/python -m benchmarks.listening

# What `make fuzz` sends.
FRAMES ?= 1000000
BODIES ?= 100000

fuzz: $(STAMPS)/dev ## FRAMES=1000000 hostile frames and BODIES=100000 hostile bodies at real processes
	$(BIN)/python -m benchmarks.fuzz --frames $(FRAMES) --bodies $(BODIES) $(ARGS)

talk: $(STAMPS)/dev $(STAMPS)/npm-dev ## From a browser's microphone to the call: how late, and an hour resampled
	ACSSTREAM_TEST_TALK=1 $(BIN)/pytest --numprocesses 0 -o faulthandler_timeout=0 \
		tests/talk/test_browser.py tests/talk/test_resampler.py $(ARGS)

SOURCES := acsstream benchmarks calls demo deploy emulator scripts streaming

check: $(STAMPS)/dev ## Format, lint, types, import contracts, Django's checks, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)
	$(BIN)/python scripts/requirements_agree.py
	$(BIN)/python manage.py check
	scripts/production_env $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run --skip-checks

audit: $(STAMPS)/dev $(STAMPS)/npm ## Known vulnerabilities of what we depend on; says so if nobody can be asked
	$(BIN)/python -m scripts.audit
	@# For reading: not every registry answers it, and npm brings browser files only.
	-npm audit --omit=dev --loglevel=error

bench: $(STAMPS)/dev ## Measure what it all costs beside others, 8 minutes (ARGS="--quick")
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m scripts.bench_table --write

echo: $(STAMPS)/dev ## What it costs to answer: 100 calls that hear themselves beside 100 that do not
	$(BIN)/python -m benchmarks.echo $(ARGS)

wallboard: $(STAMPS)/dev $(STAMPS)/npm-dev ## Page load, updates, bytes and CPU of the wallboard at 1,000 live calls
	$(BIN)/python -m benchmarks.wallboard $(ARGS)

# Calls of `make archive-bench`.
CALLS ?= 1000000

archive-bench: $(STAMPS)/dev $(STAMPS)/static ## The archive's pages at CALLS=1000000 in a PostgreSQL of its own, 15 minutes
	$(BIN)/python -m benchmarks.archive --calls $(CALLS) $(ARGS)

# Minutes of `make soak`.
MINUTES ?= 10

soak: $(STAMPS)/dev ## 100 streams for MINUTES=10: nothing may be lost, nothing may leak
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

autobahn: $(STAMPS)/dev $(STAMPS)/autobahn ## The Autobahn test suite, on Python 2.7 (ARGS="--slow")
	$(BIN)/python -m tests.websocket.autobahn $(ARGS)

fix: $(STAMPS)/dev ## Format, mend what ruff can, write what is made of settings and codes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m scripts.settings_table --write
	$(BIN)/python -m scripts.env_example --write
	$(BIN)/python -m scripts.codes_page --write

texts: $(STAMPS)/requirements ## Gather the texts of the pages for translators, LANGUAGE=de (docs/translating.md)
	$(BIN)/python -m scripts.texts --language $(LANGUAGE)

lock: $(STAMPS)/dev ## Pin requirements*.txt anew from pyproject.toml
	$(BIN)/uv pip compile --universal --no-header --no-emit-index-url --quiet --upgrade \
		pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --universal --no-header --no-emit-index-url --quiet --upgrade \
		pyproject.toml --extra otel --output-file requirements-otel.txt
	$(BIN)/uv pip compile --universal --no-header --no-emit-index-url --quiet --upgrade \
		pyproject.toml --extra dev --output-file requirements-dev.txt

clean: ## Remove what was installed and built; databases and audio in var stay
	rm -rf .venv node_modules static_root
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

# --- What the above stand on ------------------------------------------------------

ready: $(STAMPS)/requirements $(STAMPS)/static migrate

migrate: $(STAMPS)/requirements
	@$(BIN)/python manage.py migrate --verbosity 0 --skip-checks

$(STAMPS)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "No $(PYTHON) here. Install Python 3.11 or newer, or: make setup PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/requirements: requirements.txt | $(STAMPS)/python
	$(PIP) --requirement requirements.txt
	@touch $@

$(STAMPS)/dev: requirements-dev.txt $(STAMPS)/requirements
	$(PIP) --requirement requirements-dev.txt
	@touch $@

# For the Autobahn test suite alone. Not pyenv's shim, which is there and does not run.
PYTHON2 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/2.7*/bin/python2.7) python2.7)

$(STAMPS)/autobahn: tests/websocket/autobahn-requirements.txt | $(STAMPS)/python
	@$(PYTHON2) -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null || \
		{ echo "The Autobahn test suite runs on Python 2.7 only. Try: make autobahn PYTHON2=/path/to/python2.7"; exit 1; }
	$(PYTHON) -m venv .venv/virtualenv
	.venv/virtualenv/bin/python -m pip install --disable-pip-version-check --quiet 'virtualenv==20.21.1'
	.venv/virtualenv/bin/virtualenv --quiet --python $(PYTHON2) .venv/autobahn
	.venv/autobahn/bin/python -m pip install --disable-pip-version-check --quiet \
		--requirement tests/websocket/autobahn-requirements.txt
	@touch $@

$(STAMPS)/npm: package.json package-lock.json | $(STAMPS)/python
	@command -v npm >/dev/null || \
		{ echo "No npm here: the console's player comes from npm. On Debian: apt-get install nodejs npm"; exit 1; }
	npm ci --omit=dev --no-fund --no-audit --loglevel=error
	@touch $@

# What tests need beside: axe-core, and Azurite with its many parts.
# The console's files are newer then: collected now, not by a demo while others read them.
$(STAMPS)/npm-dev: $(STAMPS)/npm $(STAMPS)/requirements
	npm ci --no-fund --no-audit --loglevel=error
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@touch $@

$(STAMPS)/static: $(STAMPS)/npm $(STAMPS)/requirements acsstream/settings.py $(shell find static -type f)
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@touch $@
