// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log of VFIO's type1 containers, from the function behind their ioctls: logging started
 * and stopped, and every read of it. A stock type1 says that all pages it maps for DMA are dirty,
 * which is what a VMM then sends. Not here: what the IOMMU knows itself, of which our kernel's
 * events tell (sync.bpf.c).
 */
#include "bitmap.bpf.h"

/* include/uapi/linux/vfio.h */
#define VFIO_IOMMU_DIRTY_PAGES		0x3b75

#define FLAG_START			1
#define FLAG_STOP			2
#define FLAG_GET_BITMAP			4

struct dirty_pages {
	__u32 size;
	__u32 flags;
	/* Of FLAG_GET_BITMAP only */
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 bitmap_bytes;
	__u64 bitmap;
};

#define HEAD_BYTES 8

/* The call that a task is in. */
struct type1_call {
	__u64 start;
	__u64 container;
	struct dirty_pages request;
	__u32 is_known;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct type1_call);
} type1_calls SEC(".maps");

static __always_inline bool read_request(struct dirty_pages *request, __u64 from)
{
	__builtin_memset(request, 0, sizeof(*request));
	if (!bpf_probe_read_user(request, HEAD_BYTES, (void *)from) &&
	    (!(request->flags & FLAG_GET_BITMAP) ||
	     !bpf_probe_read_user(request, sizeof(*request), (void *)from)))
		return true;
	lose(HWDBM_LOSS_ARGUMENT);
	return false;
}

static __always_inline int begin_dirty_pages(void *container, __u32 command, __u64 argument)
{
	struct type1_call *call = bpf_task_storage_get(&type1_calls, bpf_get_current_task_btf(), 0, 0);
	struct task_state *state;

	/* The end of this one is not to be taken for that of an earlier call, which nobody saw. */
	if (call)
		call->start = 0;
	if (command != VFIO_IOMMU_DIRTY_PAGES || !is_followed())
		return 0;
	call = bpf_task_storage_get(&type1_calls, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		lose(HWDBM_LOSS_TASK);
		return 0;
	}
	state = task_state();
	if (state)
		state->is_told = 0;
	call->is_known = read_request(&call->request, argument);
	call->container = (__u64)container;
	call->start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void tell_read(const struct type1_call *call, __u64 end, int ret)
{
	const struct dirty_pages *request = &call->request;
	struct hwdbm_count count;
	struct hwdbm_sync *record;

	clear_count(&count);
	/* The bitmap is written, not added to. */
	if (!ret && request->page_size >> page_shift == 1)
		count_bitmap(&count, call->container, request->iova, request->bitmap,
			     request->iova, request->length >> page_shift);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_SYNC, call->container, ret);
	record->record.t_ns = end;
	record->iova = request->iova;
	record->length = request->length;
	record->page_size = request->page_size;
	record->source = HWDBM_SOURCE_TYPE1;
	record->slot = HWDBM_NO_SLOT;
	record->count = count;
	record->tlb_invalidations = HWDBM_UNKNOWN;
	record->tlb_commands = HWDBM_UNKNOWN;
	no_stats(&record->stats, end - call->start);
	bpf_ringbuf_submit(record, 0);
}

static __always_inline void tell_switch(const struct type1_call *call, __u64 end, int ret)
{
	struct hwdbm_tracking *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_TRACKING, call->container, ret);
	record->record.t_ns = end;
	record->enable = call->request.flags & FLAG_START;
	record->source = HWDBM_SOURCE_TYPE1;
	record->slot = HWDBM_NO_SLOT;
	record->iova = HWDBM_UNKNOWN;
	record->length = HWDBM_UNKNOWN;
	no_stats(&record->stats, end - call->start);
	bpf_ringbuf_submit(record, 0);
}

static __always_inline int end_dirty_pages(int ret)
{
	struct type1_call *call = bpf_task_storage_get(&type1_calls, bpf_get_current_task_btf(), 0, 0);
	__u64 end = bpf_ktime_get_ns();
	struct task_state *state;

	if (!call || !call->start)
		return 0;
	state = task_state();
	if (state && state->is_told)
		call->is_known = 0;
	if (call->is_known && call->request.flags & FLAG_GET_BITMAP)
		tell_read(call, end, ret);
	else if (call->is_known && call->request.flags & (FLAG_START | FLAG_STOP))
		tell_switch(call, end, ret);
	call->start = 0;
	return 0;
}

SEC("fentry/vfio_iommu_type1_ioctl")
int BPF_PROG(enter_type1_ioctl, void *container, unsigned int command, unsigned long argument)
{
	return begin_dirty_pages(container, command, argument);
}

SEC("fexit/vfio_iommu_type1_ioctl")
int BPF_PROG(exit_type1_ioctl, void *container, unsigned int command, unsigned long argument,
	     long ret)
{
	return end_dirty_pages(ret);
}

SEC("kprobe/vfio_iommu_type1_ioctl")
int BPF_KPROBE(kprobe_type1_ioctl, void *container, unsigned int command, unsigned long argument)
{
	return begin_dirty_pages(container, command, argument);
}

SEC("kretprobe/vfio_iommu_type1_ioctl")
int BPF_KRETPROBE(kretprobe_type1_ioctl, long ret)
{
	return end_dirty_pages(ret);
}
