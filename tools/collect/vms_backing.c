// SPDX-License-Identifier: GPL-2.0-only
/*
 * smaps, mapping by mapping, against the slots sorted by the VMM's addresses.
 */
#define _GNU_SOURCE
#include "vms_backing.h"
#include "../lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static FILE *open_file(const struct vms_process *process, const char *name)
{
	int fd = openat(process->dir, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* Bytes outside hugetlbfs, whose walk is what takes time. */
static uint64_t resident(const struct vms_process *process)
{
	static const char *const keys[] = { "RssAnon:", "RssFile:", "RssShmem:" };
	_cleanup_fclose_ FILE *file = open_file(process, "status");
	uint64_t sum = 0, kib;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])) &&
			    sscanf(line + strlen(keys[i]), "%" SCNu64, &kib) == 1)
				sum += kib << 10;
	return sum;
}

struct range {
	uint64_t start, end;
};

static int by_start(const void *one, const void *other)
{
	const struct range *a = one, *b = other;

	return (a->start > b->start) - (a->start < b->start);
}

/* Slots of the VMM's memory, sorted and joined so that none overlap. */
static size_t sort_slots(const struct vm *vm, struct range *ranges)
{
	size_t count = 0;

	for (size_t i = 0; i < vm->slots_held; i++)
		if (vm->slots[i].user_address)
			ranges[count++] = (struct range){
				vm->slots[i].user_address,
				vm->slots[i].user_address + vm->slots[i].bytes,
			};
	qsort(ranges, count, sizeof(*ranges), by_start);
	for (size_t i = 1; i < count; i++)
		if (ranges[i].end < ranges[i - 1].end)
			ranges[i].end = ranges[i - 1].end;
	return count;
}

/* Ends rise with the starts, so the first that ends behind @start is the one to ask. */
static bool overlaps(const struct range *ranges, size_t count, uint64_t start, uint64_t end)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ranges[middle].end > start)
			high = middle;
		else
			low = middle + 1;
	}
	return low < count && ranges[low].start < end;
}

struct mapping {
	uint64_t page, rss, huge, hugetlb;
};

static void add_bytes(struct vm *vm, uint64_t page, uint64_t bytes)
{
	int leaf = 0;

	while (leaf < LEAF_SIZES - 1 && UINT64_C(1) << (leaf + LEAF_SHIFT) < page)
		leaf++;
	vm->backing[leaf] += bytes;
}

static void add_mapping(struct vm *vm, const struct mapping *m, uint64_t huge_page)
{
	add_bytes(vm, m->page, m->hugetlb);
	add_bytes(vm, huge_page, m->huge);
	add_bytes(vm, m->page, m->rss > m->huge ? m->rss - m->huge : 0);
}

static void take_line(struct mapping *m, const char *line)
{
	const struct {
		const char *key;
		uint64_t *to;
	} keys[] = {
		{ "Rss:", &m->rss },
		{ "KernelPageSize:", &m->page },
		{ "AnonHugePages:", &m->huge },
		{ "ShmemPmdMapped:", &m->huge },
		{ "FilePmdMapped:", &m->huge },
		{ "Shared_Hugetlb:", &m->hugetlb },
		{ "Private_Hugetlb:", &m->hugetlb },
	};
	uint64_t kib;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strncmp(line, keys[i].key, strlen(keys[i].key)) &&
		    sscanf(line + strlen(keys[i].key), "%" SCNu64, &kib) == 1)
			*keys[i].to += kib << 10;
}

/* What a transparent huge page is here; 2M where the host does not say. */
static uint64_t huge_page_size(void)
{
	_cleanup_fclose_ FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
					    "re");
	uint64_t size;

	return file && fscanf(file, "%" SCNu64, &size) == 1 ? size : 2 << 20;
}

static void read_mappings(FILE *smaps, const struct range *ranges, size_t count, struct vm *vm)
{
	uint64_t huge_page = huge_page_size(), start, end;
	struct mapping m = { 0 };
	_cleanup_free_ char *line = NULL;
	bool is_ours = false;
	size_t room = 0;

	memset(vm->backing, 0, sizeof(vm->backing));
	while (getline(&line, &room, smaps) > 0) {
		/* Keys begin with a capital, addresses with none. */
		if (line[0] >= 'A' && line[0] <= 'Z') {
			if (is_ours)
				take_line(&m, line);
			continue;
		}
		if (is_ours)
			add_mapping(vm, &m, huge_page);
		m = (struct mapping){ 0 };
		is_ours = sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 &&
			  overlaps(ranges, count, start, end);
	}
	if (is_ours)
		add_mapping(vm, &m, huge_page);
}

int vms_backing__read(const struct vms_process *process, struct vm *vm, uint64_t *budget)
{
	_cleanup_free_ struct range *ranges = calloc(vm->slots_held + 1, sizeof(*ranges));
	_cleanup_fclose_ FILE *smaps = NULL;
	uint64_t cost = resident(process);
	size_t count;

	if (!ranges)
		return -ENOMEM;
	count = sort_slots(vm, ranges);
	if (!count)
		return 0;
	if (budget && cost > *budget)
		return -E2BIG;
	if (budget)
		*budget -= cost;
	smaps = open_file(process, "smaps");
	if (!smaps)
		return -errno;
	read_mappings(smaps, ranges, count, vm);
	return 0;
}
