// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QEMU would use for a VM, and whether it would refuse. Not here: how VMs are found.
 */
#include "../../tools/model/outlook.h"
#include "unit.h"

#include <string.h>

static struct diagnosis host;
static struct vm vm;
static struct outlook_facts outlook;

static void begin(const char *iommu)
{
	diagnosis__init(&host);
	vm__clear(&vm);
	strcpy(vm.name, "web");
	strcpy(vm.kvm_log, "manual");
	strcpy(vm.iommu, iommu);
	vm.has_kvm = TRI_TRUE;
	vm.pid = 4711;
}

static void give(const char *kind, const char *name, enum tristate migrates, enum tristate own_log,
		 enum tristate host_tracks)
{
	struct vm_device *device = vm__add_device(&vm);
	struct device_facts *facts;

	strcpy(device->kind, kind);
	strcpy(device->name, name);
	strcpy(device->driver, "some_vfio_pci");
	if (strcmp(kind, "vfio"))
		return;
	facts = facts__add(&host.devices);
	strcpy(facts->name, name);
	facts->migrates = migrates;
	facts->own_log = own_log;
	diagnosis__judge_device(facts, host_tracks);
}

static void give_page_tables(const char *kind, enum tristate able)
{
	struct vm_tracker *tracker = vm__add_tracker(&vm);

	strcpy(tracker->kind, kind);
	tracker->able = able;
}

static void end(void)
{
	memset(&outlook, 0, sizeof(outlook));
	outlook__judge(&vm, &host, &outlook);
	vm__release(&vm);
	diagnosis__release(&host);
}

static bool is(const char *dma, enum tristate splits, enum tristate refused, const char *word)
{
	return !strcmp(outlook.dma, dma) && outlook.splits == splits &&
	       outlook.refused == refused && strstr(outlook.reason, word);
}

static void without_devices_there_is_kvm_alone(void)
{
	struct parameter_facts *pml;

	begin("");
	give("vhost-net", "vhost-net", TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN);
	give("vhost-net", "vhost-net", TRI_UNKNOWN, TRI_UNKNOWN, TRI_UNKNOWN);
	end();
	CHECK(is("", TRI_FALSE, TRI_FALSE, "changes nothing"));
	CHECK(!strcmp(outlook.vcpus, "manual") && !strcmp(outlook.vhost, "vhost-net"));
	CHECK(outlook.pid == 4711 && !strcmp(outlook.vm, "web"));

	begin("");
	pml = facts__add(&host.parameters);
	strcpy(pml->name, "kvm_intel.pml");
	strcpy(pml->value, "Y");
	end();
	CHECK(!strcmp(outlook.vcpus, "manual by PML"));

	begin("");
	vm.has_kvm = TRI_FALSE;
	end();
	CHECK(!outlook.vcpus[0]);
}

static void one_device_that_stays_blocks(void)
{
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_TRUE, TRI_TRUE);
	give("vfio", "0000:02:00.0", TRI_FALSE, TRI_FALSE, TRI_TRUE);
	give_page_tables("iommufd", TRI_TRUE);
	end();
	CHECK(is("none", TRI_FALSE, TRI_TRUE, "0000:02:00.0 (some_vfio_pci)"));
}

static void all_logs_or_none(void)
{
	begin("type1");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_TRUE, TRI_TRUE);
	give("vfio", "0000:02:00.0", TRI_TRUE, TRI_TRUE, TRI_FALSE);
	give_page_tables("type1", TRI_FALSE);
	end();
	CHECK(is("device log", TRI_FALSE, TRI_FALSE, "splitting changes nothing"));

	/* One without a log of its own, and all go by the IOMMU. */
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_TRUE, TRI_TRUE);
	give("vfio", "0000:02:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
	give_page_tables("iommufd", TRI_TRUE);
	end();
	CHECK(is("iommu", TRI_TRUE, TRI_FALSE, "granularity"));
	CHECK(strstr(outlook.reason, "leaves the log of 0000:01:00.0 alone, as 0000:02:00.0 has none"));
}

