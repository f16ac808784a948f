/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VM is called, by the words of its VMM. Not here: reading those words from
 * /proc (tools/collect/vms.h).
 */
#ifndef HWDBM_MODEL_VM_NAME_H
#define HWDBM_MODEL_VM_NAME_H

#include "vm.h"

/**
 * vm_name__parse() - the VMM, name and UUID that a command line tells
 *
 * Known are QEMU (-name, -uuid), cloud-hypervisor (name of the API socket, --platform
 * uuid=), Firecracker (--id), crosvm, StratoVirt and kvmtool.
 *
 * @program: path or name of the executable; may be NULL, then the first word counts
 * @words: the command line as /proc has it: each word ends in NUL
 * @size: bytes of all words
 * @vm: vmm, name and uuid are set if known, else left alone
 *
 * Return: whether it is a VMM that is known.
 */
bool vm_name__parse(const char *program, const char *words, size_t size, struct vm *vm);

/**
 * vm_name__from_slice() - the name in a machine's control group
 *
 * libvirt registers a VM as "qemu-3-NAME" or "ch-3-NAME", which systemd makes
 * "machine-qemu\x2d3\x2dNAME.scope"; without systemd it is "qemu-3-NAME.libvirt-qemu".
 * The name may be cut and is less exact than a command line.
 *
 * @cgroup: content of /proc/PID/cgroup
 *
 * Return: whether @name was set.
 */
bool vm_name__from_slice(const char *cgroup, char name[VM_NAME]);

/**
 * vm_name__is() - whether a VM is meant by a name or UUID; a UUID's case does not matter
 */
bool vm_name__is(const struct vm *vm, const char *which);

/**
 * vm_name__migration() - whether a thread of this name means that a migration runs
 *
 * Also another user of the dirty log of all memory: a snapshot in the background or a
 * measurement of the dirty rate.
 */
bool vm_name__migration(const char *thread);

/**
 * vm_name__vcpu() - whether a thread of this name is a vCPU
 *
 * A QEMU that names these names its migration threads too, so that their absence tells
 * something.
 */
bool vm_name__vcpu(const char *thread);

#endif
