// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice among the alternatives of a probe table, and its reasons in words. Pure:
 * what a test says is asked of a function. Not here: the tests.
 */
#define _GNU_SOURCE
#include "probes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void probes__choose(const struct probe_table *table, const struct probe_options *options,
		    probe_tester test, void *context, struct probe_choice *choice)
{
	memset(choice, 0, sizeof(*choice));
	choice->table = table;
	for (size_t i = 0; i < table->count; i++) {
		const struct probe *probe = &table->at[i];
		struct probe_result *result = &choice->results[i];
		const struct probe **chosen = &choice->chosen[probe->measures];

		if (!(options->measure & BIT_OF(probe->measures)) || (*chosen && !options->all))
			continue;
		result->state = options->avoid & BIT_OF(probe->kind) ? PROBE_AVOIDED :
								       test(context, probe, result);
		if (result->state == PROBE_SERVES && !*chosen)
			*chosen = probe;
	}
}

uint64_t probes__served(const struct probe_choice *choice)
{
	uint64_t served = 0;

	for (unsigned int i = 0; i < HWDBM_MEASURES; i++)
		if (choice->chosen[i])
			served |= BIT_OF(i);
	return served;
}

/* How much a result says about what to do; 0: nothing. */
static int weight_of(const struct probe *probe, const struct probe_result *result)
{
	static const enum probe_state order[] = {
		PROBE_AVOIDED, PROBE_UNSUPPORTED, PROBE_CHANGED, PROBE_ABSENT, PROBE_NO_MODULE,
		PROBE_UNKNOWN, PROBE_UNTYPED, PROBE_DEAF, PROBE_FAILED, PROBE_NOT_LOADED, PROBE_REFUSED,
		PROBE_LOCKED_DOWN, PROBE_UNPRIVILEGED,
	};

	enum probe_state state = result->state;

	/* Most kernels lack an event, or what a kernel of few has; that alone explains least. */
	if ((probe->kind == PROBE_EVENT || probe->unproven) && state == PROBE_ABSENT)
		return 1;
	/* The function is there, and only trampolines or kprobes are not. */
	if (state == PROBE_UNSUPPORTED && (probe->kind == PROBE_FENTRY ||
					   (probe->kind == PROBE_KPROBE && probe->targets[0].takes)))
		state = PROBE_UNTYPED;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == state)
			return (int)i + 2;
	return 0;
}

const struct probe *probes__why_not(const struct probe_choice *choice, enum hwdbm_measure measure,
				    const struct probe_result **result)
{
	const struct probe *best = NULL;
	int best_weight = 0;

	for (size_t i = 0; i < choice->table->count && !choice->chosen[measure]; i++) {
		const struct probe *probe = &choice->table->at[i];
		int weight = weight_of(probe, &choice->results[i]);

		if (probe->measures != measure || weight <= best_weight)
			continue;
		best = probe;
		best_weight = weight;
		*result = &choice->results[i];
	}
	return best;
}

bool probes__is_denied(const struct probe_choice *choice, enum hwdbm_measure measure)
{
	bool denied = false;

	for (size_t i = 0; i < choice->table->count && !choice->chosen[measure]; i++) {
		const struct probe *probe = &choice->table->at[i];

		if (probe->measures != measure)
			continue;
		switch (choice->results[i].state) {
		case PROBE_UNTYPED:
		case PROBE_UNPRIVILEGED:
		case PROBE_LOCKED_DOWN:
		case PROBE_REFUSED:
		case PROBE_FAILED:
			denied = true;
			break;
		case PROBE_UNSUPPORTED:
			/* Kernels may be built without kprobes; trampolines could be had. */
			denied |= probe->kind == PROBE_FENTRY;
			break;
		default:
			break;
		}
	}
	return denied;
}

static const struct {
	const char *name;	/* in options and JSON */
	const char *label;	/* in front of a target */
	const char *programs;	/* in sentences */
	const char *target;
	const char *lacking;	/* why a kernel cannot have it */
} kinds[PROBE_KINDS] = {
	[PROBE_EVENT] = { "event", "tp_btf", "tracepoint programs", "event",
			  "this kernel cannot attach programs to tracepoints" },
	[PROBE_FENTRY] = { "fentry", "fentry+fexit", "fentry programs", "function",
			   "this kernel has no BPF trampolines on this machine" },
	[PROBE_KPROBE] = { "kprobe", "kprobe+kretprobe", "kprobes", "function",
			   "this kernel was built without kprobes" },
	[PROBE_SYSCALL] = { "syscall", "tp/syscalls", "tracepoint programs", "system call event",
			    "this kernel has no events of single system calls" },
	[PROBE_SYSCALLS] = { "syscalls", "tp_btf", "tracepoint programs", "event",
			     "this kernel cannot attach programs to tracepoints" },
	[PROBE_ITER] = { "iter", "iter", "iterators", "iterator",
			 "this kernel has no BPF iterators" },
};

