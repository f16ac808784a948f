// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log that a device keeps itself, by VFIO's feature of that name: logging started and
 * stopped, and every read of it. From the function behind the ioctls of a VFIO device; where it
 * cannot be hooked, from the ioctl system call, which every task on the machine pays for. Not here:
 * what IOMMUs know, nor drivers that log without being asked.
 */
#define WORDS_PER_PIECE 256
#include "bitmap.bpf.h"
#include "device.bpf.h"

#define FEATURE_GET			(1 << 16)
#define FEATURE_SET			(1 << 17)
#define LOGGING_START			(FEATURE_SET | 6)
#define LOGGING_STOP			(FEATURE_SET | 7)
#define LOGGING_REPORT			(FEATURE_GET | 8)

struct device_feature {
	__u32 size;
	__u32 flags;
};

struct logging_control {
	__u64 page_size;
	__u32 num_ranges;
	__u32 reserved;
	__u64 ranges;
};

struct logging_range {
	__u64 iova;
	__u64 length;
};

struct logging_report {
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 bitmap;
};

/* Ranges beyond are not added up; a VMM has two or three. */
#define RANGES_MAX 32

/* The call that a task is in. */
struct feature_call {
	__u64 start;
	struct vfio_device *device;
	__u64 argument;
	__u32 feature;
	__u32 reserved;
	struct logging_report report;
	struct hwdbm_count before;	/* the caller's bitmap, as it was */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct feature_call);
} feature_calls SEC(".maps");

/* What a call does to a log; 0: nothing. */
static __always_inline __u32 feature_of(__u64 argument)
{
	struct device_feature feature;

	if (!read_argument(&feature, sizeof(feature), argument))
		return 0;
	switch (feature.flags) {
	case LOGGING_START:
	case LOGGING_STOP:
	case LOGGING_REPORT:
		return feature.flags;
	default:
		return 0;
	}
}

/* Whether the bits of the caller's bitmap stand for pages. */
static __always_inline bool is_countable(const struct logging_report *report)
{
	return report->page_size >> page_shift == 1;
}

static __always_inline int begin_feature(struct file *file, __u32 command, __u64 argument)
{
	struct feature_call *call = bpf_task_storage_get(&feature_calls, bpf_get_current_task_btf(), 0, 0);
	__u64 begin = bpf_ktime_get_ns();
	__u32 feature;

	/* The end of this one is not to be taken for that of an earlier call, which nobody saw. */
	if (call)
		call->start = 0;
	if (command != VFIO_DEVICE_FEATURE || !is_followed())
		return 0;
	feature = feature_of(argument);
	if (!feature)
		return 0;
	call = bpf_task_storage_get(&feature_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return 0;
	}
	call->device = device_of(file);
	call->argument = argument + sizeof(struct device_feature);
	call->feature = feature;
	clear_count(&call->before);
	if (feature == LOGGING_REPORT) {
		if (!read_argument(&call->report, sizeof(call->report), call->argument))
			return 0;
		/*
		 * The kernel adds to the bitmap, and QEMU uses one for several devices: what this
		 * device has to tell is what comes to be there in this call.
		 */
		if (is_countable(&call->report))
			count_before(&call->before, (__u64)call->device, call->report.iova,
				     call->report.bitmap, call->report.iova,
				     call->report.length >> page_shift);
	}
	call->start = bpf_ktime_get_ns();
	meter(call->start - begin);
	return 0;
}

static __always_inline void tell_report(struct feature_call *call, __u64 end, int ret)
{
	const struct logging_report *report = &call->report;
	struct hwdbm_count count;
	struct hwdbm_sync *record;

	clear_count(&count);
	if (!ret)
		count.state = call->before.state;
	if (count.state == HWDBM_COUNT_DONE)
		count_now(&count, (__u64)call->device, report->bitmap, report->iova,
			  report->length >> page_shift, false);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_SYNC, (__u64)call->device, ret);
	record->record.t_ns = end;
	record->iova = report->iova;
	record->length = report->length;
	record->page_size = report->page_size;
	record->source = HWDBM_SOURCE_DEVICE;
	record->slot = HWDBM_NO_SLOT;
	record->count = count;
	record->before = call->before;
	record->tlb_invalidations = HWDBM_UNKNOWN;
	record->tlb_commands = HWDBM_UNKNOWN;
	no_stats(&record->stats, end - call->start);
	name_device(record->device, call->device);
	bpf_ringbuf_submit(record, 0);
}

