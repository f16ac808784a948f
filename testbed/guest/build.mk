# SPDX-License-Identifier: GPL-2.0-only
# Builds the guest's programs (static, arm64) and its initramfs. Can be included or run alone:
#   make -f testbed/guest/build.mk GUEST_OUT=build/guest CROSS=aarch64-linux-gnu- \
#        KHDR=<kernel>/usr/include DMAGEN_INC=<qemu>/include/hw/misc BUSYBOX=<static arm64 busybox>
# It fetches nothing: kernel headers, dmagen.h and busybox come from the caller.

GUEST_SRC := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
GUEST_OUT ?= build/guest
CROSS ?= aarch64-linux-gnu-
GUEST_CFLAGS ?= -O2 -g -std=gnu11 -Wall -Wextra -Werror

GUEST_COMMON := runtime iommu generator memory knobs
GUEST_PROGRAMS := precopy lockstep dirtyprobe soak type1probe migprobe logprobe vmmigrate hold
precopy_PARTS := precopy log transfer truth workload $(GUEST_COMMON)
lockstep_PARTS := lockstep log $(GUEST_COMMON)
dirtyprobe_PARTS := dirtyprobe probe $(GUEST_COMMON)
soak_PARTS := soak ledger $(GUEST_COMMON)
type1probe_PARTS := type1probe probe type1 $(GUEST_COMMON)
migprobe_PARTS := migprobe probe type1 migration $(GUEST_COMMON)
logprobe_PARTS := logprobe probe type1 devlog migration log truth $(GUEST_COMMON)
vmmigrate_PARTS := vmmigrate distant vmm qmp log probe workload type1 $(GUEST_COMMON)
hold_PARTS := hold type1 $(GUEST_COMMON)

.PHONY: guest guest-initramfs
guest: $(GUEST_PROGRAMS:%=$(GUEST_OUT)/%) $(GUEST_OUT)/payload
guest-initramfs: $(GUEST_OUT)/initramfs.cpio.gz

$(GUEST_OUT)/%.o: $(GUEST_SRC)/%.c
	@mkdir -p $(@D)
	$(CROSS)gcc $(GUEST_CFLAGS) -isystem $(KHDR) -I$(DMAGEN_INC) -MMD -MP -c -o $@ $<

define guest_program
$(GUEST_OUT)/$(1): $($(1)_PARTS:%=$(GUEST_OUT)/%.o)
	$(CROSS)gcc -static -pthread -o $$@ $$^
endef
$(foreach p,$(GUEST_PROGRAMS),$(eval $(call guest_program,$(p))))

# For a VM inside the guest: bare metal, at the address that payload.h names.
$(GUEST_OUT)/payload: $(GUEST_SRC)/payload.c $(GUEST_SRC)/payload.h
	@mkdir -p $(@D)
	$(CROSS)gcc $(GUEST_CFLAGS) -ffreestanding -fno-pic -mgeneral-regs-only -nostdlib -static \
		-Wl,-Ttext=0x40200000,--build-id=none -o $@ $<

-include $(wildcard $(GUEST_OUT)/*.d)

# busybox and init; programs come over 9p, so that a new build needs no new initramfs.
$(GUEST_OUT)/initramfs.cpio.gz: $(addprefix $(GUEST_SRC)/,init bind-generators mount-vmm vmm-run) $(BUSYBOX)
	@mkdir -p $(@D)
	rm -rf $(GUEST_OUT)/root
	mkdir -p $(addprefix $(GUEST_OUT)/root/,bin proc sys dev tmp share)
	install -m 755 $(BUSYBOX) $(GUEST_OUT)/root/bin/busybox
	install -m 755 $(GUEST_SRC)/init $(GUEST_OUT)/root/init
	install -m 755 $(addprefix $(GUEST_SRC)/,bind-generators mount-vmm vmm-run) $(GUEST_OUT)/root/bin
	cd $(GUEST_OUT)/root && find . | LC_ALL=C sort | \
		cpio --quiet --reproducible -R 0:0 -o -H newc | gzip -n > $(abspath $@).tmp
	mv $@.tmp $@
