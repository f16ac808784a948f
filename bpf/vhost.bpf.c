// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost's dirty log: the kernel sets bits in memory of the VMM's, which takes them out of it without a
 * call. A VMM that reads KVM's log of a slot reads vhost's of the same memory next, so that what is
 * counted then is what it is about to take, less what is written in between. Called where KVM's
 * reads are seen (kvm.bpf.c); not here: programs.
 */
#define WORDS_PER_PIECE 256
#include "bitmap.bpf.h"
#include "ioctl.bpf.h"
#include "vhost.bpf.h"

/* A bit stands for so much on every machine. */
#define VHOST_PAGE_SHIFT 12

#define VHOST_F_LOG_ALL (1ULL << 26)		/* include/uapi/linux/vhost_types.h */

/* include/linux/miscdevice.h: as the kernel packs major 10 and these minors */
#define VHOST_NET_DEVICE (10 << 20 | 238)
#define VHOST_VSOCK_DEVICE (10 << 20 | 241)

/* Devices of one process; a NIC has one for each pair of queues. */
#define DEVICES_MAX 64

/* The first two queues of a device are the ones that carry data. */
#define QUEUES 2

/* More descriptors than one process may have by default, and ranges than vhost takes. */
#define DESCRIPTORS_MAX (1 << 16)
#define RANGES_MAX 4096

/* A migration has no new devices. */
#define DESCRIPTORS_KEPT_NS 1000000000ULL

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct;

struct task_struct___memory {
	struct mm_struct *mm;
};

struct list_head {
	struct list_head *next;
};

/* Guest memory that a device knows. */
struct vhost_iotlb_map {
	struct list_head link;
	__u64 start;
	__u64 last;
};

struct vhost_iotlb {
	struct list_head list;
};

struct vhost_virtqueue {
	struct vhost_iotlb *umem;
	void *private_data;
	__u64 acked_features;
	void *log_base;
};

struct vhost_dev {
	struct mm_struct *mm;
	struct vhost_virtqueue **vqs;
	int nvqs;
};

struct vhost_net {
	struct vhost_dev dev;
};

struct vhost_vsock {
	struct vhost_dev dev;
};

#pragma clang attribute pop

/* What a task knows of its devices, and the state of its walks. */
struct vhost_walk {
	__u64 looked_ns;
	__u64 table;			/* of descriptors */
	__u32 fds[DEVICES_MAX];
	__u32 count;
	__u32 logs;			/* different ones */
	__u64 mm;
	__u64 log;
	__u64 umem;
	__u64 at;			/* a range of guest memory that vhost may write to */
	__u64 first;			/* that are sought, and then those of them that vhost knows */
	__u64 last;
	__u64 known_first;
	__u64 known_last;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct vhost_walk);
} vhost_walks SEC(".maps");

struct vhost_context {
	struct vhost_walk *walk;
};

static __always_inline __u32 device_number(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_rdev);
}

static long try_descriptor(__u32 fd, struct vhost_context *context)
{
	struct vhost_walk *walk = context->walk;
	struct file *file = NULL;
	__u32 device;

	bpf_probe_read_kernel(&file, sizeof(file), (void *)(walk->table + fd * sizeof(file)));
	if (!file)
		return 0;
	device = device_number(file);
	if (device != VHOST_NET_DEVICE && device != VHOST_VSOCK_DEVICE)
		return 0;
	if (walk->count >= DEVICES_MAX)
		return 1;
	walk->fds[walk->count++] = fd;
	return 0;
}

static __always_inline void find_devices(struct vhost_walk *walk, __u64 now)
{
	struct task_struct___files *task = (void *)bpf_get_current_task_btf();
	struct vhost_context context = { walk };
	struct fdtable *table;
	__u32 size;

	if (walk->looked_ns && now - walk->looked_ns < DESCRIPTORS_KEPT_NS)
		return;
	table = BPF_CORE_READ(task, files, fdt);
	size = BPF_CORE_READ(table, max_fds);
	walk->looked_ns = now;
	walk->count = 0;
	walk->table = (__u64)BPF_CORE_READ(table, fd);
	bpf_loop(size < DESCRIPTORS_MAX ? size : DESCRIPTORS_MAX, try_descriptor, &context, 0);
}

/*
 * The descriptor may be another file's by now. In a device the part that all have in common comes first: so it always was,
 * and of a module that is loaded later no type information can be asked.
 */
static __always_inline struct vhost_dev *vhost_of(__u32 fd)
{
	struct file *file = file_of(fd);
	__u64 offset = 0;
	__u32 device;

	if (!file)
		return NULL;
	device = device_number(file);
	if (device == VHOST_NET_DEVICE && bpf_core_type_exists(struct vhost_net))
		offset = bpf_core_field_offset(struct vhost_net, dev);
	else if (device == VHOST_VSOCK_DEVICE && bpf_core_type_exists(struct vhost_vsock))
		offset = bpf_core_field_offset(struct vhost_vsock, dev);
	else if (device != VHOST_NET_DEVICE && device != VHOST_VSOCK_DEVICE)
		return NULL;
	return BPF_CORE_READ(file, private_data) + offset;
}

/* Of a queue that has stopped the log may be gone: nobody tells the kernel. */
static __always_inline void take_queue(struct vhost_walk *walk, struct vhost_virtqueue *queue)
{
	__u64 log = (__u64)BPF_CORE_READ(queue, log_base);

	if (!BPF_CORE_READ(queue, private_data) || !log ||
	    !(BPF_CORE_READ(queue, acked_features) & VHOST_F_LOG_ALL))
		return;
	if (walk->logs && walk->log == log)
		return;
	walk->logs++;
	walk->log = log;
	walk->umem = (__u64)BPF_CORE_READ(queue, umem);
}

