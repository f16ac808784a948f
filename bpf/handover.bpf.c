// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a switch-over is made of, on either side: the migration states that a VMM asks its VFIO
 * devices for, from the function behind their ioctls, the first interrupt of a device that goes on
 * with a state from elsewhere, and when the vCPUs of a process ran first and last. Not here: dirty
 * state, which is read in between.
 */
#include "device.bpf.h"

/* include/uapi/linux/vfio.h */
#define FEATURE_MASK			0xffff
#define FEATURE_GET			(1 << 16)
#define FEATURE_SET			(1 << 17)
#define FEATURE_PROBE			(1 << 18)
#define FEATURE_MIG_DEVICE_STATE	2
#define FEATURE_MIG_DATA_SIZE		9
#define STATE_RUNNING			2
#define STATE_RESUMING			4
#define STATE_RUNNING_P2P		5

struct device_request {
	__u32 size;
	__u32 flags;
	__u32 state;
	__s32 data;
};

/* The call that a task is in. */
struct device_call {
	__u64 start;
	struct file *device;
	__u64 argument;
	__u32 state;
	__u32 asks_size;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct device_call);
} device_calls SEC(".maps");

/* As its interrupts name it. */
struct device_name {
	char text[HWDBM_DEVICE_NAME];
};

/* A device that loads a state, or has, and has not interrupted since. */
struct arrival {
	__u64 device;
	__u32 pid;
	__u32 goes_on;			/* it was let go */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, struct device_name);
	__type(value, struct arrival);
} arrivals SEC(".maps");

/* One of them was let go. User space takes it back. */
__u32 is_awaiting = 0;

static __always_inline void arrive(struct file *file)
{
	struct arrival arrival = { .device = (__u64)file, .pid = shown_pid() };
	struct device_name name = {};

	name_device(name.text, device_of(file));
	if (bpf_map_update_elem(&arrivals, &name, &arrival, BPF_ANY))
		lose(HWDBM_LOSS_VM);
}

/* Before it is: the interrupt may come before the call is over. */
static __always_inline void let_go(struct file *file)
{
	struct device_name name = {};
	struct arrival *arrival;

	name_device(name.text, device_of(file));
	arrival = bpf_map_lookup_elem(&arrivals, &name);
	if (!arrival)
		return;
	arrival->goes_on = 1;
	is_awaiting = 1;
}

