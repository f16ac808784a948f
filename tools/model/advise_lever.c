// SPDX-License-Identifier: GPL-2.0-only
/*
 * What settings that exist on any kernel would bring, on top of the way of tracking that is
 * advised. Not here: the ways (advise.c), levers of a migration that is stuck (why_lever.c).
 */
#include "advise_play.h"
#include "whatif.h"
#include "why_play.h"
#include "../lib/strings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_SECOND 1e9
#define PAGE_BYTES (UINT64_C(1) << LEAF_SHIFT)
#define MIB (UINT64_C(1) << 20)

/* Twice as much each time, until it helps. */
#define FACTOR_MOST 64

static const char *const effects[ADVISE_EFFECTS] = {
	[ADVISE_UNKNOWN] = "unknown", [ADVISE_HELPS] = "helps", [ADVISE_BETTER] = "better",
	[ADVISE_SAME] = "no difference", [ADVISE_WORSE] = "worse",
	[ADVISE_NOT_ENOUGH] = "not enough", [ADVISE_CANNOT] = "cannot help",
};

/* What it is compared with. */
struct base {
	const struct advise_play *play;
	const struct advise_way *way;
};

static struct advise_lever *add(const struct base *base, const char *setting, const char *value,
				const char *reason)
{
	struct advise_answer *answer = base->play->answer;
	struct advise_lever *lever = &answer->levers[answer->lever_count++];

	field__clear(&advise_lever_table, lever);
	STRING_COPY(lever->setting, setting);
	STRING_COPY(lever->value, value);
	STRING_COPY(lever->reason, reason);
	return lever;
}

static void say(struct advise_lever *lever, enum advise_effect how)
{
	lever->how = how;
	STRING_COPY(lever->effect, effects[how]);
}

static enum advise_effect compare(const struct advise_way *way, const struct prediction *p,
				  double score)
{
	if (p->converges != way->converges || !way->is_judged) {
		if (p->converges == TRI_TRUE)
			return ADVISE_HELPS;
		if (way->converges == TRI_TRUE)
			return p->converges == TRI_FALSE ? ADVISE_WORSE : ADVISE_UNKNOWN;
		return ADVISE_UNKNOWN;
	}
	if (score > way->score * (1 + ADVISE_WORTH))
		return ADVISE_WORSE;
	if (score < way->score * (1 - ADVISE_WORTH))
		return way->converges == TRI_TRUE ? ADVISE_BETTER : ADVISE_NOT_ENOUGH;
	return way->converges == TRI_TRUE ? ADVISE_SAME : ADVISE_NOT_ENOUGH;
}

static int try_change(const struct base *base, const struct advise_way *way,
		      const struct advise_change *change, struct advise_lever *lever)
{
	struct prediction p;
	double score;
	int err = advise__play(base->play, way, change, &p, &score);

	if (err) {
		say(lever, ADVISE_UNKNOWN);
		return err == -EINVAL ? 0 : err;
	}
	lever->blackout_ns = p.blackout_ns;
	lever->blackout_bound_ns = p.blackout_bound_ns;
	lever->total_ns = p.blackout_ns == UNKNOWN ? UNKNOWN : p.total_ns;
	say(lever, compare(base->way, &p, score));
	return 0;
}

/* ---- the transfer ------------------------------------------------------------------ */

static void put_rate(char *text, size_t size, double bytes)
{
	snprintf(text, size, bytes < 1024 * (double)MIB ? "%.4g MiB/s" : "%.4g GiB/s",
		 bytes / (bytes < 1024 * (double)MIB ? 1.0 : 1024.0) / (double)MIB);
}

static int add_bandwidth(const struct base *base)
{
	const double now = base->play->setup.bandwidth;
	const double link = (double)base->play->settings->why.link;
	const double most = link > now ? link : FACTOR_MOST * now;
	struct advise_lever *lever = add(base, "bandwidth", "", link > now ? "the link carries it" :
					 "if the path and both hosts can carry it");

	for (double to = link > now ? link : 2 * now; to <= most; to *= 2) {
		struct advise_change change = { .bandwidth = to };
		int err = try_change(base, base->way, &change, lever);

		put_rate(lever->value, sizeof(lever->value), to);
		if (err || base->way->converges == TRI_TRUE || lever->how == ADVISE_HELPS)
			return err;
	}
	return 0;
}

