# SPDX-License-Identifier: GPL-2.0-only
#
# Builds hwdbm and its unit tests. Included by the top Makefile, which has the targets a person types.
#
#   make build/hwdbm                                      for this machine
#   make HWDBM_ARCH=arm64 SYSROOT=dir build/arm64/hwdbm   static, for the guest; SYSROOT holds the arm64 packages
#                                                         libbpf-dev libelf-dev zlib1g-dev libjansson-dev (libzstd-dev)
#   make unit-tests                                       build and run tests/unit

BUILD      ?= build
CLANG      ?= clang
BPFTOOL    ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g

HWDBM_VERSION := 0.1.0
HWDBM_HEADERS := $(wildcard bpf/*.h tools/*/*.h)
# What a static build does without: a server, and a library that is loaded at run time.
HWDBM_DYNAMIC := $(wildcard tools/commands/serve.c tools/collect/libvirt.c)
HWDBM_SOURCES := tools/hwdbm.c $(filter-out $(HWDBM_DYNAMIC),$(wildcard tools/*/*.c))
HWDBM_CFLAGS  := -std=gnu17 -Wall -Wextra -DHWDBM_VERSION='"$(HWDBM_VERSION)"'

ifeq ($(HWDBM_ARCH),arm64)
ifeq ($(wildcard $(SYSROOT)/usr/include/bpf/libbpf.h),)
$(error HWDBM_ARCH=arm64 needs SYSROOT=dir with the arm64 development packages; $(or $(SYSROOT),nothing) has no bpf/libbpf.h)
endif
HWDBM_DIR    := $(BUILD)/arm64
HWDBM_CC     := aarch64-linux-gnu-gcc
HWDBM_LIBDIR := $(SYSROOT)/usr/lib/aarch64-linux-gnu
# The cross compiler brings its own C library; only what it lacks comes from the sysroot.
HWDBM_CFLAGS += -isystem $(SYSROOT)/usr/include
HWDBM_LIBS   := -static -L$(HWDBM_LIBDIR) -lbpf -lelf -lz $(if $(wildcard $(HWDBM_LIBDIR)/libzstd.a),-lzstd) -ljansson -lm
BPF_ARCH     := arm64
else
HWDBM_DIR    := $(BUILD)
HWDBM_CC     := $(CC)
HWDBM_LIBS   := $(shell $(PKG_CONFIG) --libs libbpf jansson 2>/dev/null || echo -lbpf -ljansson) -lelf -lz -lm
BPF_ARCH     := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
HWDBM_SOURCES += $(HWDBM_DYNAMIC)
HWDBM_CFLAGS  += -DHWDBM_LIBVIRT
ifneq ($(wildcard tools/commands/serve.c),)
HWDBM_CFLAGS  += -DHWDBM_SERVE
HWDBM_LIBS    += -lmicrohttpd
endif
# Names of functions of other processes. A static program cannot load what asks debuginfod.
HWDBM_CFLAGS  += -DHWDBM_LIBDW
HWDBM_LIBS    += -ldw
endif

HWDBM_OBJECTS := $(HWDBM_SOURCES:%.c=$(HWDBM_DIR)/obj/%.o)
# What is loaded alone, and only when asked for, has a skeleton of its own.
BPF_ALONE     := bpf/vms.bpf.c
BPF_OBJECTS   := $(patsubst %.c,$(HWDBM_DIR)/obj/%.o,$(filter-out $(BPF_ALONE),$(wildcard bpf/*.bpf.c)))
BPF_INCLUDE   := $(firstword $(wildcard /usr/include/$(shell uname -m)-linux-gnu) /usr/include)

V ?= 0
ifeq ($(V),0)
hwdbm-say = @printf '  %-7s %s\n' $(1) $(2);
else
hwdbm-say =
endif

.DELETE_ON_ERROR:

$(HWDBM_DIR)/hwdbm: $(HWDBM_OBJECTS)
	$(call hwdbm-say,LD,$@)$(HWDBM_CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(HWDBM_LIBS)

$(HWDBM_DIR)/obj/%.o: %.c $(HWDBM_HEADERS) tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(HWDBM_CC) $(HWDBM_CFLAGS) $(CFLAGS) -I$(HWDBM_DIR)/obj -c -o $@ $<

$(HWDBM_DIR)/obj/tools/collect/collect.o $(HWDBM_DIR)/obj/tools/collect/attach.o: $(HWDBM_DIR)/obj/hwdbm.skel.h
$(HWDBM_DIR)/obj/tools/collect/vms_kernel.o: $(HWDBM_DIR)/obj/vms.skel.h

# The report's style, as a string literal of html.c.
$(HWDBM_DIR)/obj/tools/output/html.o: $(HWDBM_DIR)/obj/report.css.inc
$(HWDBM_DIR)/obj/report.css.inc: tools/output/report.css
	@mkdir -p $(@D)
	$(call hwdbm-say,STYLE,$<)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< > $@

# Each file is compiled alone and linked into one object, so that maps exist once.
$(HWDBM_DIR)/obj/hwdbm.skel.h: $(HWDBM_DIR)/obj/hwdbm.linked.o
	$(call hwdbm-say,SKEL,$@)$(BPFTOOL) gen skeleton $< name hwdbm_bpf > $@

$(HWDBM_DIR)/obj/vms.skel.h: $(HWDBM_DIR)/obj/bpf/vms.bpf.o
	$(call hwdbm-say,SKEL,$@)$(BPFTOOL) gen skeleton $< name vms_bpf > $@

$(HWDBM_DIR)/obj/hwdbm.linked.o: $(BPF_OBJECTS)
	$(call hwdbm-say,BPFLD,$@)$(BPFTOOL) gen object $@ $^

$(HWDBM_DIR)/obj/bpf/%.bpf.o: bpf/%.bpf.c $(HWDBM_HEADERS) tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,BPF,$<)$(CLANG) -O2 -g -Wall -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -I$(BPF_INCLUDE) -c -o $@ $<

# Unit tests: one program per file, linked with everything but main() and what of the collector needs libbpf. That is
# compiled once, with sanitizers.
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_FLAGS := $(HWDBM_CFLAGS) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_UNDER_TEST := $(wildcard tools/model/*.c tools/output/*.c tools/lib/*.c) \
	$(addprefix tools/collect/,devices.c host.c iommu.c probe_choice.c qmp.c transfer.c)

UNIT_OBJECTS := $(UNIT_UNDER_TEST:%.c=$(BUILD)/unit/obj/%.o)
# Or make takes them for its own, and throws them away.
.SECONDARY: $(UNIT_OBJECTS)

$(BUILD)/unit/%: tests/unit/%.c tests/unit/unit.h $(UNIT_OBJECTS) $(HWDBM_HEADERS) tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(CC) $(UNIT_FLAGS) -o $@ $< $(UNIT_OBJECTS) -ljansson -lm

$(BUILD)/unit/obj/%.o: %.c $(HWDBM_HEADERS) $(BUILD)/obj/report.css.inc tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(CC) $(UNIT_FLAGS) -I$(BUILD)/obj -c -o $@ $<

# The guest that knows the truth about KVM's dirty log; VMs that do nothing.
HWDBM_TEST := $(HWDBM_CC) $(HWDBM_CFLAGS) $(CFLAGS) -pthread $(if $(filter arm64,$(HWDBM_ARCH)),-static)
$(HWDBM_DIR)/kvm/dirtylog: tests/kvm/dirtylog.c tests/kvm/machine_$(BPF_ARCH).c tests/kvm/machine.h tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(HWDBM_TEST) -o $@ $(filter %.c,$^)

# Names an address, as hwdbm does for call chains
$(BUILD)/symbols/name: tests/symbols/name.c tools/collect/symbols.c tools/collect/symbols.h tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(CC) $(HWDBM_CFLAGS) -O1 -g -fsanitize=address,undefined -o $@ $(filter %.c,$^) -ldw -lelf

$(HWDBM_DIR)/kvm/slots: tests/kvm/slots.c tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(HWDBM_TEST) -o $@ $<

# A driver in user space that knows the truth about type1's
$(HWDBM_DIR)/vfio/type1: tests/vfio/type1.c tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(HWDBM_TEST) -o $@ $<

# And one that knows vhost's
$(HWDBM_DIR)/vhost/vhostlog: tests/vhost/vhostlog.c tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,CC,$<)$(HWDBM_TEST) -o $@ $<

# The guest that is migrated. 1 MiB to 100 MiB: 25,344 pages
$(BUILD)/kvm/payload.rom: tests/kvm/payload.S tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,AS,$<)as --32 --defsym START=0x100000 --defsym END=0x6400000 -o $(@:.rom=.o) $<
	@ld -m elf_i386 -Ttext 0 --oformat binary -e 0 -o $@ $(@:.rom=.o)

# The same with a network card, whose rings and buffers are behind that
$(BUILD)/kvm/payload-nic.rom: tests/kvm/payload.S tools/build.mk
	@mkdir -p $(@D)
	$(call hwdbm-say,AS,$<)as --32 --defsym START=0x100000 --defsym END=0x6400000 --defsym NIC=0x6800000 -o $(@:.rom=.o) $<
	@ld -m elf_i386 -Ttext 0 --oformat binary -e 0 -o $@ $(@:.rom=.o)

.PHONY: unit-tests
unit-tests: $(UNIT_PROGRAMS)
	@tests/unit/run $(UNIT_PROGRAMS)
