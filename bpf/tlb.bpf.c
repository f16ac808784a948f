// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLB invalidations: counted by IOMMU or VM, range, cause and process, and those of an IOMMU added
 * to the sync that made them. From the kernel's own event where it has it, which knows the cause;
 * else from the functions of SMMUv3, VT-d and AMD's IOMMU, where the system call tells it, and of
 * KVM. These run up to millions of times a second: no records, few maps. Not here: what else a sync
 * does.
 */
#include "hwdbm.bpf.h"
#include "name.bpf.h"
#include "regs.bpf.h"
#include "stack.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct arm_smmu_device {
	struct device *dev;
};

struct iommu_domain {
	unsigned int type;
};

struct arm_smmu_domain {
	struct arm_smmu_device *smmu;
	struct iommu_domain domain;
};

struct intel_iommu {
	unsigned char name[16];
};

struct qi_desc {
	__u64 qw0;
	__u64 qw1;
};

struct protection_domain;

struct iommu_iotlb_gather {
	unsigned long start;
	unsigned long end;
};

struct mm_struct {
	struct task_struct *owner;
};

struct task_struct___mm {
	struct mm_struct *mm;
};

struct kvm {
	struct mm_struct *mm;
};

struct kvm_memory_slot {
	unsigned long npages;
};

#pragma clang attribute pop

/* Entries are large, and there is one for each CPU: they are made when they are needed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HWDBM_TLB_KEYS);
	__type(key, struct hwdbm_tlb_key);
	__type(value, struct hwdbm_totals);
} flushes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, HWDBM_SPARE_KEYS);
	__type(key, struct hwdbm_tlb_key);
	__type(value, struct hwdbm_totals);
} spare_flushes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HWDBM_UNIT_KEYS);
	__type(key, __u64);
	__type(value, struct hwdbm_unit);
} units SEC(".maps");

/* The flush that a task is in. One of KVM's functions may call another: the outermost counts. */
struct flush_call {
	__u64 start;
	__u64 unit;
	__u64 commands;
	struct stack_ids stack;
	__u32 tgid;
	__u32 range;
	__u32 rank;			/* 0: in none */
	__u32 sync;			/* of SMMUv3's: the list ends with a CMD_SYNC */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct flush_call);
} flush_calls SEC(".maps");

static __always_inline void note_unit(const struct hwdbm_tlb_key *key)
{
	struct arm_smmu_device *smmu = (void *)key->unit;
	struct intel_iommu *iommu = (void *)key->unit;
	struct hwdbm_unit unit = {};
	__u64 id = key->unit;

	/* A kernel has the one or the other. */
	if (key->mmu == HWDBM_MMU_SMMUV3 && bpf_core_field_exists(smmu->dev))
		read_device_name(unit.name, sizeof(unit.name), BPF_CORE_READ(smmu, dev));
	else if (key->mmu == HWDBM_MMU_VTD && bpf_core_field_exists(iommu->name))
		BPF_CORE_READ_STR_INTO(&unit.name, iommu, name);
	else
		return;
	bpf_map_update_elem(&units, &id, &unit, BPF_ANY);
}

static __always_inline struct hwdbm_totals *add_flush(const struct hwdbm_tlb_key *key)
{
	note_unit(key);
	if (key->tgid == bpf_get_current_pid_tgid() >> 32)
		note_owner();
	return add_totals(&flushes, &spare_flushes, key);
}

static __always_inline void account_flush(const struct hwdbm_tlb_key *key,
					  const struct stack_ids *stack, __u64 commands, __u64 ns)
{
	struct hwdbm_totals *totals = find_totals(&flushes, &spare_flushes, key);

	if (!totals)
		totals = add_flush(key);
	if (totals)
		account(totals, commands, false, ns);
	else
		lose(HWDBM_LOSS_TLB);
	account_stack(stack, key->mmu, key->cause, ns);
}

