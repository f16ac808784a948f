/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory as the kernel's direct map has it: touched before anything is
 * measured, and mapped by huge pages. Tables of all contenders, and those that
 * a floor builds, come from the one list here.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

/* Reserves @pages of 4 KiB and touches them; aborts if memory is short */
void pool_init(size_t pages);
/* A zeroed page, the one freed last; aborts when there is none left */
void *pool_alloc(void);
void pool_free(void *page);

/* The struct page of a page, 64 bytes that are its own, and back */
void *pool_page(const void *page);
void *pool_page_address(const void *page);

/* Everything allocated after pool_mark() can be given back at once; pool_reset() gives back all */
void pool_mark(void);
void pool_release(void);
void pool_reset(void);

/* Memory outside the list, 2 MiB aligned, touched and on huge pages */
void *pool_region(size_t size);
/* Percent of all this memory that huge pages really map */
unsigned int pool_huge(void);

#endif
