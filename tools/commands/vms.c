// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm vms: the VMs of this host and what tracks their dirty memory. Not here: how that
 * is found (tools/collect/vms.h) or shown (tools/output/vms.h).
 */
#include "commands.h"
#include "../collect/host.h"
#include "../collect/vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/vms.h"

#include <errno.h>
#include <string.h>

struct vms_options {
	const char *vm;
	uint64_t pid;
	bool json;
	bool verbose;
};

static const struct option_spec option_table[] = {
	{ "pid", 'p', OPTION_PID, offsetof(struct vms_options, pid), "PID",
	  "only those of this process" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct vms_options, vm), "NAME|UUID",
	  "only this one" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct vms_options, json), NULL,
	  "one JSON document, with all slots, devices and trackers" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct vms_options, verbose), NULL,
	  "list slots, devices and trackers too" },
};

static const struct command_spec spec = {
	.name = "vms",
	.usage = "[OPTIONS]",
	.summary = "Lists the VMs of this host, and the drivers in user space that hold a device: their\n"
		   "memory, what could track its dirty pages, and what does.",
	.notes = "KVM log: bitmap, manual (cleared by the VMM's own call; +set: all pages count as dirty\n"
		 "at first), ring. Backing: page sizes of the resident memory; KVM and IOMMU can map by\n"
		 "leaves as large, not larger. Tracking left over: it is on, or blocks are split, though\n"
		 "no migration runs, which the names of QEMU's threads tell (debug-threads=on).\n\n"
		 "Requirements: root, or CAP_SYS_PTRACE for other users' VMs, and CAP_BPF and CAP_PERFMON\n"
		 "(for kernel modules CAP_SYS_ADMIN) on Linux 6.1 or later for all that only the kernel\n"
		 "knows. What is missing stays \"-\" and is said.\n"
		 "Overhead: about 0.2 s; nothing stays attached. Page sizes of small pages take 10 ms per\n"
		 "GiB, in which the VM cannot change its mappings; beyond 64 GiB in all only --verbose looks.\n"
		 "Exit status: 0; 1 if there is no such VM or the output failed; 2 for bad options.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

static int write_list(const struct vm_list *list, const struct vms_options *options)
{
	int err;

	errno = 0;
	err = options->json ? vms_json__write(stdout, list) :
			      vms_text__write(stdout, list, options->verbose);
	if (err)
		log__error("vms: cannot write the list (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

static int list_vms(const struct vms_options *options, const struct vm_target *target)
{
	_cleanup_(vm_list__release) struct vm_list list;
	int err;

	vm_list__init(&list);
	err = vms__scan(&list, target->pid, options->verbose);
	if (err) {
		log__error("vms: cannot look through the processes (%s)", strerror(-err));
		return err;
	}
	if (target->pid && !list.count) {
		log__error("vms: process %d holds no VM, and no device as its driver%s",
			   target->pid, options->vm ? "; it has just ended" : "");
		return -ESRCH;
	}
	err = write_list(&list, options);
	if (err)
		return err;
	if (!list.count)
		log__info("vms: no VM %s on this host", list.note_count ? "can be seen" : "runs");
	/* Programs find them in the document. */
	for (size_t i = 0; !options->json && i < list.note_count; i++)
		log__warn("vms: %s", list.notes[i]);
	return 0;
}

int vms__main(int argc, char **argv)
{
	struct vm_target target = VM_TARGET_NONE;
	struct vms_options options = { 0 };
	int first = options__parse(&spec, &options, argc, argv);
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (first < argc) {
		log__error("vms: what is \"%s\"? one VM is chosen with --vm; see hwdbm vms --help",
			   argv[first]);
		return COMMAND_USAGE;
	}
	if (options.vm && options.pid) {
		log__error("vms: --vm and -p exclude each other; choose by one of them");
		return COMMAND_USAGE;
	}
	log__set_verbose(options.verbose);
	target.pid = options.pid;
	err = options.vm ? vms__find("vms", options.vm, &target) :
	      options.pid ? vms__check_process("vms", options.pid) : host__check_proc("vms");
	err = err ?: list_vms(&options, &target);
	cleanup__close(&target.pidfd);
	return err ? COMMAND_FAILED : COMMAND_OK;
}
