// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold: a driver in user space that does nothing: a type1 container with the DMA generator and
 * memory mapped in as many ranges as asked, its dirty log on or off. Says "ready" and stays until
 * a signal, for others to look at. Knows nothing of what the device does.
 *
 *   hold [--log] [--ranges N]      each 2 MiB, with a gap behind (1)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generator.h"
#include "memory.h"
#include "runtime.h"
#include "type1.h"

#define IOVA	UINT64_C(0x4000000000)

static int set_up(int container, unsigned long ranges, bool log, int *group, struct iommu *io,
		  struct memory *mem)
{
	char name[16];
	int err = type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, 0, name);

	if (err)
		return problem(-err, "there is no DMA generator");
	err = type1_attach(container, name, group, io);
	if (!err)
		err = memory_create(mem, ranges * SZ_2M, SZ_4K);
	for (unsigned long i = 0; !err && i < ranges; i++) {
		err = type1_map(container, mem->va + i * SZ_2M, IOVA + 2 * i * SZ_2M, SZ_2M);
		if (err)
			problem(-err, "cannot map range %lu (%s)", i, strerror(-err));
	}
	if (!err && log) {
		err = type1_log_start(container);
		if (err)
			problem(-err, "cannot start the log (%s)", strerror(-err));
	}
	return err;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "log", 0, NULL, 'l' }, { "ranges", 1, NULL, 'r' }, { 0 },
	};
	__cleanup_fd int container = -1;
	struct iommu io = IOMMU_CLOSED;
	unsigned long ranges = 1;
	struct memory mem = { 0 };
	int c, group = -1, err;
	bool log = false;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c == 'l')
			log = true;
		else if (c == 'r')
			ranges = strtoul(optarg, NULL, 10);
		else
			return 2;
	catch_interrupts();
	container = type1_container();
	err = container < 0 ? container : set_up(container, ranges, log, &group, &io, &mem);
	if (!err) {
		puts("ready");
		fflush(stdout);
		while (!interrupted)
			pause();
	}
	type1_detach(&group, &io);
	memory_destroy(&mem);
	return err ? 1 : 0;
}
