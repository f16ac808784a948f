// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe table. The kernel's own events come first: they cost least, and only they
 * know how many leaves were seen, what was split and why a TLBI was made. Functions are
 * the way on a stock kernel. Not here: kernels without either.
 */
#include "probes.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct probe probes[] = {
	{ .measures = "tracking", .event = "iommu_dirty_tracking",
	  .programs = { "on_dirty_tracking" } },
	/* Not static and called from another file: present wherever iommufd is. */
	{ .measures = "tracking", .function = "iopt_set_dirty_tracking",
	  .programs = { "enter_set_tracking", "exit_set_tracking" } },

	{ .measures = "sync", .event = "iommu_dirty_sync",
	  .programs = { "on_dirty_sync" } },
	{ .measures = "sync", .function = "iopt_read_and_clear_dirty_data",
	  .programs = { "enter_read_dirty", "exit_read_dirty" } },

	{ .measures = "dirty", .event = "iommu_dirty_sync" },
	/* Exported; called once for each dirty leaf. */
	{ .measures = "dirty", .function = "iova_bitmap_set",
	  .programs = { "on_bitmap_set" } },

	{ .measures = "walk", .need = PROBE_OPTIONAL, .event = "iommu_dirty_sync" },
	/* Static, but kept because it is called by pointer. */
	{ .measures = "walk", .need = PROBE_OPTIONAL, .function = "__iommu_read_and_clear_dirty",
	  .programs = { "enter_walk", "exit_walk" } },

	/* A kernel without the event has no splitting to measure. */
	{ .measures = "split", .need = PROBE_OPTIONAL, .event = "iommu_split",
	  .programs = { "on_split" } },
	{ .measures = "merge", .need = PROBE_OPTIONAL, .event = "iommu_merge",
	  .programs = { "on_merge" } },

	{ .measures = "tlb", .need = PROBE_OPTIONAL, .event = "iommu_tlb_inv",
	  .programs = { "on_tlb_inv" } },
	{ .measures = "tlb", .need = PROBE_OPTIONAL, .function = "arm_smmu_cmdq_issue_cmdlist",
	  .programs = { "enter_cmdlist", "exit_cmdlist" } },
};

#define PROBES (sizeof(probes) / sizeof(probes[0]))

static bool in_module(const struct btf *vmlinux, const char *module, const char *function)
{
	struct btf *btf = btf__load_module_btf(module, (struct btf *)vmlinux);
	bool found;

	if (libbpf_get_error(btf))
		return false;
	found = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return found;
}

static bool has_function(const struct btf *vmlinux, const char *function)
{
	/* Where the functions of the table live when they are not built in. */
	static const char * const modules[] = { "iommufd", "arm_smmu_v3" };

	if (btf__find_by_name_kind(vmlinux, function, BTF_KIND_FUNC) > 0)
		return true;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (in_module(vmlinux, modules[i], function))
			return true;
	return false;
}

/* A tracepoint is known to BTF by the type of its probe functions. */
static bool has_event(const struct btf *vmlinux, const char *event)
{
	char name[80];

	snprintf(name, sizeof(name), "btf_trace_%s", event);
	return btf__find_by_name_kind(vmlinux, name, BTF_KIND_TYPEDEF) > 0;
}

static bool serves(const struct btf *vmlinux, const struct probe *probe)
{
	return probe->event ? has_event(vmlinux, probe->event) :
			      has_function(vmlinux, probe->function);
}

static void set_load(struct bpf_object *object, const struct probe *probe, bool load)
{
	for (size_t i = 0; i < sizeof(probe->programs) / sizeof(probe->programs[0]); i++) {
		struct bpf_program *program;

		if (!probe->programs[i])
			return;
		program = bpf_object__find_program_by_name(object, probe->programs[i]);
		if (program)
			bpf_program__set_autoload(program, load);
	}
}

static void note(struct named_list *used, const struct probe *probe)
{
	struct named *named = &used->at[used->count];

	if (used->count == NAMED_MAX)
		return;
	used->count++;
	snprintf(named->name, sizeof(named->name), "%s", probe->measures);
	snprintf(named->text, sizeof(named->text), "%s/%s",
		 probe->event ? "tp_btf" : "fentry+fexit",
		 probe->event ? probe->event : probe->function);
}

static bool is_noted(const struct named_list *used, const char *measures)
{
	for (size_t i = 0; i < used->count; i++)
		if (!strcmp(used->at[i].name, measures))
			return true;
	return false;
}

int probes__choose(struct bpf_object *object, struct named_list *used, bool *functions,
		   const char **missing)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();

	if (libbpf_get_error(vmlinux))
		return -ENOENT;
	used->count = 0;
	*functions = false;
	*missing = NULL;
	for (size_t i = 0; i < PROBES; i++) {
		bool chosen = !is_noted(used, probes[i].measures) && serves(vmlinux, &probes[i]);

		set_load(object, &probes[i], chosen);
		if (!chosen)
			continue;
		note(used, &probes[i]);
		*functions |= !!probes[i].function;
	}
	btf__free(vmlinux);

	for (size_t i = 0; i < PROBES; i++)
		if (probes[i].need == PROBE_REQUIRED && !is_noted(used, probes[i].measures)) {
			*missing = probes[i].measures;
			return -EOPNOTSUPP;
		}
	return 0;
}

bool probes__has_event(const char *event)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	bool found;

	if (libbpf_get_error(vmlinux))
		return false;
	found = has_event(vmlinux, event);
	btf__free(vmlinux);
	return found;
}
