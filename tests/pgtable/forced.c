// SPDX-License-Identifier: GPL-2.0-only
/*
 * Races that are forced, and counted. Hardware acts at a seeded choice of the
 * driver's steps, most often on the very descriptor the driver is at, and a
 * second CPU goes on at any of them. A race is counted when what it is about
 * has really happened between the two steps it is about, not when it might
 * have. What may never come of one is checked in domain.c, at every step.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

#define HITS_NEEDED	100000

enum race {
	RACE_SPLIT_UPDATE,	/* the hardware updates a block between its read and its table */
	RACE_MERGE_UPDATE,	/* it updates a page between its read and the block */
	RACE_RECORD_CLEAR,	/* a leaf is written between its record and its clearing */
	RACE_SYNC_SYNC,		/* another sync clears in a table that this one is reading */
	RACE_SYNC_QUEUE,	/* a sync waits for another that may split */
	RACE_SYNC_UNMAP,	/* an unmap removes from a table that a sync is reading */
	RACE_SPLIT_DMA,		/* a device uses a block that is being split */
	RACE_MERGE_DMA,		/* or merged */
	RACE_MERGE_SYNC,	/* a sync runs while a stop has merged a part of the range */
	RACE_SPLIT_LOOKUP,	/* an address is looked up in a block with nT that is being split */
	RACE_MERGE_LOOKUP,	/* or merged */
	RACES
};

static const char *const race_names[RACES] = {
	[RACE_SPLIT_UPDATE] = "hardware update between read and publish, split",
	[RACE_MERGE_UPDATE] = "hardware update between read and publish, merge",
	[RACE_RECORD_CLEAR] = "write between record and clear",
	[RACE_SYNC_SYNC] = "sync against sync, in one table",
	[RACE_SYNC_QUEUE] = "sync against sync, one waits for the other",
	[RACE_SYNC_UNMAP] = "sync against unmap, in one table",
	[RACE_SPLIT_DMA] = "split against translation",
	[RACE_MERGE_DMA] = "merge against translation",
	[RACE_MERGE_SYNC] = "stop against sync",
	[RACE_SPLIT_LOOKUP] = "iova_to_phys against split with nT",
	[RACE_MERGE_LOOKUP] = "iova_to_phys against merge with nT",
};

static u64 hits[RACES];

/* ---- who is where -------------------------------------------------------- */

#define OPEN_MAX	16

/* A block on its way to a table (@split) or back, until the TLB has forgotten */
struct open {
	u64 iova, size;
	bool split, nt;
	bool replaced;		/* the last change is made, an invalidation is due */
};

struct place {
	u64 *read_at;
	bool updated;		/* the hardware changed it since */
	u64 table;		/* the one that was read last */
	bool table_updated;
	bool syncing, shared, unmapped;
	u64 recorded, recorded_end, written;
};

static struct {
	u64 dice, granule;
	unsigned int pause;	/* steps that the hardware lets pass */
	u64 *at;		/* where the driver was last */
	struct place places[FIBERS_MAX];
	struct open open[OPEN_MAX];
	unsigned int oldest;
} now;

static u64 table_of(const void *descriptor)
{
	return (u64)(uintptr_t)descriptor & ~(now.granule - 1);
}

static struct open *open_at(u64 iova)
{
	for (int i = 0; i < OPEN_MAX; i++)
		if (now.open[i].size && iova - now.open[i].iova < now.open[i].size)
			return &now.open[i];
	return NULL;
}

static void open_change(u64 iova, u64 size, const struct event *event)
{
	struct open *open = open_at(iova);
	bool was_table = DESC_TYPE(event->old) == DESC_TABLE;
	bool is_table = DESC_TYPE(event->new) == DESC_TABLE;

	for (int i = 0; !open && i < OPEN_MAX; i++)
		if (!now.open[i].size)
			open = &now.open[i];
	if (!open)
		open = &now.open[now.oldest++ % OPEN_MAX];
	if (was_table == is_table && (event->old & DESC_NT) && !(event->new & DESC_NT)) {
		open->size = 0;
		return;
	}
	if (was_table == is_table && !(event->new & DESC_NT))
		return;
	*open = (struct open){ .iova = iova, .size = size, .split = !was_table,
			       .nt = event->new & DESC_NT && !is_table,
			       .replaced = is_table || !(event->new & DESC_NT) };
}

