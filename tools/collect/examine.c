// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is to know about a host, in the order of a diagnosis. Not here: how single
 * facts are found.
 */
#define _GNU_SOURCE
#include "examine.h"
#include "devices.h"
#include "host.h"
#include "qemu_version.h"
#include "iommu.h"
#include "probe_test.h"
#include "probes.h"
#include "vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "../model/outlook.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <sys/utsname.h>

static enum tristate truth(bool yes)
{
	return yes ? TRI_TRUE : TRI_FALSE;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	log__debug_va(format, args);
	return 0;
}

/* "none [integrity] confidentiality": the one in brackets. */
static void read_lockdown(char *mode, size_t size)
{
	char text[80], *from, *to;

	if (host__read("/sys/kernel/security/lockdown", text, sizeof(text)))
		return;
	from = strchr(text, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = '\0';
	string__copy(mode, size, from + 1);
}

static uint64_t count_typed_modules(void)
{
	DIR *folder = opendir("/sys/kernel/btf");
	struct dirent *entry;
	uint64_t count = 0;

	if (!folder)
		return 0;
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.' && strcmp(entry->d_name, "vmlinux");
	closedir(folder);
	return count;
}

static void examine_kernel(struct host_facts *host, bool typed)
{
	struct utsname name = { 0 };

	uname(&name);
	STRING_COPY(host->release, name.release);
	STRING_COPY(host->machine, name.machine);
	host->types = truth(typed);
	host->typed_modules = count_typed_modules();
	read_lockdown(host->lockdown, sizeof(host->lockdown));
	host->cap_bpf = truth(host__capability(CAP_BPF));
	host->cap_perfmon = truth(host__capability(CAP_PERFMON));
	host->cap_sys_admin = truth(host__capability(CAP_SYS_ADMIN));
	host->tracefs = truth(host__tracefs());
}

static int add_kinds(const struct probe_choice *choice, struct diagnosis *d)
{
	for (size_t i = 0; i < choice->table->count; i++) {
		const struct probe *probe = &choice->table->at[i];
		const struct probe_result *result = &choice->results[i];
		struct kind_facts *kind = facts__add(&d->kinds);
		char reason[PROBE_TEXT];

		if (!kind)
			return -ENOMEM;
		STRING_COPY(kind->kind, probes__kind_name(probe->kind));
		STRING_COPY(kind->state, probes__state_name(result->state));
		kind->works = truth(result->state == PROBE_SERVES);
		kind->error = result->error;
		if (result->state != PROBE_SERVES)
			STRING_COPY(kind->reason, probes__reason(probe, result, reason));
	}
	return 0;
}

static int add_alternatives(const struct probe_choice *choice, struct diagnosis *d)
{
	for (size_t i = 0; i < choice->table->count; i++) {
		const struct probe *probe = &choice->table->at[i];
		const struct probe_result *result = &choice->results[i];
		struct alternative_facts *alternative = facts__add(&d->alternatives);
		char text[PROBE_TEXT];

		if (!alternative)
			return -ENOMEM;
		STRING_COPY(alternative->measures, probes__measure_name(probe->measures));
		STRING_COPY(alternative->probe, probes__name(probe, text));
		STRING_COPY(alternative->kind, probes__kind_name(probe->kind));
		STRING_COPY(alternative->state, probes__state_name(result->state));
		STRING_COPY(alternative->reason, probes__reason(probe, result, text));
		STRING_COPY(alternative->cost, probe->cost ?: "");
		STRING_COPY(alternative->blind, probe->blind ?: "");
		STRING_COPY(alternative->unproven, probe->unproven ?: "");
		alternative->chosen = truth(choice->chosen[probe->measures] == probe);
		alternative->error = result->error;
	}
	return 0;
}

static int add_measures(const struct probe_choice *choice, struct diagnosis *d)
{
	for (unsigned int i = 0; i < HWDBM_MEASURES; i++) {
		struct measure_facts *measure = facts__add(&d->measures);
		const struct probe_result *result;
		const struct probe *probe;
		char text[PROBE_TEXT];

		if (!measure)
			return -ENOMEM;
		STRING_COPY(measure->name, probes__measure_name(i));
		STRING_COPY(measure->about, probes__measure_about(i));
		probe = probes__why_not(choice, i, &result);
		measure->served = probe && result->state == PROBE_UNKNOWN ?
					  TRI_UNKNOWN : truth(choice->chosen[i]);
		measure->denied = truth(probes__is_denied(choice, i));
		STRING_COPY(measure->reason, probes__explain(choice, i, text));
		if (!choice->chosen[i])
			continue;
		STRING_COPY(measure->probe, probes__name(choice->chosen[i], text));
		STRING_COPY(measure->unproven, choice->chosen[i]->unproven ?: "");
	}
	return 0;
}

/* Without type information there is no choice, and every measurement says so. */
static int add_untyped(struct diagnosis *d)
{
	for (unsigned int i = 0; i < HWDBM_MEASURES; i++) {
		struct measure_facts *measure = facts__add(&d->measures);

		if (!measure)
			return -ENOMEM;
		STRING_COPY(measure->name, probes__measure_name(i));
		STRING_COPY(measure->about, probes__measure_about(i));
		measure->served = TRI_FALSE;
		measure->denied = TRI_FALSE;
		STRING_COPY(measure->reason,
			    "this kernel has no type information (CONFIG_DEBUG_INFO_BTF)");
	}
	return 0;
}

static int examine_probes(const struct examine_options *options, struct probe_bench *bench,
			  struct diagnosis *d)
{
	const struct probe_options wanted = {
		.measure = MEASURE_ALL, .avoid = options->avoid, .all = options->all,
	};
	const struct probe_options every = {
		.measure = MEASURE_ALL, .avoid = options->avoid, .all = true,
	};
	struct probe_choice choice;
	int err;

	if (!bench)
		return add_untyped(d);
	probes__choose(&kind_table, &every, probe_bench__test, bench, &choice);
	err = add_kinds(&choice, d);
	probes__choose(&probe_table, &wanted, probe_bench__test, bench, &choice);
	err = err ?: add_alternatives(&choice, d);
	return err ?: add_measures(&choice, d);
}

static int add_facilities(struct diagnosis *d)
{
	static const char * const names[] = { "iommufd", "vfio", "vfio_iommu_type1", "kvm" };
	static const char * const states[] = {
		[MODULE_ABSENT] = "absent", [MODULE_NOT_LOADED] = "not loaded",
		[MODULE_LOADED] = "present",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct facility_facts *facility = facts__add(&d->facilities);
		enum module_state state = host__module(names[i]);

		if (!facility)
			return -ENOMEM;
		STRING_COPY(facility->name, names[i]);
		STRING_COPY(facility->state, states[state]);
		facility->present = truth(state == MODULE_LOADED);
	}
	return 0;
}

static int add_parameters(struct diagnosis *d)
{
	static const struct {
		const char *module;
		const char *name;
	} parameters[] = {
		{ "iommu", "dirty_split" }, { "iommu", "dirty_granularity" },
		{ "iommu", "dirty_split_budget" }, { "vfio_iommu_type1", "dirty_tracking" },
		{ "vfio_iommu_type1", "disable_hugepages" }, { "kvm", "eager_page_split" },
		{ "kvm_intel", "pml" },
	};

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		struct parameter_facts *parameter;
		char path[160], value[64];

		snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", parameters[i].module,
			 parameters[i].name);
		if (host__read(path, value, sizeof(value)))
			continue;
		parameter = facts__add(&d->parameters);
		if (!parameter)
			return -ENOMEM;
		snprintf(parameter->name, sizeof(parameter->name), "%s.%s", parameters[i].module,
			 parameters[i].name);
		STRING_COPY(parameter->value, value);
	}
	return 0;
}

/* A VM on huge pages takes them from the kernel's pool, and all at once. */
static int add_huge_pages(struct diagnosis *d)
{
	static const struct {
		const char *folder;
		const char *name;
	} sizes[] = { { "hugepages-2048kB", "hugepages.2M" }, { "hugepages-1048576kB", "hugepages.1G" } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[96], all[24], unused[24];
		struct parameter_facts *parameter;

		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", sizes[i].folder);
		if (host__read(path, all, sizeof(all)))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages", sizes[i].folder);
		if (host__read(path, unused, sizeof(unused)))
			continue;
		parameter = facts__add(&d->parameters);
		if (!parameter)
			return -ENOMEM;
		STRING_COPY(parameter->name, sizes[i].name);
		snprintf(parameter->value, sizeof(parameter->value), "%.9s of %.9s free%s", unused, all,
			 strcmp(unused, "0") ? "" : ": QEMU refuses to start a VM on them");
	}
	return 0;
}

static bool is_set(const struct diagnosis *d, const char *name, const char *off)
{
	for (size_t i = 0; i < d->parameters.count; i++) {
		const struct parameter_facts *parameter = facts__at(&d->parameters, i);

		if (!strcmp(parameter->name, name))
			return strcmp(parameter->value, off);
	}
	return false;
}

