// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's dirty log of the followed processes: logging started and stopped, every read of it, every
 * clear, every reset of the dirty rings. From the function behind the ioctls of a VM; where it
 * cannot be hooked, from the ioctl system call, which every task on the machine pays for. Not
 * here: splits and TLB work of KVM.
 */
#include "bitmap.bpf.h"
#include "ioctl.bpf.h"
#include "vhost.bpf.h"

/* include/uapi/linux/kvm.h */
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

struct mm_struct;

struct task_struct___family {
	int tgid;
	struct task_struct___family *real_parent;
	struct mm_struct *mm;
};

struct mm_struct {
	struct task_struct___family *owner;
};

struct list_head {
	struct list_head *next;
};

struct bpf_iter__task_file {
	struct task_struct *task;
	struct file *file;
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
	struct mm_struct *mm;
	struct list_head vm_list;
	struct kvm_memslots __memslots[1][2];
	struct kvm_memslots *memslots[2];
	atomic_t online_vcpus;
	atomic_t nr_memslots_dirty_logging;
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
	struct kvm *kvm;
	__u64 argument;
	__u32 command;
	__u32 pid;		/* of the task, as it is shown */
	__u32 is_counted;	/* as one that has begun: its end has to be seen */
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

/* All of them, so that no call can end unseen. */
__u32 is_complete = 0;

static __always_inline struct vm_call *vm_call(void)
{
	return bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0, 0);
}

static __always_inline bool is_region_command(__u32 command)
{
	return command == KVM_SET_USER_MEMORY_REGION || command == KVM_SET_USER_MEMORY_REGION2;
}

static __always_inline bool is_dirty_command(__u32 command)
{
	return command == KVM_GET_DIRTY_LOG || command == KVM_CLEAR_DIRTY_LOG ||
	       command == KVM_RESET_DIRTY_RINGS || is_region_command(command);
}

/* The operations of a VM's file, once one was met. */
const void *vm_operations = NULL;

struct file_kind {
	const void *operations;
	void *data;
};

/* Where the kernel keeps the two close together (since 6.12), one call reads both. */
static __always_inline void read_kind(struct file *file, struct file_kind *kind)
{
	__u64 first = bpf_core_field_offset(struct file, f_op);
	__u64 apart = bpf_core_field_offset(struct file, private_data) - first;
	void *words[3] = {};

	if (apart >= sizeof(words)) {
		kind->operations = BPF_CORE_READ(file, f_op);
		kind->data = BPF_CORE_READ(file, private_data);
		return;
	}
	bpf_probe_read_kernel(words, sizeof(words), (void *)file + first);
	kind->operations = words[0];
	kind->data = words[apart / sizeof(*words)];
}