static void invalidated(u64 iova, u64 length)
{
	for (int i = 0; i < OPEN_MAX; i++)
		if (now.open[i].size && now.open[i].replaced && now.open[i].iova >= iova &&
		    now.open[i].iova + now.open[i].size <= iova + length)
			now.open[i].size = 0;
}

static void count_read(const struct event *event)
{
	struct place *place = &now.places[event->cpu];
	u64 table = table_of(event->p);

	place->updated = false;
	place->read_at = event->p;
	if (place->table == table) {
		/* It goes on in a table where the other has been meanwhile */
		hits[RACE_SYNC_SYNC] += place->syncing && place->shared;
		hits[RACE_SYNC_UNMAP] += place->syncing && place->unmapped;
	} else {
		place->table_updated = false;
	}
	place->shared = place->unmapped = false;
	place->table = table;
}

static void count_change(struct domain *domain, const struct event *event)
{
	struct place *place = &now.places[event->cpu];
	u64 iova, size;

	if (!smmu_find(&domain->smmu, event->p, &iova, &size))
		return;
	if (size > page_size(domain)) {
		if (DESC_TYPE(event->old) == DESC_BLOCK && DESC_TYPE(event->new) == DESC_TABLE)
			hits[RACE_SPLIT_UPDATE] += place->read_at == event->p && place->updated;
		if (DESC_TYPE(event->old) == DESC_TABLE && DESC_TYPE(event->new) == DESC_BLOCK)
			hits[RACE_MERGE_UPDATE] += place->table_updated;
		open_change(iova, size, event);
	}
	if (desc_dirty(event->old) && !desc_dirty(event->new) &&
	    DESC_TYPE(event->old) == DESC_TYPE(event->new)) {
		hits[RACE_RECORD_CLEAR] += place->written - iova < size &&
					   iova - place->recorded <
						   place->recorded_end - place->recorded;
		for (unsigned int i = 0; i < FIBERS_MAX; i++)
			if (i != event->cpu && now.places[i].table == table_of(event->p))
				now.places[i].shared = true;
	}
}

static void count(struct domain *domain, const struct event *event)
{
	struct place *place = &now.places[event->cpu];

	switch (event->kind) {
	case EVENT_READ:
		count_read(event);
		break;
	case EVENT_CHANGE:
		count_change(domain, event);
		break;
	case EVENT_RECORD:
		place->recorded = event->iova;
		place->recorded_end = event->iova + event->length;
		place->written = 0;
		break;
	case EVENT_INVALIDATE:
		invalidated(event->iova, event->length);
		break;
	case EVENT_UNMAP:
		for (unsigned int i = 0; i < FIBERS_MAX; i++)
			if (i != event->cpu && now.places[i].table == place->table)
				now.places[i].unmapped = true;
		break;
	}
}

/* ---- the adversary ------------------------------------------------------- */

static void device(struct domain *domain, u64 iova, bool write)
{
	struct smmu_leaf leaf = smmu_leaf(&domain->smmu, iova);
	struct open *open = open_at(iova);

	if (write)
		domain_write(domain, iova);
	else
		domain_read(domain, iova);

	if (open)
		hits[open->split ? RACE_SPLIT_DMA : RACE_MERGE_DMA]++;
	if (!write)
		return;
	for (unsigned int i = 0; i < FIBERS_MAX; i++) {
		struct place *place = &now.places[i];

		if (iova - place->recorded < place->recorded_end - place->recorded)
			place->written = iova;
		if (!leaf.size || *leaf.descriptor == leaf.value)
			continue;
		if (place->read_at == leaf.descriptor)
			place->updated = true;
		if (place->table == table_of(leaf.descriptor))
			place->table_updated = true;
	}
}

static void look_up(struct domain *domain, u64 iova)
{
	phys_addr_t pa = domain->ops->iova_to_phys(domain->ops, iova);
	struct open *open = open_at(iova);

	check(pa == iova + domain->geometry->pa_offset,
	      "iova_to_phys(0x%" PRIx64 ") is 0x%" PRIx64, iova, pa);
	if (open && open->nt && DESC_TYPE(smmu_leaf(&domain->smmu, iova).value) == DESC_BLOCK)
		hits[open->split ? RACE_SPLIT_LOOKUP : RACE_MERGE_LOOKUP]++;
}

