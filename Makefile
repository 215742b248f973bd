# `make` lists the targets. Each one first makes what it needs, so all of them work in a clean clone.

.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -ec
.PHONY: help run demo test prove check bench chaos format pages screenshots requirements

PYTHONS := python3.11 python3 python3.12 python3.13 python3.14
PIP_INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check

# These files mark the environment as finished: for HookLine, and for its tests too.
INSTALLED := .venv/installed
INSTALLED_FOR_TESTS := .venv/installed-for-tests

# Each process has servers of its own.
PYTEST := .venv/bin/python -m pytest --numprocesses 2 --dist loadfile

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(INSTALLED) ## Start HookLine: server, deliveries and console
	@exec .venv/bin/python manage.py serve

demo: $(INSTALLED) ## Look at it with made-up customers who have troubles; Ctrl-C leaves nothing behind
	@exec .venv/bin/python manage.py demo $(ARGS)

test: $(INSTALLED_FOR_TESTS) ## Run the tests on both stores, or some: make test ARGS="-k story"
	@for store in embedded postgres; do
	  echo "The tests on the store $$store"
	  HL_STORE_BACKEND=$$store $(PYTEST) $(ARGS) || [ $$? = 5 ] # 5: none of those asked for is about it
	done

test-pgbouncer: $(INSTALLED_FOR_TESTS) ## Run the tests on PostgreSQL behind PgBouncer
	@HL_STORE_BACKEND=pgbouncer exec $(PYTEST) $(ARGS)

prove: $(INSTALLED_FOR_TESTS) ## Prove what takes minutes: to move 200,000 events, to restore a backup
	@HL_STORE_BACKEND=embedded exec .venv/bin/python -m pytest -s tests/proofs $(ARGS)

check: $(INSTALLED_FOR_TESTS) ## Check format, lint, types and migrations
	@data=$$(mktemp -d)
	trap 'rm -r "$$data"' EXIT
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m ruff check
	clean="env -i PATH=$$PATH HL_DATA_DIR=$$data .venv/bin/python"
	$$clean -m mypy
	$$clean manage.py makemigrations --check

bench: $(INSTALLED) ## Measure it, or some of it: make bench ARGS="deliver latency --scale 1"
	@exec .venv/bin/python manage.py bench $(ARGS)

chaos: $(INSTALLED) ## Break it on purpose and count what is lost: make chaos ARGS="kills --kills 50"
	@exec .venv/bin/python manage.py chaos $(ARGS)

screenshots: $(INSTALLED_FOR_TESTS) ## Take the pictures of the console for the documentation
	@exec .venv/bin/python -m tests.screenshots

format: $(INSTALLED_FOR_TESTS) ## Format the code and mend what lint can mend
	@.venv/bin/python -m ruff check --fix-only
	.venv/bin/python -m ruff format

pages: $(INSTALLED) ## Write the pages of docs/ that tell of settings, routes and commands
	@for page in commands:commands configuration:settings routes:routes; do
	  text=$$(env -i .venv/bin/python manage.py "$${page#*:}")
	  printf '%s\n' "$$text" > "docs/$${page%:*}.md"
	done

requirements: $(INSTALLED) ## Pin the newest versions that pyproject.toml allows
	@$(PIP_INSTALL) uv
	pin() {
	  .venv/bin/python -m uv pip compile --quiet --upgrade --generate-hashes --universal \
	    --python-version 3.11 --no-header --no-emit-index-url "$$@"
	}
	pin --output-file requirements.txt pyproject.toml
	pin --output-file deploy/otel/requirements.txt pyproject.toml --extra otel --constraint requirements.txt
	pin --output-file tests/requirements.txt pyproject.toml --extra otel --group dev --constraint requirements.txt

# An environment whose Python is no longer there is made anew.
ifeq ($(wildcard .venv/bin/python),)
.PHONY: $(INSTALLED)
endif

$(INSTALLED): requirements.txt
	@runs() { "$$@" >/dev/null 2>&1; }
	is_new='import sys; sys.exit(sys.version_info < (3, 11))'
	if ! runs .venv/bin/python -c "$$is_new" || ! runs .venv/bin/python -m pip --version; then
	  for python in $(PYTHONS) none; do if runs "$$python" -c "$$is_new"; then break; fi; done
	  if [ "$$python" = none ]; then
	    echo 'HookLine needs Python 3.11 or newer, and none was found. On Debian: apt-get install python3-venv' >&2
	    exit 2
	  fi
	  # Debian keeps a part of Python in a package of its own, and leaves half an environment without it.
	  if ! "$$python" -m venv --clear .venv; then
	    package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	    if [ "$$(id -u)" != 0 ] || ! runs command -v apt-get; then
	      echo "Python could not make the environment .venv. Run: sudo apt-get install $$package" >&2
	      exit 2
	    fi
	    apt-get update --quiet
	    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes "$$package"
	    "$$python" -m venv --clear .venv
	  fi
	fi
	echo 'Installing requirements.txt into .venv'
	$(PIP_INSTALL) --require-hashes -r requirements.txt
	touch $(INSTALLED)

$(INSTALLED_FOR_TESTS): tests/requirements.txt $(INSTALLED)
	@echo 'Installing tests/requirements.txt into .venv'
	$(PIP_INSTALL) --require-hashes -r tests/requirements.txt
	touch $(INSTALLED_FOR_TESTS)
