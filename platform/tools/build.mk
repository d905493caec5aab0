# SPDX-License-Identifier: MIT
# The rules that turn sources into files; included by the Makefile, which has the commands.
#
# Sources are found by wildcard, so a new file needs no line here.  Kernel and user programs are
# compiled apart (other ABI, other headers), each tree mirrored under build/BUILD/kernel and
# build/BUILD/user.  A *bundle* is what a kernel boots with: one image each, made by linking the
# same kernel objects with another archive.

OUT := build/$(BUILD)
UNIT_OUT := build/unit
CROSS := riscv64-unknown-elf-
DEBUG := $(if $(filter debug,$(BUILD)),1,0)

# Each step says what it does, and with STEPS set how many there are.
Q := $(if $(filter 1,$(V)),,@)
step = $(eval STEP_COUNT := $(STEP_COUNT) x)echo "  [$(words $(STEP_COUNT))$(if $(STEPS), of $(STEPS))] $(1)"
STEPS :=
STEP_COUNT :=

# If this file or the Makefile changes, everything is made again.
RULES := Makefile platform/tools/build.mk

.PHONY: FORCE
FORCE:

# ---- Kernel ------------------------------------------------------------------------------------
ARCH_DIR := kernel/arch/riscv64
KERNEL_SRC := $(filter-out $(ARCH_DIR)/offsets.c $(ARCH_DIR)/bundle.S,$(sort \
	$(wildcard kernel/core/*.c kernel/object/*.c $(ARCH_DIR)/*.c $(ARCH_DIR)/*.S \
	platform/drivers/*.c lib/base/*.c)))
KERNEL_OBJ := $(patsubst %,$(OUT)/kernel/%.o,$(basename $(KERNEL_SRC)))
KERNEL_GEN := $(OUT)/kernel/gen

# No -pie and no -fpic: the image is linked at one high address, boot maps it there wherever it was
# loaded.  Frame pointers stay, for the backtrace.
KERNEL_MACHINE := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
KERNEL_FLAGS := $(KERNEL_MACHINE) -fno-pic -ffreestanding -fno-omit-frame-pointer \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-common -ffunction-sections \
	-std=gnu11 -O2 -g -ffile-prefix-map=$(CURDIR)=. -Wall -Wextra -Werror \
	-DCONFIG_DEBUG=$(DEBUG) -I. -I$(ARCH_DIR)
KERNEL_LINK := $(KERNEL_MACHINE) -nostdlib -static -Wl,--build-id=none -Wl,--gc-sections -T $(ARCH_DIR)/kernel.ld

# What runs once, or never if all goes well, is compiled for size.
KERNEL_COLD := $(patsubst %,$(OUT)/kernel/%.o,kernel/core/boot kernel/core/panic kernel/core/report \
	kernel/core/first_user kernel/core/ranges kernel/core/console kernel/core/current \
	kernel/core/fixup kernel/core/saved kernel/core/help kernel/core/budget kernel/core/clock \
	kernel/core/timeout kernel/object/debug kernel/object/phys kernel/object/irq \
	kernel/object/fork kernel/object/registers kernel/object/cspace kernel/object/sched \
	kernel/object/private kernel/object/link kernel/core/help kernel/core/budget \
	kernel/core/timeout kernel/core/clock lib/base/elf lib/base/fdt_walk \
	lib/base/machine lib/base/cpio lib/base/text)
$(KERNEL_COLD): KERNEL_FLAGS += -Os

# Entered from assembly only, which has no frame to walk back to.
$(OUT)/kernel/kernel/core/fastpath%.o: KERNEL_FLAGS += -fomit-frame-pointer
# The loops of memcpy and memset must not become calls of memcpy and memset.
$(OUT)/kernel/lib/base/string.o: KERNEL_FLAGS += -fno-tree-loop-distribute-patterns
# The one file that may name floating-point registers.
$(OUT)/kernel/$(ARCH_DIR)/fpu.o: KERNEL_FLAGS += -march=rv64gc

$(OUT)/kernel/%.o: %.c $(RULES)
	$(Q)$(call step,CC $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(KERNEL_FLAGS) -MMD -MP -c -o $@ $<

$(OUT)/kernel/%.o: %.S $(KERNEL_GEN)/offsets.h $(RULES)
	$(Q)$(call step,AS $<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(KERNEL_FLAGS) -I$(KERNEL_GEN) -MMD -MP -c -o $@ $<

# Offsets of C structs for assembly: offsets.c leaves lines `->NAME value` in its assembler output.
$(KERNEL_GEN)/offsets.h: $(wildcard $(ARCH_DIR)/offsets.c) $(RULES)
	$(Q)$(call step,GEN $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(filter %.c,$<),$(CROSS)gcc $(KERNEL_FLAGS) -MMD -MP -MF $(@D)/offsets.d -MT $@ -S \
		-o $(@D)/offsets.s $(filter %/offsets.c,$^),: > $(@D)/offsets.s)
	$(Q){ echo '/* Made from offsets.c; do not edit. */'; \
		sed -n 's/^[[:space:]]*->\([A-Za-z0-9_]*\)[[:space:]]*#\{0,1\}\(-\{0,1\}[0-9x]*\).*/#define \1 \2/p' \
		$(@D)/offsets.s; } > $@

# ---- User libraries and programs ---------------------------------------------------------------
# lib/base has a string.c for the kernel; programs take those functions from picolibc.
USER_LIB_SRC := $(filter-out lib/base/string.c lib/rt/start.S,$(sort \
	$(foreach d,sys rt pager debug posix base,$(wildcard lib/$(d)/*.c lib/$(d)/*.S))))
USER_LIB_OBJ := $(patsubst %,$(OUT)/user/%.o,$(basename $(USER_LIB_SRC)))
TEST_LIB_SRC := $(sort $(wildcard test/support/*.c))
TEST_LIB_OBJ := $(patsubst %,$(OUT)/user/%.o,$(basename $(TEST_LIB_SRC)))
USER_START := $(patsubst %.S,$(OUT)/user/%.o,$(wildcard lib/rt/start.S))

USER_FLAGS := --specs=picolibc.specs -march=rv64gc -mabi=lp64d -mcmodel=medany \
	-fno-omit-frame-pointer -std=gnu11 -O2 -g -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Werror -DCONFIG_DEBUG=$(DEBUG) -I.
USER_LINK := --specs=picolibc.specs -march=rv64gc -mabi=lp64d -mcmodel=medany -nostartfiles \
	-static -Wl,--build-id=none -T lib/rt/user.ld

$(OUT)/user/%.o: %.c $(RULES)
	$(Q)$(call step,CC $< (user))
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(USER_FLAGS) -MMD -MP -c -o $@ $<

$(OUT)/user/%.o: %.S $(RULES)
	$(Q)$(call step,AS $< (user))
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(USER_FLAGS) -MMD -MP -c -o $@ $<

$(OUT)/libquire.a: $(USER_LIB_OBJ) $(OUT)/user/sources
	$(Q)$(call step,AR $@)
	$(Q)rm -f $@ && $(CROSS)ar rcs $@ $(USER_LIB_OBJ)

$(OUT)/libtest.a: $(TEST_LIB_OBJ) $(OUT)/user/sources
	$(Q)$(call step,AR $@)
	$(Q)rm -f $@ && $(CROSS)ar rcs $@ $(TEST_LIB_OBJ)

# The lists of objects: rewritten only when a file came or went, so that what is linked follows.
$(OUT)/kernel/sources: FORCE
	@mkdir -p $(@D); echo '$(KERNEL_OBJ)' | cmp -s - $@ || echo '$(KERNEL_OBJ)' > $@
$(OUT)/user/sources: FORCE
	@mkdir -p $(@D); l='$(USER_LIB_OBJ) $(TEST_LIB_OBJ)'; \
		echo "$$l" | cmp -s - $@ || echo "$$l" > $@

# A program is a folder with a main.c under user/, test/system/ or test/bench/ (all its .c and .S
# belong to it), or there a single file; its name is the folder's or the file's.
USER_DIRS := $(sort $(patsubst %/main.c,%,$(wildcard user/*/main.c user/*/*/main.c)))
SYSTEM_PROGRAMS := $(sort $(patsubst %/main.c,%,$(wildcard test/system/*/main.c)) \
	$(basename $(wildcard test/system/*.c)))
BENCH_PROGRAMS := $(sort $(patsubst %/main.c,%,$(wildcard test/bench/*/main.c)) \
	$(basename $(wildcard test/bench/*.c)))
PROGRAM_PATHS := $(USER_DIRS) $(SYSTEM_PROGRAMS) $(BENCH_PROGRAMS)
PROGRAMS := $(notdir $(PROGRAM_PATHS))
USER_PROGRAMS := $(notdir $(USER_DIRS))
ifneq ($(words $(PROGRAMS)),$(words $(sort $(PROGRAMS))))
$(error Two programs have one name, which names them in the bundle: rename one of $(PROGRAM_PATHS))
endif

# program PATH: the rule that links build/BUILD/programs/NAME.elf and strips it to NAME.
define program
$(OUT)/programs/$(notdir $(1)).elf: $(USER_START) \
	$(sort $(patsubst %,$(OUT)/user/%.o,$(basename $(or $(wildcard $(1)/*.c $(1)/*.S),$(1).c)))) \
	$(if $(filter test/%,$(1)),$(OUT)/libtest.a) $(OUT)/libquire.a lib/rt/user.ld
endef
$(foreach p,$(PROGRAM_PATHS),$(eval $(call program,$(p))))

$(OUT)/programs/%.elf:
	$(Q)$(call step,LD $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(USER_LINK) -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -lc -Wl,--end-group

$(OUT)/programs/%: $(OUT)/programs/%.elf
	$(Q)$(CROSS)strip -o $@ $<

# ---- Bundles -----------------------------------------------------------------------------------
# A bundle NAME is described by NAME.bundle, whose lines are
#     dts PATH          the system description, compiled to system.dtb
#     programs user|system|bench    every program of user/, test/system/, test/bench/
#     program NAME      one program
#     file NAME PATH    a file, called NAME in the bundle
# A .dts of user/demo without a .bundle beside it is a demonstration with the content of run.bundle.
BUNDLE_FILES := $(wildcard user/*/*.bundle user/*/*/*.bundle test/*/*.bundle)
DEMO_DTS := $(wildcard user/demo/*.dts)
BUNDLES := $(sort none $(notdir $(basename $(BUNDLE_FILES) $(DEMO_DTS))))
bundle_file = $(firstword $(filter %/$(1).bundle,$(BUNDLE_FILES)) $(filter %/run.bundle,$(BUNDLE_FILES)))
bundle_lines = $(shell sed -n 's/^$(2)[ \t][ \t]*//p' $(call bundle_file,$(1)) /dev/null)

programs_of_user := $(USER_PROGRAMS)
programs_of_system := $(notdir $(SYSTEM_PROGRAMS))
programs_of_bench := $(notdir $(BENCH_PROGRAMS))
bundle_programs = $(sort $(call bundle_lines,$(1),program) \
	$(foreach s,$(call bundle_lines,$(1),programs),$(programs_of_$(s))))
# `file NAME PATH` as NAME=PATH
bundle_files = $(shell sed -n 's/^file[ \t][ \t]*\([^ \t]*\)[ \t][ \t]*\([^ \t]*\)/\1=\2/p' \
	$(call bundle_file,$(1)) /dev/null)
bundle_dts = $(or $(if $(filter %/$(1).bundle,$(BUNDLE_FILES)),,$(filter user/demo/$(1).dts,$(DEMO_DTS))),$(call bundle_lines,$(1),dts))

# bundle NAME: the archive from its members, listed as NAME=PATH for mkbundle.py.
define bundle
$(1)_members := system.dtb=$(OUT)/$(1)/system.dtb \
	$(foreach p,$(call bundle_programs,$(1)),$(p)=$(OUT)/programs/$(p)) $(call bundle_files,$(1))
$(OUT)/$(1)/system.dtb: $(call bundle_dts,$(1))
$(OUT)/$(1)/bundle.cpio: $$(foreach m,$$($(1)_members),$$(lastword $$(subst =, ,$$(m)))) \
	$(call bundle_file,$(1))
$(OUT)/$(1)/bundle.cpio: MEMBERS = $$($(1)_members)
endef
$(foreach b,$(filter-out none,$(BUNDLES)),$(eval $(call bundle,$(b))))
$(OUT)/none/bundle.cpio: MEMBERS =

$(OUT)/%/system.dtb:
	$(Q)$(call step,DTC $@)
	$(Q)mkdir -p $(@D)
	$(Q)dtc -q -I dts -O dtb -i user/init -d $@.d -o $@ $(filter %.dts,$^)

$(OUT)/%/bundle.cpio: platform/tools/mkbundle.py $(RULES)
	$(Q)$(call step,CPIO $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) platform/tools/mkbundle.py $@ $(MEMBERS)

$(OUT)/%/bundle.o: $(ARCH_DIR)/bundle.S $(OUT)/%/bundle.cpio $(RULES)
	$(Q)$(CROSS)gcc $(KERNEL_FLAGS) -I$(KERNEL_GEN) -c -o $@ $< \
		-DBUNDLE_PATH='"$(OUT)/$*/bundle.cpio"'

$(OUT)/%/kernel.elf: $(KERNEL_OBJ) $(OUT)/%/bundle.o $(ARCH_DIR)/kernel.ld $(OUT)/kernel/sources
	$(Q)$(call step,LD $@)
	$(Q)$(CROSS)gcc $(KERNEL_LINK) -Wl,-Map=$(@:.elf=.map) -o $@ $(filter %.o,$^)

$(OUT)/%/Image: $(OUT)/%/kernel.elf
	$(Q)$(CROSS)objcopy -O binary $< $@

.PRECIOUS: $(OUT)/%/bundle.cpio $(OUT)/%/bundle.o $(OUT)/%/kernel.elf $(OUT)/%/system.dtb \
	$(OUT)/programs/%.elf $(OUT)/kernel/%.o $(OUT)/user/%.o

# bundle-NAME: the image of that bundle.
.PHONY: $(addprefix bundle-,$(BUNDLES))
$(addprefix bundle-,$(BUNDLES)): bundle-%: $(OUT)/%/Image
bundle-%:
	@echo "There is no system called '$*'. Those there are: $(BUNDLES)" >&2; exit 2

# The demonstration's file: the same bytes on every machine, and their CRC32C beside them.
build/data.bin: platform/tools/mkdata.py
	$(Q)$(call step,GEN $@)
	$(Q)mkdir -p $(@D)
	$(Q)$(PYTHON) $< $@ build/data.crc
build/data.crc: build/data.bin ;

# ---- What the tests and checks need ------------------------------------------------------------
# Objects alone, for `make check`; images, for `make test`.
.PHONY: objects test-images unit-programs
objects: $(KERNEL_OBJ) $(USER_START) $(USER_LIB_OBJ) $(TEST_LIB_OBJ) \
	$(foreach p,$(PROGRAM_PATHS),$(filter %.o,$(patsubst %,$(OUT)/user/%.o,$(basename \
	$(or $(wildcard $(p)/*.c $(p)/*.S),$(p).c)))))
test-images: $(patsubst %,bundle-%,$(sort run system flip none random))

# A unit test is test/unit/**/test_*.c with, in its first ten lines, `// sources: a.c b.c` (compiled
# with it) and perhaps `// dts: x.dts` (compiled to build/unit/x.dtb).
UNIT_TESTS := $(sort $(wildcard test/unit/test_*.c test/unit/*/test_*.c test/unit/*/*/test_*.c))
UNIT_DTS := $(sort $(wildcard test/unit/*.dts test/unit/*/*.dts test/unit/*/*/*.dts))
UNIT_PROGRAMS := $(patsubst %,$(UNIT_OUT)/%,$(notdir $(basename $(UNIT_TESTS))))
UNIT_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all -DCONFIG_DEBUG=1 -DCONFIG_TRACE=0 -I. -Itest/unit/fake
unit_line = $(shell sed -n '1,10s,^[/* ]*$(2): *\([^*]*\).*,\1,p' $(1))

define unit_test
$(UNIT_OUT)/$(notdir $(basename $(1))): $(patsubst %.c,$(UNIT_OUT)/obj/%.o,$(1) $(call unit_line,$(1),sources)) \
	$(patsubst %.dts,$(UNIT_OUT)/%.dtb,$(notdir $(call unit_line,$(1),dts)))
endef
ifneq ($(filter unit-programs $(UNIT_OUT)/%,$(MAKECMDGOALS)),)
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$(t))))
endif

unit-programs: $(UNIT_PROGRAMS)

$(UNIT_PROGRAMS):
	$(Q)$(call step,LD $@)
	$(Q)gcc $(UNIT_FLAGS) -o $@ $(filter %.o,$^) -lcmocka -lfdt

$(UNIT_OUT)/obj/%.o: %.c $(RULES)
	$(Q)$(call step,CC $< (unit))
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

define unit_dtb
$(UNIT_OUT)/$(notdir $(1:.dts=.dtb)): $(1)
	$(Q)mkdir -p $$(@D)
	$(Q)dtc -q -I dts -O dtb -o $$@ $$<
endef
$(foreach d,$(UNIT_DTS),$(eval $(call unit_dtb,$(d))))

FORMAT_FILES := $(shell find kernel lib platform user test -name '*.[ch]' 2>/dev/null | sort)

KERNEL_C := $(filter %.c,$(KERNEL_SRC))
USER_C := $(filter %.c,$(USER_LIB_SRC) $(TEST_LIB_SRC) \
	$(foreach p,$(PROGRAM_PATHS),$(or $(wildcard $(p)/*.c),$(p).c)))

# print-NAME: the value of a variable of these rules, for the scripts of test/tools.
print-%:
	@echo '$($*)'

-include $(shell find $(OUT) $(UNIT_OUT) -name '*.d' 2>/dev/null)