static __always_inline __u32 range_of(__u64 bytes)
{
	static const __u32 shifts[] = HWDBM_RANGE_SHIFTS;

#pragma unroll
	for (int i = 0; i < 4; i++)
		if (bytes <= 1ULL << shifts[i])
			return shifts[i];
	return HWDBM_RANGE_MORE;
}

/* The kernel's word for it; one that this tool does not know is a loss. */
static __always_inline __u32 cause_of(const char *word)
{
	static const char words[HWDBM_CAUSE_WORDS][8] = {
		[HWDBM_CAUSE_UNMAP] = "unmap", [HWDBM_CAUSE_SYNC] = "sync",
		[HWDBM_CAUSE_SPLIT] = "split", [HWDBM_CAUSE_MERGE] = "merge",
		[HWDBM_CAUSE_OTHER] = "other",
	};
	char text[sizeof(words[0])] = {};
	__u32 cause;

	if (bpf_probe_read_kernel_str(text, sizeof(text), word) < 0)
		return HWDBM_CAUSE_UNKNOWN;
	for (cause = 0; cause < HWDBM_CAUSE_WORDS; cause++)
		if (*(__u64 *)text == *(const __u64 *)words[cause])
			return cause;
	return HWDBM_CAUSE_UNKNOWN;
}

static __always_inline __u64 smmu_of(struct iommu_domain *domain)
{
	struct arm_smmu_domain *smmu_domain = NULL;

	if (!bpf_core_field_exists(smmu_domain->smmu))
		return 0;
	smmu_domain = (void *)domain - bpf_core_field_offset(struct arm_smmu_domain, domain);
	return (__u64)BPF_CORE_READ(smmu_domain, smmu);
}

/* The kernel merges in a thread of its own. */
static __always_inline __u32 owner_of(struct iommu_domain *domain, __u32 cause)
{
	struct tracked_domain *as = NULL;
	__u64 id = (__u64)domain;

	if (cause == HWDBM_CAUSE_MERGE)
		as = bpf_map_lookup_elem(&tracked, &id);
	return as ? as->tgid : bpf_get_current_pid_tgid() >> 32;
}

SEC("tp_btf/iommu_tlb_inv")
int BPF_PROG(on_tlb_inv, struct iommu_domain *domain, unsigned long iova, size_t size,
	     unsigned int commands, __u64 ns, const char *word)
{
	struct hwdbm_tlb_key key = { .mmu = HWDBM_MMU_SMMUV3 };
	struct stack_ids stack;
	struct task_state *state;

	if (!is_followed_domain(domain))
		return 0;
	key.cause = cause_of(word);
	if (key.cause == HWDBM_CAUSE_UNKNOWN) {
		lose(HWDBM_LOSS_TLB);
		return 0;
	}
	key.unit = smmu_of(domain);
	key.tgid = owner_of(domain, key.cause);
	key.range = size ? range_of(size) : HWDBM_RANGE_ALL;
	stack = take_stack(ctx);
	account_flush(&key, &stack, commands, ns);
	if (key.cause != HWDBM_CAUSE_SYNC && key.cause != HWDBM_CAUSE_SPLIT)
		return 0;

	state = task_state();
	if (!state)
		return 0;
	/* Left over from a call on another domain that ended without its event. */
	if (state->domain != (__u64)domain) {
		state->tlb_invalidations = 0;
		state->tlb_commands = 0;
	}
	state->domain = (__u64)domain;
	state->tlb_invalidations++;
	state->tlb_commands += commands;
	return 0;
}

/* Kernels without the event, from here on; see sync.bpf.c. */

static __always_inline struct flush_call *flush_call(void)
{
	struct flush_call *call = bpf_task_storage_get(&flush_calls, bpf_get_current_task_btf(), 0,
						       BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!call)
		lose(HWDBM_LOSS_TASK);
	return call;
}

