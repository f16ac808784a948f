// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children of the followed process are followed too: a VMM may fork. Loaded only when
 * one process is followed. Not here: what the processes do.
 */
#include "hwdbm.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u8 yes = 1;
	__u32 tgid;

	if (!is_followed())
		return 0;
	tgid = child->tgid;
	if (bpf_map_update_elem(&followed, &tgid, &yes, BPF_ANY))
		lose(HWDBM_LOSS_FOLLOW);
	return 0;
}

/* A process id that ends may be given to a stranger. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if ((__u32)task->pid == tgid)
		bpf_map_delete_elem(&followed, &tgid);
	return 0;
}
