// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a host's registers, files and facts mean: IOMMU features, scans of made-up trees
 * of sysfs, trackers, safety. Not here: the machine that runs the test.
 */
#define _GNU_SOURCE
#include "../../tools/collect/devices.h"
#include "../../tools/collect/iommu.h"
#include "../../tools/model/iommu_features.h"
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char reason[REASON_TEXT];

static enum tristate vtd(const char *ecap, enum tristate scalable)
{
	return iommu_features__vtd(ecap, scalable, reason, sizeof(reason));
}

/* SMTS is bit 43, SLADS 45, SMPWC 48. */
#define ECAP_ALL "1280000000000\n"
#define ECAP_NO_SLADS "1080000000000\n"

static void vt_d_needs_three_bits(void)
{
	CHECK(vtd(ECAP_ALL, TRI_TRUE) == TRI_TRUE);
	CHECK(vtd("ffffffffffffffff", TRI_TRUE) == TRI_TRUE);
	CHECK(vtd(ECAP_NO_SLADS, TRI_TRUE) == TRI_FALSE && strstr(reason, "SLADS"));
	CHECK(vtd("1200000000000\n", TRI_TRUE) == TRI_FALSE && strstr(reason, "SMTS"));
	CHECK(vtd("280000000000\n", TRI_TRUE) == TRI_FALSE && strstr(reason, "SMPWC"));
	CHECK(vtd("", TRI_TRUE) == TRI_UNKNOWN);
	CHECK(vtd("zz", TRI_TRUE) == TRI_UNKNOWN);
}

static void vt_d_and_its_mode(void)
{
	CHECK(vtd(ECAP_ALL, TRI_FALSE) == TRI_FALSE && strstr(reason, "sm_on"));
	CHECK(vtd(ECAP_ALL, TRI_UNKNOWN) == TRI_UNKNOWN && strstr(reason, "not known"));
	CHECK(vtd(ECAP_NO_SLADS, TRI_UNKNOWN) == TRI_FALSE);
}

static void amd_needs_one_bit(void)
{
	/* HDSup is bit 52 of the first register. */
	CHECK(iommu_features__amd("10000000000000:0\n", reason, sizeof(reason)) == TRI_TRUE);
	CHECK(iommu_features__amd("10000000000000\n", reason, sizeof(reason)) == TRI_TRUE);
	CHECK(iommu_features__amd("25bf732fa2295afe:1d", reason, sizeof(reason)) == TRI_TRUE);
	CHECK(iommu_features__amd("2000000000000:10000000000000", reason, sizeof(reason)) == TRI_FALSE);
	CHECK(iommu_features__amd("", reason, sizeof(reason)) == TRI_UNKNOWN);
}

static void smmu_needs_two_bits(void)
{
	CHECK(iommu_features__smmu(0x00688705, reason, sizeof(reason)) == TRI_TRUE);
	/* Access flag only */
	CHECK(iommu_features__smmu(0x00288705, reason, sizeof(reason)) == TRI_FALSE);
	/* Walks that are not coherent */
	CHECK(iommu_features__smmu(0x00688605, reason, sizeof(reason)) == TRI_FALSE);
	CHECK(strstr(reason, "coherent"));
	CHECK(iommu_features__smmu(UNKNOWN, reason, sizeof(reason)) == TRI_UNKNOWN);
}

