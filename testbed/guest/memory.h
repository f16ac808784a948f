/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The source's memory ("guest RAM" of the VM that is migrated): where it comes from, its first
 * content, looking for zeros.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory {
	uint8_t *va;		/* NULL when not there */
	uint64_t bytes;
	uint64_t block_bytes;	/* 4K, 2M or 1G: the pages behind it */
};

/* Takes 'bytes' of memory in pages of 'block_bytes' (huge pages for 2M and 1G). 0 or -errno. */
int memory_create(struct memory *mem, uint64_t bytes, uint64_t block_bytes);
void memory_destroy(struct memory *mem);

/* Free huge pages of this size, or -errno when the kernel has none of that size. */
long memory_free_huge_pages(uint64_t page_bytes);

/* Puts a seeded, non-zero 8-byte value at the start of each 4K page of the first 'bytes'. */
void memory_seed(struct memory *mem, uint64_t bytes, uint64_t seed);

/* True when 'bytes' (a multiple of 256) at 'p' (8-byte aligned) are all zero. */
bool memory_is_zero(const void *p, size_t bytes);

/* The next value of the splitmix64 sequence with state *state. */
uint64_t next_random(uint64_t *state);

#endif