static const char *error_name(int error)
{
	/* The kernel's own, which no C library knows. */
	if (error == -524)
		return "ENOTSUPP";
	return strerrorname_np(-error) ?: "unknown error";
}

const char *probes__module(const struct probe *probe, const struct probe_result *result)
{
	return probe->needs_in && result->target == probe->needs ? probe->needs_in : probe->module;
}

const char *probes__reason(const struct probe *probe, const struct probe_result *result,
			   char buffer[PROBE_TEXT])
{
	const char *target = result->target ?: probe->targets[0].name;
	const char *module = probes__module(probe, result) ?: "kernel";
	char code[48] = "";

	if (result->error)
		snprintf(code, sizeof(code), " (%s)", error_name(result->error));
	switch (result->state) {
	case PROBE_UNTRIED:
		snprintf(buffer, PROBE_TEXT, "not needed");
		break;
	case PROBE_SERVES:
		snprintf(buffer, PROBE_TEXT, "would serve");
		break;
	case PROBE_AVOIDED:
		snprintf(buffer, PROBE_TEXT, "avoided as asked");
		break;
	case PROBE_ABSENT:
		if (target == probe->needs)
			snprintf(buffer, PROBE_TEXT, "nothing reaches it: this kernel has no function %s",
				 target);
		else
			snprintf(buffer, PROBE_TEXT, "this kernel has no %s %s%s",
				 kinds[probe->kind].target, target, code);
		break;
	case PROBE_NO_MODULE:
		snprintf(buffer, PROBE_TEXT, "this kernel has no %s", module);
		break;
	case PROBE_CHANGED:
		snprintf(buffer, PROBE_TEXT, "this kernel's %s takes other arguments", target);
		break;
	case PROBE_NOT_LOADED:
		snprintf(buffer, PROBE_TEXT, "module %s is not loaded", module);
		break;
	case PROBE_UNTYPED:
		if (result->error == -EPERM)
			snprintf(buffer, PROBE_TEXT,
				 "opening the type information of module %s takes CAP_SYS_ADMIN (EPERM)",
				 module);
		else
			snprintf(buffer, PROBE_TEXT, "module %s has no type information%s", module,
				 code);
		break;
	case PROBE_UNSUPPORTED:
		snprintf(buffer, PROBE_TEXT, "%s%s", kinds[probe->kind].lacking, code);
		break;
	case PROBE_UNPRIVILEGED:
		snprintf(buffer, PROBE_TEXT, "no privilege%s: it takes CAP_BPF and CAP_PERFMON%s, or root",
			 code, probe->kind == PROBE_SYSCALL ? ", and CAP_SYS_ADMIN for tracefs" : "");
		break;
	case PROBE_LOCKED_DOWN:
		snprintf(buffer, PROBE_TEXT,
			 "kernel lockdown is set to confidentiality, which forbids tracing%s", code);
		break;
	case PROBE_REFUSED:
		snprintf(buffer, PROBE_TEXT, "policy of this host refuses %s%s",
			 kinds[probe->kind].programs, code);
		break;
	case PROBE_DEAF:
		snprintf(buffer, PROBE_TEXT, "attached to %s, which this kernel then mistakes for another function",
			 target);
		break;
	case PROBE_FAILED:
		snprintf(buffer, PROBE_TEXT, "a test on %s failed%s", target, code);
		break;
	case PROBE_UNKNOWN:
		if (probes__module(probe, result))
			snprintf(buffer, PROBE_TEXT, "may be in module %s, whose types are not in that file",
				 module);
		else
			snprintf(buffer, PROBE_TEXT, "type information does not tell");
		break;
	}
	return buffer;
}

const char *probes__name(const struct probe *probe, char buffer[PROBE_TEXT])
{
	size_t length = snprintf(buffer, PROBE_TEXT, "%s/", kinds[probe->kind].label);

	for (size_t i = 0; i < PROBE_TARGETS && probe->targets[i].name && length < PROBE_TEXT; i++)
		length += snprintf(buffer + length, PROBE_TEXT - length, "%s%s", i ? "+" : "",
				   probe->targets[i].name);
	return buffer;
}

