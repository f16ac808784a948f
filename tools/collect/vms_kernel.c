// SPDX-License-Identifier: GPL-2.0-only
/*
 * One iterator link per process, so that only its descriptors are walked. Records are
 * kept raw until the walk is known to be whole, then turned into facts.
 */
#define _GNU_SOURCE
#include "vms_kernel.h"
#include "host.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "vms.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

/* How often slots that change under the walk are read again. */
#define ATTEMPTS 8

#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD (1UL << 2)		/* v6.8 */
#endif

struct vms_kernel {
	struct vms_bpf *skeleton;
	struct ring_buffer *ring;
	/* Records of the running walk */
	char *records;
	size_t size;
	size_t room;
};

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	/* Its running commentary is of no use here: nothing can be chosen or go half wrong. */
	if (level == LIBBPF_WARN)
		log__debug_va(format, args);
	return 0;
}

static int keep_record(void *context, void *data, size_t size)
{
	struct vms_kernel *k = context;

	if (k->size + size > k->room) {
		size_t room = 2 * k->room + size;
		char *grown = realloc(k->records, room);

		if (!grown)
			return -ENOMEM;
		k->records = grown;
		k->room = room;
	}
	memcpy(k->records + k->size, data, size);
	k->size += size;
	return 0;
}

/* The iterator and what libbpf opens on the way take fewer. */
#define FILES_HELD 32

static void explain(int err, char *why, size_t size)
{
	struct rlimit files = { .rlim_cur = RLIM_INFINITY };
	struct utsname name = { 0 };

	getrlimit(RLIMIT_NOFILE, &files);
	uname(&name);
	if (!host__may_trace())
		snprintf(why, size, "no privilege to run BPF programs (%s); run as root, or with CAP_BPF and CAP_PERFMON",
			 strerror(-err));
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		snprintf(why, size, "this kernel has no type information (/sys/kernel/btf/vmlinux); it takes one built with CONFIG_DEBUG_INFO_BTF=y");
	else if (files.rlim_cur < FILES_HELD)
		snprintf(why, size, "only %ju files may be open here; raise that with ulimit -n %d",
			 (uintmax_t)files.rlim_cur, FILES_HELD);
	/* libbpf says with the first of them that it could not read what is there. */
	else if (err == -ESRCH || err == -ENOMEM)
		snprintf(why, size, "no memory for this kernel's type information; is it limited (ulimit -v)?");
	else if (host__is_confidential())
		snprintf(why, size, "kernel lockdown is set to confidentiality, which forbids to read kernel memory (%s)",
			 strerror(-err));
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, size, "this host's policy refuses BPF iterators (%s)", strerror(-err));
	else if (err == -EOPNOTSUPP)
		snprintf(why, size, "Linux %s cannot walk the descriptors of one process alone; it takes 6.1 or later",
			 name.release);
	else
		snprintf(why, size, "the BPF iterator cannot be loaded (%s); hwdbm vms --verbose shows the kernel's words",
			 strerror(-err));
}

static int run_iterator(const struct vms_kernel *k, pid_t pid)
{
	/* By its thread: with .pid, some kernels before 6.7 show shared descriptors twice. */
	union bpf_iter_link_info info = { .task.tid = pid };
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
			    .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(k->skeleton->progs.show_file, &options);
	_cleanup_close_ int fd = -1;
	char nothing[64];
	ssize_t got;
	int err = 0;

	if (libbpf_get_error(link))
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	do {
		got = err ? 0 : read(fd, nothing, sizeof(nothing));
	} while (got > 0 || (got < 0 && errno == EAGAIN));
	if (got < 0)
		err = -errno;
	bpf_link__destroy(link);
	return err;
}

static int load(struct vms_kernel *k)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = host__types());
	int err;

	k->skeleton = vms_bpf__open_opts(&options);
	if (!k->skeleton)
		return errno ? -errno : -EINVAL;
	err = vms_bpf__load(k->skeleton);
	if (err)
		return err;
	k->ring = ring_buffer__new(bpf_map__fd(k->skeleton->maps.ring), keep_record, k, NULL);
	if (!k->ring)
		return -errno;
	/* A trial, with nothing to look for. */
	err = run_iterator(k, getpid());
	return err ?: k->skeleton->bss->can_choose ? 0 : -EOPNOTSUPP;
}

int vms_kernel__open(struct vms_kernel **out, char *why, size_t size)
{
	struct vms_kernel *k = calloc(1, sizeof(*k));
	int err = -ENOMEM;

	if (k) {
		libbpf_set_print(print_libbpf);
		err = load(k);
	}
	if (!err) {
		*out = k;
		return 0;
	}
	explain(err, why, size);
	vms_kernel__free(k);
	return err;
}

void vms_kernel__free(struct vms_kernel *k)
{
	if (!k)
		return;
	ring_buffer__free(k->ring);
	vms_bpf__destroy(k->skeleton);
	free(k->records);
	free(k);
}

void vms_kernel__lost(const struct vms_kernel *k, uint64_t *records, uint64_t *reads)
{
	*records = k->skeleton->bss->losses.ring;
	*reads = k->skeleton->bss->losses.reads;
}

static int set_wanted(const struct vms_kernel *k, const struct vms_process *process)
{
	int map = bpf_map__fd(k->skeleton->maps.wanted);
	__u32 fd;

	while (!bpf_map_get_next_key(map, NULL, &fd))
		bpf_map_delete_elem(map, &fd);
	for (size_t i = 0; i < process->count; i++) {
		const struct vms_descriptor *from = &process->descriptors[i];
		struct vms_wanted to = { from->file, from->device_number };

		fd = from->fd;
		if (from->file <= VMS_FILE_VHOST_VSOCK && bpf_map_update_elem(map, &fd, &to, BPF_ANY))
			return -errno;
	}
	return 0;
}

static size_t size_of(const struct vms_record *record)
{
	switch (record->type) {
	case VMS_KVM:
		return sizeof(struct vms_kvm);
	case VMS_SLOT:
		return sizeof(struct vms_slot);
	case VMS_IOAS:
		return sizeof(struct vms_ioas);
	case VMS_HWPT:
		return sizeof(struct vms_hwpt);
	case VMS_CONTAINER:
		return sizeof(struct vms_container);
	case VMS_DEVICE:
		return sizeof(struct vms_device);
	case VMS_VHOST:
		return sizeof(struct vms_vhost);
	}
	return 0;
}

/* Starts with NULL; NULL after the last. */
static const struct vms_record *next_record(const struct vms_kernel *k,
					    const struct vms_record *record)
{
	const char *at = record ? (const char *)record + size_of(record) : k->records;

	if (record && !size_of(record))
		return NULL;
	return at && at < k->records + k->size ? (const struct vms_record *)at : NULL;
}

static bool is_changing(const struct vms_kernel *k)
{
	const struct vms_record *record = NULL;

	while ((record = next_record(k, record))) {
		const struct vms_kvm *kvm = (const struct vms_kvm *)record;

		if (record->type == VMS_KVM && (kvm->changed || kvm->is_cut))
			return true;
	}
	return false;
}

static enum tristate truth(__u64 value)
{
	return value == VMS_UNKNOWN ? TRI_UNKNOWN : value ? TRI_TRUE : TRI_FALSE;
}

static struct vm *vm_of(const struct vms_record *record, struct vm *vms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (vms[i].fd == record->fd)
			return &vms[i];
	return NULL;
}