static enum tristate has(const struct probe_bench *bench, const char *function, const char *module)
{
	return bench ? probe_bench__has(bench, PROBE_KPROBE, function, module) : TRI_UNKNOWN;
}

static enum tristate has_event(const struct probe_bench *bench, const char *event)
{
	return bench ? probe_bench__has(bench, PROBE_EVENT, event, NULL) : TRI_UNKNOWN;
}

static void ask_devices(const struct iommu_context *context, struct diagnosis *d)
{
	for (size_t i = 0; i < d->devices.count; i++) {
		struct device_facts *device = facts__at(&d->devices, i);
		struct iommu_facts *iommu = iommu__find(&d->iommus, device->iommu);
		int err = devices__ask(device, iommu);

		if (!err && iommu)
			iommu__settle(context, iommu);
		else if (err == -EBUSY)
			log__warn("doctor: %s is in use and was not asked", device->name);
		else if (err)
			log__warn("doctor: cannot ask %s (%s)", device->name,
				  err == -EOPNOTSUPP ? "it takes iommufd and /dev/vfio/devices" :
						       strerror(-err));
	}
}

static int examine_hardware(const struct examine_options *options, const struct probe_bench *bench,
			    struct diagnosis *d, enum tristate *overridden)
{
	struct iommu_context context = {
		.root = "", .release = d->host.release,
		.vtd_driver = has(bench, "intel_iommu_set_dirty_tracking", NULL),
		.amd_driver = has(bench, "amd_iommu_set_dirty_tracking", NULL),
		.smmu_driver = has(bench, "arm_smmu_read_and_clear_dirty", "arm_smmu_v3"),
		.reachable = truth(host__module("iommufd") != MODULE_ABSENT ||
				   is_set(d, "vfio_iommu_type1.dirty_tracking", "N")),
	};
	int err = iommu__scan(&context, &d->iommus, overridden);

	err = err ?: devices__scan(context.root, &d->devices);
	if (err)
		return err;
	if (options->ask_devices)
		ask_devices(&context, d);
	for (size_t i = 0; i < d->devices.count; i++) {
		struct device_facts *device = facts__at(&d->devices, i);
		const struct iommu_facts *iommu = iommu__find(&d->iommus, device->iommu);

		diagnosis__judge_device(device, iommu ? iommu->tracks : TRI_UNKNOWN);
	}
	return 0;
}

/* After the hardware: what a VM can use follows from that. */
static int add_outlooks(const struct examine_options *options, struct diagnosis *d)
{
	_cleanup_(vm_list__release) struct vm_list list;
	int err;

	vm_list__init(&list);
	err = vms__scan(&list, options->vm, false);
	for (size_t i = 0; !err && i < list.count; i++) {
		struct outlook_facts *outlook = facts__add(&d->outlooks);

		if (!outlook)
			return -ENOMEM;
		if (!strcmp(list.at[i].vmm, "qemu"))
			list.at[i].vmm_version = qemu_version__of(list.at[i].pid);
		outlook__judge(&list.at[i], d, outlook);
	}
	for (size_t i = 0; i < list.note_count; i++)
		log__debug("doctor: %s", list.notes[i]);
	return err;
}

