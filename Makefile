# From a fresh clone: `make up` runs Kvorum, `make test` runs its tests. Both install what they need.
# FLAGS goes to kvorum or pytest: make up FLAGS="--port 9100 --in-memory", make test FLAGS=tests/unit
PYTHON ?= python3
BIN := .venv/bin

.PHONY: up test test-kills fuzz check format sim bench proto service-model clean

up: .venv/runtime
	$(BIN)/kvorum dev --regions ap-northeast-1,us-east-1 $(FLAGS)

test: .venv/development
	$(BIN)/python -m pytest $(FLAGS)

# The tests of the API against three nodes of which one after another is killed with -9; SEED repeats who and when.
test-kills: .venv/development
	$(if $(SEED),KVORUM_KILLS_SEED=$(SEED)) $(BIN)/python -m pytest tests/api --kills -s $(FLAGS)

# make fuzz REQUESTS=100000 SEED=42: how many, and the seed of a run to repeat.
REQUESTS ?= 20000
fuzz: .venv/development
	KVORUM_FUZZ_REQUESTS=$(REQUESTS) $(BIN)/python -m pytest tests/api/test_fuzz.py -k dev -s --timeout=3600 \
	  $(if $(SEED),--hypothesis-seed=$(SEED)) $(FLAGS)

check: .venv/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

format: .venv/development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# make sim SEED=42 replays one seed of the simulations; without SEED a longer run than `make test` has.
sim: .venv/development
	SIM_SEED=$(SEED) SIM_SEEDS=$(if $(SEED),1,2000) $(BIN)/python -m pytest tests/simulation

bench: .venv/development
	$(BIN)/python -m bench

# One generated module without services: client and door build theirs from its descriptors.
proto: .venv/development
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto --pyi_out=proto kvorum/v1/kvorum.proto

# What AWS's service model, as the installed botocore has it, says of requests.
service-model: .venv/development
	$(BIN)/python -m tests.kit.service_model

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Kvorum needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/development: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/runtime