/* An address in what the driver is at, else anywhere in the window */
static u64 target(struct domain *domain, u64 dice)
{
	u64 iova, size;

	if (dice % 8 && now.at && smmu_find(&domain->smmu, now.at, &iova, &size) &&
	    iova >= domain->smmu.base && iova + size <= window_end(domain))
		return iova + (dice >> 16) % size;
	for (int i = 0; dice % 4 && i < OPEN_MAX; i++)
		if (now.open[i].size)
			return now.open[i].iova + (dice >> 16) % now.open[i].size;
	return domain->smmu.base + (dice >> 16) % (window_end(domain) - domain->smmu.base);
}

static void adversary(struct domain *domain, unsigned long step)
{
	u64 dice, iova;

	/* From one leaf of a table to the next not much happens: look in now and then */
	if (domain->at && table_of(domain->at) == table_of(now.at) && now.pause) {
		now.pause--;
		now.at = domain->at;
		return;
	}
	if (domain->at)
		now.at = domain->at;
	dice = random_next(&now.dice);
	now.pause = dice >> 58;
	iova = target(domain, dice >> 4);
	if (domain_mapped_size(domain, iova)) {
		if (dice % 16 < 9)
			device(domain, iova, true);
		else if (dice % 16 < 12)
			device(domain, iova, false);
		else
			look_up(domain, iova);
	}
}

/* ---- what is raced against what ------------------------------------------- */

#define BASE		SZ_1G

static u64 granularity(enum iommu_dirty_split_mode mode, u64 size)
{
	return mode == IOMMU_DIRTY_SPLIT_OFF ? 0 : size;
}

/* A domain with @blocks blocks of @size at BASE, and everything above at work */
static struct domain *raced(const struct geometry *geometry, unsigned int bbml, u64 size,
			    unsigned int blocks, u64 seed)
{
	struct domain *domain = domain_new(geometry, bbml, BASE, blocks * size);

	memset(&now, 0, sizeof(now));
	now.dice = (test_seed * 0x9e3779b97f4a7c15 ^ seed * 0xbf58476d1ce4e5b9) | 1;
	now.granule = page_size(domain);
	domain_map(domain, BASE, blocks * size, size, DMA_RW);
	domain->act = adversary;
	domain->watch = count;
	return domain;
}

static void quiet(struct domain *domain)
{
	domain->act = NULL;
	domain->watch = NULL;
	check(!domain_sync_all(domain), "the last sync failed");
	check(!domain_sync_all(domain) && !domain_reported(domain), "dirty without DMA");
	domain_expect_addresses(domain);
	domain_free(domain);
}

/* One CPU that splits, syncs and merges, against the hardware and lookups */
static void against_hardware(const struct geometry *geometry, enum iommu_dirty_split_mode mode,
			     unsigned int bbml, u64 from, u64 to, unsigned int syncs,
			     unsigned int rounds)
{
	struct domain *domain = raced(geometry, bbml, from, 4, mode * 3 + bbml + from + syncs);

	while (rounds-- && !failed()) {
		/* Clean blocks, so that a write changes them under the start */
		check(!domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0), "the first start failed");
		check(!domain_start(domain, mode, granularity(mode, to)), "the start failed");
		for (unsigned int i = 0; i < syncs; i++)
			check(!domain_sync_all(domain), "a sync failed");
		check(!domain_stop(domain), "the stop failed");
		domain_expect_leaves(domain, BASE, 4 * from, from);
	}
	quiet(domain);
}

struct actor {
	struct domain *domain;
	enum iommu_dirty_split_mode mode;
	unsigned int rounds;
	u64 iova, length, random;
};

static void sync_body(void *argument)
{
	struct actor *actor = argument;
	struct domain *domain = actor->domain;
	struct place *place = &now.places[fiber_self()];

	for (unsigned int i = 0; i < actor->rounds && !failed(); i++) {
		unsigned int merges = domain->merges;

		place->syncing = true;
		check(!domain_sync(domain, actor->iova, actor->length, 0), "a sync failed");
		place->syncing = false;
		hits[RACE_MERGE_SYNC] += domain->merges - merges;
	}
}