static int take_slot(const struct vms_slot *in, struct vm *vm)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct vm_slot *out = vm ? vm__add_slot(vm) : NULL;

	if (!vm)
		return 0;
	if (!out)
		return -ENOMEM;
	out->id = in->id;
	out->space = in->space;
	out->guest_address = in->first_frame * page;
	out->bytes = in->pages * page;
	out->user_address = in->user_address;
	out->logged = truth(in->flags & KVM_MEM_LOG_DIRTY_PAGES);
	out->bitmap = truth(in->has_bitmap);
	out->read_only = truth(in->flags & KVM_MEM_READONLY);
	out->private_memory = truth(in->flags & KVM_MEM_GUEST_MEMFD);
	return 0;
}

static const char *log_kind(const struct vms_kvm *in)
{
	if (in->ring_bytes)
		return in->ring_with_bitmap ? "ring+bitmap" : "ring";
	if (!(in->manual & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE))
		return "bitmap";
	return in->manual & KVM_DIRTY_LOG_INITIALLY_SET ? "manual+set" : "manual";
}

static void take_kvm(const struct vms_kvm *in, struct vm *vm)
{
	/* 4K, 2M and 1G by their place among leaf sizes */
	static const int leaf[VMS_LEVELS] = { 0, 9, 18 };

	if (!vm)
		return;
	vm->identity = in->vm;
	vm->is_owner = truth(in->is_owner);
	vm->vcpus = in->vcpus;
	vm->slot_count = vm->slots_held;
	snprintf(vm->kvm_log, sizeof(vm->kvm_log), "%s", log_kind(in));
	vm->ring_bytes = in->ring_bytes;
	vm->tlb_flushes = in->flushes;
	vm->tlb_flush_requests = in->flush_requests;
	if (in->mapped[0] == VMS_UNKNOWN)
		return;
	memset(vm->kvm_mapped, 0, sizeof(vm->kvm_mapped));
	for (int i = 0; i < VMS_LEVELS; i++)
		vm->kvm_mapped[leaf[i]] = in->mapped[i] << (leaf[i] + LEAF_SHIFT);
}

static const struct vms_ioas *find_ioas(const struct vms_kernel *k, __s32 fd, __u64 id)
{
	const struct vms_record *record = NULL;

	while ((record = next_record(k, record))) {
		const struct vms_ioas *ioas = (const struct vms_ioas *)record;

		if (record->type == VMS_IOAS && record->fd == fd && ioas->id == id)
			return ioas;
	}
	return NULL;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* SMMUv3 keeps no such state: its function does nothing, the hardware always tracks. */
static enum tristate hwpt_tracks(const struct vms_hwpt *in)
{
	if (!in->is_able)
		return TRI_FALSE;
	if (in->hwdbm_tracks != VMS_UNKNOWN)
		return truth(in->hwdbm_tracks);
	if (begins(in->set_tracking, "amd_iommu_"))
		return truth(in->amd_tracks);
	if (begins(in->set_tracking, "intel_iommu_"))
		return truth(in->intel_tracks);
	return TRI_UNKNOWN;
}

static struct vm_tracker *add_tracker(struct vm *vm, const char *kind)
{
	struct vm_tracker *tracker = vm__add_tracker(vm);

	if (tracker)
		STRING_COPY(tracker->kind, kind);
	return tracker;
}

static int take_hwpt(const struct vms_kernel *k, const struct vms_hwpt *in, struct vm *vm)
{
	const struct vms_ioas *ioas = find_ioas(k, in->record.fd, in->ioas);
	struct vm_tracker *out = add_tracker(vm, "iommufd");

	if (!out)
		return -ENOMEM;
	snprintf(out->of, sizeof(out->of), "HWPT %llu of IOAS %llu", in->id, in->ioas);
	out->able = truth(in->is_able);
	out->on = hwpt_tracks(in);
	out->was_split = truth(in->was_split);
	if (ioas && !ioas->is_cut) {
		out->ranges = ioas->ranges;
		out->bytes = ioas->bytes;
	}
	return 0;
}

static int take_container(const struct vms_container *in, struct vm *vm)
{
	bool is_type1 = !strcmp(in->driver, "vfio-iommu-type1");
	struct vm_tracker *out = add_tracker(vm, "type1");

	if (!out)
		return -ENOMEM;
	snprintf(out->of, sizeof(out->of), "container (fd %d)%s", in->record.fd,
		 is_type1 ? "" : in->driver[0] ? ", not type1" : ", not set up");
	out->able = is_type1 ? TRI_TRUE : in->driver[0] ? TRI_UNKNOWN : TRI_FALSE;
	out->on = in->driver[0] ? truth(in->tracks) : TRI_FALSE;
	if (!in->is_cut) {
		out->ranges = in->ranges;
		out->bytes = in->bytes;
	}
	return 0;
}

static int take_device(const struct vms_device *in, struct vm *vm)
{
	struct vm_tracker *out;

	for (size_t i = 0; i < vm->device_count; i++) {
		struct vm_device *device = &vm->devices[i];

		if (device->fd != in->record.fd)
			continue;
		STRING_COPY(device->name, in->name);
		STRING_COPY(device->driver, in->driver);
		device->own_log = truth(in->is_able);
	}
	if (!in->is_able)
		return 0;
	out = add_tracker(vm, "device");
	if (!out)
		return -ENOMEM;
	STRING_COPY(out->of, in->name);
	out->able = TRI_TRUE;
	out->on = truth(in->tracks);
	return 0;
}

static const char *vhost_kind(const struct vms_process *process, int fd)
{
	for (size_t i = 0; i < process->count; i++)
		if (process->descriptors[i].fd == fd)
			return process->descriptors[i].target;
	return "vhost";
}

/* The queues of one kind are one tracker: a VMM turns their logs on together. */
static int take_vhost(const struct vms_vhost *in, const struct vms_process *process,
		      struct vm *vm)
{
	const char *kind = vhost_kind(process, in->record.fd);
	struct vm_tracker *out = NULL;

	for (size_t i = 0; i < vm->tracker_count; i++)
		if (!strcmp(vm->trackers[i].kind, "vhost") && !strcmp(vm->trackers[i].of, kind))
			out = &vm->trackers[i];
	if (!out) {
		out = add_tracker(vm, "vhost");
		if (!out)
			return -ENOMEM;
		STRING_COPY(out->of, kind);
		out->able = TRI_TRUE;
		out->on = TRI_FALSE;
	}
	if (in->tracks)
		out->on = truth(in->tracks);
	return 0;
}

static int take_records(const struct vms_kernel *k, const struct vms_process *process,
			struct vm *vms, size_t count)
{
	const struct vms_record *record = NULL;
	int err = 0;

	while (!err && (record = next_record(k, record))) {
		struct vm *vm = vm_of(record, vms, count);

		switch (record->type) {
		case VMS_SLOT:
			err = take_slot((const void *)record, vm);
			break;
		case VMS_KVM:
			take_kvm((const void *)record, vm);
			break;
		case VMS_HWPT:
			err = take_hwpt(k, (const void *)record, vms);
			break;
		case VMS_CONTAINER:
			err = take_container((const void *)record, vms);
			break;
		case VMS_DEVICE:
			err = take_device((const void *)record, vms);
			break;
		case VMS_VHOST:
			err = take_vhost((const void *)record, process, vms);
			break;
		}
	}
	return err;
}

int vms_kernel__look(struct vms_kernel *k, const struct vms_process *process, struct vm *vms,
		     size_t count, bool *changing)
{
	int err = set_wanted(k, process);

	for (int i = 0; !err && (!i || (*changing && i < ATTEMPTS)); i++) {
		k->size = 0;
		err = run_iterator(k, process->pid);
		if (!err && ring_buffer__consume(k->ring) < 0)
			err = -ENOMEM;
		*changing = is_changing(k);
	}
	return err ?: take_records(k, process, vms, count);
}
