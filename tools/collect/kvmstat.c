// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's own counters of TLB flushes, as differences. Not here: probes.
 */
#include "kvmstat.h"
#include "summary.h"
#include "vms.h"
#include "../lib/strings.h"

#include <errno.h>
#include <stdlib.h>

static struct kvmstat_vm *find(struct kvmstat *stat, const struct vm *vm)
{
	struct kvmstat_vm *at;

	for (size_t i = 0; i < stat->count; i++)
		if (stat->at[i].pid == vm->pid && stat->at[i].identity == vm->identity &&
		    !stat->at[i].ended)
			return &stat->at[i];
	at = realloc(stat->at, (stat->count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	stat->at = at;
	at = &stat->at[stat->count++];
	*at = (struct kvmstat_vm){ .pid = vm->pid, .identity = vm->identity,
				   .last = stat->has_looked ? 0 : vm->tlb_flush_requests };
	return at;
}

static void add(struct kvmstat_vm *known, const struct vm *vm)
{
	STRING_COPY(known->name, vm->name);
	known->was_seen = true;
	if (vm->tlb_flush_requests == UNKNOWN) {
		known->flushes = UNKNOWN;
		return;
	}
	/* A counter that went back is another VM's. */
	if (vm->tlb_flush_requests < known->last)
		known->last = 0;
	if (known->flushes != UNKNOWN)
		known->flushes += vm->tlb_flush_requests - known->last;
	known->last = vm->tlb_flush_requests;
}

int kvmstat__look(struct kvmstat *stat)
{
	struct vm_list list;
	int err;

	for (size_t i = 0; i < stat->count; i++)
		stat->at[i].was_seen = false;
	vm_list__init(&list);
	err = vms__scan(&list, 0, false);
	for (size_t i = 0; !err && i < list.count; i++) {
		const struct vm *vm = &list.at[i];
		struct kvmstat_vm *known;

		if (vm->has_kvm == TRI_FALSE)
			continue;
		known = find(stat, vm);
		if (known)
			add(known, vm);
		else
			err = -ENOMEM;
	}
	vm_list__release(&list);
	for (size_t i = 0; !err && i < stat->count; i++)
		stat->at[i].ended |= !stat->at[i].was_seen;
	stat->has_looked = true;
	return err;
}

static int put(const struct kvmstat_vm *vm, sample_handler handler, void *context)
{
	union sample sample;

	field__clear(sample__table(SAMPLE_TLB_COST), &sample);
	sample.tlb_cost.t_ns = summary__now();
	STRING_COPY(sample.tlb_cost.source, "kvm");
	sample.tlb_cost.pid = vm->pid;
	STRING_COPY(sample.tlb_cost.vm, vm->name);
	sample.tlb_cost.flushes = vm->flushes;
	return summary__hand_on(SAMPLE_TLB_COST, &sample, handler, context);
}

int kvmstat__put(const struct kvmstat *stat, bool (*is_wanted)(void *of, pid_t pid), void *of,
		 sample_handler handler, void *context)
{
	int err = 0;

	for (size_t i = 0; !err && i < stat->count; i++)
		if (stat->at[i].flushes && is_wanted(of, stat->at[i].pid))
			err = put(&stat->at[i], handler, context);
	return err;
}

size_t kvmstat__ended(const struct kvmstat *stat, bool (*is_wanted)(void *of, pid_t pid), void *of)
{
	size_t ended = 0;

	for (size_t i = 0; i < stat->count; i++)
		ended += stat->at[i].ended && is_wanted(of, stat->at[i].pid);
	return ended;
}

void kvmstat__release(struct kvmstat *stat)
{
	free(stat->at);
	*stat = (struct kvmstat){ 0 };
}
