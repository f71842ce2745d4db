# One environment, made once and again only when its ingredients change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DOCS := $(VENV)/.ready-docs

.PHONY: help env demo test test-slow stress soak release-check release-model fuzz lint types check docs clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@echo "Making the environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@echo "Installing GEDI and what its tests need: some 2 GB, a few minutes the first time"
	$(BIN)/pip install --constraint constraints.txt --editable '.[test,lint]'
	touch $@

env: $(READY)  ## build the environment

demo: $(READY)  ## train on scikit-learn's digits and write a report
	$(BIN)/gedi train digits --out runs/demo --overwrite

check: test lint types  ## what must hold before a commit

test: $(READY)  ## run the tests (minutes)
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(READY)  ## run the long tests as well
	$(BIN)/pytest -m 'slow or not slow'

stress: $(READY)  ## the long checks of docs/reliability.md (an hour and more)
	cd benchmarks && for check in stress "stress --cost" kills threads load memory; do \
		set -- $$check; ../$(BIN)/python $$1.py $${2:-} || exit 1; done
	$(BIN)/python benchmarks/render.py

soak: $(READY)  ## random kills, full disks and crowds, for hours (HOURS=6)
	cd benchmarks && ../$(BIN)/python soak.py --hours $(or $(HOURS),6)
	$(BIN)/python benchmarks/render.py

release-check: $(READY)  ## build wheel and sdist, install each into an empty environment, and train (minutes)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	for package in dist/*.whl dist/*.tar.gz; do \
		rm -rf dist/env && $(PYTHON) -m venv dist/env && \
		dist/env/bin/pip install --quiet --constraint constraints.txt $$package && \
		dist/env/bin/gedi --help > /dev/null && \
		(cd dist && env/bin/gedi train moons --max-time 5 --out run --overwrite && \
		env/bin/python -c "import gedi; gedi.GEDI") || exit 1; done
	rm -rf dist/env dist/run
	@echo "release-check: wheel and sdist install into empty environments, and train"

release-model: $(READY)  ## store small models of this version, which later versions must read
	$(BIN)/python tests/release_models.py

fuzz: $(READY)  ## damaged files, strange settings and arrays for minutes, until something crashes
	GEDI_FUZZ=20 $(BIN)/pytest tests/test_any_input.py
	$(BIN)/python benchmarks/fuzz.py --seconds 60

lint: $(READY)  ## style, imports between floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## static types
	$(BIN)/mypy

$(READY_DOCS): $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

docs: $(READY_DOCS)  ## build the documentation as a site, site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:  ## remove the environment and caches
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache
