/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call chains that the BPF side counts, as samples. Not here: what addresses are called
 * (symbols.h).
 */
#ifndef HWDBM_COLLECT_STACKS_H
#define HWDBM_COLLECT_STACKS_H

#include "owners.h"
#include "../../bpf/records.h"

/* Maps of the BPF side. */
struct stack_maps {
	int stacks;			/* totals */
	int chains;			/* addresses */
	int owners;
};

struct stack_list;

/** stacks__open() - Return: 0 or -ENOMEM. */
int stacks__open(struct stack_list **out);

/** stacks__free() - NULL is fine */
void stacks__free(struct stack_list *list);

/**
 * stacks__meet() - a chain that is new: its process may end before it is named
 * Return: 0 or -ENOMEM. A process that is gone is no failure: it stays nameless.
 */
int stacks__meet(struct stack_list *list, const struct stack_maps *maps,
		 const struct hwdbm_stack *record);

/**
 * stacks__put() - one stack sample for each chain of names, the most expensive first
 * Return: 0, -ENOMEM, or the handler's error.
 */
int stacks__put(struct stack_list *list, const struct stack_maps *maps, struct owner_list *owners,
		sample_handler handler, void *context);

#endif
