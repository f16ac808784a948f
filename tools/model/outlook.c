// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of a VMM for choosing trackers. Not here: the rules for a device alone
 * (diagnosis.c).
 */
#include "outlook.h"
#include "../lib/strings.h"

#include <stdio.h>
#include <string.h>

/* What is known of the devices of a VM together. */
struct device_sum {
	size_t count;
	enum tristate migrate;		/* all of them */
	enum tristate own_log;		/* all of them */
	const struct vm_device *fixed;	/* one that cannot be moved */
	const struct vm_device *dubious;	/* one of which that is not known */
	const struct vm_device *logs;	/* one with a log of its own */
	const struct vm_device *plain;	/* one without */
};

static const struct device_facts *find(const struct diagnosis *diagnosis, const char *name)
{
	for (size_t i = 0; i < diagnosis->devices.count; i++) {
		const struct device_facts *device = facts__at(&diagnosis->devices, i);

		if (!strcmp(device->name, name))
			return device;
	}
	return NULL;
}

static struct device_sum sum_devices(const struct vm *vm, const struct diagnosis *diagnosis)
{
	struct device_sum sum = { .migrate = TRI_TRUE, .own_log = TRI_TRUE };

	for (size_t i = 0; i < vm->device_count; i++) {
		const struct vm_device *device = &vm->devices[i];
		const struct device_facts *facts = find(diagnosis, device->name);
		enum tristate migrates = facts ? facts->migrates : TRI_UNKNOWN;
		enum tristate own_log = device->own_log;

		if (strcmp(device->kind, "vfio"))
			continue;
		if (own_log == TRI_UNKNOWN && facts)
			own_log = facts->own_log;
		sum.count++;
		sum.migrate = tristate__and(sum.migrate, migrates);
		sum.own_log = tristate__and(sum.own_log, own_log);
		if (own_log == TRI_TRUE)
			sum.logs = device;
		else if (own_log == TRI_FALSE)
			sum.plain = device;
		if (migrates == TRI_FALSE)
			sum.fixed = device;
		else if (migrates == TRI_UNKNOWN)
			sum.dubious = device;
	}
	return sum;
}

/* Whether every page table of the VM tracks; what the host's IOMMUs do if none was seen. */
static enum tristate page_tables_track(const struct vm *vm, const struct diagnosis *diagnosis)
{
	enum tristate able = TRI_TRUE;
	bool seen = false;

	for (size_t i = 0; i < vm->tracker_count; i++) {
		const struct vm_tracker *tracker = &vm->trackers[i];

		if (strcmp(tracker->kind, "type1") && strcmp(tracker->kind, "iommufd"))
			continue;
		seen = true;
		able = tristate__and(able, tracker->able);
	}
	if (seen && able != TRI_UNKNOWN)
		return able;
	able = TRI_TRUE;
	for (size_t i = 0; i < vm->device_count; i++) {
		const struct device_facts *facts = find(diagnosis, vm->devices[i].name);

		if (strcmp(vm->devices[i].kind, "vfio"))
			continue;
		if (!facts || strcmp(facts->tracker, "all dirty"))
			able = tristate__and(able, TRI_UNKNOWN);
		else
			able = TRI_FALSE;
	}
	return able;
}

static void judge_vcpus(const struct vm *vm, const struct diagnosis *diagnosis,
			struct outlook_facts *outlook)
{
	bool pml = false;

	if (vm->has_kvm != TRI_TRUE)
		return;
	for (size_t i = 0; i < diagnosis->parameters.count; i++) {
		const struct parameter_facts *parameter = facts__at(&diagnosis->parameters, i);

		pml |= !strcmp(parameter->name, "kvm_intel.pml") && !strcmp(parameter->value, "Y");
	}
	snprintf(outlook->vcpus, sizeof(outlook->vcpus), "%s%s",
		 vm->kvm_log[0] ? vm->kvm_log : "unknown", vm->kvm_log[0] && pml ? " by PML" : "");
}

static void judge_vhost(const struct vm *vm, struct outlook_facts *outlook)
{
	for (size_t i = 0; i < vm->device_count; i++) {
		const char *kind = vm->devices[i].kind;
		size_t length = strlen(outlook->vhost);

		if (strcmp(kind, "vfio") && !strstr(outlook->vhost, kind))
			snprintf(outlook->vhost + length, sizeof(outlook->vhost) - length, "%s%s",
				 length ? ", " : "", kind);
	}
}

static void conclude(struct outlook_facts *outlook, const char *dma, enum tristate splits,
		     enum tristate refused, const char *reason)
{
	STRING_COPY(outlook->dma, dma);
	STRING_COPY(outlook->reason, reason);
	outlook->splits = splits;
	outlook->refused = refused;
}

static void judge_page_tables(const struct vm *vm, const struct diagnosis *diagnosis,
			      const struct device_sum *sum, enum tristate refused,
			      struct outlook_facts *outlook)
{
	enum tristate track = page_tables_track(vm, diagnosis);
	bool type1 = strstr(vm->iommu, "type1");
	const char *dma = track == TRI_TRUE ? "iommu" : track == TRI_FALSE ? "all dirty" : "unknown";
	const char *finds = track == TRI_TRUE ?
		"dirty is what the IOMMU's leaves say: their size is the granularity" :
		track == TRI_FALSE ?
		"neither the devices nor the IOMMU track: every pass sends all memory that they can write" :
		"whether the IOMMU tracks this VM's page tables is not known";
	char reason[REASON_TEXT], mixed[REASON_TEXT / 2] = "";