/* The VM that a file stands for, or NULL: the numbers of KVM's ioctls may be another driver's too. */
static __always_inline struct kvm *vm_of(struct file *file)
{
	struct file_kind kind;
	char name[NAME_START] = {};

	read_kind(file, &kind);
	if (kind.operations && kind.operations == vm_operations)
		return kind.data;
	if (!read_name(name, file) || *(__u64 *)name != *(const __u64 *)"kvm-vm\0" ||
	    !is_anonymous(file))
		return NULL;
	vm_operations = kind.operations;
	return kind.data;
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

/* Which of the two sets of slots it is: what the kernel numbers them by is its place in the VM. */
static __always_inline bool is_second_set(struct kvm *kvm, __u32 space, struct kvm_memslots *slots)
{
	struct kvm_memslots *first = (void *)kvm + bpf_core_field_offset(struct kvm, __memslots);

	if (!bpf_core_field_exists(kvm->__memslots))
		return BPF_CORE_READ(slots, node_idx) & 1;
	return (void *)slots != (void *)first + space * 2 * bpf_core_type_size(struct kvm_memslots);
}

static __always_inline struct kvm_memory_slot *seek_slot(struct kvm *kvm, __u32 number)
{
	struct slot_search search = { .id = number & 0xffff };
	struct kvm_memslots *slots = NULL;
	__u32 space = number >> 16;
	__u64 bucket;

	if (!bpf_core_field_exists(slots->id_hash) ||
	    space >= bpf_core_field_size(kvm->memslots) / sizeof(slots))
		return NULL;
	bpf_probe_read_kernel(&slots, sizeof(slots),
			      (void *)kvm + bpf_core_field_offset(struct kvm, memslots) +
			      space * sizeof(slots));
	/* The kernel's hash_min() of 32 bits. */
	bucket = (__u64)(search.id * 0x61c88647U) *
		 (bpf_core_field_size(slots->id_hash) / sizeof(search.node)) >> 32;
	bpf_probe_read_kernel(&search.node, sizeof(search.node),
			      (void *)slots + bpf_core_field_offset(struct kvm_memslots, id_hash) +
			      bucket * sizeof(search.node));
	search.offset = bpf_core_field_offset(struct kvm_memory_slot, id_node) +
			is_second_set(kvm, space, slots) * 2 * sizeof(void *);
	/* Most chains are of one slot. */
	if (!try_slot(0, &search))
		bpf_loop(CHAIN_MAX, try_slot, &search, 0);
	return search.found;
}

/* By KVM's number of a slot: address space << 16 | id. Kernels before 5.17 keep slots elsewhere. */
static __always_inline struct kvm_memory_slot *find_slot(struct kvm *kvm, __u32 number,
							 struct slot *slot)
{
	struct kvm_memory_slot *found = seek_slot(kvm, number);
	struct {
		__u64 base;
		__u64 pages;
	} place = {};

	slot->known = found;
	if (!found)
		return NULL;
	/* The two are side by side everywhere: one call for both. */
	bpf_probe_read_kernel(&place, sizeof(place),
			      (void *)found + bpf_core_field_offset(struct kvm_memory_slot, base_gfn));
	if (bpf_core_field_offset(struct kvm_memory_slot, npages) !=
	    bpf_core_field_offset(struct kvm_memory_slot, base_gfn) + sizeof(place.base))
		place.pages = BPF_CORE_READ(found, npages);
	slot->base = place.base << page_shift;
	slot->pages = place.pages;
	return found;
}

/* And whether it is logged. */
static __always_inline void look_at_slot(struct kvm *kvm, __u32 number, struct slot *slot)
{
	struct kvm_memory_slot *found = find_slot(kvm, number, slot);

	slot->logged = found && BPF_CORE_READ(found, flags) & KVM_MEM_LOG_DIRTY_PAGES;
}

static __always_inline __u64 time_of(const struct vm_call *call, __u64 end)
{
	return call->start ? end - call->start : HWDBM_UNKNOWN;
}

/* A VMM reads the logs of one memory one after the other. */
static __always_inline void take_vhost(struct kvm *kvm, const struct vm_call *call, __u32 number,
				       const struct slot *slot, __u32 state)
{
	struct vhost_read read = {
		.vm = (__u64)kvm, .base = slot->base, .bytes = slot->pages << page_shift,
		.slot = number, .pid = call->pid, .state = state,
	};

	count_vhost(&read);
}

/*
 * Each sync of each slot comes through here: what is the same for all of them is added by who reads the
 * record. Returns whether that was all; otherwise a bitmap may have been gone through.
 */
static __always_inline bool take_get(struct kvm *kvm, const struct vm_call *call, __u64 end, int ret,
				     bool looks)
{
	__u64 size = count_every ? sizeof(struct hwdbm_read) : HWDBM_READ_SHORT;
	struct hwdbm_count count;
	struct hwdbm_read *record;
	struct dirty_log log;
	struct slot slot = {};

	if (!read_argument(&log, sizeof(log), call->argument))
		return true;
	find_slot(kvm, log.slot, &slot);
	if (count_every) {
		clear_count(&count);
		if (!ret && slot.known)
			count_bitmap(&count, (__u64)kvm, log.slot, log.bitmap, slot.base, slot.pages);
	}

	record = bpf_ringbuf_reserve(&ring, size, 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return true;
	}
	set_record(&record->record, HWDBM_READ, (__u64)kvm, ret, call->pid, end);
	record->slot = log.slot;
	record->iova = slot.known ? slot.base : HWDBM_UNKNOWN;
	record->length = slot.known ? slot.pages << page_shift : HWDBM_UNKNOWN;
	record->total_ns = time_of(call, end);
	record->flags = BPF_CORE_READ(kvm, manual_dirty_log_protect) ? HWDBM_NO_CLEAR : 0;
	if (count_every)
		record->count = count;
	submit_looking(record, looks);
	if (!is_measured(HWDBM_MEASURE_VHOST_SYNC))
		return !count_every || !count.ns;
	if (!ret && slot.known)
		take_vhost(kvm, call, log.slot, &slot, count_every ? count.state : HWDBM_COUNT_OFF);
	return false;
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
	set_record(&record->record, HWDBM_CLEAR, (__u64)kvm, ret, call->pid, end);
	record->source = HWDBM_SOURCE_KVM;
	record->slot = log.slot;
	record->iova = slot.known ? slot.base + (log.first_page << page_shift) : HWDBM_UNKNOWN;
	record->length = (__u64)log.pages << page_shift;
	record->total_ns = time_of(call, end);
	submit(record);
}

/*
 * An entry is a page, but two vCPUs that write to one page at once may both have pushed it: only
 * one vCPU's entries are all different.
 */
static __always_inline void take_reset(struct kvm *kvm, const struct vm_call *call, __u64 end,
				       int ret)
{
	struct hwdbm_sync *record = bpf_ringbuf_reserve(&ring, HWDBM_SYNC_SHORT, 0);

	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, HWDBM_SYNC_SHORT);
	set_record(&record->record, HWDBM_SYNC, (__u64)kvm, ret < 0 ? ret : 0, call->pid, end);
	record->source = HWDBM_SOURCE_KVM_RING;
	record->page_size = 1ULL << page_shift;
	no_stats(&record->stats, time_of(call, end));
	record->slot = HWDBM_NO_SLOT;
	record->iova = HWDBM_UNKNOWN;
	record->length = HWDBM_UNKNOWN;
	clear_count(&record->count);
	if (ret >= 0)
		record->stats.dirty_bytes = (__u64)ret << page_shift;
	if (ret >= 0 && BPF_CORE_READ(kvm, online_vcpus.counter) == 1)
		count_pages(&record->count, ret);
	submit(record);
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
	set_record(&record->record, HWDBM_TRACKING, (__u64)kvm, ret, call->pid, end);
	record->enable = on;
	record->source = HWDBM_SOURCE_KVM;
	record->slot = region.slot;
	record->iova = on ? region.address : was->base;
	record->length = on ? region.bytes : was->pages << page_shift;
	no_stats(&record->stats, time_of(call, end));
	submit(record);
	if (on && is_measured(HWDBM_MEASURE_VHOST_SYNC))
		forget_vhost((__u64)kvm, region.slot);
}

