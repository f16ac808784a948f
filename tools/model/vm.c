// SPDX-License-Identifier: GPL-2.0-only
/*
 * The field tables of a VM, and what follows from the facts in it. Not here: where the
 * facts come from.
 */
#include "vm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F FIELD

static const struct field vm_fields[] = {
	F(vm, pid, "pid", "pid", FIELD_U64, UNIT_ID, "process of the VMM"),
	F(vm, name, "name", "name", FIELD_TEXT, UNIT_NONE,
	  "as the VMM's command line or machine slice has it, else the command"),
	F(vm, uuid, "uuid", NULL, FIELD_TEXT, UNIT_NONE, "from the command line"),
	F(vm, vmm, "vmm", NULL, FIELD_TEXT, UNIT_NONE, "kind of VMM, where it is a known one"),
	F(vm, has_kvm, "kvm", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether KVM runs it; false: a driver in user space"),
	F(vm, vcpus, "vcpus", "vCPUs", FIELD_U64, UNIT_COUNT, "virtual CPUs"),
	F(vm, memory_bytes, "memory_bytes", "memory", FIELD_U64, UNIT_BYTES,
	  "guest memory in slots that can be written; without KVM, memory mapped for DMA"),
	F(vm, slot_count, "slot_count", "slots", FIELD_U64, UNIT_COUNT,
	  "memslots of all address spaces"),
	F(vm, backing_text, "backing_text", "backing", FIELD_TEXT, UNIT_NONE,
	  "page sizes of the resident guest memory, the most that a mapping can have"),
	F(vm, backing, "backing", NULL, FIELD_LEAVES, UNIT_BYTES, "the same: bytes by page size"),
	F(vm, kvm_mapped, "kvm_mapped", NULL, FIELD_LEAVES, UNIT_BYTES,
	  "bytes that KVM maps by leaf size, where the architecture counts them"),
	F(vm, kvm_log, "kvm_log", "KVM log", FIELD_TEXT, UNIT_NONE,
	  "how KVM would keep the log: bitmap, manual, manual+set, ring or ring+bitmap"),
	F(vm, ring_bytes, "ring_bytes", NULL, FIELD_U64, UNIT_BYTES,
	  "dirty ring of each vCPU; 0: none"),
	F(vm, tlb_flushes, "tlb_flushes", NULL, FIELD_U64, UNIT_COUNT,
	  "remote TLB flushes by KVM since the VM began"),
	F(vm, tlb_flush_requests, "tlb_flush_requests", NULL, FIELD_U64, UNIT_COUNT,
	  "the same, also those that found no vCPU to flush"),
	F(vm, iommu, "iommu", "IOMMU", FIELD_TEXT, UNIT_NONE, "type1, iommufd or both"),
	F(vm, device_text, "device_text", "devices", FIELD_TEXT, UNIT_NONE,
	  "the devices in short"),
	F(vm, tracking, "tracking", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether anything tracks dirty memory"),
	F(vm, tracking_text, "tracking_text", "tracking", FIELD_TEXT, UNIT_NONE, "what does"),
	F(vm, migrating, "migrating", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether a migration, or another user of the log, runs"),
	F(vm, migrating_because, "migrating_because", NULL, FIELD_TEXT, UNIT_NONE,
	  "how that is known, or why not"),
	F(vm, left_over, "left_over", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether tracking is on, or blocks are split, without a migration"),
};

static const struct field vm_slot_fields[] = {
	F(vm_slot, id, "id", "slot", FIELD_U64, UNIT_ID, "number of the memslot"),
	F(vm_slot, space, "space", "space", FIELD_U64, UNIT_ID,
	  "address space; 1 is x86's system management mode"),
	F(vm_slot, guest_address, "guest_address", "guest address", FIELD_U64, UNIT_ADDRESS,
	  "first guest physical address"),
	F(vm_slot, bytes, "bytes", "size", FIELD_U64, UNIT_BYTES, "length"),
	F(vm_slot, user_address, "user_address", "VMM address", FIELD_U64, UNIT_ADDRESS,
	  "where the VMM has it"),
	F(vm_slot, logged, "logged", NULL, FIELD_BOOL, UNIT_NONE, "whether the dirty log is on"),
	F(vm_slot, bitmap, "bitmap", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the log has a bitmap"),
	F(vm_slot, read_only, "read_only", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether the guest cannot write it"),
	F(vm_slot, private_memory, "private", NULL, FIELD_BOOL, UNIT_NONE,
	  "whether it may have private memory (guest_memfd)"),
	F(vm_slot, flags, "flags", "flags", FIELD_TEXT, UNIT_NONE, "the same as words"),
};

static const struct field vm_device_fields[] = {
	F(vm_device, kind, "kind", "device", FIELD_TEXT, UNIT_NONE,
	  "vfio, or the name of the vhost device"),
	F(vm_device, name, "name", "name", FIELD_TEXT, UNIT_NONE,
	  "PCI address, UUID of a mediated device, or the device node"),
	F(vm_device, driver, "driver", "driver", FIELD_TEXT, UNIT_NONE, "its driver on the host"),
	F(vm_device, iommu_group, "iommu_group", "IOMMU group", FIELD_TEXT, UNIT_NONE,
	  "its IOMMU group"),
	F(vm_device, own_log, "own_log", "own log", FIELD_BOOL, UNIT_NONE,
	  "whether it can log its own DMA; a migration then uses that, not the IOMMU"),
	F(vm_device, descriptors, "descriptors", "descriptors", FIELD_U64, UNIT_COUNT,
	  "how many descriptors of it are open"),
};

static const struct field vm_tracker_fields[] = {
	F(vm_tracker, kind, "kind", "tracker", FIELD_TEXT, UNIT_NONE,
	  "kvm, type1, iommufd, device or vhost"),
	F(vm_tracker, of, "of", "of", FIELD_TEXT, UNIT_NONE, "which one"),
	F(vm_tracker, able, "able", "able", FIELD_BOOL, UNIT_NONE, "whether it can track at all"),
	F(vm_tracker, on, "on", "on", FIELD_BOOL, UNIT_NONE, "whether it does"),
	F(vm_tracker, ranges, "ranges", "ranges", FIELD_U64, UNIT_COUNT,
	  "slots, or mappings for DMA"),
	F(vm_tracker, bytes, "bytes", "memory", FIELD_U64, UNIT_BYTES, "their bytes"),
	F(vm_tracker, tracked_ranges, "tracked_ranges", "tracked", FIELD_U64, UNIT_COUNT,
	  "how many of them are tracked"),
	F(vm_tracker, tracked_bytes, "tracked_bytes", "tracked memory", FIELD_U64, UNIT_BYTES,
	  "their bytes"),
	F(vm_tracker, was_split, "was_split", "split", FIELD_BOOL, UNIT_NONE,
	  "whether blocks were split and not all merged yet"),
};

const struct field_table vm_table = FIELD_TABLE("vm", vm, vm_fields);
const struct field_table vm_slot_table = FIELD_TABLE("vm_slot", vm_slot, vm_slot_fields);
const struct field_table vm_device_table = FIELD_TABLE("vm_device", vm_device, vm_device_fields);
const struct field_table vm_tracker_table = FIELD_TABLE("vm_tracker", vm_tracker, vm_tracker_fields);

void vm__clear(struct vm *vm)
{
	field__clear(&vm_table, vm);
	vm->is_owner = TRI_UNKNOWN;
	vm->vmm_version = UNKNOWN;
}

void vm__release(struct vm *vm)
{
	free(vm->slots);
	free(vm->devices);
	free(vm->trackers);
	vm__clear(vm);
}

/* Room is doubled whenever the count is a power of two. */
static void *add(void **list, size_t *count, const struct field_table *table)
{
	size_t size = table->record_size;
	void *at;

	if (!(*count & (*count - 1))) {
		void *grown = realloc(*list, (*count ? 2 * *count : 1) * size);

		if (!grown)
			return NULL;
		*list = grown;
	}
	at = (char *)*list + (*count)++ * size;
	field__clear(table, at);
	return at;
}

struct vm_slot *vm__add_slot(struct vm *vm)
{
	return add((void **)&vm->slots, &vm->slots_held, &vm_slot_table);
}

struct vm_device *vm__add_device(struct vm *vm)
{
	return add((void **)&vm->devices, &vm->device_count, &vm_device_table);
}

struct vm_tracker *vm__add_tracker(struct vm *vm)
{
	return add((void **)&vm->trackers, &vm->tracker_count, &vm_tracker_table);
}

void vm_list__init(struct vm_list *list)
{
	*list = (struct vm_list){ .lost_records = UNKNOWN, .lost_reads = UNKNOWN };
}

void vm_list__release(struct vm_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		vm__release(&list->at[i]);
	free(list->at);
	free(list->notes);
	vm_list__init(list);
}

struct vm *vm_list__add(struct vm_list *list)
{
	struct vm *vm = add((void **)&list->at, &list->count, &vm_table);

	if (vm)
		vm__clear(vm);
	return vm;
}

void vm_list__note(struct vm_list *list, const char *format, ...)
{
	char (*grown)[VM_NOTE] = realloc(list->notes, (list->note_count + 1) * sizeof(*grown));
	va_list args;

	if (!grown)
		return;
	list->notes = grown;
	va_start(args, format);
	vsnprintf(grown[list->note_count++], VM_NOTE, format, args);
	va_end(args);
}

static int by_place(const void *one, const void *other)
{
	const struct vm_slot *a = one, *b = other;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return (a->guest_address > b->guest_address) - (a->guest_address < b->guest_address);
}

/* The second address space of x86 shows the same memory again. */
static bool is_memory(const struct vm_slot *slot)
{
	return !slot->space && slot->read_only != TRI_TRUE;
}

static void append(char *text, size_t size, const char *separator, const char *word)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s", length ? separator : "", word);
}

#define APPEND(text, separator, word) append(text, sizeof(text), separator, word)

static void describe_slot(struct vm_slot *slot)
{
	if (slot->logged == TRI_TRUE)
		APPEND(slot->flags, ", ", slot->bitmap == TRI_TRUE ? "log" : "log by ring");
	if (slot->read_only == TRI_TRUE)
		APPEND(slot->flags, ", ", "read-only");
	if (slot->private_memory == TRI_TRUE)
		APPEND(slot->flags, ", ", "private");
}

/* Without KVM, what a device may reach is all there is; several page tables show the same. */
static void sum_mappings(struct vm *vm)
{
	for (size_t i = 0; i < vm->tracker_count; i++) {
		uint64_t bytes = vm->trackers[i].bytes;

		if (bytes != UNKNOWN && (vm->memory_bytes == UNKNOWN || vm->memory_bytes < bytes))
			vm->memory_bytes = bytes;
	}
}

static void sum_slots(struct vm *vm)
{
	struct vm_tracker *kvm;

	if (vm->has_kvm != TRI_TRUE) {
		sum_mappings(vm);
		return;
	}
	kvm = vm__add_tracker(vm);
	if (!kvm)
		return;
	snprintf(kvm->kind, sizeof(kvm->kind), "kvm");
	snprintf(kvm->of, sizeof(kvm->of), "%s", vm->kvm_log);
	kvm->able = TRI_TRUE;
	if (vm->slot_count == UNKNOWN)
		return;
	qsort(vm->slots, vm->slots_held, sizeof(*vm->slots), by_place);
	kvm->ranges = kvm->bytes = kvm->tracked_ranges = kvm->tracked_bytes = 0;
	for (size_t i = 0; i < vm->slots_held; i++) {
		struct vm_slot *slot = &vm->slots[i];

		describe_slot(slot);
		if (!is_memory(slot))
			continue;
		kvm->ranges++;
		kvm->bytes += slot->bytes;
		kvm->tracked_ranges += slot->logged == TRI_TRUE;
		kvm->tracked_bytes += slot->logged == TRI_TRUE ? slot->bytes : 0;
	}
	kvm->on = kvm->tracked_ranges ? TRI_TRUE : TRI_FALSE;
	vm->memory_bytes = kvm->bytes;
}

static void leaf_name(int leaf, char *text, size_t size)
{
	static const char units[] = "KMGTPE";
	unsigned int shift = leaf + LEAF_SHIFT - 10;

	snprintf(text, size, "%u%c", 1U << shift % 10, units[shift / 10]);
}

/* The largest pages first, each with its share unless it is all of them. */
static void describe_backing(struct vm *vm)
{
	double total = 0;

	if (vm->backing[0] == UNKNOWN)
		return;
	for (int i = 0; i < LEAF_SIZES; i++)
		total += (double)vm->backing[i];
	for (int i = LEAF_SIZES - 1; i >= 0; i--) {
		double percent = total > 0 ? 100 * (double)vm->backing[i] / total : 0;
		char name[16], word[32];

		if (!vm->backing[i])
			continue;
		leaf_name(i, name, sizeof(name));
		if (percent >= 99.5)
			snprintf(word, sizeof(word), "%s", name);
		else if (percent < 1)
			snprintf(word, sizeof(word), "%s <1%%", name);
		else
			snprintf(word, sizeof(word), "%s %.0f%%", name, percent);
		APPEND(vm->backing_text, ", ", word);
	}
}

/* As many names as stay readable in a column. */
#define DEVICE_NAMES 2

static bool is_vfio(const struct vm_device *device)
{
	return !strcmp(device->kind, "vfio");
}

/* What is passed through first, by name; then vhost, whose queues only count. */
static void describe_devices(struct vm *vm)
{
	size_t devices = 0;
	char word[64];

	for (size_t i = 0; i < vm->device_count; i++) {
		const struct vm_device *device = &vm->devices[i];

		if (is_vfio(device) && ++devices <= DEVICE_NAMES)
			APPEND(vm->device_text, ", ", device->name[0] ? device->name : "vfio");
	}
	if (devices > DEVICE_NAMES) {
		snprintf(word, sizeof(word), "%zu more", devices - DEVICE_NAMES);
		APPEND(vm->device_text, ", ", word);
	}
	for (size_t i = 0; i < vm->device_count; i++) {
		const struct vm_device *device = &vm->devices[i];

		if (is_vfio(device))
			continue;
		snprintf(word, sizeof(word), device->descriptors > 1 ? "%s×%" PRIu64 : "%s",
			 device->kind, device->descriptors);
		APPEND(vm->device_text, ", ", word);
	}
}

static enum tristate state_of(const struct vm *vm, const char *kind)
{
	enum tristate state = TRI_FALSE;

	for (size_t i = 0; i < vm->tracker_count; i++) {
		const struct vm_tracker *tracker = &vm->trackers[i];

		if (strcmp(tracker->kind, kind) || tracker->able == TRI_FALSE)
			continue;
		if (tracker->on == TRI_TRUE)
			return TRI_TRUE;
		if (tracker->on == TRI_UNKNOWN)
			state = TRI_UNKNOWN;
	}
	return state;
}

static const struct vm_tracker *partly_tracked(const struct vm *vm, const char *kind)
{
	for (size_t i = 0; i < vm->tracker_count; i++) {
		const struct vm_tracker *tracker = &vm->trackers[i];

		if (!strcmp(tracker->kind, kind) && tracker->on == TRI_TRUE &&
		    tracker->tracked_ranges != UNKNOWN && tracker->tracked_ranges < tracker->ranges)
			return tracker;
	}
	return NULL;
}

/*
 * What is on by name, then what is unknown; "off" only of what is known to be. A tracker
 * of a kind stands for all of them.
 */
static void describe_tracking(struct vm *vm)
{
	static const char *const kinds[] = { "kvm", "type1", "iommufd", "device", "vhost" };
	char on[VM_TEXT] = "", unknown[VM_TEXT] = "", word[64];
	bool any = false;

	for (size_t i = 0; i < vm->tracker_count; i++)
		any |= vm->trackers[i].on != TRI_UNKNOWN || vm->trackers[i].able == TRI_FALSE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct vm_tracker *partly = partly_tracked(vm, kinds[i]);
		enum tristate state = state_of(vm, kinds[i]);

		if (partly)
			snprintf(word, sizeof(word), "%s %" PRIu64 " of %" PRIu64, kinds[i],
				 partly->tracked_ranges, partly->ranges);
		else
			snprintf(word, sizeof(word), "%s", kinds[i]);
		if (state == TRI_TRUE)
			APPEND(on, ", ", word);
		else if (state == TRI_UNKNOWN)
			APPEND(unknown, ", ", kinds[i]);
	}
	if (!any)
		return;
	vm->tracking = on[0] ? TRI_TRUE : unknown[0] ? TRI_UNKNOWN : TRI_FALSE;
	snprintf(vm->tracking_text, sizeof(vm->tracking_text), "%s", on[0] ? on : "off");
	if (unknown[0]) {
		APPEND(vm->tracking_text, "; ", unknown);
		APPEND(vm->tracking_text, " ", "unknown");
	}
}

/*
 * A migration logs nearly all memory, but for what does not migrate, such as the BARs of a
 * device; a display logs its own alone.
 */
static bool is_whole(const struct vm_tracker *tracker)
{
	return tracker->on == TRI_TRUE &&
	       (tracker->tracked_bytes == UNKNOWN || tracker->tracked_bytes > tracker->bytes / 2);
}

static void find_left_over(struct vm *vm)
{
	bool whole = false, split = false;

	for (size_t i = 0; i < vm->tracker_count; i++) {
		whole |= is_whole(&vm->trackers[i]);
		split |= vm->trackers[i].was_split == TRI_TRUE;
	}
	if (whole || split)
		vm->left_over = vm->migrating == TRI_UNKNOWN ? TRI_UNKNOWN :
				vm->migrating == TRI_FALSE ? TRI_TRUE : TRI_FALSE;
	else if (vm->tracking != TRI_UNKNOWN)
		vm->left_over = TRI_FALSE;
	if (split && vm->tracking == TRI_FALSE)
		APPEND(vm->tracking_text, ", ", "blocks split");
	if (vm->left_over == TRI_TRUE)
		APPEND(vm->tracking_text, ", ", "left over");
	else if (vm->migrating == TRI_TRUE)
		APPEND(vm->tracking_text, ", ", "migrating");
}

void vm__conclude(struct vm *vm)
{
	sum_slots(vm);
	describe_backing(vm);
	describe_devices(vm);
	describe_tracking(vm);
	find_left_over(vm);
}