	if (sum->logs && sum->plain)
		snprintf(mixed, sizeof(mixed), "QEMU leaves the log of %s alone, as %s has none; ",
			 sum->logs->name, sum->plain->name);
	/* type1 does not tell a VMM whether it tracks. */
	if (type1 || track == TRI_FALSE) {
		snprintf(reason, sizeof(reason), vm->insists ?
			 "%sQEMU was told enable-migration=on (%s); %s" :
			 "%sQEMU refuses unless its device has enable-migration=on (%s); then %s", mixed,
			 type1 ? "it trusts no type1 to track" : "nothing tracks", finds);
		conclude(outlook, dma, track, vm->insists ? refused : TRI_TRUE, reason);
		return;
	}
	snprintf(reason, sizeof(reason), "%s%s", mixed, finds);
	conclude(outlook, dma, track, refused, reason);
}

static void judge_dma(const struct vm *vm, const struct diagnosis *diagnosis,
		      struct outlook_facts *outlook)
{
	struct device_sum sum = sum_devices(vm, diagnosis);
	enum tristate refused = sum.migrate == TRI_TRUE ? TRI_FALSE : TRI_UNKNOWN;
	char reason[REASON_TEXT];

	if (!sum.count) {
		conclude(outlook, "", TRI_FALSE, TRI_FALSE,
			 "no device writes by itself: an IOMMU's granularity changes nothing");
	} else if (sum.migrate == TRI_FALSE) {
		snprintf(reason, sizeof(reason), "QEMU refuses: %s (%s) cannot be moved", sum.fixed->name,
			 sum.fixed->driver[0] ? sum.fixed->driver : "no driver");
		conclude(outlook, "none", TRI_FALSE, TRI_TRUE, reason);
	} else if (sum.own_log == TRI_TRUE) {
		conclude(outlook, "device log", TRI_FALSE, refused,
			 "every device has a log of its own, which QEMU prefers: splitting changes nothing");
	} else if (sum.own_log == TRI_UNKNOWN) {
		snprintf(reason, sizeof(reason),
			 "whether %s has a log of its own is not known; hwdbm doctor --ask-devices tells of one that is free",
			 sum.dubious ? sum.dubious->name : "a device");
		conclude(outlook, "unknown", TRI_UNKNOWN, refused, reason);
	} else {
		judge_page_tables(vm, diagnosis, &sum, refused, outlook);
	}
}

/*
 * QEMU 8.0 is the first that speaks the kernel's present protocol for devices that migrate, and 8.1
 * does so without being told; iommufd came with 9.0, and its dirty log with 9.1.
 */
#define SPEAKS_PROTOCOL 800
#define READS_IOMMUFD 901

static bool has_vfio(const struct vm *vm)
{
	for (size_t i = 0; i < vm->device_count; i++)
		if (!strcmp(vm->devices[i].kind, "vfio"))
			return true;
	return false;
}

/* A VMM that is too old refuses whatever the devices can. */
static void judge_version(const struct vm *vm, struct outlook_facts *outlook)
{
	unsigned int major = vm->vmm_version / 100, minor = vm->vmm_version % 100;
	size_t length = strlen(outlook->reason);
	char reason[REASON_TEXT];

	if (vm->vmm_version == UNKNOWN || vm->vmm_version >= READS_IOMMUFD)
		return;
	if (!has_vfio(vm)) {
		snprintf(outlook->reason + length, sizeof(outlook->reason) - length,
			 "; QEMU %u.%u would refuse %s", major, minor,
			 vm->vmm_version < SPEAKS_PROTOCOL ?
			 "to migrate with a VFIO device: that takes 8.1, and 9.1 by iommufd" :
			 "to migrate with one by iommufd: that takes 9.1");
		return;
	}
	if (vm->vmm_version < SPEAKS_PROTOCOL)
		snprintf(reason, sizeof(reason),
			 "QEMU %u.%u refuses: it cannot move a VFIO device as kernels of today do; that takes 8.1, and 9.1 by iommufd",
			 major, minor);
	else if (strstr(vm->iommu, "iommufd") && strcmp(outlook->dma, "device log"))
		snprintf(reason, sizeof(reason),
			 "QEMU %u.%u refuses: it does not read the dirty log of iommufd; that takes 9.1",
			 major, minor);
	else
		return;
	conclude(outlook, "none", TRI_FALSE, TRI_TRUE, reason);
}

void outlook__judge(const struct vm *vm, const struct diagnosis *diagnosis,
		    struct outlook_facts *outlook)
{
	outlook->pid = vm->pid;
	STRING_COPY(outlook->vm, vm->name);
	judge_vcpus(vm, diagnosis, outlook);
	judge_vhost(vm, outlook);
	judge_dma(vm, diagnosis, outlook);
	judge_version(vm, outlook);
}
