// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe table on the running kernel, and what follows for a BPF object. Not here:
 * the choice itself and its tests.
 */
#include "probes.h"
#include "probe_test.h"
#include "../lib/strings.h"

#include <bpf/libbpf.h>

int probes__test(const struct probe_options *options, struct probe_choice *choice)
{
	struct probe_bench *bench;
	int err = probe_bench__open(&bench);

	if (err)
		return err;
	probes__choose(&probe_table, options, probe_bench__test, bench, choice);
	probe_bench__free(bench);
	return 0;
}

static void set_load(struct bpf_object *object, const struct probe *probe, bool load)
{
	for (size_t i = 0; i < PROBE_PROGRAMS && probe->programs[i]; i++) {
		struct bpf_program *program;

		program = bpf_object__find_program_by_name(object, probe->programs[i]);
		if (program)
			bpf_program__set_autoload(program, load);
	}
}

void probes__apply(const struct probe_choice *choice, struct bpf_object *object)
{
	for (size_t i = 0; i < choice->table->count; i++)
		set_load(object, &choice->table->at[i], false);
	/* Afterwards: a program may serve more than one measurement. */
	for (size_t i = 0; i < HWDBM_MEASURES; i++)
		if (choice->chosen[i])
			set_load(object, choice->chosen[i], true);
}

void probes__list(const struct probe_choice *choice, struct named_list *used)
{
	char text[PROBE_TEXT];

	memset(used, 0, sizeof(*used));
	for (size_t i = 0; i < HWDBM_MEASURES && used->count < NAMED_MAX; i++) {
		struct named *named = &used->at[used->count];

		if (!choice->chosen[i])
			continue;
		used->count++;
		STRING_COPY(named->name, probes__measure_name(i));
		STRING_COPY(named->text, probes__name(choice->chosen[i], text));
	}
}

_Static_assert(HWDBM_MEASURES <= NAMED_MAX, "a recording's header has no room for all probes");
