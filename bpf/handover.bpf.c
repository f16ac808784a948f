// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a switch-over is made of, on either side: the migration states that a VMM asks its VFIO
 * devices for, from the function behind their ioctls, and when the vCPUs of a process ran first
 * and last. Not here: dirty state, which is read in between.
 */
#include "hwdbm.bpf.h"

/* include/uapi/linux/vfio.h */
#define VFIO_DEVICE_FEATURE		0x3b75
#define FEATURE_MASK			0xffff
#define FEATURE_GET			(1 << 16)
#define FEATURE_SET			(1 << 17)
#define FEATURE_PROBE			(1 << 18)
#define FEATURE_MIG_DEVICE_STATE	2
#define FEATURE_MIG_DATA_SIZE		9

struct device_request {
	__u32 size;
	__u32 flags;
	__u32 state;
	__s32 data;
};

/* The call that a task is in. */
struct device_call {
	__u64 start;
	__u64 device;
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

static __always_inline int begin_feature(void *device, __u32 command, __u64 argument)
{
	struct device_request request = {};
	struct device_call *call;
	bool asks_size;

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
	call->device = (__u64)device;
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
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (record) {
		fill_record(&record->record, HWDBM_DEVICE_STATE, call->device, ret);
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
int BPF_PROG(enter_device_state, void *file, unsigned int command, unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(exit_device_state, void *file, unsigned int command, unsigned long argument, long ret)
{
	return end_feature(ret);
}

SEC("kprobe/vfio_device_fops_unl_ioctl")
int BPF_KPROBE(kprobe_device_state, void *file, unsigned int command, unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("kretprobe/vfio_device_fops_unl_ioctl")
int BPF_KRETPROBE(kretprobe_device_state, long ret)
{
	return end_feature(ret);
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