static long try_device(__u32 index, struct vhost_context *context)
{
	struct vhost_walk *walk = context->walk;
	struct vhost_virtqueue *queue = NULL;
	struct vhost_dev *dev;

	if (index >= DEVICES_MAX || index >= walk->count)
		return 1;
	dev = vhost_of(walk->fds[index]);
	if (!dev || (__u64)BPF_CORE_READ(dev, mm) != walk->mm)
		return 0;
	for (__u32 i = 0; i < QUEUES && i < BPF_CORE_READ(dev, nvqs); i++) {
		bpf_probe_read_kernel(&queue, sizeof(queue), BPF_CORE_READ(dev, vqs) + i);
		take_queue(walk, queue);
	}
	return 0;
}

static long try_range(__u32 index, struct vhost_context *context)
{
	struct vhost_walk *walk = context->walk;
	__u64 head = walk->umem + bpf_core_field_offset(struct vhost_iotlb, list);
	struct vhost_iotlb_map *map;
	__u64 first, last;

	if (!walk->at || walk->at == head)
		return 1;
	map = (void *)(walk->at - bpf_core_field_offset(struct vhost_iotlb_map, link));
	first = BPF_CORE_READ(map, start);
	last = BPF_CORE_READ(map, last);
	walk->at = (__u64)BPF_CORE_READ(map, link.next);
	if (first > walk->last || last < walk->first)
		return 0;
	first = first > walk->first ? first : walk->first;
	last = last < walk->last ? last : walk->last;
	if (first < walk->known_first)
		walk->known_first = first;
	if (last > walk->known_last)
		walk->known_last = last;
	return 0;
}

/* Returns whether vhost knows any of a slot: a log reaches no farther than that, and is clear in between. */
static __always_inline bool find_known(struct vhost_walk *walk, const struct vhost_read *read)
{
	struct vhost_iotlb *umem = (void *)walk->umem;
	struct vhost_context context = { walk };

	walk->first = read->base;
	walk->last = read->base + read->bytes - 1;
	walk->known_first = HWDBM_UNKNOWN;
	walk->known_last = 0;
	walk->at = (__u64)BPF_CORE_READ(umem, list.next);
	bpf_loop(RANGES_MAX, try_range, &context, 0);
	return walk->known_first <= walk->known_last;
}

/*
 * What was never written to or read is in no memory, and clear. Once the VMM has gone over it, what cannot be read
 * is elsewhere: swapped out, or about to be moved.
 */
static __always_inline bool is_fresh(const struct vhost_walk *walk, const struct vhost_read *read)
{
	struct vhost_part part = { read->vm, read->slot };
	__u64 *log = bpf_map_lookup_elem(&vhost_parts, &part);

	if (log && *log == walk->log)
		return false;
	bpf_map_update_elem(&vhost_parts, &part, &walk->log, BPF_ANY);
	return true;
}

static __always_inline void count_log(struct hwdbm_count *count, const struct vhost_walk *walk,
				      const struct vhost_read *read)
{
	__u64 first = walk->known_first >> VHOST_PAGE_SHIFT, last = walk->known_last >> VHOST_PAGE_SHIFT;
	__u64 aligned = first & ~63ULL;
	bool fresh = is_fresh(walk, read);

	clear_count(count);
	count->state = read->state;
	/* Bits that are not pages, or bits of two logs for one page. */
	if (page_shift != VHOST_PAGE_SHIFT || walk->logs > 1)
		count->state = HWDBM_COUNT_OFF;
	if (count->state == HWDBM_COUNT_DONE || count->state == HWDBM_COUNT_FAILED)
		count_range(count, read->vm, walk->log + aligned / 8, aligned << VHOST_PAGE_SHIFT,
			    last - aligned + 1, first - aligned, fresh);
}

static __always_inline void tell(const struct vhost_walk *walk, const struct vhost_read *read)
{
	__u64 now = bpf_ktime_get_ns();
	struct hwdbm_count count;
	struct hwdbm_sync *record;

	count_log(&count, walk, read);
	record = bpf_ringbuf_reserve(&ring, HWDBM_SYNC_SHORT, 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return;
	}
	__builtin_memset(record, 0, HWDBM_SYNC_SHORT);
	set_record(&record->record, HWDBM_SYNC, read->vm, 0, read->pid, now);
	record->source = HWDBM_SOURCE_VHOST;
	record->slot = read->slot;
	record->iova = read->base;
	record->length = read->bytes;
	record->page_size = 1ULL << VHOST_PAGE_SHIFT;
	record->count = count;
	no_stats(&record->stats, HWDBM_UNKNOWN);
	submit(record);
}

/* Global, as the walks of its caller's object have other sizes. */
int count_vhost(const struct vhost_read *read)
{
	struct vhost_context context;
	struct vhost_walk *walk;

	/* Of x86's two address spaces devices know the first; the other, of the same memory, is read later. */
	if (!read || !read->bytes || read->slot >> 16 || !bpf_core_type_exists(struct vhost_dev))
		return 0;
	walk = bpf_task_storage_get(&vhost_walks, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!walk) {
		lose(HWDBM_LOSS_TASK);
		return 0;
	}
	find_devices(walk, bpf_ktime_get_ns());
	if (!walk->count)
		return 0;
	context.walk = walk;
	walk->logs = 0;
	walk->mm = (__u64)((struct task_struct___memory *)bpf_get_current_task_btf())->mm;
	bpf_loop(DEVICES_MAX, try_device, &context, 0);
	if (walk->logs && find_known(walk, read))
		tell(walk, read);
	return 0;
}
