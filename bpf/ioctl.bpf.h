/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ioctls that are seen from outside of what serves them: whose file it is, what the caller has
 * given. Not here: which ioctls, and what they do.
 */
#ifndef HWDBM_BPF_IOCTL_BPF_H
#define HWDBM_BPF_IOCTL_BPF_H

#include "regs.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	__u32 i_rdev;
	struct super_block *i_sb;
};

struct file {
	void *private_data;
	const void *f_op;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct___files {
	struct files_struct *files;
};

#pragma clang attribute pop

/* include/trace/syscall.h: what the events of one system call bring along */
struct ioctl_enter {
	__u64 common;
	__u64 number;
	__u64 fd;
	__u64 command;
	__u64 argument;
};

struct ioctl_exit {
	__u64 common;
	__u64 number;
	__s64 ret;
};

/* What the programs of these events return: perf's other users get the event, too (trace_call_bpf() in kernel/trace/bpf_trace.c). */
#define PASS_ON 1

/* Of a descriptor of the running task. */
static __always_inline struct file *file_of(__u32 fd)
{
	struct task_struct___files *task = (void *)bpf_get_current_task_btf();
	/* The task is the kernel's word, and what it leads to is read without a call. */
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]);
	return file;
}

#define ANON_INODE_FS_MAGIC 0x09041934		/* include/uapi/linux/magic.h */

/* Files of their own may be called whatever people like. */
static __always_inline bool is_anonymous(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC;
}

#define NAME_START 8

/* Returns whether it has a name. */
static __always_inline bool read_name(char start[NAME_START], struct file *file)
{
	return bpf_probe_read_kernel_str(start, NAME_START,
					 BPF_CORE_READ(file, f_path.dentry, d_name.name)) > 0;
}

static __always_inline bool read_argument(void *to, __u32 size, __u64 from)
{
	if (!bpf_probe_read_user(to, size, (void *)from))
		return true;
	lose(HWDBM_LOSS_ARGUMENT);
	return false;
}

#endif