/*
 * To read the clock is a good part of what the programs do: every how-manieth call is timed for what it
 * costs, on each CPU, and stands for those up to the next.
 */
#define CALLS_PER_METER 16

/*
 * A call that begins and is not seen to end is a loss. Programs do not run where they would nest, be it
 * because one was preempted while it counted; of which call that was, only this tells.
 */
static __always_inline void enter_vm_ioctl(struct kvm *kvm, __u32 command, __u64 argument)
{
	bool is_region = is_region_command(command), is_timed;
	struct hwdbm_meter *meter = get_meter();
	struct memory_region region;
	struct vm_call *call;
	__u64 begin = 0;

	if (!meter)
		return;
	is_timed = is_region || meter->calls % CALLS_PER_METER == 0;
	if (is_timed)
		begin = bpf_ktime_get_ns();
	call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return;
	}
	if (!call->pid)
		call->pid = shown_pid();
	/* Attaching one probe after the other takes long enough for calls in between. */
	call->is_counted = is_complete;
	meter->begun += call->is_counted;
	call->command = command;
	call->kvm = kvm;
	call->argument = argument;
	call->slot.known = false;
	if (is_region && read_argument(&region, sizeof(region), argument))
		look_at_slot(kvm, region.slot, &call->slot);
	call->start = bpf_ktime_get_ns();
	if (is_timed && !is_region)
		meter->enter_ns = call->start - begin;
	meter->ns += is_region ? call->start - begin : meter->enter_ns;
}

/* Whose beginning was seen is followed. */
static __always_inline bool is_in_call(const struct vm_call *call, __u32 command)
{
	return call && call->command == command;
}