const char *probes__explain(const struct probe_choice *choice, enum hwdbm_measure measure,
			    char buffer[PROBE_TEXT])
{
	const struct probe_result *result;
	const struct probe *probe = probes__why_not(choice, measure, &result);
	bool avoids = false;

	*buffer = '\0';
	if (!probe)
		return buffer;
	probes__reason(probe, result, buffer);
	for (size_t i = 0; i < choice->table->count; i++)
		avoids |= choice->table->at[i].measures == measure &&
			  choice->results[i].state == PROBE_AVOIDED;
	if (avoids && result->state != PROBE_AVOIDED)
		strncat(buffer, "; other kinds of probe are avoided as asked",
			PROBE_TEXT - strlen(buffer) - 1);
	return buffer;
}

static const struct {
	const char *name;
	const char *about;
} measures[HWDBM_MEASURES] = {
	[HWDBM_MEASURE_TRACKING] = { "tracking", "IOMMU tracking on and off" },
	[HWDBM_MEASURE_SYNC] = { "sync", "IOMMU syncs" },
	[HWDBM_MEASURE_DIRTY] = { "dirty", "their dirty bytes" },
	[HWDBM_MEASURE_WALK] = { "walk", "their table walks" },
	[HWDBM_MEASURE_SPLIT] = { "split", "IOMMU splits" },
	[HWDBM_MEASURE_MERGE] = { "merge", "IOMMU merges" },
	[HWDBM_MEASURE_TLB] = { "tlb", "SMMUv3 TLB flushes" },
	[HWDBM_MEASURE_KVM_SYNC] = { "kvm-sync", "KVM's dirty log" },
	[HWDBM_MEASURE_KVM_RING] = { "kvm-ring", "KVM's dirty rings" },
	[HWDBM_MEASURE_VTD_TLB] = { "vtd-tlb", "Intel IOMMU TLB flushes" },
	[HWDBM_MEASURE_AMD_TLB] = { "amd-tlb", "AMD IOMMU TLB flushes" },
	[HWDBM_MEASURE_KVM_SPLIT] = { "kvm-split", "KVM's splits" },
	[HWDBM_MEASURE_KVM_SPLIT_PASS] = { "kvm-split-pass", "splits of a slot or range" },
	[HWDBM_MEASURE_KVM_TLB] = { "kvm-tlb", "KVM's TLB flushes" },
	[HWDBM_MEASURE_KVM_START] = { "kvm-start", "that KVM's log starts" },
	[HWDBM_MEASURE_TYPE1_SYNC] = { "type1-sync", "VFIO type1's dirty log" },
	[HWDBM_MEASURE_DEVICE_SYNC] = { "device-sync", "dirty logs of devices" },
	[HWDBM_MEASURE_DEVICE_STATE] = { "device-state", "VFIO devices stop and go" },
	[HWDBM_MEASURE_VCPUS] = { "vcpus", "vCPUs stop and go" },
	[HWDBM_MEASURE_VHOST_SYNC] = { "vhost-sync", "vhost's dirty log" },
	[HWDBM_MEASURE_INTERRUPT] = { "interrupt", "a device's first interrupt" },
};

const char *probes__measure_name(enum hwdbm_measure measure)
{
	return measures[measure].name;
}

const char *probes__measure_about(enum hwdbm_measure measure)
{
	return measures[measure].about;
}

const char *probes__state_name(enum probe_state state)
{
	static const char * const names[] = {
		[PROBE_UNTRIED] = "untried", [PROBE_SERVES] = "serves",
		[PROBE_AVOIDED] = "avoided", [PROBE_ABSENT] = "absent",
		[PROBE_NO_MODULE] = "no module", [PROBE_CHANGED] = "changed",
		[PROBE_NOT_LOADED] = "module not loaded", [PROBE_UNTYPED] = "no type information",
		[PROBE_UNSUPPORTED] = "unsupported", [PROBE_UNPRIVILEGED] = "no privilege",
		[PROBE_LOCKED_DOWN] = "lockdown", [PROBE_REFUSED] = "policy",
		[PROBE_DEAF] = "deaf", [PROBE_FAILED] = "failed", [PROBE_UNKNOWN] = "unknown",
	};

	return names[state];
}

const char *probes__kind_name(enum probe_kind kind)
{
	return kinds[kind].name;
}

int probes__parse_kinds(const char *text, unsigned int *result)
{
	unsigned int found = 0;

	for (;;) {
		size_t length = strcspn(text, ",");
		unsigned int kind = 0;

		while (kind < PROBE_KINDS && (strlen(kinds[kind].name) != length ||
					      memcmp(kinds[kind].name, text, length)))
			kind++;
		if (kind == PROBE_KINDS)
			return -EINVAL;
		found |= BIT_OF(kind);
		if (!text[length])
			break;
		text += length + 1;
	}
	*result = found;
	return 0;
}
