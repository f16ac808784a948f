// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bits, each with its source. Not here: what follows from them for a host.
 */
#include "iommu_features.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

/* Intel VT-d specification, 11.4.3; the kernel's ssads_supported() wants all three. */
#define ECAP_SMTS BIT(43)	/* scalable mode */
#define ECAP_SLADS BIT(45)	/* second-stage accessed and dirty bits */
#define ECAP_SMPWC BIT(48)	/* coherent walks of scalable mode's tables */

/* AMD I/O Virtualization specification, MMIO offset 0x30. */
#define EFR_HDSUP BIT(52)	/* host dirty bits */

/* drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h, ARM_SMMU_FEAT_*, Linux 6.11 to 7.3 */
#define SMMU_COHERENCY BIT(8)
#define SMMU_HD BIT(22)

/* Reads "c0ffee" or "0xc0ffee", of which one of the characters or the text's end is the end. */
static bool read_hex(const char *text, const char *ends, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 16);
	return end != text && (!*end || strchr(ends, *end));
}

enum tristate iommu_features__vtd(const char *ecap, enum tristate scalable, char *reason,
				  size_t size)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} needed[] = { { ECAP_SMTS, "SMTS" }, { ECAP_SLADS, "SLADS" }, { ECAP_SMPWC, "SMPWC" } };
	uint64_t value;

	if (!read_hex(ecap, "\n", &value)) {
		snprintf(reason, size, "its ecap register cannot be read");
		return TRI_UNKNOWN;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(value & needed[i].bit)) {
			snprintf(reason, size, "ecap %" PRIx64 " has no %s", value, needed[i].name);
			return TRI_FALSE;
		}
	if (scalable == TRI_TRUE)
		snprintf(reason, size, "ecap %" PRIx64 " has SMTS, SLADS and SMPWC", value);
	else if (scalable == TRI_FALSE)
		snprintf(reason, size, "its hardware could, but scalable mode is off: boot with intel_iommu=on,sm_on");
	else
		snprintf(reason, size, "its hardware could; whether scalable mode is on is not known (intel_iommu=on,sm_on)");
	return scalable;
}

enum tristate iommu_features__amd(const char *features, char *reason, size_t size)
{
	uint64_t value;

	/* Newer kernels add a second register behind a colon. */
	if (!read_hex(features, ":\n", &value)) {
		snprintf(reason, size, "its features cannot be read");
		return TRI_UNKNOWN;
	}
	snprintf(reason, size, "features %" PRIx64 " %s HDSup", value,
		 value & EFR_HDSUP ? "have" : "have no");
	return value & EFR_HDSUP ? TRI_TRUE : TRI_FALSE;
}

enum tristate iommu_features__smmu(uint64_t features, char *reason, size_t size)
{
	if (features == UNKNOWN) {
		snprintf(reason, size, "the kernel's log no longer has its features; --ask-devices may tell");
		return TRI_UNKNOWN;
	}
	if (!(features & SMMU_HD))
		snprintf(reason, size, "the driver found no HTTU with dirty state");
	else if (!(features & SMMU_COHERENCY))
		snprintf(reason, size, "HTTU, but its table walks are not coherent");
	else
		snprintf(reason, size, "HTTU with dirty state");
	return features & SMMU_HD && features & SMMU_COHERENCY ? TRI_TRUE : TRI_FALSE;
}

void iommu_features__log_line(const char *line, const char *device, uint64_t *features,
			      enum tristate *overridden)
{
	static const char word[] = "(features ", httu[] = "IDR0.HTTU features(";
	uint64_t hardware, firmware;
	char name[80];
	const char *at;

	snprintf(name, sizeof(name), "arm-smmu-v3 %s: ", device);
	line = strstr(line, name);
	if (!line)
		return;
	at = strstr(line, httu);
	if (at && sscanf(at + strlen(httu), "%" SCNx64 ") overridden by FW configuration (%" SCNx64,
			 &hardware, &firmware) == 2 &&
	    firmware & SMMU_HD && !(hardware & SMMU_HD))
		*overridden = TRI_TRUE;
	at = strstr(line, word);
	if (at && read_hex(at + strlen(word), ")", &hardware))
		*features = hardware;
}
