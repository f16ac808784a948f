// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VM is called, what follows from the facts about it, and both forms of output,
 * with names that others chose.
 */
#include "unit.h"
#include "../../tools/model/vm_name.h"
#include "../../tools/output/table.h"
#include "../../tools/output/vms.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* The command line in @words: each word with its NUL. */
#define PARSE(vm, program, words)							\
	(vm__clear(vm), vm_name__parse(program, words, sizeof(words) - 1, vm))

static void qemu_has_names_in_several_spellings(void)
{
	struct vm vm;

	CHECK(PARSE(&vm, "/usr/bin/qemu-system-x86_64",
		    "qemu\0-name\0guest=web,debug-threads=on\0-uuid\0006F8D\0"));
	CHECK(!strcmp(vm.name, "web") && !strcmp(vm.uuid, "6F8D") && !strcmp(vm.vmm, "qemu"));
	CHECK(PARSE(&vm, "qemu-kvm", "x\0--name\0plain,process=foo\0"));
	CHECK(!strcmp(vm.name, "plain"));
	CHECK(PARSE(&vm, "qemu-kvm", "x\0-name\0debug-threads=on,guest=late\0"));
	CHECK(!strcmp(vm.name, "late"));
	CHECK(PARSE(&vm, "qemu-kvm", "x\0-name\0guest=a,,b,debug-threads=on\0"));
	CHECK(!strcmp(vm.name, "a,b"));
	CHECK(PARSE(&vm, "qemu-kvm", "x\0-name\0one\0-name\0two\0"));
	CHECK(!strcmp(vm.name, "two"));
	CHECK(PARSE(&vm, NULL, "/usr/libexec/qemu-kvm\0-name\0x\0"));
	CHECK(!strcmp(vm.name, "x"));
}

static void qemu_need_not_have_a_name(void)
{
	struct vm vm;

	CHECK(PARSE(&vm, "qemu-system-arm", "qemu\0-m\0" "1G\0"));
	CHECK(!vm.name[0] && !strcmp(vm.vmm, "qemu"));
	CHECK(PARSE(&vm, "qemu-system-arm", "qemu\0-name\0"));
	CHECK(!vm.name[0]);
	CHECK(PARSE(&vm, "qemu-system-arm", "qemu\0-name\0debug-threads=on\0"));
	CHECK(!vm.name[0]);
	/* Cut in the middle of a word */
	vm__clear(&vm);
	CHECK(vm_name__parse("qemu-system-arm", "qemu\0-name\0abc", 14, &vm));
	CHECK(!vm.name[0]);
}

static void other_vmms_have_names(void)
{
	struct vm vm;

	CHECK(PARSE(&vm, "cloud-hypervisor-static",
		    "ch\0--api-socket\0path=/run/vm7.sock\0--platform\0num_pci_segments=2,uuid=AB-CD\0"));
	CHECK(!strcmp(vm.name, "vm7") && !strcmp(vm.uuid, "AB-CD"));
	CHECK(PARSE(&vm, "cloud-hypervisor", "ch\0--api-socket=/run/v.1.sock\0"));
	CHECK(!strcmp(vm.name, "v.1"));
	CHECK(PARSE(&vm, "cloud-hypervisor", "ch\0--api-socket\0fd=3\0"));
	CHECK(!vm.name[0]);
	CHECK(PARSE(&vm, "firecracker-v1.7.0-x86_64",
		    "/firecracker\0--id=micro-1\0--api-sock\0/run/firecracker.socket\0"));
	CHECK(!strcmp(vm.name, "micro-1"));
	CHECK(PARSE(&vm, "firecracker", "firecracker\0--api-sock\0/run/fc9.socket\0"));
	CHECK(!strcmp(vm.name, "fc9"));
	CHECK(PARSE(&vm, "lkvm", "lkvm\0run\0-n\0tiny\0"));
	CHECK(!strcmp(vm.name, "tiny"));
}

static void other_programs_are_no_vmm(void)
{
	struct vm vm;

	CHECK(!PARSE(&vm, "/usr/bin/qemu-img", "qemu-img\0-name\0x\0"));
	CHECK(!PARSE(&vm, "/usr/bin/kvm_stat", "kvm_stat\0"));
	CHECK(!PARSE(&vm, "bash", "bash\0qemu-system-x86_64\0-name\0x\0"));
	CHECK(!PARSE(&vm, NULL, ""));
	CHECK(!vm.name[0] && !vm.vmm[0]);
}

