// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's dirty log of the followed processes: logging started and stopped, every read of it, every
 * clear, every reset of the dirty rings. From the function behind the ioctls of a VM; where it
 * cannot be hooked, from the ioctl system call, which every task on the machine pays for. Not
 * here: splits and TLB work of KVM.
 */
#include "bitmap.bpf.h"
#include "regs.bpf.h"

/* include/uapi/linux/kvm.h */
#define KVM_SET_USER_MEMORY_REGION	0x4020ae46
#define KVM_SET_USER_MEMORY_REGION2	0x40a0ae49
#define KVM_GET_DIRTY_LOG		0x4010ae42
#define KVM_CLEAR_DIRTY_LOG		0xc018aec0
#define KVM_RESET_DIRTY_RINGS		0xaec7

#define KVM_MEM_LOG_DIRTY_PAGES 1

struct dirty_log {
	__u32 slot;
	__u32 padding;
	__u64 bitmap;
};

struct clear_dirty_log {
	__u32 slot;
	__u32 pages;
	__u64 first_page;
	__u64 bitmap;
};

/* The part that both ioctls share. */
struct memory_region {
	__u32 slot;
	__u32 flags;
	__u64 address;
	__u64 bytes;
};

/* Chains of slots in one hash bucket are not longer; 32,764 slots in 128 buckets. */
#define CHAIN_MAX 1024

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

struct file {
	void *private_data;
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

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct kvm_memory_slot {
	struct hlist_node id_node[2];
	__u64 base_gfn;
	unsigned long npages;
	__u32 flags;
	short id;
};

struct kvm_memslots {
	struct hlist_head id_hash[128];
	int node_idx;
};

typedef struct {
	int counter;
} atomic_t;

struct kvm {
	struct kvm_memslots *memslots[2];
	atomic_t online_vcpus;
	__u64 manual_dirty_log_protect;
};

struct kvm_dirty_ring {
	int index;
};

struct kvm_vcpu {
	struct kvm *kvm;
	struct kvm_dirty_ring dirty_ring;
};

#pragma clang attribute pop

struct slot {
	bool known;
	bool logged;
	__u64 base;
	__u64 pages;
};

/* The ioctl that a task is in. */
struct vm_call {
	__u64 start;
	struct file *file;
	__u64 argument;
	__u32 command;
	__u32 is_counted;	/* as a loss, until its end is seen */
	struct slot slot;	/* before the call, of those that change one */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct vm_call);
} vm_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct hwdbm_ring_totals);
} rings SEC(".maps");

/* The probes for KVM's calls are attached. */
__u32 is_listening = 0;

static __always_inline bool is_dirty_command(__u32 command)
{
	return command == KVM_GET_DIRTY_LOG || command == KVM_CLEAR_DIRTY_LOG ||
	       command == KVM_RESET_DIRTY_RINGS || command == KVM_SET_USER_MEMORY_REGION ||
	       command == KVM_SET_USER_MEMORY_REGION2;
}

static __always_inline struct file *file_of(__u32 fd)
{
	struct task_struct___files *task = (void *)bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	return file;
}

/* The numbers of KVM's ioctls may be another driver's too. */
static __always_inline bool is_vm(struct file *file)
{
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	char text[8] = {};

	return bpf_probe_read_kernel_str(text, sizeof(text), name) > 0 &&
	       *(__u64 *)text == *(const __u64 *)"kvm-vm\0";
}

struct slot_search {
	struct hlist_node *node;
	__u64 offset;
	struct kvm_memory_slot *found;
	__u32 id;
};

static long try_slot(__u32 index, struct slot_search *search)
{
	/* Read apart: BPF_CORE_READ() would take the search for a type of the kernel's. */
	struct hlist_node *node = search->node;
	struct kvm_memory_slot *slot = (void *)node - search->offset;

	if (!node)
		return 1;
	if ((__u16)BPF_CORE_READ(slot, id) == search->id) {
		search->found = slot;
		return 1;
	}
	search->node = BPF_CORE_READ(node, next);
	return 0;
}