/* Arm SMMU architecture specification (IHI 0070), 4.4: commands for TLB invalidation. */
#define SMMU_OPCODE(word)	((word) & 0xff)
#define SMMU_FIRST_TLBI		0x10
#define SMMU_LAST_TLBI		0x3f
#define SMMU_TLBI_NH_VA		0x12
#define SMMU_TLBI_NH_VAA	0x13
#define SMMU_TLBI_EL2_VA	0x22
#define SMMU_TLBI_S2_IPA	0x2a
#define SMMU_NUM(word)		((word) >> 12 & 0x1f)
#define SMMU_SCALE(word)	((word) >> 20 & 0x1f)
#define SMMU_TG(word)		((word) >> 10 & 3)

/* What one command invalidates; without a granule it does not say. */
static __always_inline __u32 smmu_range(const __u64 *command)
{
	switch (SMMU_OPCODE(command[0])) {
	case SMMU_TLBI_NH_VA:
	case SMMU_TLBI_NH_VAA:
	case SMMU_TLBI_EL2_VA:
	case SMMU_TLBI_S2_IPA:
		if (!SMMU_TG(command[1]))
			return HWDBM_RANGE_UNKNOWN;
		return range_of((SMMU_NUM(command[0]) + 1)
				<< (SMMU_SCALE(command[0]) + 10 + 2 * SMMU_TG(command[1])));
	default:
		return HWDBM_RANGE_ALL;
	}
}

/*
 * Commands without CMD_SYNC belong to the invalidation whose CMD_SYNC follows. The queue takes
 * other commands, too.
 */
