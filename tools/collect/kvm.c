// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of KVM, and of vhost beside it, as samples. Not here: IOMMU domains (domains.c).
 */
#include "kvm.h"
#include "counts.h"
#include "../lib/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct known_vm *find(struct known_vms *vms, const struct hwdbm_record *record, uint64_t *number)
{
	struct known_vm *at;

	for (size_t i = 0; i < vms->count; i++) {
		if (vms->at[i].address != record->domain || vms->at[i].pid != record->pid)
			continue;
		*number = i + 1;
		return &vms->at[i];
	}
	at = realloc(vms->at, (vms->count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	vms->at = at;
	at = &vms->at[vms->count++];
	*at = (struct known_vm){ .address = record->domain, .pid = record->pid };
	*number = vms->count;
	return at;
}

static uint64_t slot_of(uint32_t slot)
{
	return slot == HWDBM_NO_SLOT ? UNKNOWN : slot;
}

int kvm__tracking(struct known_vms *vms, const struct hwdbm_tracking *in,
		  struct tracking_sample *out)
{
	struct known_vm *vm = find(vms, &in->record, &out->vm);

	if (!vm)
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->source, counts__source(in->source));
	out->slot = slot_of(in->slot);
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->enable = in->enable ? TRI_TRUE : TRI_FALSE;
	out->ret = in->record.ret;
	out->total_ns = in->stats.total_ns;
	if (out->ret)
		return 0;
	if (in->enable)
		return slots__start(&vm->slots, in->slot, in->length);
	slots__stop(&vm->slots, in->slot);
	return 0;
}

int kvm__late(struct known_vms *vms, uint64_t address, uint64_t pid, uint32_t slot, uint64_t length)
{
	const struct hwdbm_record record = { .domain = address, .pid = pid };
	uint64_t number;
	struct known_vm *vm = find(vms, &record, &number);

	return vm ? slots__late(&vm->slots, slot, length) : -ENOMEM;
}

static void copy_count(const struct hwdbm_count *in, uint64_t page_bytes, struct sync_sample *out)
{
	if (in->state != HWDBM_COUNT_DONE)
		return;
	/* The size of a ring's reset is known without counting. */
	if (in->ns)
		out->count_ns = in->ns;
	out->dirty_bytes = in->pages * page_bytes;
	counts__bytes(in, out->iova, out->length_bytes, out->unit_bytes);
}

void kvm__whole(const struct hwdbm_read *in, size_t size, struct hwdbm_sync *out)
{
	*out = (struct hwdbm_sync){
		.record = in->record, .iova = in->iova, .length = in->length,
		.page_size = sysconf(_SC_PAGESIZE), .flags = in->flags,
		.source = HWDBM_SOURCE_KVM, .slot = in->slot,
		.stats = { .entries = HWDBM_UNKNOWN, .dirty_bytes = HWDBM_UNKNOWN,
			   .total_ns = in->total_ns, .walk_ns = HWDBM_UNKNOWN,
			   .flush_ns = HWDBM_UNKNOWN },
	};
	out->record.type = HWDBM_SYNC;
	if (size >= sizeof(*in))
		out->count = in->count;
}

/* Each slot is in KVM's iteration, which its own read has found. */
static int place(struct known_vm *vm, const struct hwdbm_sync *in, struct sync_sample *out)
{
	uint64_t length = in->length == HWDBM_UNKNOWN ? 0 : in->length;
	bool started;
	int err;

	if (in->source == HWDBM_SOURCE_VHOST) {
		if (slots__latest(&vm->slots, in->slot, &out->iteration, &started))
			out->start_seen = started ? TRI_TRUE : TRI_FALSE;
		return 0;
	}
	err = slots__next(&vm->slots, in->slot, length, &out->iteration, &started);
	if (!err)
		out->start_seen = started ? TRI_TRUE : TRI_FALSE;
	return err;
}

int kvm__sync(struct known_vms *vms, const struct hwdbm_sync *in, struct sync_sample *out)
{
	struct known_vm *vm = find(vms, &in->record, &out->vm);

	if (!vm)
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->source, counts__source(in->source));
	out->slot = slot_of(in->slot);
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->page_bytes = in->page_size;
	out->clear = in->flags & HWDBM_NO_CLEAR ? TRI_FALSE : TRI_TRUE;
	out->ret = in->record.ret;
	out->total_ns = in->stats.total_ns;
	out->dirty_bytes = in->stats.dirty_bytes;
	copy_count(&in->count, in->page_size, out);
	/* Rings are reset whenever one fills up: that is no iteration. */
	return out->ret || out->slot == UNKNOWN ? 0 : place(vm, in, out);
}

int kvm__clear(struct known_vms *vms, const struct hwdbm_clear *in, struct clear_sample *out)
{
	if (!find(vms, &in->record, &out->vm))
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->source, counts__source(in->source));
	out->slot = slot_of(in->slot);
	out->iova = in->iova;
	out->length_bytes = in->length;
	out->ret = in->record.ret;
	out->total_ns = in->total_ns;
	return 0;
}

uint64_t kvm__number(const struct known_vms *vms, uint64_t address)
{
	for (size_t i = vms->count; i-- > 0;)
		if (vms->at[i].address == address)
			return i + 1;
	return UNKNOWN;
}

void kvm__release(struct known_vms *vms)
{
	for (size_t i = 0; i < vms->count; i++)
		slots__release(&vms->at[i].slots);
	free(vms->at);
	memset(vms, 0, sizeof(*vms));
}