/* By KVM's number of a slot: address space << 16 | id. Kernels before 5.17 keep slots elsewhere. */
static __always_inline void find_slot(struct kvm *kvm, __u32 number, struct slot *slot)
{
	struct slot_search search = { .id = number & 0xffff };
	__u32 space = number >> 16, bucket = 0;
	struct kvm_memslots *slots = NULL;
	struct kvm_memory_slot *found;

	slot->known = false;
	if (!bpf_core_field_exists(slots->id_hash) ||
	    space >= bpf_core_field_size(kvm->memslots) / sizeof(slots))
		return;
	bpf_probe_read_kernel(&slots, sizeof(slots),
			      (void *)kvm + bpf_core_field_offset(struct kvm, memslots) +
			      space * sizeof(slots));
	/* The kernel's hash_min() of 32 bits. */
	bucket = (search.id * 0x61c88647U) >>
		 (32 - hwdbm_log2(bpf_core_field_size(slots->id_hash) / sizeof(search.node)));
	bpf_probe_read_kernel(&search.node, sizeof(search.node),
			      (void *)slots + bpf_core_field_offset(struct kvm_memslots, id_hash) +
			      bucket * sizeof(search.node));
	search.offset = bpf_core_field_offset(struct kvm_memory_slot, id_node) +
			(BPF_CORE_READ(slots, node_idx) & 1) * 2 * sizeof(void *);
	bpf_loop(CHAIN_MAX, try_slot, &search, 0);
	found = search.found;
	if (!found)
		return;
	slot->known = true;
	slot->logged = BPF_CORE_READ(found, flags) & KVM_MEM_LOG_DIRTY_PAGES;
	slot->base = BPF_CORE_READ(found, base_gfn) << page_shift;
	slot->pages = BPF_CORE_READ(found, npages);
}

static __always_inline bool read_argument(void *to, __u32 size, __u64 from)
{
	if (!bpf_probe_read_user(to, size, (void *)from))
		return true;
	lose(HWDBM_LOSS_ARGUMENT);
	return false;
}

static __always_inline struct hwdbm_sync *new_sync(struct kvm *kvm, const struct vm_call *call,
						   __u64 end, __u32 source)
{
	struct hwdbm_sync *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		lose(HWDBM_LOSS_RING);
		return NULL;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_SYNC, (__u64)kvm, 0);
	record->record.t_ns = end;
	record->source = source;
	record->page_size = 1ULL << page_shift;
	record->stats.total_ns = call->start ? end - call->start : HWDBM_UNKNOWN;
	record->stats.walk_ns = HWDBM_UNKNOWN;
	record->stats.flush_ns = HWDBM_UNKNOWN;
	record->stats.entries = HWDBM_UNKNOWN;
	record->stats.dirty_bytes = HWDBM_UNKNOWN;
	return record;
}

static __always_inline void take_get(struct kvm *kvm, const struct vm_call *call, __u64 end,
				     int ret)
{
	struct hwdbm_count count;
	struct hwdbm_sync *record;
	struct dirty_log log;
	struct slot slot = {};

	clear_count(&count);
	if (!read_argument(&log, sizeof(log), call->argument))
		return;
	find_slot(kvm, log.slot, &slot);
	if (!ret && slot.known)
		count_bitmap(&count, (__u64)kvm, log.slot, log.bitmap, slot.base, slot.pages);

	record = new_sync(kvm, call, end, HWDBM_SOURCE_KVM);
	if (!record)
		return;
	record->record.ret = ret;
	record->slot = log.slot;
	record->iova = slot.known ? slot.base : HWDBM_UNKNOWN;
	record->length = slot.known ? slot.pages << page_shift : HWDBM_UNKNOWN;
	if (BPF_CORE_READ(kvm, manual_dirty_log_protect))
		record->flags = HWDBM_NO_CLEAR;
	record->count = count;
	bpf_ringbuf_submit(record, 0);
}

static __always_inline void take_clear(struct kvm *kvm, const struct vm_call *call, __u64 end,
				       int ret)
{
	struct clear_dirty_log log;
	struct hwdbm_clear *record;
	struct slot slot = {};

	if (!read_argument(&log, sizeof(log), call->argument))
		return;
	find_slot(kvm, log.slot, &slot);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	fill_record(&record->record, HWDBM_CLEAR, (__u64)kvm, ret);
	record->record.t_ns = end;
	record->source = HWDBM_SOURCE_KVM;
	record->slot = log.slot;
	record->iova = slot.known ? slot.base + (log.first_page << page_shift) : HWDBM_UNKNOWN;
	record->length = (__u64)log.pages << page_shift;
	record->total_ns = call->start ? end - call->start : HWDBM_UNKNOWN;
	bpf_ringbuf_submit(record, 0);
}

