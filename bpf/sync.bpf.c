// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking started and stopped, and every read of dirty state. From the kernel's
 * own iommu_dirty_* events where it has them; else from the functions of iommufd, which
 * cannot tell how many leaves were seen. Not here: single splits and TLBIs.
 */
/* Only where the kernel can sample: Linux 6.1 refuses a loop that goes on right after such a call. */
#define COUNTS_SAMPLED
#include "bitmap.bpf.h"
#include "regs.bpf.h"

/* include/uapi/linux/iommufd.h */
struct dirty_bitmap_request {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 reserved;
	__u64 iova;
	__u64 length;
	__u64 page_size;
	__u64 data;
};

char LICENSE[] SEC("license") = "GPL";

static __always_inline void reset_tlb(struct task_state *state)
{
	state->domain = 0;
	state->tlb_invalidations = 0;
	state->tlb_commands = 0;
}

static __always_inline void mark_tracked(__u64 domain, bool enable)
{
	struct tracked_domain as = { bpf_get_current_pid_tgid() >> 32, enable };

	if (bpf_map_update_elem(&tracked, &domain, &as, BPF_ANY))
		lose(HWDBM_LOSS_DOMAIN);
}

/* A domain's tracking is about all of it. */
static __always_inline void no_slot(struct hwdbm_tracking *record)
{
	record->source = HWDBM_SOURCE_IOMMUFD;
	record->slot = HWDBM_NO_SLOT;
	record->iova = HWDBM_UNKNOWN;
	record->length = HWDBM_UNKNOWN;
}

static __always_inline int copy_stats(struct hwdbm_stats *to, const struct iommu_dirty_stats *from)
{
	int err;

	if (!from)
		return -1;
	to->dirty_bytes = from->dirty_bytes;
	to->total_ns = from->total_ns;
	to->walk_ns = from->walk_ns;
	to->flush_ns = from->flush_ns;
	to->leaves_known = 1;
	/* Only the split series adds these; its absence means that nothing can be split. */
	if (bpf_core_field_exists(from->split)) {
		to->granularity = from->split.granularity;
		to->splits = from->split.splits;
		to->kept = from->split.kept;
		to->mode = from->split.mode;
		to->kept_error = from->split.error;
	}
	if (bpf_core_field_exists(from->split.sample)) {
		to->sample = from->split.sample;
		to->seed = from->split.seed;
	}
	err = bpf_core_read(to->dirty, sizeof(to->dirty), &from->dirty);
	err = err ? err : bpf_core_read(to->leaves, sizeof(to->leaves), &from->leaves);
	for (int i = 0; i < HWDBM_LEAF_SIZES; i++)
		to->entries += to->leaves[i];
	return err;
}

SEC("tp_btf/iommu_dirty_tracking")
int BPF_PROG(on_dirty_tracking, struct iommu_domain *domain,
	     const struct iommu_dirty_stats *stats, int ret)
{
	struct hwdbm_tracking *record;
	struct task_state *state;

	if (!is_followed())
		return 0;
	if (!ret)
		mark_tracked((__u64)domain, stats->enable);
	state = task_state();
	if (state) {
		reset_tlb(state);
		state->is_told = 1;
	}

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_TRACKING, (__u64)domain, ret);
	record->enable = stats->enable;
	no_slot(record);
	if (copy_stats(&record->stats, stats))
		lose(HWDBM_LOSS_STATS);
	submit(record);
	return 0;
}

/*
 * The bits of a sync that has ended well, if each stands for a page. The kernel only sets bits:
 * a caller that does not clear its bitmap in between gets the sum of its syncs, which then is
 * more than this sync's dirty bytes.
 */
static __always_inline void count_sync(struct hwdbm_count *count, __u64 domain, __u64 data,
				       __u64 iova, __u64 length, __u64 page_size)
{
	if (page_size >> page_shift == 1)
		count_bitmap(count, domain, iova, data, iova, length >> page_shift);
}

/*
 * To be called before the bitmap is counted: has that look at the blocks, too, if a share of them
 * was split to learn from. NULL: it was not, or nothing is kept as large.
 */