/* How much a log is for; the caller's ranges are read once more, and nobody has changed them. */
static __always_inline void read_ranges(struct hwdbm_tracking *record,
					const struct logging_control *control)
{
	struct logging_range range;

	record->length = 0;
	for (__u32 i = 0; i < RANGES_MAX; i++) {
		if (i >= control->num_ranges)
			break;
		if (!read_argument(&range, sizeof(range), control->ranges + i * sizeof(range))) {
			record->length = HWDBM_UNKNOWN;
			return;
		}
		record->length += range.length;
		if (control->num_ranges == 1)
			record->iova = range.iova;
	}
	if (control->num_ranges > RANGES_MAX)
		record->length = HWDBM_UNKNOWN;
}

static __always_inline void tell_switch(const struct feature_call *call, __u64 end, int ret)
{
	struct hwdbm_tracking *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	struct logging_control control;

	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_TRACKING, (__u64)call->device, ret);
	record->record.t_ns = end;
	record->enable = call->feature == LOGGING_START;
	record->source = HWDBM_SOURCE_DEVICE;
	record->slot = HWDBM_NO_SLOT;
	record->iova = HWDBM_UNKNOWN;
	record->length = HWDBM_UNKNOWN;
	no_stats(&record->stats, end - call->start);
	/* The driver has put the size of its pages where the caller's wish was. */
	if (record->enable && read_argument(&control, sizeof(control), call->argument)) {
		record->stats.granularity = control.page_size;
		read_ranges(record, &control);
	}
	name_device(record->device, call->device);
	bpf_ringbuf_submit(record, 0);
}

static __always_inline int end_feature(int ret)
{
	struct feature_call *call = bpf_task_storage_get(&feature_calls, bpf_get_current_task_btf(),
							 0, 0);
	__u64 end = bpf_ktime_get_ns();

	if (!call || !call->start)
		return 0;
	if (call->feature == LOGGING_REPORT)
		tell_report(call, end, ret);
	else
		tell_switch(call, end, ret);
	call->start = 0;
	meter(bpf_ktime_get_ns() - end);
	return 0;
}

SEC("fentry/vfio_device_fops_unl_ioctl")
int BPF_PROG(enter_device_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(exit_device_ioctl, struct file *file, unsigned int command, unsigned long argument,
	     long ret)
{
	return end_feature(ret);
}

SEC("kprobe/vfio_device_fops_unl_ioctl")
int BPF_KPROBE(kprobe_device_ioctl, struct file *file, unsigned int command,
	       unsigned long argument)
{
	return begin_feature(file, command, argument);
}

SEC("kretprobe/vfio_device_fops_unl_ioctl")
int BPF_KRETPROBE(kretprobe_device_ioctl, long ret)
{
	return end_feature(ret);
}

/*
 * "[vfio-device]" of a group, or /dev/vfio/devices/vfioN: other drivers may have the same number.
 * Only root can make a device node.
 */
static __always_inline bool is_device(struct file *file)
{
	char name[NAME_START] = {};

	if (!read_name(name, file))
		return false;
	if (is_anonymous(file))
		return *(__u64 *)name == *(const __u64 *)"[vfio-d";
	return BPF_CORE_READ(file, f_inode, i_rdev) && *(__u32 *)name == *(const __u32 *)"vfio";
}

static __always_inline int begin_feature_of(__u32 fd, __u32 command, __u64 argument)
{
	struct file *file = is_followed() ? file_of(fd) : NULL;

	return file && is_device(file) ? begin_feature(file, command, argument) : 0;
}

/* Run for every ioctl of every task, as KVM's are, which count the runs for nothing. */
SEC("tp/syscalls/sys_enter_ioctl")
int enter_feature(struct ioctl_enter *event)
{
	if (event->command == VFIO_DEVICE_FEATURE)
		begin_feature_of(event->fd, event->command, event->argument);
	return PASS_ON;
}

SEC("tp/syscalls/sys_exit_ioctl")
int exit_feature(struct ioctl_exit *event)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	if (syscall_second(regs) == VFIO_DEVICE_FEATURE && is_followed())
		end_feature(event->ret);
	return PASS_ON;
}

/* Run for every system call of every task. */
SEC("tp_btf/sys_enter")
int BPF_PROG(enter_feature_syscall, struct pt_regs___kernel *regs, long number)
{
	return number == SYSCALL_IOCTL && syscall_second(regs) == VFIO_DEVICE_FEATURE ?
		       begin_feature_of(syscall_first(regs), syscall_second(regs), syscall_third(regs)) : 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_feature_syscall, struct pt_regs___kernel *regs, long ret)
{
	return syscall_number(regs) == SYSCALL_IOCTL && syscall_second(regs) == VFIO_DEVICE_FEATURE &&
	       is_followed() ? end_feature(ret) : 0;
}