static __always_inline int begin_cmdlist(void *ctx, struct arm_smmu_device *smmu, __u64 *commands,
					 int n, __u8 sync)
{
	__u64 first[2] = {};
	struct flush_call *call;

	if (!is_followed())
		return 0;
	call = flush_call();
	if (!call)
		return 0;
	call->start = 0;
	if (n > 0 && !bpf_probe_read_kernel(first, sizeof(first), commands) &&
	    (SMMU_OPCODE(first[0]) < SMMU_FIRST_TLBI || SMMU_OPCODE(first[0]) > SMMU_LAST_TLBI))
		return 0;
	if (call->commands || n > 1)
		call->range = HWDBM_RANGE_UNKNOWN;
	else
		call->range = smmu_range(first);
	call->commands += n;
	if (!call->commands)
		return 0;
	call->unit = (__u64)smmu;
	call->sync = sync;
	call->stack = take_stack(ctx);
	call->start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_cmdlist(void)
{
	__u64 now = bpf_ktime_get_ns(), ns, commands;
	struct hwdbm_tlb_key key = { .mmu = HWDBM_MMU_SMMUV3 };
	struct task_state *state;
	struct flush_call *call;

	if (!is_followed())
		return 0;
	call = flush_call();
	if (!call || !call->start)
		return 0;
	ns = now - call->start;
	call->start = 0;
	if (!call->sync)
		return 0;
	commands = call->commands;
	call->commands = 0;
	key.unit = call->unit;
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	key.range = call->range;
	key.cause = cause_of_iommu_call();
	account_flush(&key, &call->stack, commands, ns);

	state = task_state();
	if (state && state->in_sync) {
		state->tlb_invalidations++;
		state->tlb_commands += commands;
		state->flush_ns += ns;
	}
	return 0;
}

SEC("fentry/arm_smmu_cmdq_issue_cmdlist")
int BPF_PROG(enter_cmdlist, struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq, __u64 *cmds,
	     int n, __u8 sync)
{
	return begin_cmdlist(ctx, smmu, cmds, n, sync);
}

/* With the arguments of Linux up to 6.11. */
SEC("fentry/arm_smmu_cmdq_issue_cmdlist")
int BPF_PROG(enter_cmdlist_old, struct arm_smmu_device *smmu, __u64 *cmds, int n, __u8 sync)
{
	return begin_cmdlist(ctx, smmu, cmds, n, sync);
}

SEC("fexit/arm_smmu_cmdq_issue_cmdlist")
int BPF_PROG(exit_cmdlist)
{
	return end_cmdlist();
}

SEC("kprobe/arm_smmu_cmdq_issue_cmdlist")
int BPF_KPROBE(kprobe_cmdlist, struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
	       __u64 *cmds, int n, __u8 sync)
{
	return begin_cmdlist(ctx, smmu, cmds, n, sync);
}

SEC("kprobe/arm_smmu_cmdq_issue_cmdlist")
int BPF_KPROBE(kprobe_cmdlist_old, struct arm_smmu_device *smmu, __u64 *cmds, int n, __u8 sync)
{
	return begin_cmdlist(ctx, smmu, cmds, n, sync);
}

SEC("kretprobe/arm_smmu_cmdq_issue_cmdlist")
int BPF_KRETPROBE(kretprobe_cmdlist)
{
	return end_cmdlist();
}

/* One call at a time, of functions that tell all at their beginning. */

static __always_inline int begin_flush(void *ctx, __u64 unit, __u64 commands, __u32 range,
				       __u32 tgid, __u32 rank)
{
	struct flush_call *call = flush_call();

	if (!call || call->rank > rank)
		return 0;
	call->unit = unit;
	call->commands = commands;
	call->range = range;
	call->tgid = tgid;
	call->rank = rank;
	call->stack = take_stack(ctx);
	call->start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_flush(__u32 mmu, __u32 rank)
{
	__u64 now = bpf_ktime_get_ns();
	struct hwdbm_tlb_key key = { .mmu = mmu };
	struct flush_call *call;

	call = bpf_task_storage_get(&flush_calls, bpf_get_current_task_btf(), 0, 0);
	if (!call || call->rank != rank)
		return 0;
	call->rank = 0;
	key.unit = call->unit;
	key.tgid = call->tgid;
	key.range = call->range;
	key.cause = mmu == HWDBM_MMU_KVM ? cause_of_kvm_call() : cause_of_iommu_call();
	account_flush(&key, &call->stack, call->commands, now - call->start);
	return 0;
}

static __always_inline __u32 this_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* Intel VT-d specification, 6.5.2: descriptors that invalidate a TLB, of the IOMMU or a device. */
#define QI_TYPE(word)		((word) & 0xf)
#define QI_IOTLB		2
#define QI_DEVICE_TLB		3
#define QI_PASID_IOTLB		6
#define QI_PASID_DEVICE_TLB	8
#define QI_GRANULARITY(word)	((word) >> 4 & 3)
#define QI_PAGES		3
#define QI_MASK(word)		((word) & 0x3f)

static __always_inline bool is_tlb_descriptor(__u64 word)
{
	return QI_TYPE(word) == QI_IOTLB || QI_TYPE(word) == QI_DEVICE_TLB ||
	       QI_TYPE(word) == QI_PASID_IOTLB || QI_TYPE(word) == QI_PASID_DEVICE_TLB;
}

/* A device's TLB and more than one descriptor are not taken apart. */
static __always_inline __u32 qi_range(const __u64 *words, unsigned int count)
{
	if (QI_TYPE(words[0]) != QI_IOTLB && QI_TYPE(words[0]) != QI_PASID_IOTLB)
		return HWDBM_RANGE_UNKNOWN;
	if (QI_GRANULARITY(words[0]) != QI_PAGES)
		return HWDBM_RANGE_ALL;
	return count == 1 ? range_of(4096ULL << QI_MASK(words[1])) : HWDBM_RANGE_UNKNOWN;
}

/* The queue takes invalidations of other caches, too. */
static __always_inline int begin_qi(void *ctx, struct intel_iommu *iommu, struct qi_desc *first,
				    unsigned int count)
{
	__u64 words[2];

	if (!is_followed() || bpf_probe_read_kernel(words, sizeof(words), first) ||
	    !is_tlb_descriptor(words[0]))
		return 0;
	return begin_flush(ctx, (__u64)iommu, count, qi_range(words, count), this_tgid(), 1);
}

SEC("fentry/qi_submit_sync")
int BPF_PROG(enter_qi, struct intel_iommu *iommu, struct qi_desc *first, unsigned int count)
{
	return begin_qi(ctx, iommu, first, count);
}

SEC("fexit/qi_submit_sync")
int BPF_PROG(exit_qi)
{
	return end_flush(HWDBM_MMU_VTD, 1);
}

SEC("kprobe/qi_submit_sync")
int BPF_KPROBE(kprobe_qi, struct intel_iommu *iommu, struct qi_desc *first, unsigned int count)
{
	return begin_qi(ctx, iommu, first, count);
}

SEC("kretprobe/qi_submit_sync")
int BPF_KRETPROBE(kretprobe_qi)
{
	return end_flush(HWDBM_MMU_VTD, 1);
}

/*
 * AMD's driver invalidates on all IOMMUs that a domain is behind at once, with a number of commands
 * that it alone knows.
 */

/* drivers/iommu/amd/amd_iommu_types.h: all there is */
#define AMD_ALL_PAGES 0x7fffffffffffffff

/* The outermost counts. */
enum amd_rank { AMD_FLUSH_PART = 1, AMD_FLUSH };

static __always_inline int begin_amd(void *ctx, __u64 size, __u32 rank)
{
	if (!is_followed())
		return 0;
	/* Up to the last address, or the size that stands for it. */
	return begin_flush(ctx, 0, 0, size >= AMD_ALL_PAGES - 4096 ? HWDBM_RANGE_ALL : range_of(size),
			   this_tgid(), rank);
}

static __always_inline int begin_amd_sync(void *ctx, struct iommu_iotlb_gather *gather)
{
	__u64 start = BPF_CORE_READ(gather, start), end = BPF_CORE_READ(gather, end);

	return begin_amd(ctx, end - start + 1, AMD_FLUSH);
}

SEC("fentry/amd_iommu_domain_flush_pages")
int BPF_PROG(enter_amd_flush, struct protection_domain *domain, __u64 address, __u64 size)
{
	return begin_amd(ctx, size, AMD_FLUSH);
}

/* With the arguments of Linux 7. */
SEC("fentry/amd_iommu_domain_flush_pages")
int BPF_PROG(enter_amd_flush_last, struct protection_domain *domain, __u64 start, __u64 last)
{
	return begin_amd(ctx, last - start + 1 ?: AMD_ALL_PAGES, AMD_FLUSH);
}

SEC("fexit/amd_iommu_domain_flush_pages")
int BPF_PROG(exit_amd_flush)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

SEC("kprobe/amd_iommu_domain_flush_pages")
int BPF_KPROBE(kprobe_amd_flush, struct protection_domain *domain, __u64 address, __u64 size)
{
	return begin_amd(ctx, size, AMD_FLUSH);
}

SEC("kprobe/amd_iommu_domain_flush_pages")
int BPF_KPROBE(kprobe_amd_flush_last, struct protection_domain *domain, __u64 start, __u64 last)
{
	return begin_amd(ctx, last - start + 1 ?: AMD_ALL_PAGES, AMD_FLUSH);
}

SEC("kretprobe/amd_iommu_domain_flush_pages")
int BPF_KRETPROBE(kretprobe_amd_flush)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

/* What amd_iommu_domain_flush_pages() is made of; some compilers make others of it, too, which flush all of a domain. */
SEC("fentry/__domain_flush_pages")
int BPF_PROG(enter_amd_part, struct protection_domain *domain, __u64 address, __u64 size)
{
	return begin_amd(ctx, size, AMD_FLUSH_PART);
}

SEC("fexit/__domain_flush_pages")
int BPF_PROG(exit_amd_part)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH_PART);
}

