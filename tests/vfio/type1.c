// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver in user space that knows the truth about its dirty log: maps ranges for a device in a
 * type1 container, and reads the log of each as a VMM would. The device does nothing, for type1
 * reports every page that it may have written. Every read is one JSON line on stdout. Not here:
 * what hwdbm saw of it (tests/kvm/compare), and DMA (testbed/guest/type1probe.c).
 *
 *   type1 DEVICE [--ranges N] [--syncs N] [--hold] [--log]
 *   type1 DEVICE --unmap N [--iova ADDRESS]
 *
 * --hold says "ready" in place of any read, and stays until a signal; --log: with the log on.
 * --unmap: N single pages, every second one from ADDRESS, are mapped, and then unmapped one by one.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define IOVA 0x10000000UL
#define GAP (16UL << 20)

/* Of the range with this number; sizes differ, and no bitmap ends with a word. */
static uint64_t range_bytes(unsigned int range)
{
	return (range + 1) * 1000 * PAGE;
}

static uint64_t range_iova(unsigned int range)
{
	uint64_t iova = IOVA;

	while (range--)
		iova += range_bytes(range) + GAP;
	return iova;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static int open_group(const char *device)
{
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t length;
	int group;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		err(1, "%s", path);
	link[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%.32s", basename(link));
	group = open(path, O_RDWR | O_CLOEXEC);
	if (group < 0)
		err(1, "%s", path);
	return group;
}

static int open_container(const char *device)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC), group = open_group(device);

	if (container < 0)
		err(1, "/dev/vfio/vfio");
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err(1, "the container of %s", device);
	if (ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device) < 0)
		err(1, "%s", device);
	return container;
}

static void map_bytes(int container, uint64_t iova, uint64_t bytes)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = iova, .size = bytes,
	};
	void *memory = mmap(NULL, map.size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "memory");
	map.vaddr = (uintptr_t)memory;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "VFIO_IOMMU_MAP_DMA");
}

/* No two pages are neighbours, so that each is invalidated by itself. */
static void map_and_unmap(int container, unsigned int pages, uint64_t iova)
{
	for (unsigned int i = 0; i < pages; i++)
		map_bytes(container, iova + 2 * i * PAGE, PAGE);
	for (unsigned int i = 0; i < pages; i++) {
		struct vfio_iommu_type1_dma_unmap unmap = {
			.argsz = sizeof(unmap), .iova = iova + 2 * i * PAGE, .size = PAGE,
		};

		if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap) || unmap.size != PAGE)
			err(1, "VFIO_IOMMU_UNMAP_DMA");
	}
	printf("{\"iova\":%" PRIu64 ",\"unmapped_pages\":%u}\n", iova, pages);
}

static void switch_log(int container, uint32_t flag)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = { .argsz = sizeof(dirty), .flags = flag };

	if (ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &dirty))
		err(1, "VFIO_IOMMU_DIRTY_PAGES");
}

static void read_log(int container, unsigned int round, unsigned int range)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get range;
	} get = {
		.head = { .argsz = sizeof(get),
			  .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP },
		.range = { .iova = range_iova(range), .size = range_bytes(range) },
	};
	size_t words = (range_bytes(range) / PAGE + 63) / 64;
	uint64_t *bitmap = calloc(words, 8), dirty = 0, start, took;

	if (!bitmap)
		err(1, "memory");
	get.range.bitmap = (struct vfio_bitmap){ PAGE, words * 8, (void *)bitmap };
	start = now_ns();
	if (ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &get))
		err(1, "reading the log");
	took = now_ns() - start;
	for (size_t i = 0; i < words; i++)
		dirty += __builtin_popcountl(bitmap[i]);
	printf("{\"round\":%u,\"iova\":%" PRIu64 ",\"length_bytes\":%" PRIu64
	       ",\"dirty_4k_bytes\":%" PRIu64 ",\"get_ns\":%" PRIu64 "}\n",
	       round, range_iova(range), range_bytes(range), dirty * PAGE, took);
	free(bitmap);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ranges", 1, NULL, 'r' }, { "syncs", 1, NULL, 's' }, { "hold", 0, NULL, 'h' },
		{ "log", 0, NULL, 'l' }, { "unmap", 1, NULL, 'u' }, { "iova", 1, NULL, 'i' }, { 0 },
	};
	unsigned int ranges = 2, syncs = 3, unmap = 0;
	uint64_t iova = IOVA;
	bool hold = false, log = false;
	int container, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'r': ranges = strtoul(optarg, NULL, 10); break;
		case 's': syncs = strtoul(optarg, NULL, 10); break;
		case 'h': hold = true; break;
		case 'l': log = true; break;
		case 'u': unmap = strtoul(optarg, NULL, 10); break;
		case 'i': iova = strtoull(optarg, NULL, 0); break;
		default: return 2;
		}
	if (optind != argc - 1)
		errx(2, "which device?");
	container = open_container(argv[optind]);
	if (unmap) {
		map_and_unmap(container, unmap, iova);
		return 0;
	}
	for (unsigned int i = 0; i < ranges; i++)
		map_bytes(container, range_iova(i), range_bytes(i));
	if (log || !hold)
		switch_log(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	if (hold) {
		puts("ready");
		fflush(stdout);
		pause();
	}
	for (unsigned int round = 1; round <= syncs; round++)
		for (unsigned int i = 0; i < ranges; i++)
			read_log(container, round, i);
	switch_log(container, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
	return 0;
}
