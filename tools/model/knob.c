// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of settings. One line makes a knob known to hwdbm tune.
 */
#include "knob.h"
#include "../lib/options.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "/sys/module/"
#define THP "/sys/kernel/mm/transparent_hugepage/"

#define NEXT_START "from the next start of tracking on; what is split then stays so until that tracking stops"

static const struct knob knobs[] = {
	{ "iommu.dirty_split", MODULE "iommu/parameters/dirty_split", KNOB_SPLIT,
	  "off, eager, lazy, sample=PERCENT%,SEED",
	  "when dirty tracking splits blocks of the IOMMU, for VMs that do not choose themselves; " NEXT_START },
	{ "iommu.dirty_granularity", MODULE "iommu/parameters/dirty_granularity", KNOB_SIZE,
	  "0 (as mapped), 4K, 64K, 2M, 1G",
	  "the leaf size that blocks are split to, for VMs that do not choose themselves; " NEXT_START },
	{ "iommu.dirty_split_budget", MODULE "iommu/parameters/dirty_split_budget", KNOB_NUMBER,
	  "1 to 4294967295",
	  "splits that one sync may do: fewer make syncs shorter, and blocks are reported whole for longer" },
	{ "vfio_iommu_type1.dirty_tracking", MODULE "vfio_iommu_type1/parameters/dirty_tracking",
	  KNOB_BOOL, "Y, N",
	  "whether type1 takes dirty pages from the IOMMU; of devices attached from then on, for as long as they are" },
	{ "vfio_iommu_type1.disable_hugepages", MODULE "vfio_iommu_type1/parameters/disable_hugepages",
	  KNOB_BOOL, "Y, N",
	  "leaves of 4K for all that type1 maps from then on, and for as long as it is mapped: 2 MiB of tables a GiB, and the IOTLB's reach" },
	{ "kvm.eager_page_split", MODULE "kvm/parameters/eager_page_split", KNOB_BOOL, "Y, N",
	  "whether huge pages are split when the log starts, or when the guest first writes to them; for VMs whose log starts then (x86)" },
	{ "kvm.nx_huge_pages", MODULE "kvm/parameters/nx_huge_pages", KNOB_NONE, "",
	  "huge pages that a guest runs code in are split while it is on; a mitigation, not to be turned off for speed" },
	{ "kvm_intel.pml", MODULE "kvm_intel/parameters/pml", KNOB_NONE, "",
	  "whether the processor logs dirty pages itself" },
	{ "mm.anonymous_huge_pages", THP "enabled", KNOB_CHOICE, "always, madvise, never",
	  "whether memory gets 2M pages by itself, of all processes, from then on" },
	{ "mm.shared_huge_pages", THP "shmem_enabled", KNOB_CHOICE,
	  "always, within_size, advise, never, deny, force",
	  "the same for shared memory, as VMs with vhost-user have it" },
	{ "IOMMU_OPTION_HUGE_PAGES", NULL, KNOB_NONE, "",
	  "leaves of 4K from the VM's start to its end; the VMM sets it before it maps memory" },
	{ "KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE", NULL, KNOB_NONE, "",
	  "as kvm.eager_page_split, on arm64; the VMM sets it (QEMU: -accel kvm,eager-split-size=)" },
	{ "KVM_CAP_DIRTY_LOG_RING", NULL, KNOB_NONE, "",
	  "rings instead of a bitmap, and their size; the VMM sets it (QEMU: -accel kvm,dirty-ring-size=)" },
};

#define F(member, head, kind, text) FIELD(knob_row, member, #member, head, kind, UNIT_NONE, text)

static const struct field fields[] = {
	F(name, "knob", FIELD_TEXT, "as it is given on the command line"),
	F(scope, "of", FIELD_TEXT, "the host, one VM, or the VMM alone"),
	F(value, "value", FIELD_TEXT, "as it is; unknown where this kernel has none, or nobody tells"),
	F(settable, "can be set", FIELD_BOOL, "by hwdbm tune, here"),
	F(values, "to", FIELD_TEXT, "the values it takes"),
	F(reason, "why not", FIELD_TEXT, "why it cannot be set"),
	F(changes, "changes", FIELD_TEXT, "what it would change"),
};

const struct field_table knob_table = FIELD_TABLE("knob", knob_row, fields);

size_t knob__count(void)
{
	return sizeof(knobs) / sizeof(knobs[0]);
}

const struct knob *knob__at(size_t index)
{
	return &knobs[index];
}

const struct knob *knob__find(const char *name)
{
	const struct knob *found = NULL;

	for (size_t i = 0; i < knob__count(); i++) {
		const char *dot = strchr(knobs[i].name, '.');

		if (!strcmp(knobs[i].name, name))
			return &knobs[i];
		if (!dot || strcmp(dot + 1, name))
			continue;
		if (found)
			return NULL;
		found = &knobs[i];
	}
	return found;
}

/* ---- values ------------------------------------------------------------------------ */