SEC("kprobe/__domain_flush_pages")
int BPF_KPROBE(kprobe_amd_part, struct protection_domain *domain, __u64 address, __u64 size)
{
	return begin_amd(ctx, size, AMD_FLUSH_PART);
}

SEC("kretprobe/__domain_flush_pages")
int BPF_KRETPROBE(kretprobe_amd_part)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH_PART);
}

SEC("fentry/amd_iommu_iotlb_sync")
int BPF_PROG(enter_amd_sync, struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	return begin_amd_sync(ctx, gather);
}

SEC("fexit/amd_iommu_iotlb_sync")
int BPF_PROG(exit_amd_sync)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

SEC("kprobe/amd_iommu_iotlb_sync")
int BPF_KPROBE(kprobe_amd_sync, struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	return begin_amd_sync(ctx, gather);
}

SEC("kretprobe/amd_iommu_iotlb_sync")
int BPF_KRETPROBE(kretprobe_amd_sync)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

SEC("fentry/amd_iommu_flush_iotlb_all")
int BPF_PROG(enter_amd_all)
{
	return begin_amd(ctx, AMD_ALL_PAGES, AMD_FLUSH);
}

SEC("fexit/amd_iommu_flush_iotlb_all")
int BPF_PROG(exit_amd_all)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