static void lines_of_the_log(void)
{
	static const char line[] =
		"6,234,614767,-;arm-smmu-v3 9050000.smmuv3: ias 44-bit, oas 44-bit (features 0x00688705)";
	static const char fw[] =
		"4,90,1,-;arm-smmu-v3 arm-smmu-v3.0.auto: IDR0.HTTU features(0x%x) overridden by FW configuration (0x%x)";
	enum tristate overridden = TRI_UNKNOWN;
	uint64_t features = UNKNOWN;
	char text[160];

	iommu_features__log_line(line, "9060000.smmuv3", &features, &overridden);
	CHECK_NUMBER(features, UNKNOWN);
	iommu_features__log_line(line, "9050000.smmuv3", &features, &overridden);
	CHECK_NUMBER(features, 0x00688705);
	CHECK(overridden == TRI_UNKNOWN);
	/* Firmware that hides what the hardware has loses nothing. */
	snprintf(text, sizeof(text), fw, 0x600000, 0x200000);
	iommu_features__log_line(text, "arm-smmu-v3.0.auto", &features, &overridden);
	CHECK(overridden == TRI_UNKNOWN);
	snprintf(text, sizeof(text), fw, 0x200000, 0x600000);
	iommu_features__log_line(text, "arm-smmu-v3.0.auto", &features, &overridden);
	CHECK(overridden == TRI_TRUE);
}

/* A tree of files below a folder of its own. */
static char root[] = "/tmp/hwdbm-unit-XXXXXX";

static void make_parents(const char *path)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", path);
	for (char *slash = text + strlen(root); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		mkdir(text, 0700);
		*slash = '/';
	}
}

static void put_file(const char *name, const char *content)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	file = fopen(path, "w");
	if (!file || fputs(content, file) == EOF || fclose(file))
		abort();
}

static void put_link(const char *name, const char *to)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	if (symlink(to, path))
		abort();
}

