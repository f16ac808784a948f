// SPDX-License-Identifier: GPL-2.0-only
/*
 * Call chains as text: chains whose functions have the same names are one. Not here: taking them
 * (bpf/stack.bpf.h).
 */
#include "stacks.h"
#include "costs.h"
#include "summary.h"
#include "symbols.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stack_list {
	struct symbols *symbols;
};

/* One chain of names. */
struct named_stack {
	struct hwdbm_stack_key key;
	struct hwdbm_stack_totals totals;
	char *frames;
};

struct named_stacks {
	struct named_stack *at;
	size_t count;
};

int stacks__open(struct stack_list **out)
{
	struct stack_list *list = calloc(1, sizeof(*list));
	int err = list ? symbols__open(&list->symbols) : -ENOMEM;

	if (err) {
		free(list);
		return err;
	}
	*out = list;
	return 0;
}

void stacks__free(struct stack_list *list)
{
	if (!list)
		return;
	symbols__free(list->symbols);
	free(list);
}

/* Return: the number of addresses, innermost first. */
static size_t read_chain(int chains, int32_t id, uint64_t at[HWDBM_STACK_DEPTH])
{
	uint32_t key = id;
	size_t count = 0;

	memset(at, 0, HWDBM_STACK_DEPTH * sizeof(*at));
	if (id < 0 || bpf_map_lookup_elem(chains, &key, at))
		return 0;
	while (count < HWDBM_STACK_DEPTH && at[count])
		count++;
	return count;
}

int stacks__meet(struct stack_list *list, const struct stack_maps *maps,
		 const struct hwdbm_stack *record)
{
	uint64_t at[HWDBM_STACK_DEPTH];
	size_t count = read_chain(maps->chains, record->key.user, at);
	int err = count ? symbols__meet(list->symbols, record->record.pid, at, count) : 0;

	return err == -ENOMEM ? err : 0;
}

/* The way from a hook to its program is no caller's. */
static bool is_ours(const char *name)
{
	static const char * const words[] = { "bpf_prog_", "bpf_trampoline_", "bpf_trace_run",
					      "__bpf_trace_", "__traceiter_", "bpf_get_stackid" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(name, words[i], strlen(words[i])))
			return true;
	return false;
}

/* A frame that does not fit is left out, and what is inside of it. */
static void append(char *frames, size_t *length, const char *name, const char *suffix)
{
	size_t more = strlen(name) + strlen(suffix) + !!*length;

	if (*length + more >= SAMPLE_FRAMES)
		return;
	*length += sprintf(frames + *length, "%s%s%s", *length ? ";" : "", name, suffix);
}

/* Return addresses are behind their call; where the kernel was probed is not. */
static size_t skip_ours(struct symbols *symbols, const uint64_t *at, size_t count)
{
	char name[SYMBOL_TEXT];
	size_t first = 0;

	while (first < count && is_ours(symbols__kernel(symbols, at[first], name)))
		first++;
	return first;
}

static void append_user(struct stack_list *list, uint64_t pid, const uint64_t *at, size_t count,
			char *frames, size_t *length)
{
	char name[SYMBOL_TEXT];

	for (size_t i = count; i-- > 0;)
		append(frames, length, symbols__user(list->symbols, pid, at[i] - 1, name), "");
}

static void append_kernel(struct stack_list *list, const uint64_t *at, size_t count, char *frames,
			  size_t *length)
{
	size_t first = skip_ours(list->symbols, at, count);
	char name[SYMBOL_TEXT];

	for (size_t i = count; i-- > first;)
		append(frames, length, symbols__kernel(list->symbols, at[i] - !!i, name), "_[k]");
}

