// SPDX-License-Identifier: GPL-2.0-only
/*
 * Targets in type information. A function of the same name may take other arguments in
 * another kernel; a program would read nonsense there, and a kprobe would not even be
 * refused. Not here: anything about the running kernel.
 */
#include "probe_types.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

/* No sane type has more layers; a damaged file may have a circle. */
#define LAYERS 32

/* Typedefs and qualifiers say nothing about how an argument is passed. */
static const struct btf_type *plain(const struct btf *btf, __u32 type)
{
	const struct btf_type *t = btf__type_by_id(btf, type);

	for (int i = 0; t && (btf_is_typedef(t) || btf_is_mod(t)); i++)
		t = i < LAYERS ? btf__type_by_id(btf, t->type) : NULL;
	return t;
}

/* One argument's type against one word: "name*", "*" or a size. */
static bool is_like(const struct btf *btf, __u32 type, const char *word, size_t length)
{
	const struct btf_type *t = plain(btf, type);
	const char *name;

	if (!t || !length)
		return false;
	if (word[length - 1] != '*')
		return (btf_is_int(t) || btf_is_any_enum(t)) && length == 1 &&
		       t->size == (__u32)(*word - '0');
	if (!btf_is_ptr(t))
		return false;
	if (length == 1)
		return true;
	t = plain(btf, t->type);
	if (!t || !(btf_is_composite(t) || btf_is_fwd(t)))
		return false;
	name = btf__name_by_offset(btf, t->name_off);
	return name && strlen(name) == length - 1 && !memcmp(name, word, length - 1);
}

/* An argument against a type's word, and maybe a name behind it. */
static bool matches(const struct btf *btf, const struct btf_param *param, const char *words,
		    size_t length)
{
	size_t type = strcspn(words, " ,");
	const char *name;

	if (type >= length)
		return is_like(btf, param->type, words, length);
	name = btf__name_by_offset(btf, param->name_off);
	return is_like(btf, param->type, words, type) && name &&
	       strlen(name) == length - type - 1 && !memcmp(name, words + type + 1, length - type - 1);
}

/* @first: arguments of the prototype that come before those of the target */
static bool takes(const struct btf *btf, const struct btf_type *proto, unsigned int first,
		  const char *words)
{
	const struct btf_param *params = btf_params(proto);

	for (unsigned int i = first; i < btf_vlen(proto); i++) {
		size_t length = strcspn(words, ",");

		if (!matches(btf, &params[i], words, length))
			return false;
		words += length;
		words += strspn(words, ", ");
	}
	return !*words;
}

enum probe_state probe_types__find(const struct btf *btf, enum probe_kind kind,
				   const struct probe_target *target, uint32_t *type)
{
	bool event = kind == PROBE_EVENT || kind == PROBE_SYSCALLS;
	const char *prefix = event ? "btf_trace_" : kind == PROBE_ITER ? "bpf_iter_" : "";
	const struct btf_type *proto;
	char name[80];
	__s32 id;

	/* An event is known by the type of its probe functions, an iterator by a function's. */
	snprintf(name, sizeof(name), "%s%s", prefix, target->name);
	id = btf__find_by_name_kind(btf, name, event ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
	if (id <= 0)
		return PROBE_ABSENT;
	*type = id;
	if (!target->takes)
		return PROBE_SERVES;
	proto = btf__type_by_id(btf, id);
	proto = proto ? btf__type_by_id(btf, proto->type) : NULL;
	if (event && proto && btf_is_ptr(proto))
		proto = btf__type_by_id(btf, proto->type);
	if (!proto || !btf_is_func_proto(proto))
		return PROBE_CHANGED;
	/* Those functions take their caller's data first. */
	return takes(btf, proto, event, target->takes) ? PROBE_SERVES : PROBE_CHANGED;
}
