// SPDX-License-Identifier: GPL-2.0-only
/* See pool.h */
#include "pool.h"
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE	4096ul
#define HUGE	(2ul << 20)
#define MAP	64ul	/* bytes of a struct page */

/* Free pages; the next one to hand out is the last. @low: how few there were since the last pool_mark(). */
static void **stack, **copy;
static size_t top, low, mark, total;
static char *memory, *map;

static struct { uintptr_t start, end; } regions[16];
static unsigned int nr_regions;

static void *must(void *p, const char *what)
{
	if (!p || p == MAP_FAILED) {
		fprintf(stderr, "bench: no memory for %s\n", what);
		exit(1);
	}
	return p;
}

void *pool_region(size_t size)
{
	size_t length = (size + 2 * HUGE - 1) & ~(HUGE - 1);
	char *p = must(mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		       "tables");
	char *start = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	size = (size + HUGE - 1) & ~(HUGE - 1);
	madvise(start, size, MADV_HUGEPAGE);
	for (size_t i = 0; i < size; i += PAGE)
		((volatile char *)start)[i] = 1;
	memset(start, 0, size);
	if (nr_regions == sizeof(regions) / sizeof(regions[0]))
		exit(1);
	regions[nr_regions].start = (uintptr_t)start;
	regions[nr_regions++].end = (uintptr_t)start + size;
	return start;
}

/* Neighbouring regions are one mapping for the kernel: count what lies in each mapping */
unsigned int pool_huge(void)
{
	FILE *maps = must(fopen("/proc/self/smaps", "r"), "smaps");
	uint64_t start = 0, end = 0, wanted = 0, kib, huge = 0, all = 0;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			wanted = 0;
			for (unsigned int i = 0; i < nr_regions; i++)
				if (regions[i].start >= start && regions[i].end <= end)
					wanted += regions[i].end - regions[i].start;
			all += wanted;
		} else if (wanted && sscanf(line, "AnonHugePages: %" SCNu64 " kB", &kib) == 1) {
			huge += kib << 10 < wanted ? kib << 10 : wanted;
		}
	}
	fclose(maps);
	return all ? huge * 100 / all : 0;
}

void pool_init(size_t pages)
{
	memory = pool_region(pages * PAGE);
	map = pool_region(pages * MAP);
	stack = must(malloc(pages * sizeof(*stack)), "the pool");
	copy = must(malloc(pages * sizeof(*copy)), "the pool");
	total = pages;
	pool_reset();
}

/* clear_page_erms() */
static inline void clear_page(void *page)
{
	void *p = page;
	size_t count = PAGE;

	asm volatile("rep stosb" : "+D" (p), "+c" (count) : "a" (0) : "memory");
}

void *pool_alloc(void)
{
	void *page;

	if (!top) {
		fprintf(stderr, "bench: the pool is empty\n");
		abort();
	}
	page = stack[--top];
	if (top < low)
		low = top;
	clear_page(page);
	return page;
}

void pool_free(void *page)
{
	stack[top++] = page;
}

void *pool_page(const void *page)
{
	return map + ((const char *)page - memory) / PAGE * MAP;
}

void *pool_page_address(const void *page)
{
	return memory + ((const char *)page - map) / MAP * PAGE;
}

void pool_mark(void)
{
	memcpy(copy, stack, top * sizeof(*stack));
	low = mark = top;
}

void pool_release(void)
{
	memcpy(stack + low, copy + low, (mark - low) * sizeof(*stack));
	top = low = mark;
}

void pool_reset(void)
{
	for (size_t i = 0; i < total; i++)
		stack[i] = memory + (total - 1 - i) * PAGE;
	top = total;
	pool_mark();
}
