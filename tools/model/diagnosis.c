// SPDX-License-Identifier: GPL-2.0-only
/*
 * The field tables of a diagnosis, and whether it is a good one. Not here: safety
 * (safety.c).
 */
#include "diagnosis.h"
#include "outlook.h"

#include "../lib/strings.h"

#include <stdlib.h>

/* A field with a heading is a column of the text. */
#define F(st, member, head, kind, text) FIELD(st, member, #member, head, kind, UNIT_NONE, text)

static const struct field host_fields[] = {
	F(host_facts, release, NULL, FIELD_TEXT, "kernel release"),
	F(host_facts, machine, NULL, FIELD_TEXT, "machine type"),
	F(host_facts, types, NULL, FIELD_BOOL, "the kernel has type information (BTF)"),
	F(host_facts, typed_modules, NULL, FIELD_U64, "loaded modules that have it"),
	F(host_facts, lockdown, NULL, FIELD_TEXT, "none, integrity or confidentiality"),
	F(host_facts, cap_bpf, NULL, FIELD_BOOL, "this process has CAP_BPF"),
	F(host_facts, cap_perfmon, NULL, FIELD_BOOL, "this process has CAP_PERFMON"),
	F(host_facts, cap_sys_admin, NULL, FIELD_BOOL, "this process has CAP_SYS_ADMIN"),
	F(host_facts, tracefs, NULL, FIELD_BOOL, "tracefs is mounted"),
};

static const struct field kind_fields[] = {
	F(kind_facts, kind, "kind", FIELD_TEXT, "kind of probe"),
	F(kind_facts, works, "works", FIELD_BOOL, "a test could load and attach one"),
	F(kind_facts, state, NULL, FIELD_TEXT, "what came of the test"),
	F(kind_facts, error, NULL, FIELD_I64, "-errno of the test, or 0"),
	F(kind_facts, reason, "why not", FIELD_TEXT, "the same in words"),
};

static const struct field measure_fields[] = {
	F(measure_facts, served, "", FIELD_BOOL, "a probe serves"),
	F(measure_facts, name, "what", FIELD_TEXT, "name of the measurement"),
	F(measure_facts, about, "", FIELD_TEXT, "what it counts"),
	F(measure_facts, probe, "by", FIELD_TEXT, "the probe chosen"),
	F(measure_facts, unproven, NULL, FIELD_TEXT,
	  "why that probe was never seen at work; empty if it was"),
	F(measure_facts, denied, NULL, FIELD_BOOL, "the kernel has a hook that we may not use"),
	F(measure_facts, reason, "why not", FIELD_TEXT, "why nothing serves"),
};

static const struct field alternative_fields[] = {
	F(alternative_facts, measures, "what", FIELD_TEXT, "name of the measurement"),
	F(alternative_facts, probe, "probe", FIELD_TEXT, "kind and target"),
	F(alternative_facts, kind, NULL, FIELD_TEXT, "kind of probe"),
	F(alternative_facts, chosen, "chosen", FIELD_BOOL, "the one that serves"),
	F(alternative_facts, state, NULL, FIELD_TEXT, "what came of the test"),
	F(alternative_facts, error, NULL, FIELD_I64, "-errno of the test, or 0"),
	F(alternative_facts, reason, "test", FIELD_TEXT, "the same in words"),
	F(alternative_facts, cost, "cost", FIELD_TEXT, "what it costs"),
	F(alternative_facts, blind, "blind to", FIELD_TEXT, "what it cannot see"),
	F(alternative_facts, unproven, "never run", FIELD_TEXT,
	  "why it was never seen at work; empty if it was"),
};

static const struct field iommu_fields[] = {
	F(iommu_facts, name, "IOMMU", FIELD_TEXT, "name in /sys/class/iommu"),
	F(iommu_facts, type, "type", FIELD_TEXT, "its driver's family"),
	F(iommu_facts, tracks, "tracks dirty", FIELD_BOOL,
	  "its hardware and its driver do, and user space can ask"),
	F(iommu_facts, hardware, NULL, FIELD_BOOL, "the hardware marks pages dirty"),
	F(iommu_facts, driver, NULL, FIELD_BOOL, "the driver reads dirty state"),
	F(iommu_facts, reason, "because", FIELD_TEXT, "how that is known"),
};

static const struct field facility_fields[] = {
	F(facility_facts, name, "facility", FIELD_TEXT, "module or part of the kernel"),
	F(facility_facts, present, "present", FIELD_BOOL, "built in or loaded"),
	F(facility_facts, state, "state", FIELD_TEXT, "present, not loaded or absent"),
};

static const struct field parameter_fields[] = {
	F(parameter_facts, name, "parameter", FIELD_TEXT, "module and name"),
	F(parameter_facts, value, "value", FIELD_TEXT, "its value now"),
};

static const struct field device_fields[] = {
	F(device_facts, name, "device", FIELD_TEXT, "its address on the bus"),
	F(device_facts, driver, "driver", FIELD_TEXT, "driver it is bound to"),
	F(device_facts, iommu, NULL, FIELD_TEXT, "IOMMU that it is behind"),
	F(device_facts, migrates, "migrates", FIELD_BOOL, "VFIO can move its state"),
	F(device_facts, own_log, "own log", FIELD_BOOL, "it logs its own DMA"),
	F(device_facts, asked, NULL, FIELD_BOOL, "the device was asked; else by its driver's name"),
	F(device_facts, tracker, "tracked by", FIELD_TEXT,
	  "device log, iommu, all dirty, none or unknown"),
	F(device_facts, reason, "because", FIELD_TEXT, "why"),
};

