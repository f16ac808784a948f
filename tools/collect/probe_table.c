// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe table. The kernel's own events come first: they cost least, and only they
 * know how many leaves were seen, what was split and why a TLBI was made. Functions are
 * the way on a stock kernel; kprobes serve where the machine has no BPF trampolines
 * (arm64 before 6.4). Not here: how a choice is made.
 *
 * Alternatives of one measurement stand together, in order of choice. To add one: its
 * programs, a row here, and for a new measurement a line in enum hwdbm_measure and its
 * name in probe_choice.c.
 */
#include "probes.h"

#define MEASURE(name) .measures = HWDBM_MEASURE_##name

#define COST_EVENT "a few hundred ns for each"
#define COST_FENTRY "a few hundred ns for each"
#define COST_KPROBE "more than an event, by a trap at both ends"

/* Arguments, see struct probe_target. */
#define TAKES_STATS "iommu_domain*, iommu_dirty_stats*, 4"
#define TAKES_RESIZE "iommu_domain*, 8, 8, 8, 8, 4"
#define TAKES_DOMAIN_RANGE "iommu_domain*, 8, 8"
#define TAKES_TLB "iommu_domain*, 8, 8, 4, 8, *"
#define TAKES_TRACKING "io_pagetable*, iommu_domain*, 1"
#define TAKES_SYNC "io_pagetable*, iommu_domain*, 8, iommu_hwpt_get_dirty_bitmap*"
#define TAKES_DIRTY "iova_bitmap*, 8, 8"
#define TAKES_CMDLIST "arm_smmu_device*, arm_smmu_cmdq*, *, 4, 1"
#define TAKES_CMDLIST_OLD "arm_smmu_device*, *, 4, 1"

#define TAKES_QI "intel_iommu*, qi_desc*, 4, 8"
#define TAKES_AMD_SIZE "protection_domain*, 8, 8 size"
#define TAKES_AMD_LAST "protection_domain*, 8, 8 last, 4"
#define TAKES_AMD_SYNC "iommu_domain*, iommu_iotlb_gather*"
#define TAKES_TDP_SPLIT "kvm*, tdp_iter*, kvm_mmu_page*, 1"
#define TAKES_SLOT_SPLIT "kvm*, kvm_memory_slot*, 4"
#define TAKES_RANGE_SPLIT "kvm*, kvm_memory_slot*, 8, 8, 4, 1"
#define TAKES_STAGE2_WALKER "kvm_pgtable_visit_ctx*, 4"
#define TAKES_STAGE2_SPLIT "kvm_pgtable*, 8, 8, *"
#define TAKES_KVM "kvm*"
#define TAKES_KVM_RANGE "kvm*, 8, 8"
#define TAKES_KVM_SLOT "kvm*, kvm_memory_slot*"

#define TAKES_VM_IOCTL "file*, 4, 8"
#define TAKES_TYPE1_IOCTL "*, 4, 8"
#define TAKES_SYSCALL "pt_regs*, 8"
#define TAKES_INTERRUPT "4, irqaction*"

#define COST_SYSCALL "60 ns for every system call of every task, 300 ns for every ioctl"
#define COST_SYSCALLS "120 ns for every system call of every task"
#define COST_VHOST "as much as KVM's log of the same slot, beside kvm-sync"
#define COST_BITMAP "6 to 35 us for each GiB of a slot that is read, "

#define BLIND_CMDLIST "splits and merges among the causes, ranges of several commands"
#define BLIND_FUNCTIONS "causes other than system calls"
#define BLIND_AMD "numbers of commands, IOMMUs, " BLIND_FUNCTIONS
#define BLIND_AMD_WAIT "how long flushes of whole domains wait, where they are inlined; " BLIND_AMD
#define BLIND_SHADOW "splits of shadow page tables"
#define BLIND_RANGES "passes over a range of shadow page tables"
#define BLIND_ENTRIES "invalidations of single entries, as blocks are split"
#define BLIND_DOMAIN_RANGE "sizes, single blocks; " BLIND_RETURNS
#define BLIND_EARLY "without --always, logs of devices while none of KVM is on"
#define BLIND_VHOST "what vhost writes between KVM's read and the VMM's, or after the last one; VMs with dirty rings"
#define BLIND_RETURNS "more calls at once than the kernel keeps return probes for"