SEC("kprobe/amd_iommu_flush_iotlb_all")
int BPF_KPROBE(kprobe_amd_all)
{
	return begin_amd(ctx, AMD_ALL_PAGES, AMD_FLUSH);
}

SEC("kretprobe/amd_iommu_flush_iotlb_all")
int BPF_KRETPROBE(kretprobe_amd_all)
{
	return end_flush(HWDBM_MMU_AMD, AMD_FLUSH);
}

/* KVM. The host's memory management may flush for a VM from any process. */

enum kvm_rank { KVM_FLUSH_ALL = 2, KVM_FLUSH_RANGE, KVM_FLUSH_SLOT };

static __always_inline __u32 tgid_of_vm(struct kvm *kvm)
{
	struct task_struct___mm *task = (void *)bpf_get_current_task_btf();
	struct mm_struct *mm = BPF_CORE_READ(kvm, mm);

	if (BPF_CORE_READ(task, mm) == mm)
		return this_tgid();
	/* Only with memory control groups; else nobody's. */
	if (!bpf_core_field_exists(mm->owner))
		return 0;
	return BPF_CORE_READ(mm, owner, tgid);
}

static __always_inline bool is_followed_vm(__u32 tgid)
{
	if (!target_pid || tgid == this_tgid())
		return is_followed();
	return bpf_map_lookup_elem(&followed, &tgid);
}

static __always_inline int begin_kvm(void *ctx, struct kvm *kvm, __u64 bytes, __u32 rank)
{
	__u32 tgid = tgid_of_vm(kvm);

	if (!is_followed_vm(tgid))
		return 0;
	return begin_flush(ctx, 0, 0, bytes == HWDBM_UNKNOWN ? HWDBM_RANGE_ALL : range_of(bytes), tgid,
			   rank);
}

static __always_inline int begin_kvm_slot(void *ctx, struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return begin_kvm(ctx, kvm, BPF_CORE_READ(slot, npages) << page_shift, KVM_FLUSH_SLOT);
}

/* Arm's functions of KVM's core are inlined where the core calls them; these never are. */
SEC("fentry/kvm_arch_flush_remote_tlbs")
int BPF_PROG(enter_arch_flush, struct kvm *kvm)
{
	return begin_kvm(ctx, kvm, HWDBM_UNKNOWN, KVM_FLUSH_ALL);
}

SEC("fexit/kvm_arch_flush_remote_tlbs")
int BPF_PROG(exit_arch_flush)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_ALL);
}

