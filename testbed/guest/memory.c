// SPDX-License-Identifier: GPL-2.0-only
/*
 * Huge page or 4K memory for the source. See memory.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"
#include "runtime.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif

long memory_free_huge_pages(uint64_t page_bytes)
{
	char path[96], text[32];
	int err;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)(page_bytes >> 10));
	err = read_text(path, text, sizeof(text));
	return err ? err : strtol(text, NULL, 10);
}

static int check_huge_pages(uint64_t bytes, uint64_t page_bytes)
{
	long need = bytes / page_bytes, have = memory_free_huge_pages(page_bytes);
	const char *size = page_bytes == SZ_1G ? "1G" : "2M";

	if (have >= need)
		return 0;
	return problem(ENOMEM, "%ld free huge pages of %s are needed, %ld are there; boot with hugepagesz=%s hugepages=%ld or ask for less --memory",
		       need, size, have < 0 ? 0 : have, size, need);
}

int memory_create(struct memory *mem, uint64_t bytes, uint64_t block_bytes)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS;
	void *va;
	int err;

	*mem = (struct memory){ 0 };
	if (block_bytes > SZ_4K) {
		err = check_huge_pages(bytes, block_bytes);
		if (err)
			return err;
		flags |= MAP_HUGETLB | __builtin_ctzll(block_bytes) << MAP_HUGE_SHIFT;
	}
	va = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (va == MAP_FAILED)
		return problem(errno, "cannot get %llu bytes of memory (%s); ask for less --memory",
			       (unsigned long long)bytes, strerror(errno));
	*mem = (struct memory){ .va = va, .bytes = bytes, .block_bytes = block_bytes };
	return 0;
}

void memory_destroy(struct memory *mem)
{
	if (mem->va)
		munmap(mem->va, mem->bytes);
	mem->va = NULL;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void memory_seed(struct memory *mem, uint64_t bytes, uint64_t seed)
{
	for (uint64_t at = 0; at < bytes && at < mem->bytes; at += SZ_4K)
		*(uint64_t *)(mem->va + at) = next_random(&seed) | 1;
}

bool memory_is_zero(const void *p, size_t bytes)
{
	const uint64_t *at = p, *end = at + bytes / sizeof(*at);

	/* 256 bytes a round: under emulation the loads, not the memory, are what costs. */
	for (; at < end; at += 32) {
		uint64_t any = 0;

		for (int i = 0; i < 32; i++)
			any |= at[i];
		if (any)
			return false;
	}
	return true;
}
