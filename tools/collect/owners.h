/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which process and VM totals are for, by the global process id that the BPF side counts by. Not
 * here: the totals.
 */
#ifndef HWDBM_COLLECT_OWNERS_H
#define HWDBM_COLLECT_OWNERS_H

#include "../model/sample.h"

struct owner {
	uint32_t tgid;
	uint64_t pid;			/* as this process's namespace numbers it, or UNKNOWN */
	char name[SAMPLE_VM_NAME];	/* of its VM, or its command; "" if unknown */
};

/* Zero-initialised: none. */
struct owner_list {
	struct owner *at;
	size_t count;
};

/**
 * owners__find() - who a global process id is
 *
 * Asked for while the process lives it is known afterwards, too.
 *
 * @map_fd: the BPF side's map of owners
 *
 * Return: the owner, valid until the next call; NULL without memory.
 */
const struct owner *owners__find(struct owner_list *list, int map_fd, uint32_t tgid);

/** owners__release() - free the list's memory and zero it */
void owners__release(struct owner_list *list);

#endif
