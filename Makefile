# SPDX-License-Identifier: MIT
# The commands of Quire: every target with one line of help (`make help`).
#
# This file holds what people type; the rules that turn sources into files stand in
# platform/tools/build.mk.  The targets first install what is missing (`make deps`), then call make
# again with all processors, so that a fresh machine needs only git and make.  All output lies in
# build/, and `make clean` removes that folder.

# ---- Variables of the command line -------------------------------------------------------------
# BUILD=release|debug   which build (debug has assertions and checks the invariants)
# BOARD=virt            the machine: a folder of platform/ that holds a board.ini
# HARTS=n MEM=256M      processors and memory of the machine
# DEMO=name             run the system user/demo/NAME.dts in place of user/init/system.dts
# ADD=file              add a program (an ELF file), or an archive (cpio) of files, to what is booted
# SEED=n                start value of whatever is random
# AD=off                a machine whose processor does not set the accessed and dirty bits itself
# ASID=off              the kernel uses no address space identifiers
# V=1                   show each command of the build, and every line of the demonstration
# DEPS=no               install nothing, print only
# PROGRAM=name          of `make gdb`: the symbols of this user program too
# T=name                of `make unit` and `make mutants`: run this one alone
BUILD := release
BOARD := virt
HARTS :=
MEM :=
DEMO :=
ADD :=
SEED :=
AD := on
ASID := on
V := 0
DEPS := yes
PROGRAM :=
T :=
# BUNDLE=name: any other bundle (see platform/tools/build.mk); `none` is the kernel alone.
BUNDLE := $(or $(DEMO),run)
# SETS="unit system random boot gdb trace errors", BUILDS="release debug": what `make test` runs, for the mutants.
SETS := unit system random boot gdb trace errors
BUILDS := release debug

# What the targets of this file hand on to the machine.
RUN_FLAGS = --board '$(BOARD)' --harts '$(HARTS)' --mem '$(MEM)' --initrd '$(ADD)' \
	--seed '$(SEED)' --ad '$(AD)' --asid '$(ASID)' --verbose '$(V)'

ifeq ($(filter $(BUILD),release debug),)
$(error BUILD=$(BUILD) is not known: use BUILD=release or BUILD=debug)
endif
ifeq ($(filter $(V),0 1),)
$(error V=$(V) is not known: use V=1 to show every command, or leave it away)
endif
ifeq ($(filter $(DEPS),yes no),)
$(error DEPS=$(DEPS) is not known: use DEPS=no to install nothing, or leave it away)
endif

.DEFAULT_GOAL := image
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
export PYTHONDONTWRITEBYTECODE := 1
export LC_ALL := C.UTF-8

# Debian's own interpreter first: one that was put before it may be slow or old.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
JOBS := $(shell nproc 2>/dev/null || echo 2)

include platform/tools/build.mk

ifneq ($(filter-out $(PROGRAMS),$(PROGRAM)),)
$(error PROGRAM=$(PROGRAM) is not known: use one of $(sort $(PROGRAMS)))
endif

# build_goals GOALS: make them with all processors.  A first look counts the steps to come, so that
# each prints `n of m`.  The lock keeps two commands in one checkout from writing the same files.
build_goals = mkdir -p build; steps=$$($(MAKE) -n V=0 STEPS= $(1) 2>/dev/null | grep -c '^echo "  \['); \
	flock build/lock $(MAKE) $(if $(filter 0,$(V)),-s) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) STEPS=$$steps $(1)

# ---- The commands ------------------------------------------------------------------------------
.PHONY: help image run test test-long check bench trace gdb mutants clean deps doctor unit format kernel abi

help: ## this list
	@echo "Quire: make TARGET [VARIABLE=value ...]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F '\t' '{ printf "  make %-9s %s\n", $$1, $$2 }'
	@echo
	@sed -n 's/^# \([A-Z].*=.*[^ ]   *.*\)/  \1/p' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Systems to run: $(sort $(BUNDLES)) (DEMO=name takes one of user/demo)"

image: deps-quiet ## build the bootable image: build/BUILD/NAME/Image
	+@$(call build_goals,bundle-$(BUNDLE))
	@echo "image: $(OUT)/$(BUNDLE)/Image"

