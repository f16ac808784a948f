// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device in a thread of its own, with atomic updates of the descriptors,
 * against starts, syncs, stops and unmaps of the driver: whatever order two CPUs give.
 * The steps that races.c forces come up here by chance only.
 */
#include "domain.h"
#include "test.h"
#include <inttypes.h>

#define BASE		SZ_1G
#define WINDOW		(16 * SZ_2M)
/* Past the window of truth: mapped, written, unmapped again and again */
#define GUEST		(BASE + WINDOW)
#define RUN_NS		300000000ull

struct device_thread {
	struct domain *domain;
	u64 random, accesses;
	bool stop;
};

static void *device(void *argument)
{
	struct device_thread *thread = argument;
	struct domain *domain = thread->domain;
	u64 hot = BASE;

	while (!__atomic_load_n(&thread->stop, __ATOMIC_ACQUIRE)) {
		u64 dice = random_next(&thread->random);

		if (dice % 64 == 0)
			hot = BASE + random_next(&thread->random) % WINDOW;
		if (dice % 8 == 0) {
			u64 pa = 0, iova = GUEST + (dice >> 8) % SZ_2M;

			/* Not always mapped; but where it is, it is right */
			if (smmu_access(&domain->smmu, iova, true, &pa) == SMMU_OK)
				check(pa == iova + domain->geometry->pa_offset,
				      "DMA to 0x%" PRIx64 " went to 0x%" PRIx64, iova, pa);
		} else if (dice % 8 == 1) {
			domain_read(domain, BASE + (dice >> 8) % WINDOW);
		} else if (dice % 8 < 4) {
			domain_write(domain, BASE + (dice >> 8) % WINDOW);
		} else {
			domain_write(domain, hot);
		}
		__atomic_fetch_add(&thread->accesses, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void threaded(enum iommu_dirty_split_mode mode, unsigned int bbml)
{
	struct domain *domain = domain_new(&geometry_4k, bbml, BASE, WINDOW);
	struct device_thread thread = { .domain = domain,
					.random = test_seed * 31 + bbml * 7 + mode };
	u64 random = test_seed + 1, end = ktime_get_ns() + RUN_NS;
	pthread_t id;

	domain->threaded = true;
	domain_map(domain, BASE, WINDOW, SZ_2M, DMA_RW);
	if (pthread_create(&id, NULL, device, &thread))
		abort();

	/* Start tracking over now and then. A starved device gets its turn. */
	while (!failed() && (ktime_get_ns() < end ||
			     __atomic_load_n(&thread.accesses, __ATOMIC_RELAXED) < 1000)) {
		check(!domain_start(domain, mode, SZ_4K), "the start failed");
		domain->budget = 2;
		for (int i = 0; i < 12 && !failed(); i++) {
			domain->fail_record = random_next(&random) % 8 ? 0 : domain->records + 2;
			domain_sync_all(domain);

			domain_map(domain, GUEST, SZ_2M, SZ_2M, DMA_RW);
			domain_unmap(domain, GUEST + SZ_4K * (random_next(&random) % 512), SZ_4K,
				     SZ_4K);
			domain_unmap(domain, GUEST, SZ_2M, SZ_2M);
		}
		if (random_next(&random) % 4) {
			domain->fail_record = 0;
			check(!domain_stop(domain), "the stop failed");
			domain_expect_leaves(domain, BASE, WINDOW, SZ_2M);
		}
	}
	__atomic_store_n(&thread.stop, true, __ATOMIC_RELEASE);
	pthread_join(id, NULL);
	domain->fail_record = 0;
	check(!domain_sync_all(domain), "the last sync failed");
	check(!domain_sync_all(domain) && !domain_reported(domain), "dirty without DMA");
	domain_expect_addresses(domain);
	domain_free(domain);
}

void run_thread_cases(void)
{
	static const char *const modes[] = { "off", "eager", "lazy" };

	for (int mode = IOMMU_DIRTY_SPLIT_OFF; mode <= IOMMU_DIRTY_SPLIT_LAZY; mode++)
		for (unsigned int bbml = 1; bbml <= 2; bbml++)
			run_case(threaded(mode, bbml), "a device in a thread, %s bbml%u",
				 modes[mode], bbml);
}