/* True if one of the SMMUs has it, unknown if one may. */
static enum tristate any_smmu(const struct diagnosis *d, bool hardware)
{
	enum tristate any = TRI_FALSE;

	for (size_t i = 0; i < d->iommus.count && any != TRI_TRUE; i++) {
		const struct iommu_facts *iommu = facts__at(&d->iommus, i);
		enum tristate one = hardware ? iommu->hardware : TRI_TRUE;

		if (!strcmp(iommu->type, "SMMUv3") && one != TRI_FALSE)
			any = one;
	}
	return any;
}

static enum tristate any_other(const struct diagnosis *d)
{
	enum tristate any = TRI_FALSE;

	for (size_t i = 0; i < d->iommus.count; i++) {
		const struct iommu_facts *iommu = facts__at(&d->iommus, i);

		if (iommu->tracks == TRI_TRUE && strcmp(iommu->type, "SMMUv3"))
			any = TRI_TRUE;
	}
	return any;
}

static void judge_safety(const struct probe_bench *bench, enum tristate overridden,
			 struct diagnosis *d)
{
	struct safety_facts facts = {
		.smmu = any_smmu(d, false),
		.httu = any_smmu(d, true),
		.driver = has(bench, "arm_smmu_read_and_clear_dirty", "arm_smmu_v3"),
		.iommufd = truth(host__module("iommufd") != MODULE_ABSENT ||
				 is_set(d, "vfio_iommu_type1.dirty_tracking", "N")),
		.other_iommu = any_other(d),
		/* fixes/0003 makes it return an error; upstream it returns nothing. */
		.fixed = bench ? probe_bench__returns(bench, "iova_bitmap_set") : TRI_UNKNOWN,
		.splits = has_event(bench, "iommu_split"),
		.split_on = truth(is_set(d, "iommu.dirty_split", "off")),
		.foreign_split = has(bench, "iommu_split_block", NULL),
		.overridden = overridden,
	};

	sscanf(d->host.release, "%u.%u", &facts.major, &facts.minor);
	d->safety = safety__judge(&facts, &d->findings);
}

int examine__host(const struct examine_options *options, struct diagnosis *out)
{
	enum tristate overridden = TRI_UNKNOWN;
	struct probe_bench *bench = NULL;
	struct diagnosis d;
	int err;

	libbpf_set_print(print_libbpf);
	diagnosis__init(&d);
	err = probe_bench__open(&bench);
	if (err && err != -ENOENT)
		return err;
	examine_kernel(&d.host, bench);
	err = examine_probes(options, bench, &d);
	err = err ?: add_facilities(&d);
	err = err ?: add_parameters(&d);
	err = err ?: add_huge_pages(&d);
	err = err ?: examine_hardware(options, bench, &d, &overridden);
	err = err ?: add_outlooks(options, &d);
	if (!err)
		judge_safety(bench, overridden, &d);
	probe_bench__free(bench);
	if (err)
		diagnosis__release(&d);
	else
		*out = d;
	return err;
}

int examine__types(const char *path, const struct examine_options *options,
		   struct diagnosis *out)
{
	const struct probe_options wanted = {
		.measure = MEASURE_ALL, .avoid = options->avoid, .all = options->all,
	};
	struct probe_choice choice;
	struct diagnosis d;
	int err;

	libbpf_set_print(print_libbpf);
	err = probes__compare(path, &probe_table, &wanted, &choice);
	if (err)
		return err;
	diagnosis__init(&d);
	err = add_alternatives(&choice, &d);
	err = err ?: add_measures(&choice, &d);
	if (err)
		diagnosis__release(&d);
	else
		*out = d;
	return err;
}
