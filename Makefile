# Every target makes its own virtual environment when there is none.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out/quickstart
# More options of the sweep of `make demo`.
SWEEP ?=
# Takes the picture of the live view.
CHROMIUM ?= chromium
# What a user may leave out; the corpus needs none of it.
EXTRAS ?= [all]

# Installs this project with extras: by uv, in a tenth of pip's time, or by pip where uv cannot.
pip = $(BIN)/python -m pip install --quiet --disable-pip-version-check
install = { $(pip) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.$(1)'; } \
  || $(pip) --editable '.$(1)'

# Where it is set, each of the many processes that tests start compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo compiled clean-compiled test test-slow test-all soak planted validation lint golden lowest golden-accept pictures hyperpriors profiles scores house docs bench bench-all clean

demo: $(VENV)/.installed
	$(BIN)/teamsim sweep scenarios/quickstart.yaml --out $(OUT) $(SWEEP)
	$(BIN)/teamsim plot $(OUT)
	$(BIN)/teamsim report $(OUT)
	@echo "The report is $(OUT)/report.html, the curves alone $(OUT)/scaling.png; scenarios/ has more questions."

# Compiles the hot modules, beside their sources, and keeps that only if all results are the same.
compiled: $(VENV)/.installed-compiled
	PYTHONPATH=.ci $(BIN)/python -m compiling
	$(BIN)/python -m tests.builds || { PYTHONPATH=.ci $(BIN)/python -m compiling --clean; exit 1; }
	$(BIN)/teamsim --version

clean-compiled: $(VENV)/.installed-compiled
	PYTHONPATH=.ci $(BIN)/python -m compiling --clean

# There is a worker a core: threads of linear algebra would only wait for each other.
test test-slow test-all: export OMP_NUM_THREADS = 1

# The quick tests; `make test-slow` runs the long statistical ones. `make test-all` runs both, and
# the thorough ones: more or larger cases of what the others show for less.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not thorough"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 40 -m "slow and not thorough"

test-all: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist worksteal

# The long form of tests/faults: 100 faults in running sweeps, 5,000 fuzzed scenarios.
soak: $(VENV)/.installed-test
	$(BIN)/python -m tests.faults.soak --kills 100 --cases 5000

# Plants the bugs of tests/planted in a copy, one at a time: the tests named there must fail.
planted: $(VENV)/.installed-test
	$(BIN)/python -m tests.planted

# Runs every row of tests/validation and writes docs/validation.md; ONLY=text those so named.
validation: $(VENV)/.installed-test
	$(BIN)/python -m tests.validation $(ONLY)

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Holds the numbers of the simulator against tests/golden/expected, to the bit.
golden: $(VENV)/.installed
	$(BIN)/python -m tests.golden

# The corpus, a small report and the exports, with the lowest versions that pyproject.toml allows.
lowest: $(VENV)/.installed-lowest
	$(BIN)/python -m tests.golden
	$(MAKE) demo OUT=$(VENV)/quickstart EXTRAS=[all] SWEEP='--set replications=20'
	$(BIN)/teamsim timeline scenarios/quickstart.yaml --out $(VENV)/timeline

# Writes them anew and says what changes: that belongs into the message of the commit.
golden-accept: $(VENV)/.installed
	$(BIN)/python -m tests.golden accept

# Runs every scenario that has a picture of its own, and draws it.
pictures: $(VENV)/.installed
	@for scenario in $$(grep -l '^figure:' scenarios/*.yaml); do \
	  name=$$(basename $$scenario .yaml); \
	  $(BIN)/teamsim sweep $$scenario --out out/$$name && $(BIN)/teamsim plot out/$$name \
	    && cp out/$$name/figure.png scenarios/pictures/$$name.png || exit 1; \
	done
	$(BIN)/teamsim sweep scenarios/quickstart.yaml --out out/quickstart
	$(BIN)/teamsim plot out/quickstart && cp out/quickstart/scaling.png scenarios/quickstart.png
	$(BIN)/teamsim timeline scenarios/lost_orchestrator.yaml --out out/timeline --messages \
	  --set workload.tasks=40 \
	  --set "resilience.election={timeout_s: {kind: uniform, low: 10, high: 20}, heartbeat_s: 5}"
	cp out/timeline/timeline.png scenarios/pictures/timeline.png
	$(BIN)/teamsim timeline scenarios/lost_orchestrator.yaml --html out/live.html \
	  --set team.agent.price=claude-sonnet-4-6 \
	  --set "resilience.election={timeout_s: {kind: uniform, low: 10, high: 20}, heartbeat_s: 5}"
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1020 \
	  --screenshot=docs/assets/live.png "file://$(CURDIR)/out/live.html#t=134"

# Fits what agents of the public runs have in common anew: profiles and analogues are to follow.
hyperpriors: $(VENV)/.installed
	$(BIN)/python -m docs.hyperpriors $(RUNS)

# Fits the profiles and analogues that ship anew, from the public data (docs/guides/calibrate.md).
profiles: $(VENV)/.installed
	$(BIN)/teamsim calibrate $(RUNS) --out out/runs \
	  --source "Python coding tasks, runs published with arXiv 2603.12229 (MIT)"
	$(BIN)/teamsim calibrate $(CALLS) --out out/calls \
	  --source "Claude Code sessions of callanjfox/kv-cache-tester (Apache-2.0)"
	rm -f out/calls/*.session.yaml
	cp out/runs/profiles/*.yaml out/calls/*.yaml simulator/profiles/
	cp out/runs/analogues.json analysis/calibration/

# Scores predictions of the public runs of three agents, and writes the tables of the guide and of README anew.
scores: $(VENV)/.installed
	$(BIN)/teamsim backtest $(RUNS) --without each --out out/backtest
	$(BIN)/teamsim backtest $(RUNS) --list dataanalysis --out out/backtest-dataanalysis
	$(BIN)/teamsim backtest $(RUNS) --list mathutilities20 --out out/backtest-mathutilities20
	$(BIN)/python -m docs.scores out/backtest out/backtest-dataanalysis out/backtest-mathutilities20

# Draws who imports whom, from the imports themselves.
house: $(VENV)/.installed
	$(BIN)/python docs/house.py

# Writes the pages that follow from the code, and builds the manual into site/.
docs: $(VENV)/.installed-docs
	$(BIN)/python -m docs.generate
	$(BIN)/python -m mkdocs build --strict
	@echo "The manual is site/index.html; it needs no server and no network."

bench: $(VENV)/.installed-bench
	mkdir -p out
	$(BIN)/python -m pytest benchmarks -p no:xdist --benchmark-json=out/bench.json
	$(BIN)/python -m benchmarks.tables out/bench.json
	$(BIN)/python -m benchmarks.peers --picture benchmarks/peers.png

# All tables of benchmarks/README.md: of this revision, beside BEFORE, and of its compiled build. Takes an
# hour of two cores that have nothing else to do. RUNS is a directory of runs of teams, for the commands
# that calibrate: without it they have no row.
BEFORE ?= 147ed29
bench-all: compiled $(VENV)/.installed-bench
	rm -rf out/before && mkdir -p out/before && git archive $(BEFORE) | tar -x -C out/before
	TEAMSIM_BUILD=interpreted $(MAKE) bench
	TEAMSIM_BUILD=compiled $(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.bench_builds out/before
	$(BIN)/python -m benchmarks.bench_commands out/before --times 2 $(if $(RUNS),--runs $(abspath $(RUNS)))
	@if command -v valgrind > /dev/null; then $(BIN)/python -m benchmarks.bench_revision out/before; \
	else echo "There is no valgrind here, which counts instructions."; fi
	TEAMSIM_BUILD=interpreted $(BIN)/python -m benchmarks.large_runs
	TEAMSIM_BUILD=interpreted $(BIN)/python -m benchmarks.large_runs --growth
	TEAMSIM_BUILD=interpreted $(BIN)/python -m benchmarks.bench_dask

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(call install,$(EXTRAS))
	touch $@

$(VENV)/.installed-lowest: pyproject.toml | $(VENV)/bin/python
	$(pip) uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --resolution lowest-direct \
	  --only-binary :all: --no-binary llm-teamsim --editable '.[all]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-compiled: pyproject.toml | $(VENV)/bin/python
	$(pip) --editable '.[compiled]' setuptools
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(call install,[test])
	touch $@ $(VENV)/.installed  # it holds what users may leave out

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/bin/python
	$(call install,[docs])
	touch $@

$(VENV)/.installed-bench: pyproject.toml | $(VENV)/bin/python
	$(call install,[bench])
	touch $@

clean:
	rm -rf $(VENV) out site build dist *.egg-info simulator/_compiled