static char *name_frames(struct stack_list *list, const struct stack_maps *maps,
			 const struct hwdbm_stack_key *key, const struct owner *owner)
{
	uint64_t at[HWDBM_STACK_DEPTH];
	char frames[SAMPLE_FRAMES] = "";
	size_t length = 0, count = read_chain(maps->chains, key->user, at);

	if (count == HWDBM_STACK_DEPTH)
		append(frames, &length, "[cut]", "");
	append_user(list, owner->pid, at, count, frames, &length);
	count = read_chain(maps->chains, key->kernel, at);
	if (!count)
		append(frames, &length, "[lost]", "_[k]");
	append_kernel(list, at, count, frames, &length);
	return strdup(frames);
}

static bool is_same(const struct named_stack *one, const struct named_stack *other)
{
	return one->key.tgid == other->key.tgid && one->key.mmu == other->key.mmu &&
	       one->key.cause == other->key.cause && !strcmp(one->frames, other->frames);
}

/* Takes the frames. */
static int add_named(struct named_stacks *named, const struct named_stack *stack)
{
	struct named_stack *at;

	for (size_t i = 0; i < named->count; i++) {
		if (!is_same(&named->at[i], stack))
			continue;
		named->at[i].totals.count += stack->totals.count;
		named->at[i].totals.ns += stack->totals.ns;
		free(stack->frames);
		return 0;
	}
	at = realloc(named->at, (named->count + 1) * sizeof(*at));
	if (!at) {
		free(stack->frames);
		return -ENOMEM;
	}
	named->at = at;
	named->at[named->count++] = *stack;
	return 0;
}

static int gather(struct stack_list *list, const struct stack_maps *maps,
		  struct owner_list *owners, struct named_stacks *named)
{
	struct hwdbm_stack_key key, *previous = NULL;
	int err = 0;

	for (; !err && !bpf_map_get_next_key(maps->stacks, previous, &key); previous = &key) {
		const struct owner *owner = owners__find(owners, maps->owners, key.tgid);
		struct named_stack stack = { .key = key };

		err = owner ? summary__sum(maps->stacks, &key, &stack.totals, sizeof(stack.totals)) :
			      -ENOMEM;
		if (err)
			break;
		stack.frames = name_frames(list, maps, &key, owner);
		err = stack.frames ? add_named(named, &stack) : -ENOMEM;
	}
	return err;
}

static int by_time(const void *one, const void *other)
{
	const struct named_stack *a = one, *b = other;

	return a->totals.ns < b->totals.ns ? 1 : a->totals.ns > b->totals.ns ? -1 : 0;
}

static int put(const struct named_stack *stack, uint64_t all_ns, const struct owner *owner,
	       sample_handler handler, void *context)
{
	union sample sample;
	struct stack_sample *out = &sample.stack;

	if (!owner)
		return -ENOMEM;
	field__clear(sample__table(SAMPLE_STACK), &sample);
	out->t_ns = summary__now();
	STRING_COPY(out->source, costs__mmu(stack->key.mmu));
	STRING_COPY(out->cause, costs__cause(stack->key.cause));
	out->pid = owner->pid;
	STRING_COPY(out->vm, owner->name);
	out->count = stack->totals.count;
	out->total_ns = stack->totals.ns;
	if (all_ns)
		out->share = (double)stack->totals.ns / (double)all_ns;
	STRING_COPY(out->frames, stack->frames);
	return summary__hand_on(SAMPLE_STACK, &sample, handler, context);
}

int stacks__put(struct stack_list *list, const struct stack_maps *maps, struct owner_list *owners,
		sample_handler handler, void *context)
{
	struct named_stacks named = { 0 };
	int err = gather(list, maps, owners, &named);
	uint64_t all_ns = 0;

	for (size_t i = 0; i < named.count; i++)
		all_ns += named.at[i].totals.ns;
	if (named.count)
		qsort(named.at, named.count, sizeof(*named.at), by_time);
	for (size_t i = 0; i < named.count; i++) {
		if (!err)
			err = put(&named.at[i], all_ns,
				  owners__find(owners, maps->owners, named.at[i].key.tgid), handler,
				  context);
		free(named.at[i].frames);
	}
	free(named.at);
	return err;
}
