// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the open files of a process say about dirty tracking: KVM's slots, iommufd's page
 * tables, VFIO containers and devices, vhost. Reads only, and only when asked: an
 * iterator over the descriptors of one process, in an object of its own so that nothing
 * else is loaded with it. Not here: events.
 *
 * No lock is held. Lists that change under the walk end it early or are seen half; KVM's
 * generation number tells, elsewhere the walks are bounded and probe what they follow.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "name.bpf.h"
#include "vms.h"

char LICENSE[] SEC("license") = "GPL";

#define ANON_INODE_FS_MAGIC 0x09041934		/* include/uapi/linux/magic.h */
#define VHOST_F_LOG_ALL (1ULL << 26)		/* include/uapi/linux/vhost_types.h */

/* Only the members that are read, found in the running kernel, or its modules, by CO-RE. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct;

struct task_struct {
	struct mm_struct *mm;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	__u32 i_rdev;
	struct super_block *i_sb;
};

struct path {
	struct dentry *dentry;
};

struct file {
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

struct bpf_iter__task_file {
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

/* v6.1: before, the choice of a task is not refused but ignored. */
union bpf_iter_link_info___task {
	struct {
		__u32 tid;
	} task;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct interval_tree_node {
	struct rb_node rb;
	unsigned long start;
	unsigned long last;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct kvm_memory_slot {
	struct hlist_node id_node[2];
	__u64 base_gfn;
	unsigned long npages;
	unsigned long *dirty_bitmap;
	unsigned long userspace_addr;
	__u32 flags;
	short id;
};

struct kvm_memslots {
	__u64 generation;
	struct hlist_head id_hash[128];
	int node_idx;
};

struct kvm_vm_stat_generic {
	__u64 remote_tlb_flush;
	__u64 remote_tlb_flush_requests;
};

struct kvm_vm_stat {
	struct kvm_vm_stat_generic generic;
	atomic64_t pages_4k;		/* x86 */
	atomic64_t pages_2m;
	atomic64_t pages_1g;
};

struct kvm {
	struct mm_struct *mm;
	struct kvm_memslots *memslots[2];
	atomic_t online_vcpus;
	struct kvm_vm_stat stat;
	__u64 manual_dirty_log_protect;
	__u32 dirty_ring_size;
	bool dirty_ring_with_bitmap;	/* v6.2 */
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char offset;
	struct xa_node *parent;
	void *slots[64];
};

enum iommufd_object_type {
	IOMMUFD_OBJ_HWPT_PAGING = 3,
	IOMMUFD_OBJ_IOAS = 5,
};

struct iommufd_object {
	enum iommufd_object_type type;
	unsigned int id;
};

struct iommufd_ctx {
	struct xarray objects;
};

struct io_pagetable {
	struct rb_root_cached area_itree;
};

struct iommufd_ioas {
	struct iommufd_object obj;
	struct io_pagetable iopt;
};

struct iopt_area {
	struct interval_tree_node node;
};

struct iommu_dirty_ops {
	void *set_dirty_tracking;
};

struct iommu_domain {
	const struct iommu_dirty_ops *dirty_ops;	/* v6.7 */
};

struct iommufd_hw_pagetable {
	struct iommufd_object obj;
	struct iommu_domain *domain;
};

struct iommufd_hwpt_paging {			/* v6.7 */
	struct iommufd_hw_pagetable common;
	struct iommufd_ioas *ioas;
	/* Only with the split series: no merge while tracking is on. */
	bool no_merge, was_split;
};

/* AMD */
struct protection_domain {
	struct iommu_domain domain;
	bool dirty_tracking;
};

/* Intel */
struct dmar_domain {
	struct iommu_domain domain;
	__u8 dirty_tracking:1;
};

struct vfio_iommu_driver_ops {
	char *name;
};

struct vfio_iommu_driver {
	const struct vfio_iommu_driver_ops *ops;
};

struct vfio_container {
	struct vfio_iommu_driver *iommu_driver;
	void *iommu_data;
};

/* Of type1 */
struct vfio_iommu {
	struct rb_root dma_list;
	bool dirty_page_tracking;
};

struct vfio_dma {
	struct rb_node node;
	unsigned long size;
};

struct vfio_device_ops {
	char *name;
};

struct vfio_log_ops;

struct vfio_device {
	struct device *dev;
	const struct vfio_device_ops *ops;
	const struct vfio_log_ops *log_ops;
};

struct vfio_device_file {			/* v6.5 */
	struct vfio_device *device;
};

struct mlx5vf_pci_core_device {
	__u8 log_active:1;
};

struct pds_vfio_dirty {
	bool is_enabled;
};

struct pds_vfio_pci_device {
	struct pds_vfio_dirty dirty;
};

struct vhost_virtqueue {
	__u64 acked_features;
};

struct vhost_dev {
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

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, VMS_RING_BYTES);
} ring SEC(".maps");

/* Descriptors to look at, by number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VMS_WANTED_MAX);
	__type(key, __u32);
	__type(value, struct vms_wanted);
} wanted SEC(".maps");

struct vms_losses losses;

/* Whether this kernel's iterator can be told which process to walk; set by any run. */
__u32 can_choose;

/*
 * The state of walks is global, not on the stack: verifiers before 6.7 look at a callback
 * of bpf_loop() once, with the stack as it is at first, and drop as dead what only later
 * steps reach. One iterator runs at a time. Not static either: the compiler would take
 * the structures apart, and their type information with them.
 */

/* Steps a walk may take: more than any list of these can need. */
#define SLOT_STEPS (1 << 17)
#define TREE_STEPS (1 << 20)
#define OBJECT_STEPS (1 << 16)

/* Reads from an address that was computed; 0 bytes if there is nothing to read. */
static __always_inline bool read_at(void *to, __u32 size, __u64 address)
{
	if (!bpf_probe_read_kernel(to, size, (const void *)address))
		return true;
	losses.reads++;
	return false;
}

static __always_inline __u64 read_pointer(__u64 address)
{
	__u64 value = 0;

	read_at(&value, sizeof(value), address);
	return value;
}

static __always_inline void *reserve(__u32 size, __u32 type, __s32 fd)
{
	struct vms_record *record = bpf_ringbuf_reserve(&ring, size, 0);

	if (!record) {
		losses.ring++;
		return NULL;
	}
	__builtin_memset(record, 0, size);
	record->type = type;
	record->fd = fd;
	return record;
}

/*
 * KVM. The slots of one address space, by the hash of their numbers: a walk needs no
 * order. KVM only ever changes the set that is not in use and then swaps the two.
 */

struct {
	__u64 slots;
	__u64 at;			/* the slot's id_node of the set in use */
	__u64 next_bucket;
	__u64 last_bucket;
	__u64 node_offset;
	__s32 fd;
	__u32 space;
	__u32 is_done;
} slot_walk;

static __always_inline void put_slot(void)
{
	const struct kvm_memory_slot *slot =
		(const void *)(slot_walk.at - slot_walk.node_offset);
	struct vms_slot *record = reserve(sizeof(*record), VMS_SLOT, slot_walk.fd);

	if (!record)
		return;
	record->first_frame = BPF_CORE_READ(slot, base_gfn);
	record->pages = BPF_CORE_READ(slot, npages);
	record->user_address = BPF_CORE_READ(slot, userspace_addr);
	record->flags = BPF_CORE_READ(slot, flags);
	record->id = BPF_CORE_READ(slot, id);
	record->space = slot_walk.space;
	record->has_bitmap = !!BPF_CORE_READ(slot, dirty_bitmap);
	bpf_ringbuf_submit(record, 0);
}

static long next_slot(__u32 step, void *context)
{
	if (slot_walk.at) {
		put_slot();
		slot_walk.at = read_pointer(slot_walk.at +
					    bpf_core_field_offset(struct hlist_node, next));
		return 0;
	}
	if (slot_walk.next_bucket == slot_walk.last_bucket) {
		slot_walk.is_done = 1;
		return 1;
	}
	slot_walk.at = read_pointer(slot_walk.next_bucket);
	slot_walk.next_bucket += bpf_core_type_size(struct hlist_head);
	return 0;
}

/* Whether slots came or went meanwhile: then user space asks again. */
static __always_inline bool walk_slots(struct kvm *kvm, __u32 space, __s32 fd, bool *is_cut)
{
	__u64 where = (__u64)kvm + bpf_core_field_offset(struct kvm, memslots) +
		      space * sizeof(void *);
	struct kvm_memslots *slots = (void *)read_pointer(where);
	__u64 generation = BPF_CORE_READ(slots, generation);

	slot_walk.slots = (__u64)slots;
	slot_walk.at = 0;
	slot_walk.space = space;
	slot_walk.fd = fd;
	slot_walk.is_done = 0;
	slot_walk.node_offset = bpf_core_field_offset(struct kvm_memory_slot, id_node) +
				(BPF_CORE_READ(slots, node_idx) & 1) *
				bpf_core_type_size(struct hlist_node);
	slot_walk.next_bucket = slot_walk.slots + bpf_core_field_offset(struct kvm_memslots, id_hash);
	slot_walk.last_bucket = slot_walk.next_bucket +
				bpf_core_field_size(struct kvm_memslots, id_hash);
	bpf_loop(SLOT_STEPS, next_slot, NULL, 0);
	*is_cut |= !slot_walk.is_done;
	return read_pointer(where) != slot_walk.slots ||
	       BPF_CORE_READ(slots, generation) != generation;
}

static __always_inline void read_stat(struct kvm *kvm, struct vms_kvm *to)
{
	to->flushes = BPF_CORE_READ(kvm, stat.generic.remote_tlb_flush);
	to->flush_requests = BPF_CORE_READ(kvm, stat.generic.remote_tlb_flush_requests);
	for (int i = 0; i < VMS_LEVELS; i++)
		to->mapped[i] = VMS_UNKNOWN;
	if (!bpf_core_field_exists(kvm->stat.pages_4k))
		return;
	to->mapped[0] = BPF_CORE_READ(kvm, stat.pages_4k.counter);
	to->mapped[1] = BPF_CORE_READ(kvm, stat.pages_2m.counter);
	to->mapped[2] = BPF_CORE_READ(kvm, stat.pages_1g.counter);
}

static __always_inline void show_kvm(struct kvm *kvm, struct mm_struct *mm, __s32 fd)
{
	bool changed = false, is_cut = false;
	struct vms_kvm *record;

	if (!bpf_core_type_exists(struct kvm))
		return;
	changed |= walk_slots(kvm, 0, fd, &is_cut);
	/* x86 has a second address space, for system management mode. */
	if (bpf_core_field_size(kvm->memslots) > sizeof(void *))
		changed |= walk_slots(kvm, 1, fd, &is_cut);

	record = reserve(sizeof(*record), VMS_KVM, fd);
	if (!record)
		return;
	record->vm = (__u64)kvm;
	record->manual = BPF_CORE_READ(kvm, manual_dirty_log_protect);
	record->ring_bytes = BPF_CORE_READ(kvm, dirty_ring_size);
	if (bpf_core_field_exists(kvm->dirty_ring_with_bitmap))
		record->ring_with_bitmap = BPF_CORE_READ(kvm, dirty_ring_with_bitmap);
	read_stat(kvm, record);
	record->vcpus = BPF_CORE_READ(kvm, online_vcpus.counter);
	record->is_owner = BPF_CORE_READ(kvm, mm) == mm;
	record->changed = changed;
	record->is_cut = is_cut;
	bpf_ringbuf_submit(record, 0);
}

/* Trees of mapped ranges: those of type1 and of an IOAS. */

enum tree_kind { TREE_TYPE1, TREE_IOAS };

struct {
	__u64 at;
	__u64 from;			/* where the last step came from */
	__u64 ranges;
	__u64 bytes;
	__u32 kind;
} tree_walk;

static __always_inline void count_range(void)
{
	tree_walk.ranges++;
	if (tree_walk.kind == TREE_TYPE1) {
		const struct vfio_dma *dma;

		if (!bpf_core_type_exists(struct vfio_dma))
			return;
		dma = (const void *)(tree_walk.at - bpf_core_field_offset(struct vfio_dma, node));
		tree_walk.bytes += BPF_CORE_READ(dma, size);
	} else {
		const struct iopt_area *area;

		if (!bpf_core_type_exists(struct iopt_area))
			return;
		area = (const void *)(tree_walk.at - bpf_core_field_offset(struct iopt_area, node) -
				      bpf_core_field_offset(struct interval_tree_node, rb));
		tree_walk.bytes += BPF_CORE_READ(area, node.last) - BPF_CORE_READ(area, node.start) + 1;
	}
}

/* From parent to child, or back: the node before says how far this one is done. */
static long next_node(__u32 step, void *context)
{
	const struct rb_node *node = (const void *)tree_walk.at;
	__u64 left, right, parent, next;

	if (!node)
		return 1;
	left = (__u64)BPF_CORE_READ(node, rb_left);
	right = (__u64)BPF_CORE_READ(node, rb_right);
	parent = BPF_CORE_READ(node, __rb_parent_color) & ~3UL;
	if (tree_walk.from == parent && left) {
		next = left;
	} else if (tree_walk.from == parent || tree_walk.from == left) {
		count_range();
		next = right ? right : parent;
	} else {
		next = parent;
	}
	tree_walk.from = tree_walk.at;
	tree_walk.at = next;
	return 0;
}

static __always_inline void walk_tree(const struct rb_node *root, enum tree_kind kind)
{
	tree_walk.at = (__u64)root;
	tree_walk.from = tree_walk.ranges = tree_walk.bytes = 0;
	tree_walk.kind = kind;
	bpf_loop(TREE_STEPS, next_node, NULL, 0);
}

/* iommufd: an IOAS maps, an HWPT made on it is the page table that tracks. */

static __always_inline void show_ioas(struct iommufd_object *object, __s32 fd)
{
	struct iommufd_ioas *ioas = (void *)((__u64)object -
					     bpf_core_field_offset(struct iommufd_ioas, obj));
	struct vms_ioas *record;

	walk_tree(BPF_CORE_READ(ioas, iopt.area_itree.rb_root.rb_node), TREE_IOAS);
	record = reserve(sizeof(*record), VMS_IOAS, fd);
	if (!record)
		return;
	record->id = BPF_CORE_READ(object, id);
	record->ranges = tree_walk.ranges;
	record->bytes = tree_walk.bytes;
	record->is_cut = !!tree_walk.at;
	bpf_ringbuf_submit(record, 0);
}

static __always_inline void read_tracking(struct iommu_domain *domain, struct vms_hwpt *to)
{
	const struct iommu_dirty_ops *ops = NULL;
	__u64 function;

	if (bpf_core_field_exists(domain->dirty_ops))
		ops = BPF_CORE_READ(domain, dirty_ops);
	to->is_able = !!ops;
	if (!ops)
		return;
	function = (__u64)BPF_CORE_READ(ops, set_dirty_tracking);
	bpf_snprintf(to->set_tracking, sizeof(to->set_tracking), "%ps", &function,
		     sizeof(function));
	if (bpf_core_field_exists(((struct protection_domain *)0)->dirty_tracking)) {
		struct protection_domain *amd = (void *)((__u64)domain -
			bpf_core_field_offset(struct protection_domain, domain));

		to->amd_tracks = BPF_CORE_READ(amd, dirty_tracking);
	}
	if (bpf_core_field_exists(((struct dmar_domain *)0)->dirty_tracking)) {
		struct dmar_domain *intel = (void *)((__u64)domain -
			bpf_core_field_offset(struct dmar_domain, domain));

		to->intel_tracks = BPF_CORE_READ_BITFIELD_PROBED(intel, dirty_tracking);
	}
}

static __always_inline void show_hwpt(struct iommufd_object *object, __s32 fd)
{
	struct iommufd_hwpt_paging *hwpt;
	struct vms_hwpt *record;

	if (!bpf_core_type_exists(struct iommufd_hwpt_paging))
		return;
	hwpt = (void *)((__u64)object - bpf_core_field_offset(struct iommufd_hwpt_paging, common) -
			bpf_core_field_offset(struct iommufd_hw_pagetable, obj));
	record = reserve(sizeof(*record), VMS_HWPT, fd);
	if (!record)
		return;
	record->amd_tracks = record->intel_tracks = VMS_UNKNOWN;
	record->hwdbm_tracks = record->was_split = VMS_UNKNOWN;
	record->id = BPF_CORE_READ(object, id);
	record->ioas = BPF_CORE_READ(hwpt, ioas, obj.id);
	read_tracking(BPF_CORE_READ(hwpt, common.domain), record);
	if (bpf_core_field_exists(hwpt->no_merge)) {
		record->hwdbm_tracks = BPF_CORE_READ(hwpt, no_merge);
		record->was_split = BPF_CORE_READ(hwpt, was_split);
	}
	bpf_ringbuf_submit(record, 0);
}

static __always_inline void show_object(struct iommufd_object *object, __s32 fd)
{
	__u32 type = BPF_CORE_READ(object, type);

	if (type == bpf_core_enum_value(enum iommufd_object_type, IOMMUFD_OBJ_IOAS))
		show_ioas(object, fd);
	else if (bpf_core_enum_value_exists(enum iommufd_object_type, IOMMUFD_OBJ_HWPT_PAGING) &&
		 type == bpf_core_enum_value(enum iommufd_object_type, IOMMUFD_OBJ_HWPT_PAGING))
		show_hwpt(object, fd);
}

/* An xarray: a tree of tables whose entries are tables (marked by 2) or objects. */
struct {
	__u64 node;
	__u32 index;
	__s32 fd;
} object_walk;

static __always_inline bool is_table(__u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

static long next_object(__u32 step, void *context)
{
	__u32 count = bpf_core_field_size(struct xa_node, slots) / sizeof(void *);
	const struct xa_node *node = (const void *)object_walk.node;
	__u64 entry;

	if (!node)
		return 1;
	if (object_walk.index >= count) {
		object_walk.index = BPF_CORE_READ(node, offset) + 1;
		object_walk.node = (__u64)BPF_CORE_READ(node, parent);
		return 0;
	}
	entry = read_pointer(object_walk.node + bpf_core_field_offset(struct xa_node, slots) +
			     object_walk.index * sizeof(void *));
	object_walk.index++;
	if (is_table(entry)) {
		object_walk.node = entry - 2;
		object_walk.index = 0;
	} else if (entry && !(entry & 3)) {
		show_object((struct iommufd_object *)entry, object_walk.fd);
	}
	return 0;
}

static __always_inline void show_iommufd(struct iommufd_ctx *ctx, __s32 fd)
{
	__u64 head;

	if (!bpf_core_type_exists(struct iommufd_ctx))
		return;
	head = (__u64)BPF_CORE_READ(ctx, objects.xa_head);
	if (is_table(head)) {
		object_walk.node = head - 2;
		object_walk.index = 0;
		object_walk.fd = fd;
		bpf_loop(OBJECT_STEPS, next_object, NULL, 0);
	} else if (head && !(head & 3)) {
		show_object((struct iommufd_object *)head, fd);
	}
}

/* VFIO */

static __always_inline bool is_same(const char *name, const char *other, __u32 size)
{
	for (__u32 i = 0; i < size; i++)
		if (name[i] != other[i])
			return false;
	return true;
}

#define IS_NAMED(name, text) is_same(name, text, sizeof(text))

static __always_inline void show_container(struct vfio_container *container, __s32 fd)
{
	struct vms_container *record;
	struct vfio_iommu *iommu;

	if (!bpf_core_type_exists(struct vfio_container) || !bpf_core_type_exists(struct vfio_iommu))
		return;
	record = reserve(sizeof(*record), VMS_CONTAINER, fd);
	if (!record)
		return;
	record->ranges = record->bytes = record->tracks = VMS_UNKNOWN;
	bpf_probe_read_kernel_str(record->driver, sizeof(record->driver),
				  BPF_CORE_READ(container, iommu_driver, ops, name));
	if (IS_NAMED(record->driver, "vfio-iommu-type1")) {
		iommu = BPF_CORE_READ(container, iommu_data);
		walk_tree(BPF_CORE_READ(iommu, dma_list.rb_node), TREE_TYPE1);
		record->ranges = tree_walk.ranges;
		record->bytes = tree_walk.bytes;
		record->is_cut = !!tree_walk.at;
		record->tracks = BPF_CORE_READ(iommu, dirty_page_tracking);
	}
	bpf_ringbuf_submit(record, 0);
}

/* The drivers that log the DMA of their device keep the state in a structure around it. */
static __always_inline __u64 read_logging(struct vfio_device *device, const char *driver)
{
	if (bpf_core_type_exists(struct mlx5vf_pci_core_device) &&
	    IS_NAMED(driver, "mlx5-vfio-pci"))
		return BPF_CORE_READ_BITFIELD_PROBED((struct mlx5vf_pci_core_device *)device,
						     log_active);
	if (bpf_core_type_exists(struct pds_vfio_pci_device) &&
	    IS_NAMED(driver, "pds-vfio-pci"))
		return BPF_CORE_READ((struct pds_vfio_pci_device *)device, dirty.is_enabled);
	return VMS_UNKNOWN;
}

static __always_inline void show_device(void *data, __s32 fd)
{
	struct vfio_device *device = data;
	struct vms_device *record;

	if (!bpf_core_type_exists(struct vfio_device))
		return;
	if (bpf_core_type_exists(struct vfio_device_file))
		device = BPF_CORE_READ((struct vfio_device_file *)data, device);
	record = reserve(sizeof(*record), VMS_DEVICE, fd);
	if (!record)
		return;
	read_device_name(record->name, sizeof(record->name), BPF_CORE_READ(device, dev));
	bpf_probe_read_kernel_str(record->driver, sizeof(record->driver),
				  BPF_CORE_READ(device, ops, name));
	if (bpf_core_field_exists(device->log_ops))
		record->is_able = !!BPF_CORE_READ(device, log_ops);
	if (record->is_able)
		record->tracks = read_logging(device, record->driver);
	bpf_ringbuf_submit(record, 0);
}

/* vhost: the log is a feature bit, the same in each queue. */
static __always_inline void show_vhost(struct vhost_dev *dev, __s32 fd)
{
	struct vms_vhost *record;
	struct vhost_virtqueue *queue;

	if (!bpf_core_type_exists(struct vhost_dev))
		return;
	record = reserve(sizeof(*record), VMS_VHOST, fd);
	if (!record)
		return;
	queue = (void *)read_pointer((__u64)BPF_CORE_READ(dev, vqs));
	record->tracks = !!(BPF_CORE_READ(queue, acked_features) & VHOST_F_LOG_ALL);
	bpf_ringbuf_submit(record, 0);
}

static __always_inline bool is_anonymous(struct file *file, const char *name, __u32 size)
{
	char is[16] = {};

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return false;
	bpf_probe_read_kernel_str(is, sizeof(is), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return is_same(is, name, size);
}

/* A descriptor may have been closed, and its number given away, since user space looked. */
static __always_inline bool is_wanted(struct file *file, const struct vms_wanted *as)
{
	if (as->device_number)
		return BPF_CORE_READ(file, f_inode, i_rdev) == as->device_number;
	if (as->file == VMS_FILE_KVM)
		return is_anonymous(file, "kvm-vm", sizeof("kvm-vm"));
	if (as->file == VMS_FILE_DEVICE)
		return is_anonymous(file, "[vfio-device]", sizeof("[vfio-device]"));
	return false;
}

SEC("iter/task_file")
int show_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	__u32 fd = ctx->fd;
	struct vms_wanted *as;
	void *data;

	can_choose = bpf_core_field_exists(((union bpf_iter_link_info___task *)0)->task);
	if (!task || !file || !can_choose)
		return 0;
	as = bpf_map_lookup_elem(&wanted, &fd);
	if (!as || !is_wanted(file, as))
		return 0;
	data = BPF_CORE_READ(file, private_data);
	switch (as->file) {
	case VMS_FILE_KVM:
		show_kvm(data, BPF_CORE_READ(task, mm), fd);
		break;
	case VMS_FILE_IOMMUFD:
		show_iommufd(data, fd);
		break;
	case VMS_FILE_CONTAINER:
		show_container(data, fd);
		break;
	case VMS_FILE_DEVICE:
		show_device(data, fd);
		break;
	case VMS_FILE_VHOST_NET:
		if (bpf_core_type_exists(struct vhost_net))
			show_vhost(data + bpf_core_field_offset(struct vhost_net, dev), fd);
		break;
	case VMS_FILE_VHOST_VSOCK:
		if (bpf_core_type_exists(struct vhost_vsock))
			show_vhost(data + bpf_core_field_offset(struct vhost_vsock, dev), fd);
		break;
	}
	return 0;
}
