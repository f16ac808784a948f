/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM as it stands: its memory, its devices, and what tracks its dirty memory. Facts
 * come from tools/collect/vms.h; what follows from them is worked out here. Not here: a
 * migration over time (run.h).
 */
#ifndef HWDBM_MODEL_VM_H
#define HWDBM_MODEL_VM_H

#include "field.h"

#define VM_NAME 128
#define VM_UUID 40
#define VM_TEXT 96
#define VM_NOTE 256

/* One memslot: a range of guest memory that KVM knows. */
struct vm_slot {
	uint64_t id;
	uint64_t space;			/* 1: x86's system management mode */
	uint64_t guest_address;
	uint64_t bytes;
	uint64_t user_address;
	enum tristate logged;
	enum tristate bitmap;		/* the log is a bitmap, not (only) a ring */
	enum tristate read_only;
	enum tristate private_memory;	/* may be backed by guest_memfd */
	char flags[40];			/* the same as words; by vm__conclude() */
};

/* What a descriptor of the process stands for. */
struct vm_device {
	char kind[16];			/* vfio, vhost-net, ... */
	char name[48];			/* PCI address, UUID of an mdev, or the device node */
	char driver[32];
	char iommu_group[16];
	uint64_t descriptors;
	enum tristate own_log;		/* it can log its own DMA, and QEMU prefers that */
	int fd;				/* the collector's: of the device, 0 if of none */
};

/* What keeps dirty state: KVM, an IOMMU page table, a device's own log, vhost. */
struct vm_tracker {
	char kind[12];			/* kvm, type1, iommufd, device, vhost */
	char of[48];			/* which one, where there may be several */
	enum tristate able;
	enum tristate on;
	enum tristate was_split;	/* blocks are split, or about to be merged */
	uint64_t ranges;		/* slots or mappings */
	uint64_t bytes;
	uint64_t tracked_ranges;
	uint64_t tracked_bytes;
};

struct vm {
	/* Facts. Fields of the table below are unknown until set. */
	uint64_t pid;
	char name[VM_NAME];
	char uuid[VM_UUID];
	char vmm[24];
	uint64_t vmm_version;		/* of QEMU: 702 for 7.2 */
	uint64_t vcpus;
	uint64_t backing[LEAF_SIZES];	/* resident bytes by page size */
	uint64_t kvm_mapped[LEAF_SIZES];	/* bytes by leaf size */
	char kvm_log[24];
	uint64_t ring_bytes;
	uint64_t tlb_flushes;
	uint64_t tlb_flush_requests;
	char iommu[24];
	enum tristate migrating;
	char migrating_because[VM_TEXT];
	enum tristate has_kvm;		/* false: a driver in user space */
	bool insists;			/* QEMU was told to migrate each of its VFIO devices as it is */

	/* From the facts, by vm__conclude(). */
	uint64_t memory_bytes;
	uint64_t slot_count;
	char backing_text[VM_TEXT];
	char device_text[VM_TEXT];
	enum tristate tracking;
	char tracking_text[VM_TEXT];
	enum tristate left_over;

	/* The collector's: the descriptor of the VM, and which VM it is wherever it is held. */
	int fd;
	uint64_t identity;
	enum tristate is_owner;

	struct vm_slot *slots;
	size_t slots_held;
	struct vm_device *devices;
	size_t device_count;
	struct vm_tracker *trackers;
	size_t tracker_count;
};

/* The VMs of a host, and what could not be found out about them. */
struct vm_list {
	struct vm *at;
	size_t count;
	char (*notes)[VM_NOTE];
	size_t note_count;
	/* What the kernel had to say and did not get across; unknown if it was not asked. */
	uint64_t lost_records;
	uint64_t lost_reads;
};

extern const struct field_table vm_table;
extern const struct field_table vm_slot_table;
extern const struct field_table vm_device_table;
extern const struct field_table vm_tracker_table;

/** vm__clear() - a VM of which nothing is known; frees nothing */
void vm__clear(struct vm *vm);

/** vm__release() - free the lists and clear */
void vm__release(struct vm *vm);

/**
 * vm__add_slot(), vm__add_device(), vm__add_tracker() - one more, unknown but for its place
 * Return: where it is until the next is added; NULL without memory.
 */
struct vm_slot *vm__add_slot(struct vm *vm);
struct vm_device *vm__add_device(struct vm *vm);
struct vm_tracker *vm__add_tracker(struct vm *vm);

/** vm_list__init() - no VMs, nothing lost */
void vm_list__init(struct vm_list *list);

/** vm_list__release() - free the VMs and all else */
void vm_list__release(struct vm_list *list);

/** vm_list__add() - one more VM, of which nothing is known; NULL without memory */
struct vm *vm_list__add(struct vm_list *list);

/** vm_list__note() - one sentence on what is missing; dropped without memory */
__attribute__((format(printf, 2, 3))) void vm_list__note(struct vm_list *list,
							  const char *format, ...);

/**
 * vm__conclude() - sort the slots and fill in what follows from the facts
 *
 * Tracking is left over when it is on for most of the memory though no migration runs, or
 * when blocks stay split so. Whether one runs must be known: only then is the answer
 * anything but unknown. A log on little memory, such as that of a display, is no
 * migration's.
 */
void vm__conclude(struct vm *vm);

#endif