static __always_inline int begin_feature(struct file *device, __u32 command, __u64 argument)
{
	struct device_call *call = bpf_task_storage_get(&device_calls, bpf_get_current_task_btf(), 0, 0);
	struct device_request request = {};
	bool asks_size;

	/* The end of this one is not to be taken for that of an earlier call, which nobody saw. */
	if (call)
		call->start = 0;
	if (command != VFIO_DEVICE_FEATURE || !is_followed())
		return 0;
	/* Other features may be shorter, and are none of ours. */
	if (bpf_probe_read_user(&request, offsetof(struct device_request, state), (void *)argument)) {
		lose(HWDBM_LOSS_ARGUMENT);
		return 0;
	}
	asks_size = (request.flags & FEATURE_MASK) == FEATURE_MIG_DATA_SIZE &&
		    request.flags & FEATURE_GET;
	if (request.flags & FEATURE_PROBE ||
	    (!asks_size && ((request.flags & FEATURE_MASK) != FEATURE_MIG_DEVICE_STATE ||
			    !(request.flags & FEATURE_SET))))
		return 0;
	if (!asks_size && bpf_probe_read_user(&request, sizeof(request), (void *)argument)) {
		lose(HWDBM_LOSS_ARGUMENT);
		return 0;
	}
	call = bpf_task_storage_get(&device_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return 0;
	}
	if (!asks_size && (request.state == STATE_RUNNING || request.state == STATE_RUNNING_P2P))
		let_go(device);
	call->device = device;
	call->state = request.state;
	call->asks_size = asks_size;
	call->argument = argument;
	call->start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_feature(int ret)
{
	struct device_call *call = bpf_task_storage_get(&device_calls, bpf_get_current_task_btf(), 0,
							0);
	struct hwdbm_device_state *record;

	if (!call || !call->start)
		return 0;
	if (!ret && !call->asks_size && call->state == STATE_RESUMING)
		arrive(call->device);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (record) {
		fill_record(&record->record, HWDBM_DEVICE_STATE, (__u64)call->device, ret);
		record->state = call->state;
		record->asks_size = call->asks_size;
		record->bytes = 0;
		if (call->asks_size &&
		    bpf_probe_read_user(&record->bytes, sizeof(record->bytes),
					(void *)(call->argument + offsetof(struct device_request, state))))
			lose(HWDBM_LOSS_ARGUMENT);
		record->total_ns = record->record.t_ns - call->start;
		bpf_ringbuf_submit(record, 0);
	} else {
		lose(HWDBM_LOSS_RING);
	}
	call->start = 0;
	return 0;
}

SEC("fentry/vfio_device_fops_unl_ioctl")
int BPF_PROG(enter_device_state, struct file *file, unsigned int command, unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(exit_device_state, struct file *file, unsigned int command, unsigned long argument, long ret)
{
	return end_feature(ret);
}

SEC("kprobe/vfio_device_fops_unl_ioctl")
int BPF_KPROBE(kprobe_device_state, struct file *file, unsigned int command, unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("kretprobe/vfio_device_fops_unl_ioctl")
int BPF_KRETPROBE(kretprobe_device_state, long ret)
{
	return end_feature(ret);
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct irqaction {
	const char *name;
};

#pragma clang attribute pop

#define VFIO_START 5			/* what VFIO's begin with: "vfio-" */

/* What the brackets at the end of an interrupt's name hold; false: there are none. */
static __always_inline bool read_device(struct device_name *device, const char *interrupt)
{
	char letter = 0;
	long length = 0;

	for (int i = VFIO_START; i < HWDBM_INTERRUPT_NAME; i++) {
		bpf_probe_read_kernel(&letter, 1, interrupt + i);
		if (!letter)
			return false;
		if (letter != '(')
			continue;
		length = bpf_probe_read_kernel_str(device->text, sizeof(device->text),
						   interrupt + i + 1);
		break;
	}
	/* The bracket and the end of the text */
	if (length < 3 || length > HWDBM_DEVICE_NAME)
		return false;
	device->text[length - 2] = '\0';
	return true;
}

/* Any interrupt of the host: for those that are none of ours there has to be little to do. */
SEC("tp_btf/irq_handler_entry")
int BPF_PROG(on_interrupt, int number, struct irqaction *action)
{
	struct hwdbm_interrupt *record;
	__u32 start = 0;
	struct device_name device = {};
	struct arrival *arrival, was;
	const char *name;

	if (!is_awaiting)
		return 0;
	name = action->name;
	if (bpf_probe_read_kernel(&start, sizeof(start), name) ||
	    start != *(const __u32 *)"vfio" || !read_device(&device, name))
		return 0;
	arrival = bpf_map_lookup_elem(&arrivals, &device);
	if (!arrival || !arrival->goes_on)
		return 0;
	was = *arrival;
	/* Two processors may take one each. */
	if (bpf_map_delete_elem(&arrivals, &device))
		return 0;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	set_record(&record->record, HWDBM_INTERRUPT, was.device, 0, was.pid, bpf_ktime_get_ns());
	bpf_probe_read_kernel_str(record->name, sizeof(record->name), name);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

/* By thread group, by its global number. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HWDBM_VCPU_KEYS);
	__type(key, __u32);
	__type(value, struct hwdbm_vcpus);
} vcpus SEC(".maps");

/* KVM_RUN comes back to the VMM. Two vCPUs may do so at once; either time is right. */
SEC("tp_btf/kvm_userspace_exit")
int BPF_PROG(on_vcpu_exit)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct hwdbm_vcpus *known, first = {};

	known = bpf_map_lookup_elem(&vcpus, &tgid);
	if (known) {
		known->last_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (!is_followed())
		return 0;
	first.pid = shown_pid();
	first.first_ns = bpf_ktime_get_ns();
	first.last_ns = first.first_ns;
	/* Fails if another vCPU was first, which is as good. */
	bpf_map_update_elem(&vcpus, &tgid, &first, BPF_NOEXIST);
	if (!bpf_map_lookup_elem(&vcpus, &tgid))
		lose(HWDBM_LOSS_VM);
	return 0;
}
