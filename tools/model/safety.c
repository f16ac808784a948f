// SPDX-License-Identifier: GPL-2.0-only
/*
 * The known ways in which dirty pages get lost on a host, and what speaks for and against
 * each. What nobody can know from here is called unknown. Not here: defects of a VMM, of
 * a device's own log, and of KVM's.
 */
#include "diagnosis.h"
#include "../lib/strings.h"

#include <stdarg.h>
#include <stdio.h>

/* Kernels whose source was read: those that can have the first defect, up to the newest. */
#define READ_FROM_MAJOR 6
#define READ_FROM_MINOR 11
#define READ_TO_MAJOR 7
#define READ_TO_MINOR 3

static bool at_least(const struct safety_facts *f, unsigned int major, unsigned int minor)
{
	return f->major > major || (f->major == major && f->minor >= minor);
}

__attribute__((format(printf, 4, 5)))
static enum safety_verdict find(struct fact_list *findings, const char *name,
				enum safety_verdict verdict, const char *format, ...)
{
	struct finding_facts *finding = facts__add(findings);
	va_list args;

	if (!finding)
		return SAFETY_UNKNOWN;
	STRING_COPY(finding->name, name);
	STRING_COPY(finding->verdict, safety__name(verdict));
	va_start(args, format);
	vsnprintf(finding->reason, sizeof(finding->reason), format, args);
	va_end(args);
	return verdict;
}

/*
 * SMMUv3 of Linux 6.11 and later: arm_smmu_iotlb_sync() returns early after a clear, so
 * that a cached dirty entry hides later writes. The rest of the stock code shares 7.3's.
 */
static enum safety_verdict judge_missing_tlbi(const struct safety_facts *f,
					      struct fact_list *findings)
{
	static const char name[] = "SMMUv3 clear without TLBI";

	if (f->smmu == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE, "no SMMUv3 is in use");
	if (f->fixed == TRI_TRUE)
		return find(findings, name, SAFETY_SAFE,
			    "this kernel has hwdbm's fixes: a clear is followed by an invalidation");
	if (f->driver == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE,
			    "the SMMUv3 driver of this kernel does not clear dirty bits");
	if (f->httu == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE, "no SMMUv3 here sets dirty bits (HTTU)");
	if (f->iommufd == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE,
			    "no VMM can reach the SMMU's dirty bits: this kernel has no iommufd");
	if (f->smmu == TRI_UNKNOWN || f->driver == TRI_UNKNOWN || f->iommufd == TRI_UNKNOWN)
		return find(findings, name, SAFETY_UNKNOWN,
			    "it cannot be seen from here whether the SMMUv3 driver is used for it");
	if (!at_least(f, READ_FROM_MAJOR, READ_FROM_MINOR) ||
	    at_least(f, READ_TO_MAJOR, READ_TO_MINOR + 1))
		return find(findings, name, SAFETY_UNKNOWN,
			    "the SMMUv3 driver of Linux %u.%u was never looked at; hwdbm record of a migration tells: a sync that cleared something has to have TLB invalidations",
			    f->major, f->minor);
	if (f->httu == TRI_UNKNOWN)
		return find(findings, name, SAFETY_UNKNOWN,
			    "Linux %u.%u clears dirty bits without a TLB invalidation; whether this SMMU sets any (HTTU) is not known: the kernel's log no longer says, hwdbm doctor --ask-devices may",
			    f->major, f->minor);
	return find(findings, name, SAFETY_UNSAFE,
		    "Linux %u.%u clears dirty bits without a TLB invalidation and no sign of a fix is here: writes through a cached entry are missing from later syncs (kernel-patches/v6.12/fixes/ mends it)",
		    f->major, f->minor);
}

/* The walk clears before it records, and drops its error: all IOMMUs, iommufd of 6.7 on. */
static enum safety_verdict judge_dropped_error(const struct safety_facts *f,
					       struct fact_list *findings)
{
	static const char name[] = "failed sync that says 0";
	bool tracks = f->other_iommu == TRI_TRUE || (f->smmu == TRI_TRUE && f->httu != TRI_FALSE &&
						     f->driver != TRI_FALSE);

	if (!tracks || f->iommufd == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE, "no VMM can read dirty bits of an IOMMU here");
	if (f->fixed == TRI_TRUE)
		return find(findings, name, SAFETY_SAFE,
			    "this kernel has hwdbm's fixes: a sync that fails says so");
	return find(findings, name, SAFETY_SAFE,
		    "for VMMs whose bitmap stays writable and whose syncs are aligned, as QEMU's are; for others this kernel would lose pages and return 0");
}

/* Break-before-make level 0: a live block cannot be split. */
static enum safety_verdict judge_split(const struct safety_facts *f, struct fact_list *findings)
{
	static const char name[] = "split of live blocks";

	if (f->foreign_split == TRI_TRUE)
		return find(findings, name, SAFETY_UNKNOWN,
			    "this kernel has openEuler's iommu_split_block(), which nobody here has tested");
	if (f->splits != TRI_TRUE)
		return find(findings, name, SAFETY_SAFE, "this kernel cannot split");
	if (f->split_on != TRI_TRUE)
		return find(findings, name, SAFETY_SAFE,
			    "off by default, and an SMMU of BBML 0 keeps its blocks whole");
	return find(findings, name, SAFETY_SAFE, "on; an SMMU of BBML 0 keeps its blocks whole");
}

/* ACPI's table decides what the driver believes, not the SMMU's own register. */
static enum safety_verdict judge_firmware(const struct safety_facts *f, struct fact_list *findings)
{
	static const char name[] = "firmware overriding HTTU";

	if (f->smmu == TRI_FALSE)
		return find(findings, name, SAFETY_SAFE, "no SMMUv3 is in use");
	if (f->overridden == TRI_TRUE)
		return find(findings, name, SAFETY_UNSAFE,
			    "firmware (IORT) claims dirty bits that the SMMU's IDR0 denies: what it writes may never be marked");
	if (f->overridden == TRI_UNKNOWN)
		return find(findings, name, SAFETY_UNKNOWN,
			    "the kernel's log cannot be read, or no longer goes back to the start");
	return find(findings, name, SAFETY_SAFE, "the kernel believes the SMMU's own register");
}

enum safety_verdict safety__judge(const struct safety_facts *facts, struct fact_list *findings)
{
	enum safety_verdict (*const judges[])(const struct safety_facts *, struct fact_list *) = {
		judge_missing_tlbi, judge_dropped_error, judge_split, judge_firmware,
	};
	enum safety_verdict worst = SAFETY_SAFE;

	for (size_t i = 0; i < sizeof(judges) / sizeof(judges[0]); i++) {
		enum safety_verdict verdict = judges[i](facts, findings);

		if (verdict > worst)
			worst = verdict;
	}
	return worst;
}

const char *safety__name(enum safety_verdict verdict)
{
	static const char * const names[] = {
		[SAFETY_SAFE] = "safe", [SAFETY_UNKNOWN] = "unknown", [SAFETY_UNSAFE] = "unsafe",
	};

	return names[verdict];
}
