/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a host can do, and why not the rest: the records of "hwdbm doctor", and the
 * verdicts that follow from them. Not here: how anything was found out.
 */
#ifndef HWDBM_MODEL_DIAGNOSIS_H
#define HWDBM_MODEL_DIAGNOSIS_H

#include "field.h"

#define DIAGNOSIS_SCHEMA "hwdbm.diagnosis/1"

#define REASON_TEXT 320

struct host_facts {
	char release[64];
	char machine[32];
	enum tristate types;		/* BTF of the kernel */
	uint64_t typed_modules;		/* loaded modules that have BTF */
	char lockdown[20];		/* "" where securityfs is not mounted */
	enum tristate cap_bpf;
	enum tristate cap_perfmon;
	enum tristate cap_sys_admin;
	enum tristate tracefs;
};

/* A kind of probe: whether this host lets anybody use it. */
struct kind_facts {
	char kind[16];
	enum tristate works;
	char state[24];
	int64_t error;
	char reason[REASON_TEXT];
};

struct measure_facts {
	char name[16];
	char about[64];
	enum tristate served;
	enum tristate denied;		/* this kernel has a hook, but does not let us use it */
	char probe[96];
	char unproven[48];		/* why that probe was never seen at work; "" if it was */
	char reason[REASON_TEXT];	/* why not; "" if served */
};

/* One alternative of a measurement. */
struct alternative_facts {
	char measures[16];
	char probe[96];
	char kind[16];
	enum tristate chosen;
	char state[24];
	int64_t error;
	char reason[REASON_TEXT];
	char cost[64];
	char blind[96];
	char unproven[48];
};

struct iommu_facts {
	char name[48];
	char type[16];
	enum tristate hardware;		/* can mark pages dirty */
	enum tristate driver;		/* knows how to read it */
	enum tristate tracks;		/* both, and somebody can ask */
	char reason[REASON_TEXT];
};

/* A part of the kernel that keeps or passes on dirty state. */
struct facility_facts {
	char name[24];
	enum tristate present;
	char state[24];
};

struct parameter_facts {
	char name[64];
	char value[64];
};

/* A device that a VM could be given. */
struct device_facts {
	char name[48];
	char driver[32];
	char iommu[48];
	enum tristate migrates;		/* its state can be moved */
	enum tristate own_log;		/* it keeps a log of its own DMA */
	enum tristate asked;		/* the device said so; else its driver is known for it */
	char tracker[32];		/* "device log", "iommu", "all dirty", "none", "unknown" */
	char reason[REASON_TEXT];
};

enum safety_verdict { SAFETY_SAFE, SAFETY_UNKNOWN, SAFETY_UNSAFE };

/* A known way to lose dirty pages, and whether it is open here. */
struct finding_facts {
	char name[32];
	char verdict[12];
	char reason[REASON_TEXT];
};

/* A list of records of one kind. */
struct fact_list {
	const struct field_table *table;
	char *at;
	size_t count;
};

struct diagnosis {
	struct host_facts host;
	struct fact_list kinds;
	struct fact_list measures;
	struct fact_list alternatives;
	struct fact_list iommus;
	struct fact_list facilities;
	struct fact_list parameters;
	struct fact_list devices;
	struct fact_list outlooks;	/* one for each VM: outlook.h */
	struct fact_list findings;
	enum safety_verdict safety;
};

extern const struct field_table host_table;

/** diagnosis__init() - an empty diagnosis, of which everything is unknown */
void diagnosis__init(struct diagnosis *diagnosis);

/** diagnosis__release() - free what the diagnosis owns */
void diagnosis__release(struct diagnosis *diagnosis);

/**
 * facts__add() - append a record of which everything is unknown
 * Return: the record, valid until the next is added; NULL without memory.
 */
void *facts__add(struct fact_list *list);

/** facts__at() - a record by its place */
void *facts__at(const struct fact_list *list, size_t index);

/**
 * diagnosis__is_complete() - whether nothing is missing that should be there
 *
 * Missing is: that nothing at all can be measured, or that this host denies what its
 * kernel could do. A measurement that the kernel has no hook for is not.
 *
 * Return: TRI_UNKNOWN if nothing is known to be served, but something may be.
 */
enum tristate diagnosis__is_complete(const struct diagnosis *diagnosis);

/** diagnosis__refuses() - whether QEMU would refuse to migrate one of the VMs */
bool diagnosis__refuses(const struct diagnosis *diagnosis);

/**
 * diagnosis__judge_device() - which tracker a migration would use for a device
 *
 * Fills in the tracker and the reason.
 *
 * @tracks: whether the IOMMU that the device is behind tracks dirty pages
 */
void diagnosis__judge_device(struct device_facts *device, enum tristate tracks);

/** tristate__and() - unknown unless one is false or both are known */
static inline enum tristate tristate__and(enum tristate a, enum tristate b)
{
	if (a == TRI_FALSE || b == TRI_FALSE)
		return TRI_FALSE;
	return a == TRI_TRUE ? b : TRI_UNKNOWN;
}

/* What the verdict on lost dirty pages depends on. */
struct safety_facts {
	unsigned int major, minor;	/* of the kernel's release */
	enum tristate smmu;		/* an SMMUv3 is in use */
	enum tristate httu;		/* one of them marks pages dirty */
	enum tristate driver;		/* its driver reads dirty state */
	enum tristate iommufd;		/* user space can ask it to */
	enum tristate other_iommu;	/* VT-d or AMD tracks dirty pages */
	enum tristate fixed;		/* the fixes of hwdbm's kernel series show */
	enum tristate splits;		/* the kernel can split blocks, by hwdbm's series */
	enum tristate split_on;		/* and does, if a VMM does not say otherwise */
	enum tristate foreign_split;	/* openEuler's iommu_split_block() is there */
	enum tristate overridden;	/* firmware claims dirty bits that the SMMU denies */
};

/**
 * safety__judge() - go through the known ways to lose dirty pages
 *
 * @findings: gets one record for each
 *
 * Return: the worst verdict.
 */
enum safety_verdict safety__judge(const struct safety_facts *facts, struct fact_list *findings);

/** safety__name() - "safe", "unknown" or "unsafe" */
const char *safety__name(enum safety_verdict verdict);

#endif
