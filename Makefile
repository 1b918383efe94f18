# Every chore of the project. `make help` lists them; the README explains them.

PYTHON ?= python3.11
# A folder of class folders for `make demo`, where synthetic images are drawn if it is empty, and `make bench-preprocess`.
DATA ?=
# Synthetic images a class for `make demo`.
PER_CLASS ?= 200
# Recipes that `make reproduce` trains: 2021, small, short, medium, medium_age_sex, unfrozen, two_networks, full.
RECIPES ?= 2021 short
# Parameters of the demo's run as JSON, e.g. CONF='{"epochs": 3}'.
CONF ?= {}
# Sides of the square that `make bench-preprocess` measures at, in pixels.
SIZE ?= 100 256
# The account that `make deploy`, `doctor` and `destroy` speak of. BUCKET is needed; the rest has defaults.
BUCKET ?=
EMAIL ?=
BUDGET ?= 100
# Subnets of yours, separated by commas; empty: a network is made.
SUBNETS ?=
# Further arguments of `python -m aws`, e.g. ACCOUNT='--prefix team/ --internet none'.
ACCOUNT ?=

UV := .tools/bin/uv
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE ?= hardlink
CONTROL := .venv/bin
JOBS := jobs/.venv/bin
TEMPLATES := infra/aws/lint/.venv/bin
AWS := PYTHONPATH=infra $(CONTROL)/python -m aws
AWS_ARGS = --bucket "$(BUCKET)" --email "$(EMAIL)" --budget $(BUDGET) --subnets "$(SUBNETS)" $(ACCOUNT)
STACK := PYTHONPATH=infra $(CONTROL)/python -m local_stack
CODE := dags plugins jobs infra tests
TESTS := PYTHONPATH=tests:infra:plugins $(CONTROL)/python -m

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test test-jobs test-control test-backfill chaos bench-overhead bench-bootstrap bench-preprocess
.PHONY: deploy doctor destroy compose-env compose-check mwaa test-aws bench-train bench-gpu reproduce screenshots lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/' | expand -t 18

setup: .venv/.done jobs/.venv/.done ## install both locked environments

$(UV): infra/emr/uv-requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "$(PYTHON) is not Python 3.11; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.done: $(UV) pyproject.toml uv.lock jobs/pyproject.toml
	$(UV) sync --quiet --frozen --python $(PYTHON)
	@touch $@

jobs/.venv/.done: $(UV) jobs/pyproject.toml jobs/uv.lock
	$(UV) sync --quiet --frozen --python $(PYTHON) --project jobs --extra runtime --extra cpu
	@touch $@

infra/aws/lint/.venv/.done: $(UV) infra/aws/lint/pyproject.toml infra/aws/lint/uv.lock
	$(UV) sync --quiet --frozen --python $(PYTHON) --project infra/aws/lint
	@touch $@

demo: setup ## train once through Airflow on local AWS and print the result
	@$(STACK) demo --data "$(DATA)" --per-class $(PER_CLASS) --conf '$(CONF)'

up: setup ## start local AWS and Airflow and keep them up
	@$(STACK) up

down: setup ## stop what `make up` started
	@$(STACK) down

status: setup ## what runs, and where
	@$(STACK) status

deploy: setup ## make or change the AWS account's stacks: BUCKET=name
	@$(AWS) deploy $(AWS_ARGS)

doctor: setup ## say what the AWS account lacks and how to mend it; changes nothing
	@$(AWS) doctor $(AWS_ARGS)

destroy: setup ## take the stacks away; the bucket stays
	@$(AWS) destroy $(AWS_ARGS)

mwaa: setup ## what Amazon's managed Airflow takes: requirements, plugins, DAGs
	@$(PYTHON) infra/airflow/mwaa.py $(UV) build/aws/defaults.json

compose-env: ## write .env with secrets drawn at random, for docker-compose.yml
	@$(PYTHON) infra/airflow/env_file.py

compose-check: setup ## the stack in containers, for real: a run, a restart, nothing lost; needs Docker
	$(TESTS) compose

test: lint test-jobs test-control ## lint, then run every test

