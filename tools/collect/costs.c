// SPDX-License-Identifier: GPL-2.0-only
/*
 * Totals by kind as samples. What a probe could not tell stays unknown. Not here: reading the
 * CPUs' shares (summary.c).
 */
#include "costs.h"
#include "summary.h"
#include "../../bpf/records.h"
#include "../lib/strings.h"
#include "../model/histogram.h"

#include <bpf/bpf.h>
#include <errno.h>

const char *costs__mmu(unsigned int mmu)
{
	static const char * const names[HWDBM_MMUS] = {
		[HWDBM_MMU_IOMMU] = "iommu", [HWDBM_MMU_SMMUV3] = "smmuv3",
		[HWDBM_MMU_VTD] = "vt-d", [HWDBM_MMU_AMD] = "amd", [HWDBM_MMU_KVM] = "kvm",
	};

	return mmu < HWDBM_MMUS ? names[mmu] : "";
}

const char *costs__cause(unsigned int cause)
{
	static const char * const names[HWDBM_CAUSES] = {
		[HWDBM_CAUSE_UNMAP] = "unmap", [HWDBM_CAUSE_SYNC] = "sync",
		[HWDBM_CAUSE_SPLIT] = "split", [HWDBM_CAUSE_MERGE] = "merge",
		[HWDBM_CAUSE_OTHER] = "other", [HWDBM_CAUSE_MAP] = "map",
		[HWDBM_CAUSE_TRACKING] = "tracking", [HWDBM_CAUSE_CLEAR] = "clear",
		[HWDBM_CAUSE_VCPU] = "vcpu", [HWDBM_CAUSE_HOST] = "host",
		[HWDBM_CAUSE_UNKNOWN] = "",
	};

	return cause < HWDBM_CAUSES ? names[cause] : "";
}

static const char *range_of(unsigned int shift)
{
	switch (shift) {
	case 12:
		return "4K";
	case 16:
		return "64K";
	case 21:
		return "2M";
	case 30:
		return "1G";
	case HWDBM_RANGE_MORE:
		return "more";
	case HWDBM_RANGE_ALL:
		return "all";
	default:
		return "";
	}
}

static uint64_t size_of(unsigned int shift)
{
	return shift ? UINT64_C(1) << shift : UNKNOWN;
}

static int put_split(const struct hwdbm_split_key *key, const struct hwdbm_totals *totals,
		     const struct owner *owner, sample_handler handler, void *context)
{
	static const char * const modes[HWDBM_SPLIT_MODES] = {
		[HWDBM_SPLIT_UNKNOWN] = "", [HWDBM_SPLIT_EAGER] = "eager",
		[HWDBM_SPLIT_LAZY] = "lazy", [HWDBM_SPLIT_FAULT] = "fault",
	};
	static const char * const scopes[HWDBM_SCOPES] = {
		[HWDBM_SCOPE_BLOCK] = "block", [HWDBM_SCOPE_SLOT] = "slot",
		[HWDBM_SCOPE_RANGE] = "range",
	};
	union sample sample;
	struct split_latency_sample *out = &sample.split_latency;
	const struct pairs *histogram = &out->histogram_ns;

	field__clear(sample__table(SAMPLE_SPLIT_LATENCY), &sample);
	out->t_ns = summary__now();
	STRING_COPY(out->source, costs__mmu(key->mmu));
	STRING_COPY(out->scope, key->scope < HWDBM_SCOPES ? scopes[key->scope] : "");
	STRING_COPY(out->mode, key->mode < HWDBM_SPLIT_MODES ? modes[key->mode] : "");
	out->from_bytes = size_of(key->from_shift);
	out->to_bytes = size_of(key->to_shift);
	out->pid = owner->pid;
	STRING_COPY(out->vm, owner->name);
	out->operations = totals->operations;
	out->failed = totals->failed;
	if (key->timed) {
		if (summary__histogram(totals, &out->histogram_ns))
			return -ENOMEM;
		out->total_ns = totals->total_ns;
		out->max_ns = totals->operations ? totals->max_ns : UNKNOWN;
		out->p50_ns = histogram__percentile(histogram, 50, totals->max_ns);
		out->p90_ns = histogram__percentile(histogram, 90, totals->max_ns);
		out->p99_ns = histogram__percentile(histogram, 99, totals->max_ns);
	}
	return summary__hand_on(SAMPLE_SPLIT_LATENCY, &sample, handler, context);
}

int costs__splits(const struct totals_maps *maps, int owners_fd, struct owner_list *owners,
		  sample_handler handler, void *context)
{
	struct totals_cursor cursor = { 0 };
	struct hwdbm_split_key key;
	struct hwdbm_totals totals;
	int err = 0;

	while (!err && summary__next(maps, &cursor, &key)) {
		const struct owner *owner = owners__find(owners, owners_fd, key.tgid);

		err = owner ? summary__read(maps, &key, &totals) : -ENOMEM;
		err = err ?: put_split(&key, &totals, owner, handler, context);
	}
	return err;
}

/* How many commands a flush takes is known of these. */
static bool knows_commands(unsigned int mmu)
{
	return mmu == HWDBM_MMU_SMMUV3 || mmu == HWDBM_MMU_VTD;
}

static int put_flush(const struct hwdbm_tlb_key *key, const struct hwdbm_totals *totals,
		     const struct hwdbm_unit *unit, const struct owner *owner,
		     sample_handler handler, void *context)
{
	union sample sample;
	struct tlb_cost_sample *out = &sample.tlb_cost;
	const struct pairs *histogram = &out->histogram_ns;

	field__clear(sample__table(SAMPLE_TLB_COST), &sample);
	out->t_ns = summary__now();
	STRING_COPY(out->source, costs__mmu(key->mmu));
	STRING_COPY(out->iommu, unit->name);
	STRING_COPY(out->range, range_of(key->range));
	STRING_COPY(out->cause, costs__cause(key->cause));
	out->pid = owner->pid;
	STRING_COPY(out->vm, owner->name);
	out->flushes = totals->operations;
	if (knows_commands(key->mmu))
		out->commands = totals->work;
	if (summary__histogram(totals, &out->histogram_ns))
		return -ENOMEM;
	out->total_ns = totals->total_ns;
	out->max_ns = totals->max_ns;
	out->p50_ns = histogram__percentile(histogram, 50, totals->max_ns);
	out->p90_ns = histogram__percentile(histogram, 90, totals->max_ns);
	out->p99_ns = histogram__percentile(histogram, 99, totals->max_ns);
	return summary__hand_on(SAMPLE_TLB_COST, &sample, handler, context);
}

int costs__flushes(const struct totals_maps *maps, int units_fd, int owners_fd,
		   struct owner_list *owners, sample_handler handler, void *context)
{
	struct totals_cursor cursor = { 0 };
	struct hwdbm_tlb_key key;
	struct hwdbm_totals totals;
	int err = 0;

	while (!err && summary__next(maps, &cursor, &key)) {
		const struct owner *owner = owners__find(owners, owners_fd, key.tgid);
		struct hwdbm_unit unit;

		if (!key.unit || bpf_map_lookup_elem(units_fd, &key.unit, &unit))
			unit = (struct hwdbm_unit){ 0 };
		err = owner ? summary__read(maps, &key, &totals) : -ENOMEM;
		err = err ?: put_flush(&key, &totals, &unit, owner, handler, context);
	}
	return err;
}