static int drop(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void plant(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	if (!mkdtemp(root))
		abort();
}

static void fell(void)
{
	nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct iommu_context *context_of(enum tristate drivers, enum tristate reachable)
{
	static struct iommu_context context;

	context = (struct iommu_context){
		.root = root, .release = "6.12", .vtd_driver = drivers, .amd_driver = drivers,
		.smmu_driver = drivers, .reachable = reachable,
	};
	return &context;
}

static void scan_of_vt_d(void)
{
	enum tristate overridden;
	struct iommu_facts *iommu;
	struct diagnosis d;

	plant();
	put_file("/sys/class/iommu/dmar0/intel-iommu/ecap", ECAP_NO_SLADS);
	put_file("/sys/class/iommu/dmar10/intel-iommu/ecap", ECAP_ALL);
	put_file("/sys/class/iommu/dmar2/intel-iommu/ecap", ECAP_ALL);
	put_file("/sys/class/iommu/iommufd_selftest_iommu.0/x", "");
	put_file("/proc/cmdline", "quiet intel_iommu=on,sm_on\n");
	diagnosis__init(&d);
	CHECK_NUMBER(iommu__scan(context_of(TRI_TRUE, TRI_TRUE), &d.iommus, &overridden), 0);
	CHECK_NUMBER(d.iommus.count, 3);
	/* Sorted as numbers; found by name */
	iommu = facts__at(&d.iommus, 2);
	CHECK(!strcmp(iommu->name, "dmar10") && iommu == iommu__find(&d.iommus, "dmar10"));
	CHECK(iommu->tracks == TRI_TRUE);
	CHECK(!iommu__find(&d.iommus, "dmar1"));
	iommu = iommu__find(&d.iommus, "dmar0");
	CHECK(iommu->hardware == TRI_FALSE && iommu->tracks == TRI_FALSE);
	CHECK(!strcmp(iommu->type, "VT-d"));
	diagnosis__release(&d);
	fell();
}

static void scan_of_scalable_mode(void)
{
	static const struct {
		const char *command_line;
		const char *config;
		enum tristate tracks;
	} cases[] = {
		{ "intel_iommu=on,sm_on\n", "", TRI_TRUE },
		{ "intel_iommu=on,sm_off\n", "CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON=y\n", TRI_FALSE },
		{ "quiet\n", "CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON=y\n", TRI_TRUE },
		{ "quiet\n", "# CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON is not set\n", TRI_FALSE },
		{ "quiet\n", NULL, TRI_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct iommu_facts *iommu;
		enum tristate overridden;
		struct diagnosis d;

		plant();
		put_file("/sys/class/iommu/dmar0/intel-iommu/ecap", ECAP_ALL);
		put_file("/proc/cmdline", cases[i].command_line);
		if (cases[i].config)
			put_file("/boot/config-6.12", cases[i].config);
		diagnosis__init(&d);
		iommu__scan(context_of(TRI_TRUE, TRI_TRUE), &d.iommus, &overridden);
		iommu = facts__at(&d.iommus, 0);
		if (iommu->tracks != cases[i].tracks)
			FAIL("case %zu: %d", i, iommu->tracks);
		diagnosis__release(&d);
		fell();
	}
}

static void scan_of_an_smmu(void)
{
	const struct iommu_facts *iommu;
	enum tristate overridden;
	struct diagnosis d;

	plant();
	put_file("/sys/devices/platform/9050000.smmuv3/iommu/smmu3.0x9050000/x", "");
	put_link("/sys/class/iommu/smmu3.0x9050000",
		 "../../devices/platform/9050000.smmuv3/iommu/smmu3.0x9050000");
	put_file("/dev/kmsg",
		 "6,0,0,-;Linux version\n"
		 "6,9,614767,-;arm-smmu-v3 9050000.smmuv3: ias 44-bit, oas 44-bit (features 0x00688705)\n");
	put_file("/sys/firmware/acpi/tables/IORT", "");
	diagnosis__init(&d);
	CHECK_NUMBER(iommu__scan(context_of(TRI_TRUE, TRI_TRUE), &d.iommus, &overridden), 0);
	iommu = facts__at(&d.iommus, 0);
	CHECK(!strcmp(iommu->type, "SMMUv3") && iommu->tracks == TRI_TRUE);
	/* The log goes back to the start, and does not complain. */
	CHECK(overridden == TRI_FALSE);

	/* Nobody reads what the hardware marks, or nobody can ask. */
	diagnosis__release(&d);
	iommu__scan(context_of(TRI_FALSE, TRI_TRUE), &d.iommus, &overridden);
	iommu = facts__at(&d.iommus, 0);
	CHECK(iommu->tracks == TRI_FALSE && strstr(iommu->reason, "driver"));
	diagnosis__release(&d);
	iommu__scan(context_of(TRI_TRUE, TRI_FALSE), &d.iommus, &overridden);
	iommu = facts__at(&d.iommus, 0);
	CHECK(iommu->tracks == TRI_FALSE && strstr(iommu->reason, "iommufd"));

	/* A log that has turned over */
	put_file("/dev/kmsg", "6,4711,99,-;something else\n");
	diagnosis__release(&d);
	iommu__scan(context_of(TRI_TRUE, TRI_TRUE), &d.iommus, &overridden);
	iommu = facts__at(&d.iommus, 0);
	CHECK(iommu->tracks == TRI_UNKNOWN && overridden == TRI_UNKNOWN);
	diagnosis__release(&d);
	fell();
}

static void no_iommu(void)
{
	enum tristate overridden;
	struct diagnosis d;

	plant();
	diagnosis__init(&d);
	CHECK_NUMBER(iommu__scan(context_of(TRI_TRUE, TRI_TRUE), &d.iommus, &overridden), 0);
	CHECK_NUMBER(d.iommus.count, 0);
	CHECK_NUMBER(devices__scan(root, &d.devices), 0);
	CHECK_NUMBER(d.devices.count, 0);
	fell();
}

static void scan_of_devices(void)
{
	const struct device_facts *device;
	struct diagnosis d;

	plant();
	put_link("/sys/devices/0000:3b:00.0/driver", "../../bus/pci/drivers/vfio-pci");
	put_link("/sys/devices/0000:3b:00.0/iommu", "../../class/iommu/dmar0");
	put_link("/sys/devices/0000:3b:00.1/driver", "../../bus/pci/drivers/mlx5_vfio_pci");
	put_link("/sys/class/vfio-dev/vfio0/device", "../../../devices/0000:3b:00.0");
	put_link("/sys/class/vfio-dev/vfio1/device", "../../../devices/0000:3b:00.1");
	diagnosis__init(&d);
	CHECK_NUMBER(devices__scan(root, &d.devices), 0);
	CHECK_NUMBER(d.devices.count, 2);
	device = facts__at(&d.devices, 0);
	CHECK(!strcmp(device->name, "0000:3b:00.0") && !strcmp(device->driver, "vfio-pci"));
	CHECK(!strcmp(device->iommu, "dmar0"));
	CHECK(device->migrates == TRI_FALSE && device->asked == TRI_FALSE);
	device = facts__at(&d.devices, 1);
	CHECK(!strcmp(device->driver, "mlx5_vfio_pci") && !device->iommu[0]);
	CHECK(device->migrates == TRI_TRUE && device->own_log == TRI_TRUE);
	diagnosis__release(&d);
	fell();
}

/* Linux before 6.1 */
static void scan_of_devices_without_a_class(void)
{
	const struct device_facts *device;
	struct diagnosis d;

	plant();
	put_link("/sys/devices/0000:3b:00.0/driver", "../../bus/pci/drivers/hisi_acc_vfio_pci");
	put_link("/sys/bus/pci/drivers/hisi_acc_vfio_pci/0000:3b:00.0", "../../../../devices/0000:3b:00.0");
	put_file("/sys/bus/pci/drivers/hisi_acc_vfio_pci/new_id", "");
	put_link("/sys/bus/pci/drivers/e1000e/0000:00:1f.6", "../../../../devices/0000:00:1f.6");
	diagnosis__init(&d);
	CHECK_NUMBER(devices__scan(root, &d.devices), 0);
	CHECK_NUMBER(d.devices.count, 1);
	device = facts__at(&d.devices, 0);
	CHECK(!strcmp(device->name, "0000:3b:00.0") && device->own_log == TRI_FALSE);
	diagnosis__release(&d);
	fell();
}

static void trackers(void)
{
	static const struct {
		enum tristate migrates, own_log, tracks;
		const char *tracker;
	} cases[] = {
		{ TRI_FALSE, TRI_FALSE, TRI_TRUE, "none" },
		{ TRI_TRUE, TRI_TRUE, TRI_TRUE, "device log" },
		{ TRI_TRUE, TRI_FALSE, TRI_TRUE, "iommu" },
		{ TRI_TRUE, TRI_FALSE, TRI_FALSE, "all dirty" },
		{ TRI_TRUE, TRI_FALSE, TRI_UNKNOWN, "unknown" },
		{ TRI_TRUE, TRI_UNKNOWN, TRI_TRUE, "unknown" },
		{ TRI_UNKNOWN, TRI_TRUE, TRI_FALSE, "device log" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_facts device = { .migrates = cases[i].migrates,
					       .own_log = cases[i].own_log };

		diagnosis__judge_device(&device, cases[i].tracks);
		if (strcmp(device.tracker, cases[i].tracker) || !device.reason[0])
			FAIL("case %zu: %s", i, device.tracker);
	}
}

static struct measure_facts *add_measure(struct diagnosis *d, enum tristate served,
					 enum tristate denied)
{
	struct measure_facts *measure = facts__add(&d->measures);

	measure->served = served;
	measure->denied = denied;
	return measure;
}

static void completeness(void)
{
	struct diagnosis d;

	diagnosis__init(&d);
	CHECK(diagnosis__is_complete(&d) == TRI_FALSE);
	add_measure(&d, TRI_FALSE, TRI_FALSE);
	CHECK(diagnosis__is_complete(&d) == TRI_FALSE);
	add_measure(&d, TRI_UNKNOWN, TRI_FALSE);
	CHECK(diagnosis__is_complete(&d) == TRI_UNKNOWN);
	add_measure(&d, TRI_TRUE, TRI_FALSE);
	CHECK(diagnosis__is_complete(&d) == TRI_TRUE);
	add_measure(&d, TRI_FALSE, TRI_TRUE);
	CHECK(diagnosis__is_complete(&d) == TRI_FALSE);
	diagnosis__release(&d);
}

/* A stock kernel on an SMMUv3 with HTTU, which iommufd reaches. */
#define STOCK {										\
	.major = 6, .minor = 12, .smmu = TRI_TRUE, .httu = TRI_TRUE, .driver = TRI_TRUE,	\
	.iommufd = TRI_TRUE, .other_iommu = TRI_FALSE, .fixed = TRI_FALSE,		\
	.splits = TRI_FALSE, .split_on = TRI_FALSE, .foreign_split = TRI_FALSE,		\
	.overridden = TRI_FALSE }

static enum safety_verdict judge(struct safety_facts facts)
{
	enum safety_verdict verdict;
	struct diagnosis d;

	diagnosis__init(&d);
	verdict = safety__judge(&facts, &d.findings);
	diagnosis__release(&d);
	return verdict;
}

static void safety_of_a_stock_smmu(void)
{
	struct safety_facts facts = STOCK;

	CHECK_NUMBER(judge(facts), SAFETY_UNSAFE);
	facts.minor = 10;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
	facts.major = 7;
	facts.minor = 3;
	CHECK_NUMBER(judge(facts), SAFETY_UNSAFE);
	/* Nobody has read that one. */
	facts.minor = 4;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
}

static void what_makes_it_safe(void)
{
	struct safety_facts facts;

	facts = (struct safety_facts)STOCK;
	facts.fixed = TRI_TRUE;
	CHECK_NUMBER(judge(facts), SAFETY_SAFE);
	facts = (struct safety_facts)STOCK;
	facts.httu = TRI_FALSE;
	CHECK_NUMBER(judge(facts), SAFETY_SAFE);
	facts = (struct safety_facts)STOCK;
	facts.iommufd = TRI_FALSE;
	CHECK_NUMBER(judge(facts), SAFETY_SAFE);
	facts = (struct safety_facts)STOCK;
	facts.driver = TRI_FALSE;
	CHECK_NUMBER(judge(facts), SAFETY_SAFE);
	facts = (struct safety_facts)STOCK;
	facts.smmu = TRI_FALSE;
	facts.other_iommu = TRI_TRUE;
	CHECK_NUMBER(judge(facts), SAFETY_SAFE);
}

static void what_makes_it_unknown(void)
{
	struct safety_facts facts;

	facts = (struct safety_facts)STOCK;
	facts.httu = TRI_UNKNOWN;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
	facts = (struct safety_facts)STOCK;
	facts.driver = TRI_UNKNOWN;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
	facts = (struct safety_facts)STOCK;
	facts.fixed = TRI_TRUE;
	facts.overridden = TRI_UNKNOWN;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
	facts.overridden = TRI_TRUE;
	CHECK_NUMBER(judge(facts), SAFETY_UNSAFE);
	facts.overridden = TRI_FALSE;
	facts.foreign_split = TRI_TRUE;
	CHECK_NUMBER(judge(facts), SAFETY_UNKNOWN);
}

RUN_TESTS(TEST(vt_d_needs_three_bits), TEST(vt_d_and_its_mode), TEST(amd_needs_one_bit),
	  TEST(smmu_needs_two_bits), TEST(lines_of_the_log), TEST(scan_of_vt_d),
	  TEST(scan_of_scalable_mode), TEST(scan_of_an_smmu), TEST(no_iommu), TEST(scan_of_devices),
	  TEST(scan_of_devices_without_a_class), TEST(trackers), TEST(completeness),
	  TEST(safety_of_a_stock_smmu), TEST(what_makes_it_safe), TEST(what_makes_it_unknown))