/*
 * An entry is a page, but two vCPUs that write to one page at once may both have pushed it: only
 * one vCPU's entries are all different.
 */
static __always_inline void take_reset(struct kvm *kvm, const struct vm_call *call, __u64 end,
				       int ret)
{
	struct hwdbm_sync *record = new_sync(kvm, call, end, HWDBM_SOURCE_KVM_RING);

	if (!record)
		return;
	record->record.ret = ret < 0 ? ret : 0;
	record->slot = HWDBM_NO_SLOT;
	record->iova = HWDBM_UNKNOWN;
	record->length = HWDBM_UNKNOWN;
	clear_count(&record->count);
	if (ret >= 0)
		record->stats.dirty_bytes = (__u64)ret << page_shift;
	if (ret >= 0 && BPF_CORE_READ(kvm, online_vcpus.counter) == 1)
		count_pages(&record->count, ret);
	bpf_ringbuf_submit(record, 0);
}

/* Only changes are told: memory that is moved or added without logging is nobody's news. */
static __always_inline void take_region(struct kvm *kvm, const struct vm_call *call, __u64 end,
					int ret)
{
	const struct slot *was = &call->slot;
	struct hwdbm_tracking *record;
	struct memory_region region;
	bool on, before;

	if (!read_argument(&region, sizeof(region), call->argument))
		return;
	on = region.bytes && region.flags & KVM_MEM_LOG_DIRTY_PAGES;
	before = was->known && was->logged;
	if (on == before)
		return;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_TRACKING, (__u64)kvm, ret);
	record->record.t_ns = end;
	record->enable = on;
	record->source = HWDBM_SOURCE_KVM;
	record->slot = region.slot;
	record->iova = on ? region.address : was->base;
	record->length = on ? region.bytes : was->pages << page_shift;
	record->stats.entries = HWDBM_UNKNOWN;
	record->stats.walk_ns = HWDBM_UNKNOWN;
	record->stats.flush_ns = HWDBM_UNKNOWN;
	record->stats.total_ns = call->start ? end - call->start : HWDBM_UNKNOWN;
	bpf_ringbuf_submit(record, 0);
}

/*
 * A call is a loss until its end is seen. Programs do not run where they would nest, be it
 * because one was preempted while it counted; of which call that was, only this tells.
 */
static __always_inline void enter_vm_ioctl(struct file *file, __u32 command, __u64 argument)
{
	struct memory_region region;
	struct vm_call *call;

	call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return;
	}
	/* Attaching one probe after the other takes long enough for calls in between. */
	call->is_counted = is_listening;
	if (call->is_counted)
		lose(HWDBM_LOSS_CALL);
	call->command = command;
	call->file = file;
	call->argument = argument;
	call->slot.known = false;
	if ((command == KVM_SET_USER_MEMORY_REGION || command == KVM_SET_USER_MEMORY_REGION2) &&
	    read_argument(&region, sizeof(region), argument))
		find_slot(BPF_CORE_READ(file, private_data), region.slot, &call->slot);
	call->start = bpf_ktime_get_ns();
}

static __always_inline void exit_vm_ioctl(struct file *file, __u32 command, __u64 argument,
					  int ret)
{
	struct vm_call none = { .command = command, .argument = argument }, *call;
	struct kvm *kvm = BPF_CORE_READ(file, private_data);
	__u64 end = bpf_ktime_get_ns();

	call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0, 0);
	/* One that was running when this tool came has no beginning. */
	if (!call || call->command != command)
		call = &none;
	else if (call->is_counted)
		regain(HWDBM_LOSS_CALL);
	if (command == KVM_GET_DIRTY_LOG)
		take_get(kvm, call, end, ret);
	else if (command == KVM_CLEAR_DIRTY_LOG)
		take_clear(kvm, call, end, ret);
	else if (command == KVM_RESET_DIRTY_RINGS)
		take_reset(kvm, call, end, ret);
	else if (call != &none)
		take_region(kvm, call, end, ret);
	call->command = 0;
}

SEC("fentry/kvm_vm_ioctl")
int BPF_PROG(enter_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	if (is_dirty_command(command) && is_followed())
		enter_vm_ioctl(file, command, argument);
	return 0;
}