/* It refuses a type1 container by itself; told to, it does not. */
static void qemu_can_be_told(void)
{
	for (int told = 0; told < 2; told++) {
		begin("type1");
		vm.insists = told;
		give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
		give_page_tables("type1", TRI_TRUE);
		end();
		CHECK(is("iommu", TRI_TRUE, told ? TRI_FALSE : TRI_TRUE, "enable-migration=on"));
	}
}

static void every_page_table_counts(void)
{
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
	give_page_tables("iommufd", TRI_TRUE);
	give_page_tables("iommufd", TRI_FALSE);
	end();
	CHECK(is("all dirty", TRI_FALSE, TRI_TRUE, "enable-migration=on (nothing tracks)"));

	/* Not seen in the VM: as the host's IOMMUs are. */
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_FALSE);
	end();
	CHECK(is("all dirty", TRI_FALSE, TRI_TRUE, "every pass"));
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
	end();
	CHECK(is("unknown", TRI_UNKNOWN, TRI_FALSE, "not known"));
}

static void old_versions_refuse(void)
{
	static const struct {
		uint64_t version;
		const char *iommu;
		enum tristate refused;
		const char *word;
	} cases[] = {
		{ 702, "iommufd", TRI_TRUE, "QEMU 7.2 refuses: it cannot move a VFIO device" },
		{ 702, "type1", TRI_TRUE, "that takes 8.1" },
		{ 900, "iommufd", TRI_TRUE, "QEMU 9.0 refuses: it does not read the dirty log of iommufd" },
		{ 901, "iommufd", TRI_FALSE, "granularity" },
		{ 1000, "iommufd", TRI_FALSE, "granularity" },
		{ UNKNOWN, "iommufd", TRI_FALSE, "granularity" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(cases[i].iommu);
		vm.vmm_version = cases[i].version;
		give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
		give_page_tables(cases[i].iommu, TRI_TRUE);
		end();
		CHECK(outlook.refused == cases[i].refused && strstr(outlook.reason, cases[i].word));
	}
	/* With a log of the device's own iommufd's is not read. */
	begin("iommufd");
	vm.vmm_version = 900;
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_TRUE, TRI_TRUE);
	end();
	CHECK(is("device log", TRI_FALSE, TRI_FALSE, "splitting changes nothing"));
	/* Nothing to refuse yet. */
	begin("");
	vm.vmm_version = 702;
	end();
	CHECK(is("", TRI_FALSE, TRI_FALSE, "QEMU 7.2 would refuse"));
}

static void type1_is_not_trusted(void)
{
	begin("type1");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
	give_page_tables("type1", TRI_TRUE);
	end();
	CHECK(is("iommu", TRI_TRUE, TRI_TRUE, "trusts no type1"));
	begin("type1");
	give("vfio", "0000:01:00.0", TRI_TRUE, TRI_FALSE, TRI_TRUE);
	give_page_tables("type1", TRI_FALSE);
	end();
	CHECK(is("all dirty", TRI_FALSE, TRI_TRUE, "trusts no type1"));
}

static void what_is_not_known_stays_so(void)
{
	begin("iommufd");
	give("vfio", "0000:01:00.0", TRI_UNKNOWN, TRI_UNKNOWN, TRI_TRUE);
	give_page_tables("iommufd", TRI_TRUE);
	end();
	CHECK(is("unknown", TRI_UNKNOWN, TRI_UNKNOWN, "0000:01:00.0"));

	/* A device that sysfs does not list. */
	begin("iommufd");
	strcpy(vm__add_device(&vm)->kind, "vfio");
	end();
	CHECK(is("unknown", TRI_UNKNOWN, TRI_UNKNOWN, "not known"));
}

RUN_TESTS(TEST(without_devices_there_is_kvm_alone), TEST(one_device_that_stays_blocks),
	  TEST(all_logs_or_none), TEST(qemu_can_be_told), TEST(every_page_table_counts), TEST(type1_is_not_trusted),
	  TEST(old_versions_refuse),
	  TEST(what_is_not_known_stays_so))
