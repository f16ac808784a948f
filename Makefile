# SPDX-License-Identifier: GPL-2.0-only
#
# The front door: every target a person types. How hwdbm itself is built stands in tools/build.mk, how the test bed
# is built in testbed/build.

BUILD ?= build
OUT   ?= out
JOBS  ?= $(shell nproc)
export JOBS

.DEFAULT_GOAL := all

.PHONY: all help deps testbed shell demo demo-qemu test test-full check-kernel bench bench-emulated clean

all: ## build build/hwdbm for this machine (the default)
	@$(MAKE) --no-print-directory $(BUILD)/hwdbm || { testbed/build packages missing; exit 1; }

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

deps: ## install the Debian packages that are missing (root or sudo)
	@testbed/build packages

testbed: ## build QEMU, the kernels and the guest, nothing else (cached)
	@testbed/build packages
	@testbed/build all

shell: testbed ## an interactive guest on the patched kernel (SHELL_ARGS: see testbed/shell --help)
	@testbed/shell $(SHELL_ARGS)

demo: testbed ## measure every granularity, write out/demo/report.html (QUICK=1: a third of the runs)
	@$(MAKE) --no-print-directory all
	@testbed/scenarios/demo $(if $(QUICK),--quick) --out $(OUT)/demo

demo-qemu: testbed ## migrate by an unmodified QEMU, on both kernels, by both backends; out/demo-qemu/table.md
	@$(MAKE) --no-print-directory all
	@testbed/scenarios/demo-qemu --out $(OUT)/demo-qemu

test: testbed ## unit tests and guest tests
	@testbed/build prometheus
	@$(MAKE) --no-print-directory all
	@tests/run

test-full: testbed ## the same, with every kernel mutant, the whole demo and the kernel checks
	@testbed/build prometheus
	@$(MAKE) --no-print-directory all
	@tests/run --full

check-kernel: testbed ## each kernel patch applies, builds without a warning, and passes checkpatch --strict
	@tests/check-kernel

bench: ## what the kernel's files and hwdbm cost here, and how good its predictions are; out/bench (30 minutes)
	@testbed/build packages bench
	@tests/bench/native --json $(OUT)/bench/bench.json
	@tests/bench/overhead --json $(OUT)/bench/bench.json
	@tests/bench/instructions --json $(OUT)/bench/bench.json
	@tests/bench/predict -j $(OUT)/bench/predict.json
	@tests/bench/advise -j $(OUT)/bench/advise.json -r $(OUT)/bench/advise.raw
	@tests/bench/estimate -j $(OUT)/bench/estimate.json
	@tests/bench/report --json $(OUT)/bench/bench.json

bench-emulated: testbed ## what whole syncs cost in the emulated guest, counted in instructions (4 minutes)
	@$(MAKE) --no-print-directory all
	@tests/bench/run

clean: ## remove build/ and out/; the test bed's cache goes with testbed/build clean
	rm -rf $(BUILD) $(OUT)

include tools/build.mk