/* Access pins: they look addresses up under the mutex of their pages */
static void lookup_body(void *argument)
{
	struct actor *actor = argument;
	struct domain *domain = actor->domain;

	while (!fiber_leader_ended() && !failed()) {
		u64 iova = actor->iova + random_next(&actor->random) % actor->length;
		phys_addr_t pa;

		fiber_down_write(&domain->pages_mutex);
		pa = domain->ops->iova_to_phys(domain->ops, iova);
		fiber_up_write(&domain->pages_mutex);
		check(pa == iova + domain->geometry->pa_offset,
		      "iova_to_phys(0x%" PRIx64 ") is 0x%" PRIx64, iova, pa);
		fiber_yield();
	}
}

/* Two syncs of one table that nobody splits, and a reader */
static void syncs_of_pages(unsigned int bbml, unsigned int rounds)
{
	void (*const bodies[])(void *) = { sync_body, sync_body, lookup_body };

	for (unsigned int round = 0; round < rounds && !failed(); round++) {
		struct domain *domain = raced(&geometry_4k, bbml, SZ_4K, 64, round);
		struct actor actor = { domain, 0, 16, BASE, 64 * SZ_4K, round + 1 };
		void *arguments[] = { &actor, &actor, &actor };

		domain->without_dirty_lock = true;
		check(!domain_start(domain, IOMMU_DIRTY_SPLIT_OFF, 0), "the start failed");
		fibers_run(test_seed + round * 7919, 3, bodies, arguments);
		quiet(domain);
	}
}

/* Two syncs that take turns to split the same blocks, one at a time */
static void syncs_that_split(unsigned int bbml, unsigned int rounds)
{
	void (*const bodies[])(void *) = { sync_body, sync_body };

	for (unsigned int round = 0; round < rounds && !failed(); round++) {
		struct domain *domain = raced(&geometry_4k, bbml, SZ_2M, 4, round);
		struct actor actor = { domain, 0, 64, BASE, 4 * SZ_2M, 0 };
		void *arguments[] = { &actor, &actor };

		check(!domain_start(domain, IOMMU_DIRTY_SPLIT_LAZY, SZ_4K), "the start failed");
		domain->walk_step = SZ_2M;
		/* Most rounds only wait for each other, some split */
		domain->budget = round % 32 == 0;
		fibers_run(test_seed + round * 15485863, 2, bodies, arguments);
		hits[RACE_SYNC_QUEUE] += domain->dirty_lock.waits;
		quiet(domain);
	}
}

static void unmap_body(void *argument)
{
	struct actor *actor = argument;

	for (unsigned int i = 0; i < actor->rounds && !fiber_leader_ended() && !failed(); i++) {
		u64 page = domain_mapped_size(actor->domain, actor->iova);

		domain_unmap(actor->domain, actor->iova, actor->length, page);
		domain_map(actor->domain, actor->iova, actor->length, page, DMA_RW);
	}
}

/* Syncs of one part of a table, of which another part is unmapped and mapped */
static void sync_against_unmap(enum iommu_dirty_split_mode mode, unsigned int bbml, u64 size,
			       unsigned int leaves, unsigned int rounds)
{
	void (*const bodies[])(void *) = { sync_body, unmap_body, lookup_body };

	for (unsigned int round = 0; round < rounds && !failed(); round++) {
		struct domain *domain = raced(&geometry_4k, bbml, size, leaves, round);
		struct actor syncs = { domain, mode, 24, BASE, leaves / 2 * size, round + 1 };
		struct actor unmaps = { domain, mode, UINT_MAX, BASE + leaves / 2 * size, 4 * size, 0 };
		void *arguments[] = { &syncs, &unmaps, &syncs };

		check(!domain_start(domain, mode, granularity(mode, SZ_4K)), "the start failed");
		domain->budget = round % 4;
		fibers_run(test_seed + round * 104729, 2 + (round % 4 == 0), bodies, arguments);
		quiet(domain);
	}
}

