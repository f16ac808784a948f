// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children of the followed process are followed too: a VMM may fork. Loaded only when
 * one process is followed. Not here: what the processes do.
 */
#include "hwdbm.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (is_followed())
		note_followed(child->tgid);
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
