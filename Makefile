# `make` lists the targets. The first target that needs .venv creates it from requirements.txt; after that, the check takes milliseconds.
# TORCH_INDEX=... names an index or a folder of wheels for PyTorch, or `none` (see tools/install.py).

PYTHON ?= python3
RECIPE ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STORED := build cache bench/work .interop .fuzz site .cache
MODELS := 774m nano 124m 355m 1558m
CACHES := .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

GOALS := help install build plan why compare docs site test check fuzz fuzz-commands test-faults test-interop test-pythons test-remote bench bench-full clean
NAMING := build plan why compare

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: $(GOALS)

# The words behind `build` and the like are names of recipes: make build nano-cpu-int8
ifneq ($(filter $(NAMING),$(firstword $(MAKECMDGOALS))),)
NAMES := $(filter-out $(GOALS),$(MAKECMDGOALS))
ifneq ($(NAMES),)
RECIPE := $(NAMES)
.PHONY: $(NAMES)
$(NAMES): ; @:
endif
endif

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

install: $(VENV)/installed ## create .venv with gpt2forge, PyTorch and transformers

build: named $(VENV)/installed ## build a recipe: make build nano-cpu-int8, or RECIPE=nano-cpu-int8 [ARGS=...]
	@$(BIN)/gpt2forge build $(RECIPE) $(ARGS)

plan: named $(VENV)/installed ## show which steps of a recipe are done and which will run: make plan RECIPE=nano-cpu-int8
	@$(BIN)/gpt2forge plan $(RECIPE) $(ARGS)

why: named $(VENV)/installed ## show what has changed since a recipe's steps were made: make why RECIPE=nano-cpu-int8
	@$(BIN)/gpt2forge why $(RECIPE) $(ARGS)

compare: named $(VENV)/installed ## compare results side by side: make compare RECIPE="nano-cpu-fp32 nano-cpu-int8"
	@$(BIN)/gpt2forge compare $(RECIPE) $(ARGS)

docs: $(VENV)/installed-dev ## write the generated parts of the pages: options, recipe keys, the report's tables, measured figures
	@$(BIN)/python -m tools.generate_docs
	@$(BIN)/python -m tools.report_page
	@$(BIN)/python -m bench.figures
	@$(BIN)/python -m bench.tuning_page

site: $(VENV)/installed-dev ## build the site of docs/ in site/, and check its links
	@$(BIN)/python -m tools.build_site

test: $(VENV)/installed-dev ## run the tests and list the ten slowest [ARGS="tests/plan -k reason"]
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 $(ARGS)

check: $(VENV)/installed-dev ## run ruff, mypy --strict and import-linter, then all tests, including those of the docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10

test-faults: $(VENV)/installed-dev ## kill builds, fill disks, damage and deceive stores a hundred times each: up to 40 minutes [ARGS=--seed=1]
	@$(BIN)/python -m pytest tests/faults --rounds 100 $(ARGS)

fuzz: $(VENV)/installed-dev ## damage files of every reader a million times, go on where it was interrupted: half an hour to an hour [ARGS="--inputs 10000"]
	@$(BIN)/python -m tests.checkpoint.fuzz_readers $(ARGS)

fuzz-commands: $(VENV)/installed-dev ## run 5000 random command lines on files in odd states: half an hour [ARGS="--inputs 100 --seed 2"]
	@$(BIN)/python -m tests.cli.fuzz_commands $(ARGS)

test-interop: $(VENV)/installed-dev ## open packages in other programs, in environments made for them [ARGS=-k optimum]
	@$(BIN)/python -m pytest interop -n 2 --dist loadfile --no-loadscope-reorder --durations 10 $(ARGS)

test-pythons: $(VENV)/installed ## run the fast tests on Python 3.11 to 3.14 and with the lowest versions of packages [PYTHONS="python3.13 lowest"] [ARGS=--without-torch]
	@$(BIN)/python -m tests.pythons $(PYTHONS) $(ARGS)

test-remote: $(VENV)/installed-dev ## try remote levels on folders, HTTP servers and an S3 server, and clusters of processes [ARGS="--rounds 20"]
	@$(BIN)/python -m pytest tests/remote tests/cluster tests/bench/test_cluster.py tests/cli/test_exchange_command.py --clusters $(ARGS)

bench: $(VENV)/installed-dev ## measure 774M and nano beside other systems and write docs/benchmarks.md: 25 minutes, the first time 40 [ARGS=--help]
	@$(BIN)/python -m bench --write-docs $(ARGS)

bench-full: $(VENV)/installed-dev ## measure 124M, 355M and 1558M too: an hour and three quarters [ARGS=--help]
	@$(BIN)/python -m bench --write-docs $(MODELS:%=--model %) $(ARGS)

clean: ## remove everything that make made, including .venv and the store
	@for folder in $(STORED); do if [ -d $$folder ]; then chmod -R u+w $$folder; fi; done
	@rm -rf $(VENV) $(STORED) $(CACHES)

EXAMPLE := nano-cpu-int8
compare: EXAMPLE := "nano-cpu-fp32 nano-cpu-int8"

.PHONY: named
named:
	@test -n "$(RECIPE)" || { echo 'say which recipe: make $(MAKECMDGOALS) RECIPE=$(EXAMPLE) (see recipes/)' >&2; exit 1; }

# The stamp is touched last, so an interrupted installation is resumed.
$(VENV)/installed: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
	  echo "gpt2forge needs Python 3.11 to 3.14, and \`$(PYTHON)\` is not; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m tools.install $(VENV) torch
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(BIN)/python -m tools.install $(VENV) dev
	@touch $@