/* @call: that of the task, or NULL */
static __always_inline void exit_vm_ioctl(struct vm_call *call, struct kvm *kvm, __u32 command,
					  __u64 argument, int ret)
{
	struct hwdbm_meter *meter = get_meter();
	__u64 end = bpf_ktime_get_ns();
	bool is_timed, is_seen, is_brief = false;

	if (!meter)
		return;
	is_timed = meter->calls++ % CALLS_PER_METER == 0;
	is_seen = is_in_call(call, command);
	if (!is_seen) {
		/* One that was running when this tool came has no beginning. */
		call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0,
					    BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (!call) {
			lose(HWDBM_LOSS_TASK);
			return;
		}
		if (!call->pid)
			call->pid = shown_pid();
		call->argument = argument;
		call->is_counted = 0;
		call->start = 0;
	}
	if (command == KVM_GET_DIRTY_LOG)
		is_brief = take_get(kvm, call, end, ret, is_timed);
	else if (command == KVM_CLEAR_DIRTY_LOG)
		take_clear(kvm, call, end, ret);
	else if (command == KVM_RESET_DIRTY_RINGS)
		take_reset(kvm, call, end, ret);
	else if (is_seen)
		take_region(kvm, call, end, ret);
	call->command = 0;
	meter->ended += call->is_counted;
	call->is_counted = 0;
	/* What goes through a bitmap takes another time each time. */
	if (!is_brief) {
		meter->ns += bpf_ktime_get_ns() - end;
		return;
	}
	if (is_timed)
		meter->exit_ns = bpf_ktime_get_ns() - end;
	meter->ns += meter->exit_ns;
}

SEC("fentry/kvm_vm_ioctl")
int BPF_PROG(enter_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	if (is_dirty_command(command) && is_followed())
		enter_vm_ioctl(file->private_data, command, argument);
	return 0;
}

SEC("fexit/kvm_vm_ioctl")
int BPF_PROG(exit_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument,
	     long ret)
{
	struct vm_call *call;

	if (!is_dirty_command(command))
		return 0;
	call = vm_call();
	if (is_in_call(call, command) || is_followed())
		exit_vm_ioctl(call, file->private_data, command, argument, ret);
	return 0;
}

SEC("kprobe/kvm_vm_ioctl")
int BPF_KPROBE(kprobe_kvm_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	struct vm_call *call;

	if (!is_dirty_command(command)) {
		/* Its return is not to be taken for that of an earlier call, which nobody saw. */
		call = vm_call();
		if (call)
			call->command = 0;
	} else if (is_followed()) {
		enter_vm_ioctl(BPF_CORE_READ(file, private_data), command, argument);
	}
	return 0;
}

SEC("kretprobe/kvm_vm_ioctl")
int BPF_KRETPROBE(kretprobe_kvm_ioctl, long ret)
{
	struct vm_call *call = vm_call();

	if (call && is_dirty_command(call->command))
		exit_vm_ioctl(call, call->kvm, call->command, call->argument, ret);
	return 0;
}

static __always_inline void enter_ioctl_of(__u32 fd, __u32 command, __u64 argument)
{
	struct kvm *kvm = vm_of(file_of(fd));

	if (kvm)
		enter_vm_ioctl(kvm, command, argument);
}

static __always_inline void exit_ioctl_of(__u32 fd, __u32 command, __u64 argument, long ret)
{
	struct vm_call *call = vm_call();
	struct kvm *kvm = NULL;

	/* The beginning has found out already that it is a followed VM. */
	if (is_in_call(call, command))
		kvm = call->kvm;
	else if (is_followed())
		kvm = vm_of(file_of(fd));
	if (kvm)
		exit_vm_ioctl(call, kvm, command, argument, ret);
}

/* Run for every ioctl of every task: what is not ours is sent away first. */
SEC("tp/syscalls/sys_enter_ioctl")
int enter_ioctl(struct ioctl_enter *event)
{
	if (!is_dirty_command(event->command))
		meter_run();
	else if (is_followed())
		enter_ioctl_of(event->fd, event->command, event->argument);
	return PASS_ON;
}

SEC("tp/syscalls/sys_exit_ioctl")
int exit_ioctl(struct ioctl_exit *event)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (is_dirty_command(syscall_second(regs)))
		exit_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs),
			      event->ret);
	return PASS_ON;
}

/* Run for every system call of every task. */
SEC("tp_btf/sys_enter")
int BPF_PROG(enter_syscall, struct pt_regs___kernel *regs, long number)
{
	if (number != SYSCALL_IOCTL || !is_dirty_command(syscall_second(regs)))
		meter_run();
	else if (is_followed())
		enter_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs));
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_syscall, struct pt_regs___kernel *regs, long ret)
{
	if (syscall_number(regs) == SYSCALL_IOCTL && is_dirty_command(syscall_second(regs)))
		exit_ioctl_of(syscall_first(regs), syscall_second(regs), syscall_third(regs), ret);
	return 0;
}

