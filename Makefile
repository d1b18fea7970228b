# Everything runs in .venv, which is made where it is missing. PYTHON chooses the interpreter: 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt

.PHONY: install demo test test-core test-plugins test-across test-slow bench plot parity lint clean

install: $(VENV)/.install
	@echo
	@echo "The command textforge is in $(BIN). To have it by its name in this shell:"
	@echo "    . $(BIN)/activate"

demo: $(VENV)/.demo
	rm -rf demo-model
	$(BIN)/textforge train python-docs --backend torch --minutes 1 --seed 1 -o demo-model
	@echo
	$(BIN)/textforge generate demo-model --prompt "The following " --seed 1
	@echo
	@echo "To go on by yourself: . $(BIN)/activate"

# PyTorch and TensorFlow do not get on in one process, so each plugin is tested in its own, beside the core. Their models
# are too small for several threads, which wait for each other where two processes share the cores.
test test-core test-plugins test-across test-slow: export OMP_NUM_THREADS = 1
test test-core test-plugins test-across test-slow: export OPENBLAS_NUM_THREADS = 1
test test-core test-plugins test-across test-slow: export TF_NUM_INTRAOP_THREADS = 1
test test-core test-plugins test-across test-slow: export TF_NUM_INTEROP_THREADS = 1

test: lint
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-core test-plugins test-across

# The tests in which each framework compiles what the others do too.
ACROSS := tests/test_parity.py tests/test_gru_example.py

test-core:
	$(BIN)/python -m pytest -m "not slow" tests textforge $(ACROSS:%=--ignore=%)

test-across:
	$(BIN)/python -m pytest -m "not slow" $(ACROSS)

test-plugins:
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-torch
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-keras
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-tokenizers
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-documents
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-datasets
	$(BIN)/python -m pytest -m "not slow" plugins/textforge-lm-eval

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow tests
	$(BIN)/python -m pytest -m slow plugins/textforge-torch || [ $$? -eq 5 ]     # 5: it has none
	$(BIN)/python -m pytest -m slow plugins/textforge-keras || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m slow plugins/textforge-tokenizers || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m slow plugins/textforge-documents || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m slow plugins/textforge-datasets || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m slow plugins/textforge-lm-eval || [ $$? -eq 5 ]

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# NumPy's products are too small here for two threads to share.
bench: $(VENV)/.dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks

# The picture of loss against time.
plot: $(VENV)/.dev
	$(INSTALL) matplotlib
	$(BIN)/python -m tests.benchmarks.plot

# The table of what is the same in every backend.
parity: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m parity

clean:
	rm -rf $(VENV) demo-model build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Built without isolation, so that the build backend is pinned too. The core was called `textforge` before 0.2: an
# environment that has it by that name would have it twice.
$(VENV)/.demo: $(VENV)/bin/python pyproject.toml plugins/textforge-torch/pyproject.toml constraints.txt
	$(PIP) uninstall --quiet --yes textforge
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation -e . -e plugins/textforge-torch
	touch $@

# All that the README's tour uses.
TOUR := plugins/textforge-keras plugins/textforge-tokenizers plugins/textforge-documents

$(VENV)/.install: $(VENV)/.demo $(TOUR:=/pyproject.toml)
	$(INSTALL) --no-build-isolation -e '.[onnx,zst]' $(TOUR:%=-e %)
	touch $@

# The plugins whose libraries are large and seldom needed.
MORE := plugins/textforge-datasets plugins/textforge-lm-eval

$(VENV)/.dev: $(VENV)/.install $(MORE:=/pyproject.toml)
	$(INSTALL) hypothesis mypy pytest ruff transformers
	$(INSTALL) --no-build-isolation $(MORE:%=-e %)
	touch $@
