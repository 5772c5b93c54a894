.DEFAULT_GOAL := help
.PHONY: help setup demo demo-cloud test test-cloud lint types terraform-test simulate bench features format compile package builder earlier images upload plan apply letters replay lock clean
.NOTPARALLEL:

SEEDS ?= 2000
PYTEST_ARGS ?= -n auto
BIN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/local ## .venv with what the laptop needs; a second time costs nothing

demo: .venv/local ## run the sample pipeline to its end and say where the results are
	@$(BIN)/onward demo

demo-cloud: .venv/local ## the same through the cloud's own functions, on Google's emulators and stand-ins
	@$(BIN)/onward demo --emulators

test: lint types ## lint, type-check and run every test
	$(BIN)/pytest $(PYTEST_ARGS)

test-cloud: .venv/dev ## the tests of the cloud path alone: here the emulators' absence is a failure
	CI=$${CI:-1} $(BIN)/pytest tests/cloud tests/contract tests/e2e/test_cloud_path.py $(PYTEST_ARGS)

lint: .venv/dev ## style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/dev ## mypy --strict
	$(BIN)/mypy

terraform-test: .venv/dev ## what terraform would make: formatted, valid, planned, applied to a stand-in, its policies
	$(BIN)/pytest tests/terraform $(PYTEST_ARGS)

simulate: .venv/dev ## SEEDS=2000 random worlds with faults, every invariant checked (SEED=7: that one, traced)
	PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

bench: .venv/local ## speed beside the disk's limit and the smallest possible engine
	$(BIN)/python -m bench

features: .venv/dev ## docs/features.md and what `onward features` prints, from tests/scenarios
	PYTHONPATH=tests $(BIN)/python -m scenarios.harness.features

format: .venv/dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Deployment: docs/operating.md. The same verbs in the same order are the steps of cloudbuild.yaml.
PREFIX ?= onward
CODE ?= $(PROJECT)-$(PREFIX)-code
STATE ?= $(PROJECT)-$(PREFIX)-terraform
IMAGES ?= $(REGION)-docker.pkg.dev/$(PROJECT)/$(PREFIX)
KEEP ?= 20
ARCHIVE = archives/functions-$(shell sha256sum build/functions.zip | cut -c -32).zip
TERRAFORM := terraform -chdir=terraform
needed = $(foreach name,$(1),$(if $($(name)),,$(error $(name) is not set; make $@ $(name)=...)))

compile: .venv/local ## ENV=FILE check all pipelines and write what their deployment is made of to build/
	$(BIN)/onward compile -o build $(if $(ENV),--env $(ENV)) $$(test -d build/earlier && echo --earlier build/earlier)

package: compile ## build/functions.zip: what Cloud Functions are built from, the same bytes each time
	$(BIN)/python .ci/package.py build

builder: ## PROJECT=P REGION=R the image that the steps of cloudbuild.yaml run in
	$(call needed,PROJECT REGION)gcloud builds submit .ci/builder --project $(PROJECT) --tag $(IMAGES)/builder

earlier: .venv/local ## PROJECT=P the last KEEP=20 deployments, whose Workflows definitions stay
	$(call needed,PROJECT)$(BIN)/python .ci/store.py earlier $(CODE) build $(KEEP)

images: .venv/local ## PROJECT=P REGION=R build the Flex Templates of Beam steps that are not there yet
	$(call needed,PROJECT REGION)$(BIN)/python .ci/images.py $(CODE) build $(IMAGES)

upload: .venv/local ## PROJECT=P the archive and what jobs need, under names that stand for their content
	$(call needed,PROJECT)$(BIN)/python .ci/store.py upload $(CODE) build $(ARCHIVE)

plan: terraform/backend.tf ## PROJECT=P REGION=R VARS=FILE what a deployment would change, as build/plan (PLAN=-destroy: its end)
	@$(call needed,PROJECT REGION)test -d build/earlier || \
		{ echo "Run make earlier and make compile first, or Workflows definitions that runs still use would go." >&2; exit 1; }
	$(TERRAFORM) init -input=false -reconfigure -backend-config=bucket=$(STATE)
	$(TERRAFORM) plan $(PLAN) -input=false -out=../build/plan -var project=$(PROJECT) -var region=$(REGION) \
		-var prefix=$(PREFIX) -var archive=gs://$(CODE)/$(ARCHIVE) $(if $(VARS),-var-file=$(abspath $(VARS)))

terraform/backend.tf:
	printf 'terraform {\n  backend "gcs" {}\n}\n' > $@

apply: ## carry out build/plan, and nothing else
	$(TERRAFORM) apply -input=false ../build/plan

letters: .venv/local ## PROJECT=P what could not be dealt with, and why
	@$(call needed,PROJECT)$(BIN)/python .ci/letters.py list $(PROJECT) $(PREFIX)

replay: .venv/local ## PROJECT=P deal with it again
	@$(call needed,PROJECT)$(BIN)/python .ci/letters.py replay $(PROJECT) $(PREFIX)

LOCK := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: .venv/local ## pin and hash what pyproject.toml asks for (UPGRADE=--upgrade: the newest of it)
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.txt
	$(LOCK) $(UPGRADE) --group setup -o .ci/requirements-setup.txt
	$(LOCK) $(UPGRADE) -c requirements.txt -c .ci/requirements-setup.txt \
		pyproject.toml --extra local -o .ci/requirements-local.txt
	$(LOCK) $(UPGRADE) -c .ci/requirements-local.txt -c .ci/requirements-setup.txt \
		pyproject.toml --extra local --group setup --group dev -o .ci/requirements-dev.txt

clean: ## remove .venv and every cache; runs and buckets in .onward stay
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf functions/*.egg-info

.venv/local: .ci/requirements-local.txt .ci/requirements-setup.txt pyproject.toml
	@.ci/setup .ci/requirements-local.txt
	@touch $@

# A superset of the local set, so its stamp stands for both.
.venv/dev: .ci/requirements-dev.txt .ci/requirements-setup.txt pyproject.toml
	@.ci/setup .ci/requirements-dev.txt
	@touch .venv/local $@