static const struct field outlook_fields[] = {
	F(outlook_facts, pid, "pid", FIELD_U64, "process of the VMM"),
	F(outlook_facts, vm, "VM", FIELD_TEXT, "its name"),
	F(outlook_facts, vcpus, "vCPUs", FIELD_TEXT,
	  "how KVM logs what vCPUs write: bitmap, manual, manual+set, ring, ...; empty without KVM"),
	F(outlook_facts, dma, "DMA", FIELD_TEXT,
	  "what tracks the VM's devices: device log, iommu, all dirty, none, unknown; empty without devices"),
	F(outlook_facts, vhost, "vhost", FIELD_TEXT, "vhost devices, which log into the VMM's memory"),
	F(outlook_facts, splits, NULL, FIELD_BOOL,
	  "whether the granularity of the IOMMU changes what is found dirty"),
	F(outlook_facts, refused, NULL, FIELD_BOOL, "whether QEMU would refuse to migrate"),
	F(outlook_facts, reason, "because", FIELD_TEXT, "why"),
};

static const struct field finding_fields[] = {
	F(finding_facts, verdict, "", FIELD_TEXT, "safe, unknown or unsafe"),
	F(finding_facts, name, "way to lose dirty pages", FIELD_TEXT, "what was looked at"),
	F(finding_facts, reason, "because", FIELD_TEXT, "why"),
};

const struct field_table host_table = FIELD_TABLE("host", host_facts, host_fields);
static const struct field_table kind_table = FIELD_TABLE("kind", kind_facts, kind_fields);
static const struct field_table measure_table = FIELD_TABLE("measure", measure_facts, measure_fields);
static const struct field_table alternative_table =
	FIELD_TABLE("alternative", alternative_facts, alternative_fields);
static const struct field_table iommu_table = FIELD_TABLE("iommu", iommu_facts, iommu_fields);
static const struct field_table facility_table = FIELD_TABLE("facility", facility_facts, facility_fields);
static const struct field_table parameter_table =
	FIELD_TABLE("parameter", parameter_facts, parameter_fields);
static const struct field_table device_table = FIELD_TABLE("device", device_facts, device_fields);
static const struct field_table outlook_table = FIELD_TABLE("outlook", outlook_facts, outlook_fields);
static const struct field_table finding_table = FIELD_TABLE("finding", finding_facts, finding_fields);

void diagnosis__init(struct diagnosis *d)
{
	*d = (struct diagnosis){
		.kinds.table = &kind_table, .measures.table = &measure_table,
		.alternatives.table = &alternative_table, .iommus.table = &iommu_table,
		.facilities.table = &facility_table, .parameters.table = &parameter_table,
		.devices.table = &device_table, .outlooks.table = &outlook_table,
		.findings.table = &finding_table,
		.safety = SAFETY_UNKNOWN,
	};
	field__clear(&host_table, &d->host);
}

void diagnosis__release(struct diagnosis *d)
{
	struct fact_list *lists[] = { &d->kinds, &d->measures, &d->alternatives, &d->iommus,
				      &d->facilities, &d->parameters, &d->devices, &d->outlooks,
				      &d->findings };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		free(lists[i]->at);
	diagnosis__init(d);
}

void *facts__at(const struct fact_list *list, size_t index)
{
	return list->at + index * list->table->record_size;
}

void *facts__add(struct fact_list *list)
{
	char *at = realloc(list->at, (list->count + 1) * list->table->record_size);

	if (!at)
		return NULL;
	list->at = at;
	field__clear(list->table, facts__at(list, list->count));
	return facts__at(list, list->count++);
}

enum tristate diagnosis__is_complete(const struct diagnosis *d)
{
	enum tristate any = TRI_FALSE;

	for (size_t i = 0; i < d->measures.count; i++) {
		const struct measure_facts *measure = facts__at(&d->measures, i);

		if (measure->served != TRI_TRUE && measure->denied == TRI_TRUE)
			return TRI_FALSE;
		if (any != TRI_TRUE && measure->served != TRI_FALSE)
			any = measure->served;
	}
	return any;
}

bool diagnosis__refuses(const struct diagnosis *d)
{
	for (size_t i = 0; i < d->outlooks.count; i++) {
		const struct outlook_facts *outlook = facts__at(&d->outlooks, i);

		if (outlook->refused == TRI_TRUE)
			return true;
	}
	return false;
}

void diagnosis__judge_device(struct device_facts *device, enum tristate tracks)
{
	const char *tracker = "unknown", *reason;

	if (device->migrates == TRI_FALSE) {
		tracker = "none";
		reason = "its driver cannot move the device's state, so that QEMU refuses to migrate the VM";
	} else if (device->own_log == TRI_TRUE) {
		tracker = "device log";
		reason = device->asked == TRI_TRUE ?
			"QEMU prefers a device's own log; splitting changes nothing for it" :
			"QEMU prefers a device's own log; splitting changes nothing for it (by its driver's source: hwdbm was never run beside this device)";
	} else if (device->own_log == TRI_UNKNOWN) {
		reason = "whether it has a log of its own is not known";
	} else if (tracks == TRI_TRUE) {
		tracker = "iommu";
		reason = "for a VMM that uses iommufd, or type1 with dirty_tracking";
	} else if (tracks == TRI_FALSE) {
		tracker = "all dirty";
		reason = "neither the device nor its IOMMU tracks: each sync reports all memory that it can write";
	} else {
		reason = "whether its IOMMU tracks dirty pages is not known";
	}
	STRING_COPY(device->tracker, tracker);
	STRING_COPY(device->reason, reason);
}