SEC("fexit/kvm_vm_ioctl")
int BPF_PROG(exit_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument,
	     long ret)
{
	if (is_dirty_command(command) && is_followed())
		exit_vm_ioctl(file, command, argument, ret);
	return 0;
}

SEC("kprobe/kvm_vm_ioctl")
int BPF_KPROBE(kprobe_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	if (is_dirty_command(command) && is_followed())
		enter_vm_ioctl(file, command, argument);
	return 0;
}

SEC("kretprobe/kvm_vm_ioctl")
int BPF_KRETPROBE(kretprobe_kvm_ioctl, long ret)
{
	struct vm_call *call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0, 0);

	if (call && is_dirty_command(call->command))
		exit_vm_ioctl(call->file, call->command, call->argument, ret);
	return 0;
}

static __always_inline void enter_ioctl_of(__u32 fd, __u32 command, __u64 argument)
{
	struct file *file = file_of(fd);

	if (is_vm(file))
		enter_vm_ioctl(file, command, argument);
}

static __always_inline void exit_ioctl_of(__u32 fd, __u32 command, __u64 argument, long ret)
{
	struct file *file = file_of(fd);

	if (is_vm(file))
		exit_vm_ioctl(file, command, argument, ret);
}

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

/* Run for every ioctl of every task: what is not ours is sent away first. */
SEC("tp/syscalls/sys_enter_ioctl")
int enter_ioctl(struct ioctl_enter *event)
{
	if (is_dirty_command(event->command) && is_followed())
		enter_ioctl_of(event->fd, event->command, event->argument);
	return 0;
}

SEC("tp/syscalls/sys_exit_ioctl")
int exit_ioctl(struct ioctl_exit *event)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (is_dirty_command(syscall_second(regs)) && is_followed())
		exit_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs),
			      event->ret);
	return 0;
}

/* Run for every system call of every task. */
SEC("tp_btf/sys_enter")
int BPF_PROG(enter_syscall, struct pt_regs___kernel *regs, long number)
{
	if (number == SYSCALL_IOCTL && is_dirty_command(syscall_second(regs)) && is_followed())
		enter_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs));
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_syscall, struct pt_regs___kernel *regs, long ret)
{
	if (syscall_number(regs) == SYSCALL_IOCTL && is_dirty_command(syscall_second(regs)) &&
	    is_followed())
		exit_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs), ret);
	return 0;
}

static struct hwdbm_ring_totals no_ring_totals;

static __always_inline struct hwdbm_ring_totals *ring_totals(struct kvm_vcpu *vcpu)
{
	struct hwdbm_ring_totals *totals;
	__u64 kvm;

	/* Never so, but the verifier of some kernels wants to see it asked. */
	if (!vcpu || !is_followed())
		return NULL;
	kvm = (__u64)BPF_CORE_READ(vcpu, kvm);
	totals = bpf_map_lookup_elem(&rings, &kvm);
	if (totals)
		return totals;
	bpf_map_update_elem(&rings, &kvm, &no_ring_totals, BPF_NOEXIST);
	totals = bpf_map_lookup_elem(&rings, &kvm);
	if (!totals)
		lose(HWDBM_LOSS_VM);
	return totals;
}

static __always_inline struct kvm_vcpu *vcpu_of(struct kvm_dirty_ring *ring)
{
	return ring ? (void *)ring - bpf_core_field_offset(struct kvm_vcpu, dirty_ring) : NULL;
}

SEC("tp_btf/kvm_dirty_ring_push")
int BPF_PROG(on_ring_push, struct kvm_dirty_ring *ring)
{
	struct hwdbm_ring_totals *totals = ring_totals(vcpu_of(ring));

	if (totals)
		totals->pushed++;
	return 0;
}

SEC("tp_btf/kvm_dirty_ring_reset")
int BPF_PROG(on_ring_reset, struct kvm_dirty_ring *ring)
{
	struct hwdbm_ring_totals *totals = ring_totals(vcpu_of(ring));

	if (totals)
		totals->resets++;
	return 0;
}

SEC("tp_btf/kvm_dirty_ring_exit")
int BPF_PROG(on_ring_full, struct kvm_vcpu *vcpu)
{
	struct hwdbm_ring_totals *totals = ring_totals(vcpu);

	if (totals)
		totals->full++;
	return 0;
}
