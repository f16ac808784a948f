/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One process as /proc shows it: which descriptors matter, what it is called, whether
 * its threads migrate. Not here: what stands behind a descriptor.
 */
#ifndef HWDBM_COLLECT_VMS_PROCESS_H
#define HWDBM_COLLECT_VMS_PROCESS_H

#include "../model/vm.h"
#include "../../bpf/vms.h"

#include <sys/types.h>

/* Beyond the descriptors that the kernel's side looks at. */
enum vms_other_file {
	VMS_FILE_GROUP = 100,		/* /dev/vfio/N */
	VMS_FILE_VHOST,			/* other vhost devices */
	VMS_FILE_MIGRATION,		/* state of a device being saved or restored */
};

struct vms_descriptor {
	int fd;
	int file;			/* enum vms_file or vms_other_file */
	unsigned int device_number;	/* as the kernel packs it; 0 if no device node */
	char target[64];		/* without "/dev/" or "anon_inode:" */
};

struct vms_process {
	pid_t pid;
	int dir;			/* /proc/PID: stays this process's, or fails */
	bool is_hidden;			/* its descriptors are not ours to see */
	struct vms_descriptor *descriptors;
	size_t count;
	size_t kvms;
	uint64_t vcpu_descriptors;
};

#define VMS_PROCESS_NONE { .dir = -1 }

/**
 * vms_process__open() - look at the descriptors of a process
 * Return: 0, -ENOENT or -ESRCH if it is gone, or another -errno. To be closed if 0.
 */
int vms_process__open(struct vms_process *process, pid_t pid);

void vms_process__close(struct vms_process *process);

/** vms_process__is_alive() - whether the process id still is the same process's, which holds what it held */
bool vms_process__is_alive(const struct vms_process *process);

/**
 * vms_process__is_vm() - whether it holds a VM or a device
 *
 * Of a hidden one that cannot be known; a VMM by its command line is taken for one.
 */
bool vms_process__is_vm(const struct vms_process *process);

/** vms_process__identify() - fill in the name, UUID and VMM */
void vms_process__identify(const struct vms_process *process, struct vm *vm);

/** vms_process__threads() - fill in vCPUs, if not known yet, and whether a migration runs */
void vms_process__threads(const struct vms_process *process, struct vm *vm);

#endif