static bool is_listed(const char *list, const char *value)
{
	size_t length = strcspn(value, ", ");

	for (const char *at = list; length && !value[length] && (at = strstr(at, value)); at++)
		if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ','))
			return true;
	return false;
}

/* "sample=5%,7" or "sample=0.25%,7". Share in units of 0.01 %. */
static int parse_sample(const char *text, uint64_t *share, uint64_t *seed)
{
	unsigned int percent, seed_read;
	char fraction[3] = "";
	int end = 0;

	if (sscanf(text, "sample=%3u%%,%u%n", &percent, &seed_read, &end) != 2) {
		end = 0;
		if (sscanf(text, "sample=%3u.%2[0123456789]%%,%u%n", &percent, fraction, &seed_read,
			   &end) != 3)
			return -EINVAL;
	}
	if (!end || text[end])
		return -EINVAL;
	*share = percent * 100;
	if (*fraction)
		*share += (fraction[0] - '0') * 10 + (fraction[1] ? fraction[1] - '0' : 0);
	*seed = seed_read;
	return *share && *share <= 10000 ? 0 : -EINVAL;
}

static int check_split(const char *value)
{
	uint64_t share, seed;

	if (!strcmp(value, "off") || !strcmp(value, "eager") || !strcmp(value, "lazy"))
		return 0;
	return parse_sample(value, &share, &seed);
}

static int check_size(const char *value, char out[KNOB_TEXT])
{
	uint64_t bytes;

	if (options__bytes(value, &bytes))
		return -EINVAL;
	if (bytes && bytes != 4096 && bytes != 65536 && bytes != UINT64_C(2) << 20 &&
	    bytes != UINT64_C(1) << 30)
		return -EINVAL;
	snprintf(out, KNOB_TEXT, "%" PRIu64, bytes);
	return 0;
}

static int check_bool(const char *value, char out[KNOB_TEXT])
{
	const bool yes = is_listed("Y, y, 1, on, yes", value);

	if (!yes && !is_listed("N, n, 0, off, no", value))
		return -EINVAL;
	strcpy(out, yes ? "Y" : "N");
	return 0;
}

int knob__check(const struct knob *knob, const char *value, char out[KNOB_TEXT])
{
	uint64_t number;

	if (strlen(value) >= KNOB_TEXT)
		return -EINVAL;
	string__copy(out, KNOB_TEXT, value);
	switch (knob->type) {
	case KNOB_BOOL:
		return check_bool(value, out);
	case KNOB_CHOICE:
		return is_listed(knob->values, value) ? 0 : -EINVAL;
	case KNOB_SPLIT:
		return check_split(value);
	case KNOB_SIZE:
		return check_size(value, out);
	case KNOB_NUMBER:
		return options__u64(value, &number) || !number || number > UINT32_MAX ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

void knob__clean(char text[KNOB_TEXT])
{
	char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	text[strcspn(text, "\n")] = '\0';
	if (!close)
		return;
	*close = '\0';
	memmove(text, open + 1, (size_t)(close - open));
}

/* ---- the option of an IOAS --------------------------------------------------------- */

enum { MODE_DEFAULT, MODE_OFF, MODE_EAGER, MODE_LAZY, MODE_SAMPLE, MODES };

static const char *const modes[MODE_SAMPLE] = {
	[MODE_DEFAULT] = "default", [MODE_OFF] = "off", [MODE_EAGER] = "eager", [MODE_LAZY] = "lazy",
};

int knob__pack(const char *mode, uint64_t bytes, uint64_t *value)
{
	uint64_t number = 0, share = 0, seed = 0;

	while (number < MODE_SAMPLE && strcmp(modes[number], mode))
		number++;
	if (number == MODE_SAMPLE && parse_sample(mode, &share, &seed))
		return -EINVAL;
	if (number > MODE_OFF) {
		if (!bytes || bytes & (bytes - 1))
			return -EINVAL;
		number |= (uint64_t)__builtin_ctzll(bytes) << 8;
	}
	*value = number | share << 16 | seed << 32;
	return 0;
}

void knob__unpack(uint64_t value, char text[KNOB_TEXT])
{
	static const char suffixes[] = "KMGTPE";
	unsigned int mode = value & 0xff, order = value >> 8 & 0x3f;
	char size[16];

	if (order < 10)
		snprintf(size, sizeof(size), "%u", 1u << order);
	else
		snprintf(size, sizeof(size), "%u%c", 1u << order % 10, suffixes[order / 10 - 1]);
	if (mode <= MODE_OFF)
		snprintf(text, KNOB_TEXT, "%s", modes[mode]);
	else if (mode < MODE_SAMPLE)
		snprintf(text, KNOB_TEXT, "%s to %s", modes[mode], size);
	else if (mode == MODE_SAMPLE)
		snprintf(text, KNOB_TEXT, "sample=%u.%02u%%,%u to %s", (unsigned int)(value >> 16 & 0xffff) / 100,
			 (unsigned int)(value >> 16 & 0xffff) % 100, (unsigned int)(value >> 32), size);
	else
		snprintf(text, KNOB_TEXT, "0x%" PRIx64, value);
}