/* To be gone for less time it has to be lower; to switch over, or to be done earlier, higher. */
static int add_limit(const struct base *base)
{
	const bool is_lower = base->way->converges == TRI_TRUE &&
			      base->play->settings->objective != ADVISE_TOTAL;
	struct advise_lever *lever = add(base, "downtime limit", "", is_lower ?
		"the VM is stopped later, with less to send" :
		"the VM is stopped earlier, and stands still for longer");

	for (double factor = is_lower ? 0.5 : 2; factor <= FACTOR_MOST; factor *= 2) {
		struct advise_change change = { .limit_s = base->play->setup.downtime_limit_s * factor };
		int err = try_change(base, base->way, &change, lever);

		snprintf(lever->value, sizeof(lever->value), "%.4g ms", change.limit_s * 1e3);
		if (err || base->way->converges == TRI_TRUE || lever->how == ADVISE_HELPS)
			return err;
	}
	return 0;
}

/* ---- who writes -------------------------------------------------------------------- */

static int add_throttle(const struct base *base)
{
	static const double speeds[] = { 0.8, 0.5, 0.2, 0.01 };
	struct advise_lever *lever = add(base, "throttle vCPUs", "",
		"it does nothing to DMA; what the guest does not get done meanwhile is lost");

	if (!why__writer(&base->play->answer->why, WHY_VCPUS)) {
		STRING_COPY(lever->reason, "what vCPUs write is not in this recording; it does nothing to DMA");
		say(lever, ADVISE_UNKNOWN);
		return 0;
	}
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		struct advise_change change = { .vcpu_speed = speeds[i] };
		int err = try_change(base, base->way, &change, lever);

		snprintf(lever->value, sizeof(lever->value), "%.0f %%", 100 * (1 - speeds[i]));
		if (err || base->way->converges == TRI_TRUE || lever->how == ADVISE_HELPS)
			return err;
	}
	return 0;
}

static int add_postponing(const struct base *base)
{
	const struct advise_change half = { .vcpu_speed = 0.5, .device_speed = 0.5 };
	struct advise_lever *lever = add(base, "postpone", "half the load",
		"if everybody writes half as fast then; whether such an hour comes is not in the recording");

	return try_change(base, base->way, &half, lever);
}

/* ---- leaves, without splitting ----------------------------------------------------- */

/* As it would be if memory were mapped by such leaves from the start. */
static struct advise_way mapped_by(const struct advise_way *like, uint64_t bytes)
{
	struct advise_way way = *like;

	way.granularity_bytes = bytes;
	way.units[0] = whatif__unit(bytes);
	way.levels = 1;
	way.start_ns = UNKNOWN;
	return way;
}

static bool has_source(const struct base *base, const char *source)
{
	const struct why_answer *why = &base->play->answer->why;

	for (size_t i = 0; i < why->writer_count; i++)
		if (!strcmp(why->writers[i].source, source))
			return true;
	return false;
}

/* Return: why smaller leaves are of no use; NULL if they may be. */
static const char *no_smaller(const struct base *base)
{
	const struct advise_answer *answer = base->play->answer;

	if (answer->splits == TRI_FALSE)
		return "the tracker does not go by the IOMMU's leaves";
	if (answer->block_bytes == UNKNOWN)
		return NULL;
	return answer->block_bytes <= PAGE_BYTES ? "memory is mapped by 4K leaves already" : NULL;
}