run: deps-quiet ## build the image and boot it in QEMU; ends with the demonstration's exit status
	+@$(call build_goals,bundle-$(BUNDLE))
	@$(PYTHON) platform/tools/run.py $(RUN_FLAGS) $(OUT)/$(BUNDLE)

test: deps-quiet ## every test, in release and debug; results in build/test.tap
	+@failed=; \
	for b in $(if $(filter system random boot gdb trace,$(SETS)),$(BUILDS)); do \
		echo "test: building $$b"; \
		$(call build_goals,-k BUILD=$$b test-images) || failed="$$failed $$b"; done; \
	$(if $(filter unit,$(SETS)),echo "test: building the unit tests"; \
		$(call build_goals,-k unit-programs) || failed="$$failed unit";) \
	$(PYTHON) test/tools/run_tests.py --failed-builds "$$failed" --seed '$(SEED)' \
		--sets '$(SETS)' --builds '$(BUILDS)'

test-long: deps-quiet ## ten minutes: a thousand pagers plugged in and out; a million random calls
	+@$(call build_goals,BUILD=release bundle-run bundle-flip)
	+@$(call build_goals,BUILD=debug bundle-random)
	@$(PYTHON) test/tools/sessions.py --rounds 1000
	@$(PYTHON) test/tools/random_calls.py --boots 50 --seed '$(SEED)'

check: deps-quiet ## 45 seconds: format, gcc and clang, include arrows, unit tests, licence lines
	+@MAKE='$(MAKE)' $(PYTHON) test/tools/check.py --jobs $(JOBS)

unit: deps-quiet ## the host unit tests alone; T=name for one of them
	+@failed=; $(call build_goals,-k $(if $(T),$(UNIT_OUT)/$(T),unit-programs)) || failed=unit; \
	$(PYTHON) test/tools/run_tests.py --sets unit --only '$(T)' --failed-builds "$$failed" \
		--seed '$(SEED)' --out build/unit.tap

trace: deps-quiet ## run the debug build; what its kernel did: build/trace.ctf, build/trace.json
	+@$(call build_goals,BUILD=debug bundle-$(BUNDLE))
	@$(PYTHON) platform/tools/trace.py $(RUN_FLAGS) build/debug/$(BUNDLE)

bench: deps-quiet ## measure, print the table and write build/bench.json
	+@$(call build_goals,BUILD=release bundle-run build/release/bench/bundle.cpio)
	@$(PYTHON) test/tools/bench.py

gdb: deps-quiet ## boot stopped at the first kernel instruction, with gdb attached
	+@$(call build_goals,bundle-$(BUNDLE) $(if $(PROGRAM),$(OUT)/programs/$(PROGRAM).elf))
	@$(PYTHON) platform/tools/debug.py $(RUN_FLAGS) --program '$(PROGRAM)' $(OUT)/$(BUNDLE) -- $(GDBFLAGS)

mutants: deps-quiet ## an hour: break the source on purpose, see that a test notices
	+@MAKE='$(MAKE)' $(PYTHON) test/tools/mutants.py $(T)

kernel: deps-quiet ## the kernel alone, with an empty bundle
	+@$(call build_goals,bundle-none)
	@echo "kernel: $(OUT)/none/kernel.elf"

format: deps-quiet ## rewrite the C files in the project's layout
	@clang-format -i $(FORMAT_FILES)

abi: ## write docs/abi.md from the definition files of lib/abi
	@$(PYTHON) test/tools/mkabi.py

clean: ## remove build/, which holds all output
	@rm -rf build

deps: ## print the apt line, then install what is missing (DEPS=no prints only)
	@sh platform/tools/deps.sh $(if $(filter no,$(DEPS)),print,install)

doctor: ## each tool: wanted and found version
	@sh platform/tools/doctor.sh

# The same as `deps`, but silent when nothing is missing; it comes before every other target.
.PHONY: deps-quiet
deps-quiet:
	@sh platform/tools/deps.sh $(if $(filter no,$(DEPS)),quiet-print,quiet)