test-jobs: setup
	$(JOBS)/python -m pytest tests/jobs

test-control: setup
	$(CONTROL)/python -m pytest tests --ignore tests/jobs --ignore tests/backfill

test-backfill: setup ## weeks backfilled through the real Airflow, twice; five minutes
	$(CONTROL)/python -m pytest tests/backfill

test-aws: setup ## EMR's lifecycle tests on a real account, about 0.25 USD: DERMAFLOW_AWS_TESTS=1
	$(CONTROL)/python -m pytest tests/local_aws/test_emr_anywhere.py

chaos: setup ## the real DAG under ninety faults, a row each; about an hour
	$(TESTS) chaos

bench-overhead: setup ## idle time and API calls of a cluster: ours and the provider's stock operators
	$(TESTS) bench.overhead

bench-train: setup ## images a second of the training loop, beside its bound and Keras's own ways
	$(JOBS)/python -m dermaflow_jobs.measure.train_speed

bench-gpu: setup ## images a second of a network's step on a GPU, by Keras's JAX backend; needs JAX for it in jobs/.venv
	$(JOBS)/python -m dermaflow_jobs.measure.gpu_speed

reproduce: setup ## the 2021 network and our recipe on real images, by validation split and cross-validation
	@test -n "$(DATA)" || { echo "name a folder of images: make reproduce DATA=../shared/data/isic2017"; exit 1; }
	$(JOBS)/python -m dermaflow_jobs.measure.reproduce --data "$(DATA)" --recipes $(RECIPES)

bench-bootstrap: setup ## seconds to build a node's environment and to unpack its archive
	$(TESTS) bench.bootstrap

# An environment of its own: what ours is compared with is in the jobs' lock, and in no node's or worker's environment.
build/bench/env/.done: $(UV) jobs/pyproject.toml jobs/uv.lock
	UV_PROJECT_ENVIRONMENT=$(CURDIR)/build/bench/env $(UV) sync --quiet --frozen --python $(PYTHON) --project jobs --extra runtime --extra cpu --group bench
	@touch $@

bench-preprocess: build/bench/env/.done ## images a second of preprocessing and of four other ways; DATA=folder of JPEG files
	@test -n "$(DATA)" || { echo "name a folder of JPEG files: make bench-preprocess DATA=folder"; exit 2; }
	PYTHONPATH=tests build/bench/env/bin/python -m bench.preprocess --data "$(DATA)" --size $(SIZE) --spark 1000 3000 10000

screenshots: setup ## draw the README's pictures of Airflow's pages anew, in a real browser
	DERMAFLOW_SCREENSHOTS=$(CURDIR)/.github/images $(CONTROL)/python -m pytest tests/control/test_in_a_browser.py tests/e2e/test_from_form_to_champion.py

lint: setup infra/aws/lint/.venv/.done ## ruff, mypy, shellcheck, cfn-lint, checkov
	$(CONTROL)/ruff check $(CODE)
	$(CONTROL)/ruff format --check $(CODE)
	$(CONTROL)/shellcheck infra/emr/bootstrap.sh .ci/run
	$(CONTROL)/mypy dags plugins infra/aws infra/local_aws infra/local_stack tests/chaos tests/compose tests/bench/overhead.py tests/bench/bootstrap.py tests/bench/stock_dags
	$(TEMPLATES)/cfn-lint infra/aws/*.yaml
	$(TEMPLATES)/checkov --directory infra/aws --framework cloudformation --compact --quiet --skip-download
	cd jobs && .venv/bin/mypy --config-file ../pyproject.toml -p dermaflow_jobs

format: setup ## let ruff rewrite what it can
	$(CONTROL)/ruff check --fix $(CODE)
	$(CONTROL)/ruff format $(CODE)

lock: $(UV) ## resolve the locks anew
	$(UV) lock
	$(UV) lock --project jobs
	$(UV) lock --project infra/aws/lint

clean: ## end the stack and delete what was built, all its state included
	-@test -x $(CONTROL)/python && $(STACK) down
	rm -rf build .venv jobs/.venv infra/aws/lint/.venv .tools