static int add_small_leaves(const struct base *base, const char *setting, const char *value,
			    bool applies, const char *reason, const char *not_mapped)
{
	const char *useless = no_smaller(base);
	struct advise_lever *lever = add(base, setting, value, reason);
	const struct advise_change nothing = { 0 };
	struct advise_way way = mapped_by(base->way, PAGE_BYTES);

	if (!applies || useless) {
		STRING_COPY(lever->reason, !applies ? not_mapped : useless);
		say(lever, ADVISE_CANNOT);
		return 0;
	}
	return try_change(base, &way, &nothing, lever);
}

static int add_huge_pages_options(const struct base *base)
{
	const struct advise_answer *answer = base->play->answer;
	char reason[ADVISE_REASON];
	int err;

	snprintf(reason, sizeof(reason),
		 "4K leaves for the VM's whole life: about %.4g MiB of tables and the IOTLB's reach, all the time; the VMM sets it before it maps",
		 (double)whatif__tables(answer->why.rule.memory_bytes, 2 * MIB, PAGE_BYTES) / (double)MIB);
	err = add_small_leaves(base, "IOMMU_OPTION_HUGE_PAGES", "0", has_source(base, "iommufd"),
			       reason, "no memory of this VM is mapped by iommufd");
	if (err)
		return err;
	return add_small_leaves(base, "type1 disable_hugepages", "Y", has_source(base, "type1"),
				"as IOMMU_OPTION_HUGE_PAGES, for every VM of this host that is mapped by type1 from then on",
				"no memory of this VM is mapped by VFIO's type1");
}

static int add_backing(const struct base *base)
{
	const uint64_t block = base->play->answer->block_bytes;
	const bool is_1g = block != UNKNOWN && block > 2 * MIB;
	struct advise_lever *lever = add(base, "backing pages", is_1g ? "2M" : "4K", is_1g ?
		"when the VM is started anew; the guest's own TLB reach shrinks too" :
		"when the VM is started anew; vCPUs lose more by it than a migration gains");
	const struct advise_change nothing = { 0 };
	struct advise_way way = mapped_by(base->way, is_1g ? 2 * MIB : PAGE_BYTES);
	const char *useless = no_smaller(base);

	if (useless) {
		STRING_COPY(lever->reason, useless);
		say(lever, ADVISE_CANNOT);
		return 0;
	}
	return try_change(base, &way, &nothing, lever);
}

/* ---- KVM --------------------------------------------------------------------------- */

/* The log is by 4K pages whatever is split when: only the guest's faults differ. */
static void add_kvm(const struct base *base)
{
	const bool arm = !strcmp(base->play->advise->header.host_machine, "aarch64");
	const bool vcpus = why__writer(&base->play->answer->why, WHY_VCPUS);
	struct advise_lever *lever;

	lever = arm ?
		add(base, "eager split chunk", "block size",
		    "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE, by the VMM (QEMU: eager-split-size): the log is by 4K pages anyway, but the guest's first write to a block need not split it; hwdbm splitlat measures that") :
		add(base, "kvm eager_page_split", "Y",
		    "the log is by 4K pages anyway, but the guest's first write to a huge page need not split it; holds mmu_lock at the start instead; hwdbm splitlat measures both");
	say(lever, base->play->settings->objective == ADVISE_BROWNOUT || !vcpus ? ADVISE_UNKNOWN :
										   ADVISE_SAME);
	lever = add(base, "dirty ring size", "larger",
		    "set when the VM is started: vCPUs stop when theirs is full; how often is not known from a bitmap");
	if (has_source(base, "kvm-ring")) {
		say(lever, ADVISE_UNKNOWN);
	} else {
		STRING_COPY(lever->reason, "KVM's log of this VM is a bitmap, or was not recorded");
		say(lever, ADVISE_CANNOT);
	}
}

int advise__levers(const struct advise_play *play, const struct advise_way *way)
{
	const struct base base = { play, way };
	int err = add_bandwidth(&base);

	err = err ?: add_limit(&base);
	err = err ?: add_throttle(&base);
	err = err ?: add_postponing(&base);
	err = err ?: add_huge_pages_options(&base);
	err = err ?: add_backing(&base);
	if (!err)
		add_kvm(&base);
	return err;
}
