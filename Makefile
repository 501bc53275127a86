# `make demo` runs the main job, `make test` the whole suite; both set everything up.
PYTHON ?= python3
BIN := .venv/bin
DATA := examples/data/diabetes.csv

.PHONY: demo test lint types docs check bench readme clean

demo: .venv/.plot
	@mkdir -p demo
	@$(BIN)/linscape solve $(DATA) --target progression --hidden 64,64 --dropout 0.2 \
		--weight-decay 1e-3 --plot demo/diabetes.png --save demo/diabetes.npz

test: .venv/.dev
	@OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -q -n 2

lint: .venv/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: .venv/.dev
	@$(BIN)/mypy

check: lint types docs test

docs: .venv/.dev
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "The documentation is docs/_build/html/index.html"

bench: .venv/.bench
	@$(BIN)/python -m benchmarks

readme: .venv/.dev
	@$(BIN)/python examples/write_readme.py

clean:
	rm -rf .venv demo docs/_build

# one stamp per set of extras; a change of pyproject.toml installs again
.venv/.plot: EXTRA = plot
.venv/.dev: EXTRA = dev
.venv/.bench: EXTRA = bench
.venv/.plot .venv/.dev .venv/.bench: pyproject.toml | .venv/bin/python
	@echo "Installing linscape[$(EXTRA)] into .venv ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e ".[$(EXTRA)]"
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "linscape needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv
