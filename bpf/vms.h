/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bpf/vms.bpf.c tells user space about the open files of one process: one record
 * per object that holds, or could hold, dirty state. Not here: anything about events;
 * those records are in records.h.
 */
#ifndef HWDBM_BPF_VMS_H
#define HWDBM_BPF_VMS_H

#include <linux/types.h>

/* What this kernel cannot tell. */
#define VMS_UNKNOWN (~0ULL)

/* What user space takes a descriptor for; the program looks again before it believes it. */
enum vms_file {
	VMS_FILE_KVM = 1,	/* anon_inode:kvm-vm */
	VMS_FILE_IOMMUFD,	/* /dev/iommu, or /dev/vfio/vfio where iommufd serves it */
	VMS_FILE_CONTAINER,	/* /dev/vfio/vfio */
	VMS_FILE_DEVICE,	/* anon_inode:[vfio-device] or /dev/vfio/devices/vfioN */
	VMS_FILE_VHOST_NET,
	VMS_FILE_VHOST_VSOCK,
};

struct vms_wanted {
	__u32 file;
	__u32 device_number;	/* of a character device, as the kernel packs it; else 0 */
};

/* More descriptors of these kinds in one process than any VMM was seen to have. */
#define VMS_WANTED_MAX 4096

enum vms_type {
	VMS_KVM = 1,		/* after all slots of this file */
	VMS_SLOT,
	VMS_IOAS,
	VMS_HWPT,
	VMS_CONTAINER,
	VMS_DEVICE,
	VMS_VHOST,
};

struct vms_record {
	__u32 type;
	__s32 fd;
};

/*
 * Every slot that KVM allows fits into the ring at once: 32,764 in each of two address
 * spaces, of 48 bytes and the ring's own 8.
 */
#define VMS_RING_BYTES (4 << 20)

struct vms_slot {
	struct vms_record record;
	__u64 first_frame;
	__u64 pages;
	__u64 user_address;
	__u32 flags;
	__s16 id;
	__u16 space;
	__u32 has_bitmap;
	__u32 reserved;
};

/* Pages mapped by leaf size, where the architecture counts them: 4K, 2M, 1G on x86. */
#define VMS_LEVELS 3

struct vms_kvm {
	struct vms_record record;
	__u64 vm;			/* address of the struct kvm: an identity only */
	__u64 manual;			/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 as enabled */
	__u64 ring_bytes;		/* per vCPU */
	__u64 ring_with_bitmap;
	__u64 flushes;
	__u64 flush_requests;
	__u64 mapped[VMS_LEVELS];
	__u32 vcpus;
	__u32 is_owner;			/* whose memory the VM has; others got the file from it */
	__u32 changed;			/* slots came or went during the walk */
	__u32 is_cut;			/* there were more slots than the walk may take */
};

struct vms_ioas {
	struct vms_record record;
	__u64 id;
	__u64 ranges;
	__u64 bytes;
	__u64 is_cut;
};

#define VMS_NAME 48

struct vms_hwpt {
	struct vms_record record;
	__u64 id;
	__u64 ioas;
	__u64 is_able;			/* allocated with dirty tracking */
	/* The flag of whichever driver has it; which one serves is in the name below. */
	__u64 amd_tracks;
	__u64 intel_tracks;
	/* Only with the split series. */
	__u64 hwdbm_tracks;
	__u64 was_split;
	char set_tracking[VMS_NAME];	/* the driver's function for it */
};

struct vms_container {
	struct vms_record record;
	__u64 ranges;
	__u64 bytes;
	__u64 tracks;
	__u64 is_cut;
	char driver[VMS_NAME];
};

struct vms_device {
	struct vms_record record;
	__u64 is_able;			/* can log its own DMA */
	__u64 tracks;
	char name[VMS_NAME];
	char driver[VMS_NAME];
};

struct vms_vhost {
	struct vms_record record;
	__u64 tracks;
};

/* Why a walk is not whole, counted over the life of the program. */
struct vms_losses {
	__u64 ring;			/* the ring was full */
	__u64 reads;			/* kernel memory that could not be read */
};

#endif