static __always_inline struct sampled_walk *begin_sample(const struct iommu_dirty_stats *stats)
{
	struct bitmap_walk *walk;
	__u32 shift = 0;

	if (!bpf_core_field_exists(stats->split.sample) ||
	    stats->split.mode != IOMMU_DIRTY_SPLIT_SAMPLE || stats->page_size >> page_shift != 1)
		return NULL;
	/* What is mapped by the largest leaves that are still there is what was sampled. */
#pragma unroll
	for (int i = 0; i < HWDBM_LEAF_SIZES; i++)
		if (stats->leaves[i] && 1ULL << (i + HWDBM_LEAF_SHIFT) > stats->split.granularity)
			shift = i + HWDBM_LEAF_SHIFT;
	if (shift < page_shift + 6)
		return NULL;
	walk = bpf_task_storage_get(&walks, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!walk) {
		lose(HWDBM_LOSS_TASK);
		return NULL;
	}
	begin_sampled(&walk->sampled, shift, stats->split.sample, stats->split.seed);
	return &walk->sampled;
}

/* To be called after the sync's own record, which tells what this is about. */
static __always_inline void put_sample(struct sampled_walk *walk, const struct hwdbm_count *count,
				       const struct hwdbm_record *sync,
				       const struct iommu_dirty_stats *stats)
{
	struct hwdbm_sampled *result = &walk->result;

	if (count->state == HWDBM_COUNT_DONE) {
		count_sampled(walk, 0, 0, 0);
		result->record = *sync;
		result->record.type = HWDBM_SAMPLED;
		result->iova = stats->iova;
		result->length = stats->length;
		if (bpf_ringbuf_output(&ring, result, sizeof(*result), 0))
			lose(HWDBM_LOSS_RING);
	}
	result->block_shift = 0;
}

/* The event does not say where the bitmap is; the registers of the system call do. */
static __always_inline __u32 find_request(struct dirty_bitmap_request *request)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u32 command = syscall_number(regs) == SYSCALL_IOCTL ? syscall_second(regs) : 0;

	if (command == VFIO_IOMMU_DIRTY_PAGES)
		return HWDBM_SOURCE_TYPE1;
	if (command == IOMMU_HWPT_GET_DIRTY_BITMAP &&
	    bpf_probe_read_user(request, sizeof(*request), (void *)syscall_third(regs))) {
		request->data = 0;
		lose(HWDBM_LOSS_ARGUMENT);
	}
	return HWDBM_SOURCE_IOMMUFD;
}

SEC("tp_btf/iommu_dirty_sync")
int BPF_PROG(on_dirty_sync, struct iommu_domain *domain, const struct iommu_dirty_stats *stats,
	     int ret)
{
	struct dirty_bitmap_request request = {};
	__u64 now = bpf_ktime_get_ns();
	struct sampled_walk *sampled;
	struct hwdbm_record common;
	struct task_state *state;
	struct hwdbm_count count;
	struct hwdbm_sync *record;
	__u32 source;

	if (!is_followed())
		return 0;
	/* Tracking may have started before this tool did. */
	mark_tracked((__u64)domain, true);
	state = task_state();
	if (state)
		state->is_told = 1;
	/* The bitmap is complete: the kernel writes to it during the walk. */
	clear_count(&count);
	source = find_request(&request);
	sampled = begin_sample(stats);
	if (!ret && request.data && request.iova == stats->iova && request.length == stats->length)
		count_sync(&count, (__u64)domain, request.data, stats->iova, stats->length,
			   stats->page_size);

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		if (state)
			reset_tlb(state);
		if (sampled)
			sampled->result.block_shift = 0;
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_SYNC, (__u64)domain, ret);
	record->record.t_ns = now;
	common = record->record;
	record->iova = stats->iova;
	record->length = stats->length;
	record->page_size = stats->page_size;
	record->flags = stats->flags;
	record->source = source;
	record->slot = HWDBM_NO_SLOT;
	record->count = count;
	if (copy_stats(&record->stats, stats))
		lose(HWDBM_LOSS_STATS);
	if (state) {
		record->tlb_invalidations = state->tlb_invalidations;
		record->tlb_commands = state->tlb_commands;
		reset_tlb(state);
	}
	submit(record);
	if (sampled)
		put_sample(sampled, &count, &common, stats);
	meter(bpf_ktime_get_ns() - now);
	return 0;
}