/*
 * That a log is about to start, for those who are not attached yet: seen from what the kernel does
 * for it and for little else. Reads of the log come after it.
 */

/* Somebody was told, and is about to attach the rest. */
__u32 is_awake = 0;

static __always_inline void foretell(struct kvm *kvm, __u32 slot, __u64 iova, __u64 length)
{
	struct hwdbm_start *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	is_awake = 1;
	fill_record(&record->record, HWDBM_START, (__u64)kvm, 0);
	record->slot = slot;
	record->reserved = 0;
	record->iova = iova;
	record->length = length;
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void foretell_slot(struct kvm *kvm, __u32 command, __u64 argument)
{
	struct memory_region region;
	struct vm_call *call;

	call = bpf_task_storage_get(&vm_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return;
	}
	/* If its beginning was just seen, so is its end. */
	if (is_awake && call->command == command)
		return;
	if (!read_argument(&region, sizeof(region), argument) || !region.bytes ||
	    !(region.flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	look_at_slot(kvm, region.slot, &call->slot);
	if (call->slot.known && call->slot.logged)
		return;
	if (!call->pid)
		call->pid = shown_pid();
	call->command = command;
	call->kvm = kvm;
	call->argument = argument;
	call->start = 0;
	foretell(kvm, region.slot, region.address, region.bytes);
}

/* A bitmap is vmalloc()ed for a log, and nothing is more often than a few times a second. */
SEC("tp_btf/alloc_vmap_area")
int BPF_PROG(on_vmalloc)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct kvm *kvm;

	if (!is_region_command(syscall_second(regs)) || syscall_number(regs) != SYSCALL_IOCTL ||
	    !is_followed())
		return 0;
	kvm = vm_of(file_of(syscall_first(regs)));
	if (kvm)
		foretell_slot(kvm, syscall_second(regs), syscall_third(regs));
	return 0;
}

static __always_inline void foretell_ring(struct kvm_vcpu *vcpu)
{
	foretell(BPF_CORE_READ(vcpu, kvm), HWDBM_NO_SLOT, HWDBM_UNKNOWN, HWDBM_UNKNOWN);
}

static struct hwdbm_ring_totals no_ring_totals;

/* Every how-manieth entry of a ring is timed. */
#define PUSHES_PER_METER 256

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
	struct kvm_vcpu *vcpu = vcpu_of(ring);
	struct hwdbm_ring_totals *totals = ring_totals(vcpu);
	__u64 begin;

	if (!totals)
		return 0;
	if (!is_awake)
		foretell_ring(vcpu);
	/* For what it costs the same is done once more, against the clock. */
	if (totals->pushed++ % PUSHES_PER_METER)
		return 0;
	begin = bpf_ktime_get_ns();
	barrier_var(vcpu);
	if (ring_totals(vcpu))
		meter((bpf_ktime_get_ns() - begin) * PUSHES_PER_METER);
	return 0;
}

SEC("tp_btf/kvm_dirty_ring_reset")
int BPF_PROG(on_ring_reset, struct kvm_dirty_ring *ring)
{
	struct hwdbm_ring_totals *totals = ring_totals(vcpu_of(ring));

	if (!totals)
		return 0;
	totals->resets++;
	if (!is_listening)
		lose(HWDBM_LOSS_LATE);
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

/*
 * Which VMs have their log on now: from one open file of one VM along KVM's list of all of them.
 * Nothing is locked: what was not whole is looked at again.
 */

#define VMS_MAX 4096
#define SLOT_STEPS (128 + 2 * 32764)

/* As VMMs and their children go. */
#define ANCESTORS 4

/* Not static: the verifier of Linux 6.1 wants the state of a loop in a map. */
struct hwdbm_look look = {};

struct {
	struct list_head *first;
	struct list_head *at;
} vm_walk;

struct {
	struct hlist_node *at;
	__u64 next_bucket;
	__u64 last_bucket;
	__u64 offset;
	__u64 largest;
	__u32 is_logged;		/* the largest slot is */
} log_walk;

static long weigh_slot(__u32 step, void *context)
{
	struct hlist_node *node = log_walk.at;
	struct kvm_memory_slot *slot = (void *)node - log_walk.offset;
	__u64 pages;

	if (!node) {
		if (log_walk.next_bucket >= log_walk.last_bucket)
			return 1;
		bpf_probe_read_kernel(&log_walk.at, sizeof(log_walk.at),
				      (void *)log_walk.next_bucket);
		log_walk.next_bucket += sizeof(void *);
		return 0;
	}
	pages = BPF_CORE_READ(slot, npages);
	if (pages >= log_walk.largest) {
		if (pages > log_walk.largest)
			log_walk.is_logged = 0;
		log_walk.largest = pages;
		log_walk.is_logged |= BPF_CORE_READ(slot, flags) & KVM_MEM_LOG_DIRTY_PAGES;
	}
	log_walk.at = BPF_CORE_READ(node, next);
	return 0;
}

/*
 * That of a small slot does not count: display memory is logged as long as somebody looks at the
 * screen.
 */
static __always_inline bool has_log(struct kvm *kvm)
{
	struct kvm_memslots *slots = NULL;

	if (bpf_core_field_exists(kvm->nr_memslots_dirty_logging) &&
	    !BPF_CORE_READ(kvm, nr_memslots_dirty_logging.counter))
		return false;
	bpf_probe_read_kernel(&slots, sizeof(slots),
			      (void *)kvm + bpf_core_field_offset(struct kvm, memslots));
	log_walk.at = NULL;
	log_walk.largest = 1;
	log_walk.is_logged = 0;
	log_walk.next_bucket = (__u64)slots + bpf_core_field_offset(struct kvm_memslots, id_hash);
	log_walk.last_bucket = log_walk.next_bucket + bpf_core_field_size(slots->id_hash);
	log_walk.offset = bpf_core_field_offset(struct kvm_memory_slot, id_node) +
			  (BPF_CORE_READ(slots, node_idx) & 1) * 2 * sizeof(void *);
	bpf_loop(SLOT_STEPS, weigh_slot, NULL, 0);
	return log_walk.is_logged;
}

/* Whether it is the followed process's or a descendant's; the programs know it from now on. */
static __always_inline bool is_ours(struct kvm *kvm)
{
	struct mm_struct *mm = BPF_CORE_READ(kvm, mm);
	struct task_struct___family *task;
	__u32 owner;

	if (!target_pid || !bpf_core_field_exists(mm->owner))
		return true;
	task = BPF_CORE_READ(mm, owner);
	owner = BPF_CORE_READ(task, tgid);
	for (int i = 0; i < ANCESTORS && task; i++) {
		if (BPF_CORE_READ(task, tgid) == look.target) {
			if (owner != look.target)
				note_followed(owner);
			return true;
		}
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

/* The list's head is in no VM: a VM's slots are inside of it. */
static __always_inline bool is_vm_node(struct kvm *kvm)
{
	__u64 slots = 0;

	bpf_probe_read_kernel(&slots, sizeof(slots),
			      (void *)kvm + bpf_core_field_offset(struct kvm, memslots));
	return slots - (__u64)kvm < bpf_core_type_size(struct kvm);
}

static long look_at_vm(__u32 step, void *context)
{
	struct list_head *node = vm_walk.at;
	struct kvm *kvm = (void *)node - bpf_core_field_offset(struct kvm, vm_list);

	if (is_vm_node(kvm)) {
		look.vms++;
		look.logging += has_log(kvm) && is_ours(kvm);
	}
	vm_walk.at = BPF_CORE_READ(node, next);
	if (vm_walk.at == vm_walk.first)
		look.is_whole = 1;
	return !vm_walk.at || look.is_whole;
}

SEC("iter/task_file")
int look_at_vms(struct bpf_iter__task_file *iterator)
{
	struct task_struct *task = iterator->task;
	struct file *file = iterator->file;
	struct kvm *kvm;

	if (!task || !file || !bpf_core_field_exists(((struct kvm_memslots *)0)->id_hash))
		return 0;
	if (target_pid && !look.target)
		look.target = task->tgid;
	if (look.found)
		return 0;
	kvm = vm_of(file);
	if (!kvm)
		return 0;
	look.found = 1;
	vm_walk.first = vm_walk.at = (void *)kvm + bpf_core_field_offset(struct kvm, vm_list);
	bpf_loop(VMS_MAX, look_at_vm, NULL, 0);
	return 0;
}