static void a_machine_slice_has_a_name(void)
{
	char name[VM_NAME] = "";

	CHECK(vm_name__from_slice("0::/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d17.scope/libvirt/emulator\n",
				  name));
	CHECK(!strcmp(name, "web-17"));
	CHECK(vm_name__from_slice("4:cpu:/machine/qemu-3-db.libvirt-qemu/emulator\n", name));
	CHECK(!strcmp(name, "db"));
	CHECK(vm_name__from_slice("0::/machine.slice/machine-ch\\x2d1\\x2dsmall.scope\n", name));
	CHECK(!strcmp(name, "small"));
	CHECK(!vm_name__from_slice("0::/machine.slice/machine-lxc\\x2d1\\x2dbox.scope\n", name));
	CHECK(!vm_name__from_slice("0::/user.slice/session-1.scope\n", name));
	CHECK(!vm_name__from_slice("0::/machine-qemu\\x2d\n", name));
	CHECK(!vm_name__from_slice("", name));
}

static void a_vm_is_meant_by_name_or_uuid(void)
{
	struct vm vm;

	vm__clear(&vm);
	strcpy(vm.name, "web");
	CHECK(vm_name__is(&vm, "web") && !vm_name__is(&vm, "we") && !vm_name__is(&vm, "WEB"));
	CHECK(!vm_name__is(&vm, ""));
	strcpy(vm.uuid, "6f8d1c4e-0b1a");
	CHECK(vm_name__is(&vm, "6F8D1C4E-0B1A") && !vm_name__is(&vm, "6f8d1c4e"));
}

static void threads_tell_of_migrations(void)
{
	CHECK(vm_name__migration("live_migration") && vm_name__migration("mig/src/main"));
	CHECK(vm_name__migration("multifdsend_3") && !vm_name__migration("CPU 0/KVM"));
	CHECK(!vm_name__migration("migration/0"));
	CHECK(vm_name__vcpu("CPU 11/KVM") && vm_name__vcpu("vcpu3") && vm_name__vcpu("fc_vcpu 0"));
	CHECK(!vm_name__vcpu("CPU 0/TCG") && !vm_name__vcpu("worker"));
}

static struct vm_slot *give_slot(struct vm *vm, uint64_t at, uint64_t bytes, bool logged)
{
	struct vm_slot *slot = vm__add_slot(vm);

	if (!slot)
		abort();
	slot->id = vm->slots_held;
	slot->space = 0;
	slot->guest_address = at;
	slot->bytes = bytes;
	slot->user_address = at + GIB;
	slot->logged = logged ? TRI_TRUE : TRI_FALSE;
	slot->bitmap = slot->logged;
	slot->read_only = slot->private_memory = TRI_FALSE;
	return slot;
}

/* 4 GiB and a display's 16 MiB, a ROM, and the same again for SMM. */
static void give_guest(struct vm *vm, bool memory, bool display)
{
	vm__clear(vm);
	strcpy(vm->name, "web");
	strcpy(vm->kvm_log, "bitmap");
	vm->pid = 4711;
	vm->has_kvm = TRI_TRUE;
	give_slot(vm, 3 * GIB, 16 * MIB, display);
	give_slot(vm, 0, 4 * GIB, memory);
	give_slot(vm, 2 * GIB, MIB, false)->read_only = TRI_TRUE;
	give_slot(vm, 0, 4 * GIB, memory)->space = 1;
	vm->slot_count = vm->slots_held;
}

static void memory_is_counted_once(void)
{
	struct vm vm;

	give_guest(&vm, false, false);
	vm__conclude(&vm);
	CHECK_NUMBER(vm.memory_bytes, 4 * GIB + 16 * MIB);
	CHECK_NUMBER(vm.tracker_count, 1);
	CHECK_NUMBER(vm.trackers[0].ranges, 2);
	CHECK(vm.tracking == TRI_FALSE && !strcmp(vm.tracking_text, "off"));
	CHECK(vm.left_over == TRI_FALSE);
	/* In order of guest addresses, the second space behind the first */
	CHECK_NUMBER(vm.slots[1].guest_address, 2 * GIB);
	CHECK_NUMBER(vm.slots[3].space, 1);
	CHECK(!strcmp(vm.slots[1].flags, "read-only"));
	vm__release(&vm);
}

