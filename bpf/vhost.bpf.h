/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the reads of KVM's log lead to vhost's. Not here: how that is counted (vhost.bpf.c).
 */
#ifndef HWDBM_BPF_VHOST_BPF_H
#define HWDBM_BPF_VHOST_BPF_H

#include "hwdbm.bpf.h"

/* A read of KVM's log of a slot by the running task, which is over. */
struct vhost_read {
	__u64 vm;
	__u64 base;			/* where the slot is in guest memory */
	__u64 bytes;
	__u32 slot;
	__u32 pid;
	__u32 state;			/* enum hwdbm_count_state: vhost's log is counted if KVM's was */
	__u32 reserved;
};

/* The memory of a VM that a log is about. */
struct vhost_part {
	__u64 vm;
	__u64 slot;
};

/* Where the log was when such a part of it was read: the VMM has gone over all of that since. */
__weak struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vhost_part);
	__type(value, __u64);
} vhost_parts SEC(".maps");

/* KVM's log of a slot starts, and with it, it may be, another one of vhost's. */
static __always_inline void forget_vhost(__u64 vm, __u32 slot)
{
	struct vhost_part part = { vm, slot };

	bpf_map_delete_elem(&vhost_parts, &part);
}

/* Tells what is in the log of the VM's vhost devices, if they have one; returns 0. */
int count_vhost(const struct vhost_read *read);

#endif
