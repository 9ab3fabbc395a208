# Every target bootstraps what it needs; a second call installs nothing.
PYTHON ?= python3
VENV ?= .venv
UV_VERSION := 0.13.9

PY := $(VENV)/bin/python
UV := $(VENV)/bin/python -m uv
OLDEST_VENV := .venv-oldest
BEAM_VENV := .venv-beam

.PHONY: demo imdb-10min imdb-same-shape imdb-1h imdb-best test soak fuzz bench lint beam test-beam test-oldest lock clean

demo: $(VENV)/.run
	$(PY) run_recipe.py --flagfile=configs/demo.flags --output_dir=demo

# IMDb from nothing, each with its figure at the end (docs/recipe.md). FLAGS, for instance
# --tfds_data_dir=DIR --nodownload, go to run_recipe.py.
imdb-10min imdb-same-shape imdb-1h imdb-best: $(VENV)/.run
	$(PY) run_recipe.py --flagfile=configs/$(subst -,_,$@).flags --output_dir=runs/$@ $(FLAGS)

# As many processes as cores, up to 8, as each has TensorFlow; a file's tests share one, and so
# what they set up. The files whose tests run programs take longest, and so come first, and that
# of the training step.
PYTEST := -m pytest -q -m "not soak" --numprocesses=auto --maxprocesses=8 --dist=loadfile \
    --no-loadscope-reorder tests/loops/test_train_step.py tests/test_*.py tests

test: $(VENV)/.dev
	$(PY) $(PYTEST)

soak: $(VENV)/.dev
	XLA_FLAGS= $(PY) -m pytest -q -m soak

# Damaged files to every reader, for FUZZ_SECONDS (60).
fuzz: $(VENV)/.dev
	$(PY) tests/fuzz.py

# A training step beside what the machine's matrix products can do.
bench: $(VENV)/.run
	$(PY) benchmarks/step.py

lint: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Preparation by Apache Beam, which make test skips: Beam wants older packages beside it.
test-beam: $(BEAM_VENV)/.dev
	$(BEAM_VENV)/bin/python -m pytest -q tests/pipelines/test_beam_maker.py

beam: $(BEAM_VENV)/.dev

# The same tests against the oldest TensorFlow supported (macOS gets it).
test-oldest: $(OLDEST_VENV)/.dev
	$(OLDEST_VENV)/bin/python $(PYTEST)

lock: $(VENV)/.uv
	$(UV) pip compile $(LOCK) pyproject.toml -o requirements.lock
	$(UV) pip compile $(LOCK) --extra=dev pyproject.toml -o requirements-dev.lock
	$(UV) pip compile $(LOCK) --extra=dev --extra=beam pyproject.toml -o requirements-beam.lock
	$(UV) pip compile $(LOCK) --extra=dev --override=requirements-oldest.in \
	    pyproject.toml -o requirements-oldest.lock
LOCK := --quiet --upgrade --universal --generate-hashes --python-version=3.10

clean:
	rm -rf $(VENV) $(OLDEST_VENV) $(BEAM_VENV) demo

$(VENV)/.uv $(OLDEST_VENV)/.uv $(BEAM_VENV)/.uv: %/.uv: Makefile
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install --quiet uv==$(UV_VERSION)
	touch $@

$(VENV)/.run: requirements.lock $(VENV)/.uv
$(VENV)/.dev: requirements-dev.lock $(VENV)/.uv
$(OLDEST_VENV)/.dev: requirements-oldest.lock $(OLDEST_VENV)/.uv
$(BEAM_VENV)/.dev: requirements-beam.lock $(BEAM_VENV)/.uv
%/.run %/.dev:
	$*/bin/python -m uv pip install --quiet --compile-bytecode --python=$*/bin/python --require-hashes -r $<
	touch $@
