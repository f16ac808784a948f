/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMs of this host: who they are, and what tracks their dirty memory. A VM is a
 * process that holds a KVM VM, or hands a device to user space without one. Not here:
 * what follows from the facts (model/vm.h), or a migration over time.
 *
 * For a command that takes --vm, vms__find() is all it needs.
 */
#ifndef HWDBM_COLLECT_VMS_H
#define HWDBM_COLLECT_VMS_H

#include "../model/vm.h"

#include <sys/types.h>

/* A VM that was asked for. */
struct vm_target {
	pid_t pid;
	int pidfd;			/* the caller's to close; readable once the VM is gone */
	char name[VM_NAME];
};

#define VM_TARGET_NONE { .pidfd = -1 }

/**
 * vms__find() - the process of the VM that has this name or UUID
 *
 * Says on stderr why when there is none, or more than one. The process id cannot be a
 * stranger's as long as @target->pidfd is not readable. Needs the right to see the
 * process's descriptors; of others only those of known VMMs are found, by their words.
 *
 * @command: who asks; begins the message
 * @which: name or UUID, in full
 * @target: set on success
 *
 * Return: 0, -ENOENT, -ENOTUNIQ, or another -errno.
 */
int vms__find(const char *command, const char *which, struct vm_target *target);

/**
 * vms__check_process() - whether -p names a process
 *
 * Says on stderr if there is none, or if it is a thread, with the process it belongs to: those of a VM's vCPUs are
 * what top and QEMU show.
 *
 * @command: who asks; begins the message
 *
 * Return: 0, -ESRCH or -EINVAL.
 */
int vms__check_process(const char *command, pid_t pid);

/**
 * vms__name() - what the VM of a process is called, for output
 *
 * Any process has a name: at least that of its command.
 *
 * Return: 0, or -ESRCH if there is no such process.
 */
int vms__name(pid_t pid, char name[VM_NAME]);

/**
 * vms__scan() - all VMs of this host as they stand, in order of process id
 *
 * Runs a BPF iterator over the descriptors of each VM, if this process may. What could
 * not be found out stays unknown, and a note of @list says why. A VM that ends meanwhile
 * is left out.
 *
 * @list: initialized; free with vm_list__release() in any case
 * @only: a process id; 0: all
 * @at_any_cost: look at the page sizes of memory however much there is of it
 *
 * Return: 0 or -errno.
 */
int vms__scan(struct vm_list *list, pid_t only, bool at_any_cost);

#endif
