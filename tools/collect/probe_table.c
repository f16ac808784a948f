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
#define TAKES_TLB "iommu_domain*, 8, 8, 4, 8, *"
#define TAKES_TRACKING "io_pagetable*, iommu_domain*, 1"
#define TAKES_SYNC "io_pagetable*, iommu_domain*, 8, iommu_hwpt_get_dirty_bitmap*"
#define TAKES_DIRTY "iova_bitmap*, 8, 8"
#define TAKES_CMDLIST "arm_smmu_device*, arm_smmu_cmdq*, *, 4, 1"
#define TAKES_CMDLIST_OLD "arm_smmu_device*, *, 4, 1"

#define TAKES_VM_IOCTL "file*, 4, 8"
#define TAKES_TYPE1_IOCTL "*, 4, 8"
#define TAKES_SYSCALL "pt_regs*, 8"

#define COST_BITMAP "10 to 60 us for each GiB of a slot that is read, "

#define BLIND_RETURNS "more calls at once than the kernel keeps return probes for"

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

	/* A kernel without the event has no splitting to measure. */
	{ MEASURE(SPLIT), PROBE_EVENT, { { "iommu_split", TAKES_RESIZE } },
	  .programs = { "on_split" }, .cost = COST_EVENT },
	{ MEASURE(MERGE), PROBE_EVENT, { { "iommu_merge", TAKES_RESIZE } },
	  .programs = { "on_merge" }, .cost = COST_EVENT },

	{ MEASURE(TLB), PROBE_EVENT, { { "iommu_tlb_inv", TAKES_TLB } },
	  .programs = { "on_tlb_inv" }, .cost = COST_EVENT },
	{ MEASURE(TLB), PROBE_FENTRY, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST } },
	  "arm_smmu_v3", { "enter_cmdlist", "exit_cmdlist" }, .cost = COST_FENTRY,
	  .blind = "causes outside a sync" },
	/* Until Linux 6.11 there was one queue. */
	{ MEASURE(TLB), PROBE_FENTRY, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST_OLD } },
	  "arm_smmu_v3", { "enter_cmdlist_old", "exit_cmdlist" }, .cost = COST_FENTRY,
	  .blind = "causes outside a sync" },
	{ MEASURE(TLB), PROBE_KPROBE, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST } },
	  "arm_smmu_v3", { "kprobe_cmdlist", "kretprobe_cmdlist" }, .cost = COST_KPROBE,
	  .blind = "causes outside a sync; " BLIND_RETURNS },
	{ MEASURE(TLB), PROBE_KPROBE, { { "arm_smmu_cmdq_issue_cmdlist", TAKES_CMDLIST_OLD } },
	  "arm_smmu_v3", { "kprobe_cmdlist_old", "kretprobe_cmdlist" }, .cost = COST_KPROBE,
	  .blind = "causes outside a sync; " BLIND_RETURNS },

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
	  .cost = COST_BITMAP "60 ns for every system call of every task, 300 ns for every ioctl" },
	{ MEASURE(KVM_SYNC), PROBE_SYSCALLS, { { "sys_enter", TAKES_SYSCALL },
					       { "sys_exit", TAKES_SYSCALL } }, NULL,
	  { "enter_syscall", "exit_syscall" },
	  .cost = COST_BITMAP "120 ns for every system call of every task" },

	{ MEASURE(KVM_RING), PROBE_EVENT, { { "kvm_dirty_ring_push", "kvm_dirty_ring*, 4, 8" },
					    { "kvm_dirty_ring_reset", "kvm_dirty_ring*" },
					    { "kvm_dirty_ring_exit", "kvm_vcpu*" } }, "kvm",
	  { "on_ring_push", "on_ring_reset", "on_ring_full" }, .cost = "100 ns for each dirty page" },

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

	/* Devices go here. */
};

const struct probe_table probe_table = { probes, sizeof(probes) / sizeof(probes[0]) };

/* Nothing else is measured by them. The function never runs on a host that is up. */
static const struct probe kind_probes[PROBE_KINDS] = {
	[PROBE_EVENT] = { .kind = PROBE_EVENT, .targets = { { "sched_process_fork" } } },
	[PROBE_FENTRY] = { .kind = PROBE_FENTRY, .targets = { { "kernel_restart" } } },
	[PROBE_KPROBE] = { .kind = PROBE_KPROBE, .targets = { { "kernel_restart" } } },
	[PROBE_SYSCALL] = { .kind = PROBE_SYSCALL, .targets = { { "reboot" } } },
	[PROBE_SYSCALLS] = { .kind = PROBE_SYSCALLS, .targets = { { "sys_exit" } } },
};

const struct probe_table kind_table = { kind_probes, PROBE_KINDS };

_Static_assert(sizeof(probes) / sizeof(probes[0]) <= PROBES_MAX, "PROBES_MAX is too small");
