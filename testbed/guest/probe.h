/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a probe is made of: checks that each print one line, "ok NAME", "ok NAME # SKIP why" or
 * "not ok NAME: why", and what any of them may want to know of the kernel. Knows no device.
 */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a check returns; because() keeps the text of a failure or a skip. */
enum outcome { PASS, FAIL, SKIP };

/* Keeps the reason that the check's line will give; returns 'outcome'. */
enum outcome because(enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct check {
	const char *name;
	enum outcome (*run)(void);
};

struct probe {
	const char *name;
	const struct check *checks;
	size_t n;		/* checks */
	size_t by_name;		/* how many of them, the last, run only when named */
	unsigned int settle_ms;	/* for how long a check may leave page tables behind */
};

/*
 * Runs the checks named in argv[optind...], or all, and sums up. Returns the exit status: 0, 1 when
 * something failed, 2 when there is no check of a name.
 */
int probe_run(const struct probe *probe, int argc, char **argv);

/* Prints the names, for a --help. */
void probe_list(const struct probe *probe);

/* A check of its own: nothing in the kernel's log tells of a bug. */
enum outcome kernel_log_clean(void);

/* Page tables of all IOMMU domains, in pages; -1 when this kernel does not count them. */
long table_pages(void);

/* Bit 'bit' of a bitmap. */
bool has(const uint64_t *bitmap, uint64_t bit);

#endif
