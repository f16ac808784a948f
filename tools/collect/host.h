/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What machine this is, and what its clocks are worth. Not here: its kernel's probes.
 */
#ifndef HWDBM_COLLECT_HOST_H
#define HWDBM_COLLECT_HOST_H

#include "../model/field.h"

#include <stdbool.h>
#include <linux/capability.h>
#include <stddef.h>

/**
 * host__time_basis() - "emulated", "native" or "hardware"
 *
 * A machine made by QEMU has an emulated IOMMU even where its CPUs are not, so that its
 * IOMMU's durations are emulated; under another hypervisor the answer is "native".
 */
const char *host__time_basis(void);

/**
 * host__capability() - whether this process has a capability, and towards the kernel: what root of a user namespace has
 * counts for nothing
 */
bool host__capability(int number);

/** host__is_namespace_root() - whether this process is in a user namespace of its own */
bool host__is_namespace_root(void);

/** host__sees_all_processes() - whether this process is in the host's PID namespace */
bool host__sees_all_processes(void);

/** host__check_proc() - whether processes can be seen by their numbers. Return: 0, or -ENOENT after a message. */
int host__check_proc(const char *command);

/** host__check_sys() - whether what is not to be found in /sys is not there. Return: 0, or -ENOENT after a message. */
int host__check_sys(const char *command);

/** host__may_trace() - whether this process has CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN */
bool host__may_trace(void);

/**
 * host__types() - where libbpf is to look for the kernel's types; NULL: where it finds them
 *
 * It would look into those of modules for what the kernel does not have, which takes CAP_SYS_ADMIN, and give up without it.
 */
const char *host__types(void);

/**
 * host__is_confidential() - whether kernel lockdown forbids reading kernel memory
 *
 * False where securityfs is not mounted and nobody can tell.
 */
bool host__is_confidential(void);

/**
 * host__read() - a small text file, without its last line end
 * Return: 0, or -errno with an empty text.
 */
int host__read(const char *path, char *text, size_t size);

/** host__configured() - whether a kernel's configuration file has an option as "y" or "m" */
enum tristate host__configured(const char *path, const char *option);

enum module_state {
	MODULE_ABSENT,		/* this kernel has no module of that name */
	MODULE_NOT_LOADED,	/* it may have one; it is not loaded */
	MODULE_LOADED,		/* or built in */
};

/** host__has_loaded() - whether a module that was a file is loaded now; costs next to nothing */
bool host__has_loaded(const char *name);

/** host__module() - whether a kernel module is there */
enum module_state host__module(const char *name);

/** host__tracefs() - where tracefs is mounted; NULL if nowhere */
const char *host__tracefs(void);


#endif