static void stop_body(void *argument)
{
	struct actor *actor = argument;

	for (unsigned int i = 0; i < actor->rounds && !failed(); i++) {
		check(!domain_start(actor->domain, actor->mode, SZ_4K), "a start failed");
		if (actor->mode == IOMMU_DIRTY_SPLIT_LAZY)
			check(!domain_sync(actor->domain, actor->iova, actor->length, 0),
			      "a sync failed");
		check(!domain_stop(actor->domain), "a stop failed");
	}
}

static void follow_body(void *argument)
{
	while (!fiber_leader_ended() && !failed())
		sync_body(argument);
}

/* A migration that starts and stops, and a sync that does not know of it */
static void stop_against_sync(enum iommu_dirty_split_mode mode, unsigned int bbml,
			      unsigned int rounds)
{
	void (*const bodies[])(void *) = { stop_body, follow_body, lookup_body };

	for (unsigned int round = 0; round < rounds && !failed(); round++) {
		struct domain *domain = raced(&geometry_4k, bbml, SZ_2M, 4, round);
		struct actor stops = { domain, mode, 64, BASE, 4 * SZ_2M, round + 1 };
		/* The end of one block and the beginning of the next: short, and in two steps */
		struct actor syncs = { domain, mode, 1, BASE + SZ_2M - SZ_64K, 2 * SZ_64K,
				       round + 2 };
		void *arguments[] = { &stops, &syncs, &stops };

		domain->walk_step = SZ_2M;
		fibers_run(test_seed + round * 32452843, 2 + (round % 4 == 0), bodies, arguments);
		check(!domain_stop(domain), "the last stop failed");
		domain_expect_leaves(domain, BASE, 4 * SZ_2M, SZ_2M);
		quiet(domain);
	}
}

static void enough(enum race race)
{
	printf("# %s: %" PRIu64 " times\n", race_names[race], hits[race]);
	check(hits[race] >= HITS_NEEDED, "it came up %" PRIu64 " times only", hits[race]);
}

void run_forced_cases(void)
{
	for (unsigned int bbml = 1; bbml <= 2; bbml++) {
		run_case(against_hardware(&geometry_4k, IOMMU_DIRTY_SPLIT_EAGER, bbml, SZ_2M, SZ_4K,
					  0, 44000),
			 "forced: hardware against split and merge, 2M-4K bbml%u", bbml);
		run_case(against_hardware(&geometry_4k, IOMMU_DIRTY_SPLIT_EAGER, bbml, SZ_1G, SZ_2M,
					  1, 100),
			 "forced: hardware against split and merge, 1G-2M bbml%u", bbml);
		run_case(against_hardware(&geometry_16k, IOMMU_DIRTY_SPLIT_EAGER, bbml, SZ_32M,
					  SZ_16K, 1, 100),
			 "forced: hardware against split and merge, 32M-16K bbml%u", bbml);
		run_case(against_hardware(&geometry_64k, IOMMU_DIRTY_SPLIT_LAZY, bbml, SZ_512M,
					  SZ_64K, 2, 20),
			 "forced: hardware against split and merge, 512M-64K bbml%u", bbml);
		run_case(against_hardware(&geometry_4k, IOMMU_DIRTY_SPLIT_LAZY, bbml, SZ_2M, SZ_4K,
					  3, 300),
			 "forced: hardware against syncs that split, bbml%u", bbml);
		run_case(syncs_of_pages(bbml, 150), "forced: two syncs of pages, bbml%u", bbml);
		run_case(syncs_that_split(bbml, 250), "forced: two syncs that split, bbml%u", bbml);
		run_case(sync_against_unmap(IOMMU_DIRTY_SPLIT_OFF, bbml, SZ_4K, 64, 240),
			 "forced: sync and unmap of pages, bbml%u", bbml);
		run_case(sync_against_unmap(IOMMU_DIRTY_SPLIT_LAZY, bbml, SZ_2M, 8, 60),
			 "forced: sync that splits and unmap of blocks, bbml%u", bbml);
		run_case(stop_against_sync(IOMMU_DIRTY_SPLIT_EAGER, bbml, 200),
			 "forced: stop and sync, eager bbml%u", bbml);
		run_case(stop_against_sync(IOMMU_DIRTY_SPLIT_LAZY, bbml, 100),
			 "forced: stop and sync, lazy bbml%u", bbml);
	}
	for (int race = 0; race < RACES; race++)
		run_case(enough(race), "forced: %s", race_names[race]);
}