/*
 * Kernels without the events, from here on. Each body serves a trampoline and a kprobe
 * alike: what the end of a call needs is kept from its beginning, because a return probe
 * has no arguments. A bool comes as a whole register, of which the procedure call
 * standard defines the lowest byte only: it is taken as __u8.
 */

static __always_inline int begin_sync(struct iommu_domain *domain, unsigned long flags,
				      struct iommu_hwpt_get_dirty_bitmap *bitmap)
{
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state)
		return 0;
	__builtin_memset(state, 0, sizeof(*state));
	state->in_sync = 1;
	state->domain = (__u64)domain;
	state->flags = flags;
	state->iova = BPF_CORE_READ(bitmap, iova);
	state->length = BPF_CORE_READ(bitmap, length);
	state->page_size = BPF_CORE_READ(bitmap, page_size);
	state->data = BPF_CORE_READ(bitmap, data);
	state->call_start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int begin_walk(void)
{
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (state && state->in_sync)
		state->walk_start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_walk(void)
{
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (state && state->in_sync && state->walk_start)
		state->walk_ns += bpf_ktime_get_ns() - state->walk_start;
	return 0;
}

/* One call for each dirty leaf, whole as mapped; the request may cover only a part of it. */
static __always_inline int add_dirty(unsigned long iova, size_t length)
{
	__u64 first = iova, last = iova + length - 1, end;
	struct task_state *state;
	__u32 shift;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state || !state->in_sync || !length)
		return 0;
	shift = hwdbm_log2(length) - HWDBM_LEAF_SHIFT;
	if (shift < HWDBM_LEAF_SIZES)
		state->dirty[shift]++;
	end = state->iova + state->length - 1;
	if (first < state->iova)
		first = state->iova;
	if (last > end)
		last = end;
	if (first <= last)
		state->dirty_bytes += last - first + 1;
	return 0;
}

static __always_inline int end_sync(int ret)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_state *state;
	struct hwdbm_sync *record;
	struct hwdbm_count count;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state || !state->in_sync)
		return 0;
	state->in_sync = 0;
	clear_count(&count);
	if (!ret)
		count_sync(&count, state->domain, state->data, state->iova, state->length,
			   state->page_size);

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_SYNC, state->domain, ret);
	record->iova = state->iova;
	record->length = state->length;
	record->page_size = state->page_size;
	record->record.t_ns = now;
	record->flags = state->flags;
	record->source = HWDBM_SOURCE_IOMMUFD;
	record->slot = HWDBM_NO_SLOT;
	record->count = count;
	record->tlb_invalidations = HWDBM_UNKNOWN;
	record->tlb_commands = HWDBM_UNKNOWN;
	record->stats.entries = HWDBM_UNKNOWN;
	record->stats.dirty_bytes = HWDBM_UNKNOWN;
	record->stats.walk_ns = HWDBM_UNKNOWN;
	record->stats.flush_ns = HWDBM_UNKNOWN;
	record->stats.total_ns = now - state->call_start;
	if (is_measured(HWDBM_MEASURE_DIRTY)) {
		record->stats.dirty_bytes = state->dirty_bytes;
		__builtin_memcpy(record->stats.dirty, state->dirty, sizeof(state->dirty));
	}
	if (is_measured(HWDBM_MEASURE_WALK))
		record->stats.walk_ns = state->walk_ns;
	if (is_measured(HWDBM_MEASURE_TLB)) {
		record->tlb_invalidations = state->tlb_invalidations;
		record->tlb_commands = state->tlb_commands;
		record->stats.flush_ns = state->flush_ns;
	}
	submit(record);
	meter(bpf_ktime_get_ns() - now);
	return 0;
}