SEC("kprobe/kvm_arch_flush_remote_tlbs")
int BPF_KPROBE(kprobe_arch_flush, struct kvm *kvm)
{
	return begin_kvm(ctx, kvm, HWDBM_UNKNOWN, KVM_FLUSH_ALL);
}

SEC("kretprobe/kvm_arch_flush_remote_tlbs")
int BPF_KRETPROBE(kretprobe_arch_flush)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_ALL);
}

SEC("fentry/kvm_arch_flush_remote_tlbs_range")
int BPF_PROG(enter_arch_flush_range, struct kvm *kvm, __u64 frame, __u64 pages)
{
	return begin_kvm(ctx, kvm, pages << page_shift, KVM_FLUSH_RANGE);
}

SEC("fexit/kvm_arch_flush_remote_tlbs_range")
int BPF_PROG(exit_arch_flush_range)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_RANGE);
}

SEC("kprobe/kvm_arch_flush_remote_tlbs_range")
int BPF_KPROBE(kprobe_arch_flush_range, struct kvm *kvm, __u64 frame, __u64 pages)
{
	return begin_kvm(ctx, kvm, pages << page_shift, KVM_FLUSH_RANGE);
}

SEC("kretprobe/kvm_arch_flush_remote_tlbs_range")
int BPF_KRETPROBE(kretprobe_arch_flush_range)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_RANGE);
}

SEC("fentry/kvm_flush_remote_tlbs")
int BPF_PROG(enter_kvm_flush, struct kvm *kvm)
{
	return begin_kvm(ctx, kvm, HWDBM_UNKNOWN, KVM_FLUSH_ALL);
}

SEC("fexit/kvm_flush_remote_tlbs")
int BPF_PROG(exit_kvm_flush)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_ALL);
}

SEC("kprobe/kvm_flush_remote_tlbs")
int BPF_KPROBE(kprobe_kvm_flush, struct kvm *kvm)
{
	return begin_kvm(ctx, kvm, HWDBM_UNKNOWN, KVM_FLUSH_ALL);
}

SEC("kretprobe/kvm_flush_remote_tlbs")
int BPF_KRETPROBE(kretprobe_kvm_flush)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_ALL);
}

SEC("fentry/kvm_flush_remote_tlbs_range")
int BPF_PROG(enter_kvm_flush_range, struct kvm *kvm, __u64 frame, __u64 pages)
{
	return begin_kvm(ctx, kvm, pages << page_shift, KVM_FLUSH_RANGE);
}

SEC("fexit/kvm_flush_remote_tlbs_range")
int BPF_PROG(exit_kvm_flush_range)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_RANGE);
}

SEC("kprobe/kvm_flush_remote_tlbs_range")
int BPF_KPROBE(kprobe_kvm_flush_range, struct kvm *kvm, __u64 frame, __u64 pages)
{
	return begin_kvm(ctx, kvm, pages << page_shift, KVM_FLUSH_RANGE);
}

SEC("kretprobe/kvm_flush_remote_tlbs_range")
int BPF_KRETPROBE(kretprobe_kvm_flush_range)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_RANGE);
}

SEC("fentry/kvm_flush_remote_tlbs_memslot")
int BPF_PROG(enter_kvm_flush_slot, struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return begin_kvm_slot(ctx, kvm, slot);
}

SEC("fexit/kvm_flush_remote_tlbs_memslot")
int BPF_PROG(exit_kvm_flush_slot)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_SLOT);
}

SEC("kprobe/kvm_flush_remote_tlbs_memslot")
int BPF_KPROBE(kprobe_kvm_flush_slot, struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return begin_kvm_slot(ctx, kvm, slot);
}

SEC("kretprobe/kvm_flush_remote_tlbs_memslot")
int BPF_KRETPROBE(kretprobe_kvm_flush_slot)
{
	return end_flush(HWDBM_MMU_KVM, KVM_FLUSH_SLOT);
}