static void a_display_is_no_migration(void)
{
	struct vm vm;

	give_guest(&vm, false, true);
	vm.migrating = TRI_FALSE;
	vm__conclude(&vm);
	CHECK(vm.tracking == TRI_TRUE && !strcmp(vm.tracking_text, "kvm 1 of 2"));
	CHECK(vm.left_over == TRI_FALSE);
	CHECK_NUMBER(vm.trackers[0].tracked_bytes, 16 * MIB);
	vm__release(&vm);
}

static void tracking_is_left_over_only_if_nothing_migrates(void)
{
	static const struct {
		enum tristate migrating, left_over;
		const char *text;
	} cases[] = { { TRI_FALSE, TRI_TRUE, "kvm 1 of 2, left over" },
		      { TRI_TRUE, TRI_FALSE, "kvm 1 of 2, migrating" },
		      { TRI_UNKNOWN, TRI_UNKNOWN, "kvm 1 of 2" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vm vm;

		give_guest(&vm, true, false);
		vm.migrating = cases[i].migrating;
		vm__conclude(&vm);
		CHECK(vm.left_over == cases[i].left_over);
		CHECK(!strcmp(vm.tracking_text, cases[i].text));
		vm__release(&vm);
	}
}

static struct vm_tracker *give_tracker(struct vm *vm, const char *kind, enum tristate on)
{
	struct vm_tracker *tracker = vm__add_tracker(vm);

	if (!tracker)
		abort();
	snprintf(tracker->kind, sizeof(tracker->kind), "%s", kind);
	tracker->able = TRI_TRUE;
	tracker->on = on;
	return tracker;
}

static void trackers_are_told_apart(void)
{
	struct vm vm;

	give_guest(&vm, true, true);
	give_tracker(&vm, "iommufd", TRI_UNKNOWN);
	give_tracker(&vm, "vhost", TRI_TRUE);
	give_tracker(&vm, "device", TRI_FALSE);
	vm__conclude(&vm);
	CHECK(!strcmp(vm.tracking_text, "kvm, vhost; iommufd unknown"));
	vm__release(&vm);

	give_guest(&vm, false, false);
	give_tracker(&vm, "iommufd", TRI_UNKNOWN);
	vm__conclude(&vm);
	CHECK(vm.tracking == TRI_UNKNOWN && !strcmp(vm.tracking_text, "off; iommufd unknown"));
	CHECK(vm.left_over == TRI_UNKNOWN);
	vm__release(&vm);
}

static void nothing_known_is_not_off(void)
{
	struct vm vm;

	vm__clear(&vm);
	vm.has_kvm = TRI_TRUE;
	vm__conclude(&vm);
	CHECK(vm.tracking == TRI_UNKNOWN && !vm.tracking_text[0]);
	CHECK(vm.left_over == TRI_UNKNOWN && vm.memory_bytes == UNKNOWN);
	vm__release(&vm);
}

static void split_blocks_are_left_over(void)
{
	struct vm vm;

	vm__clear(&vm);
	vm.has_kvm = TRI_FALSE;
	vm.migrating = TRI_FALSE;
	give_tracker(&vm, "iommufd", TRI_FALSE)->was_split = TRI_TRUE;
	vm.trackers[0].bytes = GIB;
	vm__conclude(&vm);
	CHECK(vm.tracking == TRI_FALSE && vm.left_over == TRI_TRUE);
	CHECK(!strcmp(vm.tracking_text, "off, blocks split, left over"));
	CHECK_NUMBER(vm.memory_bytes, GIB);
	vm__release(&vm);
}

static void backing_has_shares(void)
{
	static const struct {
		uint64_t small, large;
		const char *text;
	} cases[] = { { 0, 64 * MIB, "2M" }, { 64 * MIB, 0, "4K" }, { 0, 0, "" },
		      { 16 * MIB, 48 * MIB, "2M 75%, 4K 25%" },
		      { 4096, 1 * GIB, "2M, 4K <1%" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vm vm;

		vm__clear(&vm);
		memset(vm.backing, 0, sizeof(vm.backing));
		vm.backing[0] = cases[i].small;
		vm.backing[9] = cases[i].large;
		vm__conclude(&vm);
		CHECK(!strcmp(vm.backing_text, cases[i].text));
	}
}

static void give_device(struct vm *vm, const char *kind, const char *name, uint64_t count)
{
	struct vm_device *device = vm__add_device(vm);

	if (!device)
		abort();
	snprintf(device->kind, sizeof(device->kind), "%s", kind);
	snprintf(device->name, sizeof(device->name), "%s", name);
	device->descriptors = count;
}

static void many_devices_stay_readable(void)
{
	struct vm vm;

	vm__clear(&vm);
	give_device(&vm, "vfio", "0000:00:01.0", 1);
	give_device(&vm, "vhost-net", "vhost-net", 4);
	give_device(&vm, "vfio", "", 1);
	give_device(&vm, "vfio", "0000:00:03.0", 1);
	vm__conclude(&vm);
	CHECK(!strcmp(vm.device_text, "0000:00:01.0, vfio, 1 more, vhost-net×4"));
	vm__release(&vm);
}

#define HOSTILE "a\x1b[2J\n\xff\xc2\x9b" "b"

static void names_cannot_move_the_cursor(void)
{
	char *text = NULL;
	struct vm_list list;
	struct vm *vm;
	size_t size;
	FILE *out;

	vm_list__init(&list);
	vm = vm_list__add(&list);
	strcpy(vm->name, HOSTILE);
	vm->pid = 1;
	out = open_memstream(&text, &size);
	CHECK(!vms_text__write(out, &list, true));
	fclose(out);
	CHECK(!strchr(text, '\x1b') && !strstr(text, "\xc2\x9b") && !strchr(text, '\xff'));
	CHECK(strstr(text, "a?[2J????b"));
	free(text);
	vm_list__release(&list);
}

static void json_has_everything_and_is_valid(void)
{
	char *text = NULL;
	struct vm_list list;
	json_t *document, *one;
	struct vm *vm;
	size_t size;
	FILE *out;

	vm_list__init(&list);
	vm = vm_list__add(&list);
	give_guest(vm, true, false);
	strcpy(vm->name, HOSTILE);
	give_device(vm, "vfio", "0000:00:01.0", 1);
	vm__conclude(vm);
	vm_list__note(&list, "%d is missing", 7);
	out = open_memstream(&text, &size);
	CHECK(!vms_json__write(out, &list));
	fclose(out);
	document = json_loads(text, 0, NULL);
	free(text);
	CHECK(document);
	one = json_array_get(json_object_get(document, "vms"), 0);
	CHECK(strstr(json_string_value(json_object_get(one, "name")), "\xef\xbf\xbd"));
	CHECK_NUMBER(json_array_size(json_object_get(one, "slots")), 4);
	CHECK_NUMBER(json_array_size(json_object_get(one, "trackers")), 1);
	CHECK_NUMBER(json_array_size(json_object_get(one, "devices")), 1);
	CHECK(json_is_true(json_object_get(one, "tracking")));
	CHECK(json_is_null(json_object_get(one, "left_over")));
	CHECK(json_is_null(json_object_get(json_object_get(document, "lost"), "records")));
	CHECK(!strcmp(json_string_value(json_array_get(json_object_get(document, "notes"), 0)),
		      "7 is missing"));
	json_decref(document);
	vm_list__release(&list);
}

/* Only if every VFIO device of a QEMU has it. */
static void told_to_migrate(void)
{
	struct vm vm;

#define QEMU "qemu-system-x86_64\0-device\0virtio-net-pci\0-device\0"
#define ON "vfio-pci,host=01:00.0,enable-migration=on\0"
	CHECK(PARSE(&vm, "qemu-system-x86_64", QEMU ON) && vm.insists);
	CHECK(PARSE(&vm, "qemu-system-x86_64",
		    QEMU "{\"driver\":\"vfio-pci\",\"enable-migration\":\"on\"}\0") && vm.insists);
	CHECK(PARSE(&vm, "qemu-system-x86_64", QEMU ON "-device\0vfio-pci,host=02:00.0\0") && !vm.insists);
	CHECK(PARSE(&vm, "qemu-system-x86_64", QEMU) && !vm.insists);
}

RUN_TESTS(TEST(qemu_has_names_in_several_spellings), TEST(qemu_need_not_have_a_name),
	  TEST(other_vmms_have_names), TEST(other_programs_are_no_vmm),
	  TEST(a_machine_slice_has_a_name), TEST(a_vm_is_meant_by_name_or_uuid),
	  TEST(told_to_migrate), TEST(threads_tell_of_migrations), TEST(memory_is_counted_once),
	  TEST(a_display_is_no_migration), TEST(tracking_is_left_over_only_if_nothing_migrates),
	  TEST(trackers_are_told_apart), TEST(nothing_known_is_not_off),
	  TEST(split_blocks_are_left_over), TEST(backing_has_shares),
	  TEST(many_devices_stay_readable), TEST(names_cannot_move_the_cursor),
	  TEST(json_has_everything_and_is_valid))
