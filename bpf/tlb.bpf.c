// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLB invalidations: counted by cause, and added to the sync that made them. From the
 * kernel's own event where it has it; else from SMMUv3's command queue, where only what
 * happens inside a sync has a known cause. Not here: what else a sync does.
 */
#include "hwdbm.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HWDBM_CAUSES);
	__type(key, __u32);
	__type(value, struct hwdbm_totals);
} causes SEC(".maps");

static __always_inline void account_cause(__u32 cause, __u64 commands, __u64 ns)
{
	struct hwdbm_totals *totals = bpf_map_lookup_elem(&causes, &cause);

	if (totals)
		account(totals, commands, false, ns);
	else
		lose(HWDBM_LOSS_TLB);
}

/* The kernel's word for it; one that this tool does not know has no totals, and is a loss. */
static __always_inline __u32 cause_of(const char *word)
{
	static const char words[HWDBM_CAUSES][8] = {
		[HWDBM_CAUSE_UNMAP] = "unmap", [HWDBM_CAUSE_SYNC] = "sync",
		[HWDBM_CAUSE_SPLIT] = "split", [HWDBM_CAUSE_MERGE] = "merge",
		[HWDBM_CAUSE_OTHER] = "other",
	};
	char text[sizeof(words[0])] = {};
	__u32 cause;

	if (bpf_probe_read_kernel_str(text, sizeof(text), word) < 0)
		return HWDBM_CAUSES;
	for (cause = 0; cause < HWDBM_CAUSES; cause++)
		if (*(__u64 *)text == *(const __u64 *)words[cause])
			break;
	return cause;
}

SEC("tp_btf/iommu_tlb_inv")
int BPF_PROG(on_tlb_inv, struct iommu_domain *domain, unsigned long iova, size_t size,
	     unsigned int commands, __u64 ns, const char *word)
{
	struct task_state *state;
	__u32 cause;

	if (!is_followed_domain(domain))
		return 0;
	cause = cause_of(word);
	account_cause(cause, commands, ns);
	if (cause != HWDBM_CAUSE_SYNC && cause != HWDBM_CAUSE_SPLIT)
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

static __always_inline int begin_cmdlist(int n, __u8 sync)
{
	struct task_state *state;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state)
		return 0;
	state->commands = n;
	state->command_sync = sync;
	state->command_start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int end_cmdlist(void)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_state *state;
	__u64 ns;

	if (!is_followed())
		return 0;
	state = task_state();
	if (!state || !state->command_start)
		return 0;
	ns = now - state->command_start;
	state->command_start = 0;
	if (state->in_sync) {
		state->tlb_invalidations += state->command_sync;
		state->tlb_commands += state->commands;
		state->flush_ns += ns;
	}
	/* Commands without CMD_SYNC belong to the invalidation whose CMD_SYNC follows. */
	if (state->command_sync)
		account_cause(state->in_sync ? HWDBM_CAUSE_SYNC : HWDBM_CAUSE_OTHER,
			      state->commands, ns);
	return 0;
}

SEC("fentry/arm_smmu_cmdq_issue_cmdlist")
int BPF_PROG(enter_cmdlist, struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq, __u64 *cmds,
	     int n, __u8 sync)
{
	return begin_cmdlist(n, sync);
}

/* With the arguments of Linux up to 6.11. */
SEC("fentry/arm_smmu_cmdq_issue_cmdlist")
int BPF_PROG(enter_cmdlist_old, struct arm_smmu_device *smmu, __u64 *cmds, int n, __u8 sync)
{
	return begin_cmdlist(n, sync);
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
	return begin_cmdlist(n, sync);
}

SEC("kprobe/arm_smmu_cmdq_issue_cmdlist")
int BPF_KPROBE(kprobe_cmdlist_old, struct arm_smmu_device *smmu, __u64 *cmds, int n, __u8 sync)
{
	return begin_cmdlist(n, sync);
}

SEC("kretprobe/arm_smmu_cmdq_issue_cmdlist")
int BPF_KRETPROBE(kretprobe_cmdlist)
{
	return end_cmdlist();
}