static __always_inline int begin_tracking(struct iommu_domain *domain, __u8 enable)
{
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state)
		return 0;
	__builtin_memset(state, 0, sizeof(*state));
	state->domain = (__u64)domain;
	state->enable = enable;
	state->call_start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_tracking(int ret)
{
	__u64 now = bpf_ktime_get_ns();
	struct hwdbm_tracking *record;
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state || !state->call_start)
		return 0;

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		lose(HWDBM_LOSS_RING);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	fill_record(&record->record, HWDBM_TRACKING, state->domain, ret);
	record->enable = state->enable;
	no_slot(record);
	record->stats.entries = HWDBM_UNKNOWN;
	record->stats.walk_ns = HWDBM_UNKNOWN;
	record->stats.flush_ns = HWDBM_UNKNOWN;
	record->stats.total_ns = now - state->call_start;
	state->call_start = 0;
	submit(record);
	return 0;
}

SEC("fentry/iopt_read_and_clear_dirty_data")
int BPF_PROG(enter_read_dirty, struct io_pagetable *iopt, struct iommu_domain *domain,
	     unsigned long flags, struct iommu_hwpt_get_dirty_bitmap *bitmap)
{
	return begin_sync(domain, flags, bitmap);
}

SEC("fexit/iopt_read_and_clear_dirty_data")
int BPF_PROG(exit_read_dirty, struct io_pagetable *iopt, struct iommu_domain *domain,
	     unsigned long flags, struct iommu_hwpt_get_dirty_bitmap *bitmap, int ret)
{
	return end_sync(ret);
}

SEC("kprobe/iopt_read_and_clear_dirty_data")
int BPF_KPROBE(kprobe_read_dirty, struct io_pagetable *iopt, struct iommu_domain *domain,
	       unsigned long flags, struct iommu_hwpt_get_dirty_bitmap *bitmap)
{
	return begin_sync(domain, flags, bitmap);
}

SEC("kretprobe/iopt_read_and_clear_dirty_data")
int BPF_KRETPROBE(kretprobe_read_dirty, int ret)
{
	return end_sync(ret);
}

SEC("fentry/__iommu_read_and_clear_dirty")
int BPF_PROG(enter_walk)
{
	return begin_walk();
}

SEC("fexit/__iommu_read_and_clear_dirty")
int BPF_PROG(exit_walk)
{
	return end_walk();
}

SEC("kprobe/__iommu_read_and_clear_dirty")
int BPF_KPROBE(kprobe_walk)
{
	return begin_walk();
}

SEC("kretprobe/__iommu_read_and_clear_dirty")
int BPF_KRETPROBE(kretprobe_walk)
{
	return end_walk();
}

SEC("fentry/iova_bitmap_set")
int BPF_PROG(on_bitmap_set, struct iova_bitmap *bitmap, unsigned long iova, size_t length)
{
	return add_dirty(iova, length);
}

SEC("kprobe/iova_bitmap_set")
int BPF_KPROBE(kprobe_bitmap_set, struct iova_bitmap *bitmap, unsigned long iova, size_t length)
{
	return add_dirty(iova, length);
}

SEC("fentry/iopt_set_dirty_tracking")
int BPF_PROG(enter_set_tracking, struct io_pagetable *iopt, struct iommu_domain *domain,
	     __u8 enable)
{
	return begin_tracking(domain, enable);
}

SEC("fexit/iopt_set_dirty_tracking")
int BPF_PROG(exit_set_tracking, struct io_pagetable *iopt, struct iommu_domain *domain,
	     __u8 enable, int ret)
{
	return end_tracking(ret);
}

SEC("kprobe/iopt_set_dirty_tracking")
int BPF_KPROBE(kprobe_set_tracking, struct io_pagetable *iopt, struct iommu_domain *domain,
	       __u8 enable)
{
	return begin_tracking(domain, enable);
}

SEC("kretprobe/iopt_set_dirty_tracking")
int BPF_KRETPROBE(kretprobe_set_tracking, int ret)
{
	return end_tracking(ret);
}