/* Why nobody has seen a probe at work. */
#define NO_OPENEULER "no openEuler kernel was at hand"

static const struct probe probes[] = {
	{ MEASURE(TRACKING), PROBE_EVENT, { { "iommu_dirty_tracking", TAKES_STATS } },
	  .programs = { "on_dirty_tracking" }, .cost = COST_EVENT },
	/* Not static and called from another file: present wherever iommufd is. */
	{ MEASURE(TRACKING), PROBE_FENTRY, { { "iopt_set_dirty_tracking", TAKES_TRACKING } },
	  "iommufd", { "enter_set_tracking", "exit_set_tracking" }, .cost = COST_FENTRY,
	  .blind = "leaves, splits" },
	{ MEASURE(TRACKING), PROBE_KPROBE, { { "iopt_set_dirty_tracking", TAKES_TRACKING } },
	  "iommufd", { "kprobe_set_tracking", "kretprobe_set_tracking" }, .cost = COST_KPROBE,
	  .blind = "leaves, splits; " BLIND_RETURNS },

	{ MEASURE(SYNC), PROBE_EVENT, { { "iommu_dirty_sync", TAKES_STATS } },
	  .programs = { "on_dirty_sync" }, .cost = COST_EVENT },
	{ MEASURE(SYNC), PROBE_FENTRY, { { "iopt_read_and_clear_dirty_data", TAKES_SYNC } },
	  "iommufd", { "enter_read_dirty", "exit_read_dirty" }, .cost = COST_FENTRY,
	  .blind = "clean leaves" },
	{ MEASURE(SYNC), PROBE_KPROBE, { { "iopt_read_and_clear_dirty_data", TAKES_SYNC } },
	  "iommufd", { "kprobe_read_dirty", "kretprobe_read_dirty" }, .cost = COST_KPROBE,
	  .blind = "clean leaves; " BLIND_RETURNS },

	{ MEASURE(DIRTY), PROBE_EVENT, { { "iommu_dirty_sync", TAKES_STATS } },
	  .programs = { "on_dirty_sync" }, .cost = "nothing beside sync" },
	/* Exported; called once for each dirty leaf. */
	{ MEASURE(DIRTY), PROBE_FENTRY, { { "iova_bitmap_set", TAKES_DIRTY } }, NULL,
	  { "on_bitmap_set" }, .cost = "a few hundred ns for each dirty leaf" },
	{ MEASURE(DIRTY), PROBE_KPROBE, { { "iova_bitmap_set", TAKES_DIRTY } }, NULL,
	  { "kprobe_bitmap_set" }, .cost = "a trap for each dirty leaf" },

	{ MEASURE(WALK), PROBE_EVENT, { { "iommu_dirty_sync", TAKES_STATS } },
	  .programs = { "on_dirty_sync" }, .cost = "nothing beside sync" },
	/* Static, but kept because it is called by pointer. */
	{ MEASURE(WALK), PROBE_FENTRY, { { "__iommu_read_and_clear_dirty" } },
	  "iommufd", { "enter_walk", "exit_walk" }, .cost = COST_FENTRY },
	{ MEASURE(WALK), PROBE_KPROBE, { { "__iommu_read_and_clear_dirty" } },
	  "iommufd", { "kprobe_walk", "kretprobe_walk" }, .cost = COST_KPROBE,
	  .blind = BLIND_RETURNS },

	/*
	 * A kernel without the event has no splitting to measure, unless it is openEuler's 5.10. Its
	 * syncs are type1's, and what these need has the name that it has everywhere.
	 */
	{ MEASURE(SPLIT), PROBE_EVENT, { { "iommu_split", TAKES_RESIZE } },
	  .programs = { "on_split" }, .cost = COST_EVENT },
	{ MEASURE(SPLIT), PROBE_KPROBE, { { "iommu_split_block", TAKES_DOMAIN_RANGE } }, NULL,
	  { "kprobe_domain_split", "kretprobe_domain_split" }, .cost = COST_KPROBE,
	  .blind = BLIND_DOMAIN_RANGE, .unproven = NO_OPENEULER },
	{ MEASURE(MERGE), PROBE_EVENT, { { "iommu_merge", TAKES_RESIZE } },
	  .programs = { "on_merge" }, .cost = COST_EVENT },
	{ MEASURE(MERGE), PROBE_KPROBE, { { "iommu_merge_page", TAKES_DOMAIN_RANGE ", 4" } }, NULL,
	  { "kprobe_domain_merge", "kretprobe_domain_merge" }, .cost = COST_KPROBE,
	  .blind = BLIND_DOMAIN_RANGE, .unproven = NO_OPENEULER },

	{ MEASURE(TLB), PROBE_EVENT, { { "iommu_tlb_inv", TAKES_TLB } },
	  .programs = { "on_tlb_inv" }, .cost = COST_EVENT },
	{ MEASURE(TLB), PROBE_FENTRY, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST } },
	  "arm_smmu_v3", { "enter_cmdlist", "exit_cmdlist" }, .cost = COST_FENTRY,
	  .blind = BLIND_CMDLIST },
	/* Until Linux 6.11 there was one queue. */
	{ MEASURE(TLB), PROBE_FENTRY, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST_OLD } },
	  "arm_smmu_v3", { "enter_cmdlist_old", "exit_cmdlist" }, .cost = COST_FENTRY,
	  .blind = BLIND_CMDLIST },
	{ MEASURE(TLB), PROBE_KPROBE, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST } },
	  "arm_smmu_v3", { "kprobe_cmdlist", "kretprobe_cmdlist" }, .cost = COST_KPROBE,
	  .blind = BLIND_CMDLIST "; " BLIND_RETURNS },
	{ MEASURE(TLB), PROBE_KPROBE, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST_OLD } },
	  "arm_smmu_v3", { "kprobe_cmdlist_old", "kretprobe_cmdlist" }, .cost = COST_KPROBE,
	  .blind = BLIND_CMDLIST "; " BLIND_RETURNS },

	/* Called by pointer, so that every kernel has it; what it calls is often inlined. */
	{ MEASURE(KVM_SYNC), PROBE_FENTRY, { { "kvm_vm_ioctl", TAKES_VM_IOCTL } }, "kvm",
	  { "enter_kvm_ioctl", "exit_kvm_ioctl" }, .cost = COST_BITMAP COST_FENTRY },
	{ MEASURE(KVM_SYNC), PROBE_KPROBE, { { "kvm_vm_ioctl", TAKES_VM_IOCTL } }, "kvm",
	  { "kprobe_kvm_ioctl", "kretprobe_kvm_ioctl" }, .cost = COST_BITMAP COST_KPROBE,
	  .blind = BLIND_RETURNS },
	/*
	 * Each ioctl pays more for its own tracepoints than for those of all calls, 315 ns against
	 * 130 where that was measured, because a record is built before a program is asked. Every
	 * other call pays less, 60 ns against 115; and but for one in four they are others.
	 */
	{ MEASURE(KVM_SYNC), PROBE_SYSCALL, { { "ioctl" } }, NULL, { "enter_ioctl", "exit_ioctl" },
	  .cost = COST_BITMAP COST_SYSCALL },
	{ MEASURE(KVM_SYNC), PROBE_SYSCALLS, { { "sys_enter", TAKES_SYSCALL },
					       { "sys_exit", TAKES_SYSCALL } }, NULL,
	  { "enter_syscall", "exit_syscall" },
	  .cost = COST_BITMAP COST_SYSCALLS },

	/* No hook of its own: the programs that see KVM's reads look at vhost's log next. */
	{ MEASURE(VHOST_SYNC), PROBE_FENTRY, { { "kvm_vm_ioctl", TAKES_VM_IOCTL } }, "kvm",
	  .needs = "vhost_log_write", .needs_in = "vhost", .cost = COST_VHOST, .blind = BLIND_VHOST },
	{ MEASURE(VHOST_SYNC), PROBE_KPROBE, { { "kvm_vm_ioctl", TAKES_VM_IOCTL } }, "kvm",
	  .needs = "vhost_log_write", .needs_in = "vhost", .cost = COST_VHOST, .blind = BLIND_VHOST },
	{ MEASURE(VHOST_SYNC), PROBE_SYSCALL, { { "ioctl" } }, NULL,
	  .needs = "vhost_log_write", .needs_in = "vhost", .cost = COST_VHOST, .blind = BLIND_VHOST },
	{ MEASURE(VHOST_SYNC), PROBE_SYSCALLS, { { "sys_enter", TAKES_SYSCALL },
						 { "sys_exit", TAKES_SYSCALL } }, NULL,
	  .needs = "vhost_log_write", .needs_in = "vhost", .cost = COST_VHOST, .blind = BLIND_VHOST },

	{ MEASURE(KVM_RING), PROBE_EVENT, { { "kvm_dirty_ring_push", "kvm_dirty_ring*, 4, 8" },
					    { "kvm_dirty_ring_reset", "kvm_dirty_ring*" },
					    { "kvm_dirty_ring_exit", "kvm_vcpu*" } }, "kvm",
	  { "on_ring_push", "on_ring_reset", "on_ring_full" }, .cost = "100 ns for each dirty page",
	  /* The events are declared everywhere; on arm64 there are rings since Linux 6.3. */
	  .needs = "kvm_dirty_ring_alloc" },

	/* Any kernel for x86 may have both drivers; the one whose IOMMUs are not there is not called. */
	{ MEASURE(VTD_TLB), PROBE_FENTRY, { { "qi_submit_sync", TAKES_QI } }, NULL,
	  { "enter_qi", "exit_qi" }, .cost = COST_FENTRY, .blind = BLIND_FUNCTIONS },
	{ MEASURE(VTD_TLB), PROBE_KPROBE, { { "qi_submit_sync", TAKES_QI } }, NULL,
	  { "kprobe_qi", "kretprobe_qi" }, .cost = COST_KPROBE,
	  .blind = BLIND_FUNCTIONS "; " BLIND_RETURNS },

	/* The third argument is a size in Linux 6.12, and an address in 7.3, which has flags behind it. */
	{ MEASURE(AMD_TLB), PROBE_FENTRY, { { "amd_iommu_domain_flush_pages", TAKES_AMD_SIZE },
					    { "__domain_flush_pages", TAKES_AMD_SIZE } }, NULL,
	  { "enter_amd_flush", "exit_amd_flush", "enter_amd_part", "exit_amd_part" },
	  .cost = COST_FENTRY, .blind = BLIND_AMD_WAIT },
	{ MEASURE(AMD_TLB), PROBE_FENTRY, { { "amd_iommu_domain_flush_pages", TAKES_AMD_SIZE } }, NULL,
	  { "enter_amd_flush", "exit_amd_flush" }, .cost = COST_FENTRY, .blind = BLIND_AMD },
	{ MEASURE(AMD_TLB), PROBE_FENTRY, { { "amd_iommu_domain_flush_pages", TAKES_AMD_LAST } }, NULL,
	  { "enter_amd_flush_last", "exit_amd_flush" }, .cost = COST_FENTRY, .blind = BLIND_AMD },
	{ MEASURE(AMD_TLB), PROBE_KPROBE, { { "amd_iommu_domain_flush_pages", TAKES_AMD_SIZE },
					    { "__domain_flush_pages", TAKES_AMD_SIZE } }, NULL,
	  { "kprobe_amd_flush", "kretprobe_amd_flush", "kprobe_amd_part", "kretprobe_amd_part" },
	  .cost = COST_KPROBE, .blind = BLIND_AMD_WAIT "; " BLIND_RETURNS },
	{ MEASURE(AMD_TLB), PROBE_KPROBE, { { "amd_iommu_domain_flush_pages", TAKES_AMD_SIZE } }, NULL,
	  { "kprobe_amd_flush", "kretprobe_amd_flush" }, .cost = COST_KPROBE,
	  .blind = BLIND_AMD "; " BLIND_RETURNS },
	{ MEASURE(AMD_TLB), PROBE_KPROBE, { { "amd_iommu_domain_flush_pages", TAKES_AMD_LAST } }, NULL,
	  { "kprobe_amd_flush_last", "kretprobe_amd_flush" }, .cost = COST_KPROBE,
	  .blind = BLIND_AMD "; " BLIND_RETURNS },
	/* Static in Linux 6.1; its callers are called by pointer. */
	{ MEASURE(AMD_TLB), PROBE_FENTRY, { { "amd_iommu_iotlb_sync", TAKES_AMD_SYNC },
					    { "amd_iommu_flush_iotlb_all" } }, NULL,
	  { "enter_amd_sync", "exit_amd_sync", "enter_amd_all", "exit_amd_all" }, .cost = COST_FENTRY,
	  .blind = "flushes for dirty tracking; " BLIND_AMD },
	{ MEASURE(AMD_TLB), PROBE_KPROBE, { { "amd_iommu_iotlb_sync", TAKES_AMD_SYNC },
					    { "amd_iommu_flush_iotlb_all" } }, NULL,
	  { "kprobe_amd_sync", "kretprobe_amd_sync", "kprobe_amd_all", "kretprobe_amd_all" },
	  .cost = COST_KPROBE, .blind = "flushes for dirty tracking; " BLIND_AMD "; " BLIND_RETURNS },

	/* Inlined in Linux 6.1. */
	{ MEASURE(KVM_SPLIT), PROBE_FENTRY, { { "tdp_mmu_split_huge_page", TAKES_TDP_SPLIT } }, "kvm",
	  { "enter_tdp_split", "exit_tdp_split" }, .cost = COST_FENTRY, .blind = BLIND_SHADOW },
	{ MEASURE(KVM_SPLIT), PROBE_KPROBE, { { "tdp_mmu_split_huge_page", TAKES_TDP_SPLIT } }, "kvm",
	  { "kprobe_tdp_split", "kretprobe_tdp_split" }, .cost = COST_KPROBE,
	  .blind = BLIND_SHADOW "; " BLIND_RETURNS },
	/* Arm's. The walker is static, but kept because it is called by pointer. */
	{ MEASURE(KVM_SPLIT), PROBE_FENTRY, { { "stage2_split_walker", TAKES_STAGE2_WALKER } }, NULL,
	  { "enter_stage2_split", "exit_stage2_split" }, .cost = COST_FENTRY,
	  .blind = "what a 1G block is split to" },
	{ MEASURE(KVM_SPLIT), PROBE_KPROBE, { { "stage2_split_walker", TAKES_STAGE2_WALKER } }, NULL,
	  { "kprobe_stage2_split", "kretprobe_stage2_split" }, .cost = COST_KPROBE,
	  .blind = "what a 1G block is split to; " BLIND_RETURNS },
	{ MEASURE(KVM_SPLIT), PROBE_EVENT, { { "kvm_mmu_split_huge_page", "8, 8, 4, 4" } }, "kvm",
	  { "on_kvm_split" }, .cost = COST_EVENT, .blind = "how long a split takes" },

	/* A pass over a range is inlined in its callers, but for the part that is in another file. */
	{ MEASURE(KVM_SPLIT_PASS), PROBE_FENTRY,
	  { { "kvm_mmu_slot_try_split_huge_pages", TAKES_SLOT_SPLIT },
	    { "kvm_tdp_mmu_try_split_huge_pages", TAKES_RANGE_SPLIT } }, "kvm",
	  { "enter_slot_split", "exit_slot_split", "enter_range_split", "exit_range_split" },
	  .cost = COST_FENTRY, .blind = BLIND_RANGES },
	{ MEASURE(KVM_SPLIT_PASS), PROBE_KPROBE,
	  { { "kvm_mmu_slot_try_split_huge_pages", TAKES_SLOT_SPLIT },
	    { "kvm_tdp_mmu_try_split_huge_pages", TAKES_RANGE_SPLIT } }, "kvm",
	  { "kprobe_slot_split", "kretprobe_slot_split", "kprobe_range_split",
	    "kretprobe_range_split" },
	  .cost = COST_KPROBE, .blind = BLIND_RANGES "; " BLIND_RETURNS },
	{ MEASURE(KVM_SPLIT_PASS), PROBE_FENTRY,
	  { { "kvm_pgtable_stage2_split", TAKES_STAGE2_SPLIT } }, NULL,
	  { "enter_chunk_split", "exit_chunk_split" }, .cost = COST_FENTRY },
	{ MEASURE(KVM_SPLIT_PASS), PROBE_KPROBE,
	  { { "kvm_pgtable_stage2_split", TAKES_STAGE2_SPLIT } }, NULL,
	  { "kprobe_chunk_split", "kretprobe_chunk_split" }, .cost = COST_KPROBE,
	  .blind = BLIND_RETURNS },

	/* Arm's. */
	{ MEASURE(KVM_TLB), PROBE_FENTRY, { { "kvm_arch_flush_remote_tlbs", TAKES_KVM },
					    { "kvm_arch_flush_remote_tlbs_range", TAKES_KVM_RANGE } },
	  NULL, { "enter_arch_flush", "exit_arch_flush", "enter_arch_flush_range",
		  "exit_arch_flush_range" }, .cost = COST_FENTRY, .blind = BLIND_ENTRIES },
	{ MEASURE(KVM_TLB), PROBE_KPROBE, { { "kvm_arch_flush_remote_tlbs", TAKES_KVM },
					    { "kvm_arch_flush_remote_tlbs_range", TAKES_KVM_RANGE } },
	  NULL, { "kprobe_arch_flush", "kretprobe_arch_flush", "kprobe_arch_flush_range",
		  "kretprobe_arch_flush_range" }, .cost = COST_KPROBE,
	  .blind = BLIND_ENTRIES "; " BLIND_RETURNS },
	/* Since Linux 6.5 there are functions for a range and a memslot, which may call the first one. */
	{ MEASURE(KVM_TLB), PROBE_FENTRY, { { "kvm_flush_remote_tlbs", TAKES_KVM },
					    { "kvm_flush_remote_tlbs_range", TAKES_KVM_RANGE },
					    { "kvm_flush_remote_tlbs_memslot", TAKES_KVM_SLOT } }, "kvm",
	  { "enter_kvm_flush", "exit_kvm_flush", "enter_kvm_flush_range", "exit_kvm_flush_range",
	    "enter_kvm_flush_slot", "exit_kvm_flush_slot" }, .cost = COST_FENTRY },
	{ MEASURE(KVM_TLB), PROBE_FENTRY, { { "kvm_flush_remote_tlbs", TAKES_KVM } }, "kvm",
	  { "enter_kvm_flush", "exit_kvm_flush" }, .cost = COST_FENTRY, .blind = "ranges" },
	{ MEASURE(KVM_TLB), PROBE_KPROBE, { { "kvm_flush_remote_tlbs", TAKES_KVM },
					    { "kvm_flush_remote_tlbs_range", TAKES_KVM_RANGE },
					    { "kvm_flush_remote_tlbs_memslot", TAKES_KVM_SLOT } }, "kvm",
	  { "kprobe_kvm_flush", "kretprobe_kvm_flush", "kprobe_kvm_flush_range",
	    "kretprobe_kvm_flush_range", "kprobe_kvm_flush_slot", "kretprobe_kvm_flush_slot" },
	  .cost = COST_KPROBE, .blind = BLIND_RETURNS },
	{ MEASURE(KVM_TLB), PROBE_KPROBE, { { "kvm_flush_remote_tlbs", TAKES_KVM } }, "kvm",
	  { "kprobe_kvm_flush", "kretprobe_kvm_flush" }, .cost = COST_KPROBE,
	  .blind = "ranges; " BLIND_RETURNS },
	/* KVM counts its flushes itself, and an iterator finds its VMs. */
	{ MEASURE(KVM_TLB), PROBE_ITER, { { "task_file" } }, NULL, { NULL },
	  .cost = "a look at each VM's descriptors when totals are shown, nothing for each flush",
	  .blind = "time, causes, ranges, and what a VM did after the last look before its end" },
	/*
	 * Once while a log starts, in the task that starts it. Only needed where what sees all of
	 * KVM's calls is too dear to stay.
	 */
	{ MEASURE(KVM_START), PROBE_EVENT, { { "alloc_vmap_area" } }, NULL, { "on_vmalloc" },
	  .cost = "100 ns for each vmalloc()", .blind = "logs that are rings only" },

	/*
	 * Called by pointer. Where the kernel's own events tell of a call, they know more, and these
	 * programs leave it to them.
	 */
	{ MEASURE(TYPE1_SYNC), PROBE_FENTRY, { { "vfio_iommu_type1_ioctl", TAKES_TYPE1_IOCTL } },
	  "vfio_iommu_type1", { "enter_type1_ioctl", "exit_type1_ioctl" },
	  .cost = COST_BITMAP COST_FENTRY },
	{ MEASURE(TYPE1_SYNC), PROBE_KPROBE, { { "vfio_iommu_type1_ioctl", TAKES_TYPE1_IOCTL } },
	  "vfio_iommu_type1", { "kprobe_type1_ioctl", "kretprobe_type1_ioctl" },
	  .cost = COST_BITMAP COST_KPROBE, .blind = BLIND_RETURNS },

	/* Called by pointer; what it calls for each feature is inlined. */
	{ MEASURE(DEVICE_SYNC), PROBE_FENTRY, { { "vfio_device_fops_unl_ioctl", TAKES_VM_IOCTL } },
	  "vfio", { "enter_device_ioctl", "exit_device_ioctl" }, .cost = COST_BITMAP COST_FENTRY },
	{ MEASURE(DEVICE_SYNC), PROBE_KPROBE, { { "vfio_device_fops_unl_ioctl", TAKES_VM_IOCTL } },
	  "vfio", { "kprobe_device_ioctl", "kretprobe_device_ioctl" },
	  .cost = COST_BITMAP COST_KPROBE, .blind = BLIND_RETURNS },
	{ MEASURE(DEVICE_SYNC), PROBE_SYSCALL, { { "ioctl" } }, "vfio",
	  { "enter_feature", "exit_feature" }, .cost = COST_BITMAP COST_SYSCALL,
	  .blind = BLIND_EARLY },
	{ MEASURE(DEVICE_SYNC), PROBE_SYSCALLS, { { "sys_enter", TAKES_SYSCALL },
						  { "sys_exit", TAKES_SYSCALL } }, "vfio",
	  { "enter_feature_syscall", "exit_feature_syscall" }, .cost = COST_BITMAP COST_SYSCALLS,
	  .blind = BLIND_EARLY },

	/* Called by pointer. Only for what a VMM does as it begins and ends a migration. */
	{ MEASURE(DEVICE_STATE), PROBE_FENTRY,
	  { { "vfio_device_fops_unl_ioctl", TAKES_VM_IOCTL } }, "vfio",
	  { "enter_device_state", "exit_device_state" }, .cost = COST_FENTRY },
	{ MEASURE(DEVICE_STATE), PROBE_KPROBE,
	  { { "vfio_device_fops_unl_ioctl", TAKES_VM_IOCTL } }, "vfio",
	  { "kprobe_device_state", "kretprobe_device_state" }, .cost = COST_KPROBE,
	  .blind = BLIND_RETURNS },
	{ MEASURE(VCPUS), PROBE_EVENT, { { "kvm_userspace_exit" } }, "kvm", { "on_vcpu_exit" },
	  .cost = COST_EVENT " return of a vCPU to its VMM",
	  .blind = "when a vCPU enters its guest" },
	{ MEASURE(INTERRUPT), PROBE_EVENT, { { "irq_handler_entry", TAKES_INTERRUPT } },
	  .programs = { "on_interrupt" },
	  .cost = "a glance at each interrupt of the host, from when a device begins to load its state until it has interrupted",
	  .blind = "interrupts that hardware takes straight to a vCPU" },
};

const struct probe_table probe_table = { probes, sizeof(probes) / sizeof(probes[0]) };

/* Nothing else is measured by them. The function never runs on a host that is up. */
static const struct probe kind_probes[PROBE_KINDS] = {
	[PROBE_EVENT] = { .kind = PROBE_EVENT, .targets = { { "sched_process_fork" } } },
	[PROBE_FENTRY] = { .kind = PROBE_FENTRY, .targets = { { "kernel_restart" } } },
	[PROBE_KPROBE] = { .kind = PROBE_KPROBE, .targets = { { "kernel_restart" } } },
	[PROBE_SYSCALL] = { .kind = PROBE_SYSCALL, .targets = { { "reboot" } } },
	[PROBE_SYSCALLS] = { .kind = PROBE_SYSCALLS, .targets = { { "sys_exit" } } },
	[PROBE_ITER] = { .kind = PROBE_ITER, .targets = { { "task" } } },
};

const struct probe_table kind_table = { kind_probes, PROBE_KINDS };

_Static_assert(sizeof(probes) / sizeof(probes[0]) <= PROBES_MAX, "PROBES_MAX is too small");
