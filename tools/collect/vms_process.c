// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading /proc/PID. Everything goes through a descriptor of that directory: once the
 * process is gone it fails, so that no stranger with the same number is taken for it.
 */
#define _GNU_SOURCE
#include "vms_process.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"
#include "../model/vm_name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Longest command line looked at; QEMU's reach some 20 KiB. */
#define WORDS_MAX (256 << 10)

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_dir_ _cleanup_(close_dir)

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

/* Return: bytes read, always less than @size; the rest of a longer file is left. */
static size_t read_file(int at, const char *name, char *buffer, size_t size)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = 1;

	while (fd >= 0 && got > 0 && length + 1 < size) {
		got = read(fd, buffer + length, size - 1 - length);
		if (got > 0)
			length += got;
	}
	buffer[length] = '\0';
	return length;
}

struct file_kind {
	const char *target;		/* the link begins so */
	const char *rest;		/* what may follow: "" nothing, "N" a number, NULL anything */
	int file;
};

static const struct file_kind anonymous[] = {
	{ "kvm-vm", "", VMS_FILE_KVM },
	{ "[vfio-device]", "", VMS_FILE_DEVICE },
	{ "mlx5vf_mig", "", VMS_FILE_MIGRATION },
	{ "hisi_acc_vf_mig", "", VMS_FILE_MIGRATION },
	{ "qat_vf_mig", "", VMS_FILE_MIGRATION },
	{ "virtiovf_mig", "", VMS_FILE_MIGRATION },
	{ "pds_vfio_lm", "", VMS_FILE_MIGRATION },
};

static const struct file_kind nodes[] = {
	{ "iommu", "", VMS_FILE_IOMMUFD },
	{ "vfio/vfio", "", VMS_FILE_CONTAINER },
	{ "vfio/devices/vfio", "N", VMS_FILE_DEVICE },
	{ "vfio/noiommu-", "N", VMS_FILE_GROUP },
	{ "vfio/", "N", VMS_FILE_GROUP },
	{ "vhost-net", "", VMS_FILE_VHOST_NET },
	{ "vhost-vsock", "", VMS_FILE_VHOST_VSOCK },
	{ "vhost-", NULL, VMS_FILE_VHOST },
};

static bool is_kind(const struct file_kind *kind, const char *text)
{
	size_t length = strlen(kind->target);

	if (strncmp(text, kind->target, length))
		return false;
	if (!kind->rest)
		return true;
	text += length;
	if (*kind->rest && !*text)
		return false;
	return !text[*kind->rest ? strspn(text, "0123456789") : 0];
}

static int find_kind(const struct file_kind *kinds, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (is_kind(&kinds[i], text))
			return kinds[i].file;
	return 0;
}

/* A VMM in a container or jail may see its /dev elsewhere. */
static const char *node_name(const char *path)
{
	const char *name = NULL;

	while ((path = strstr(path, "/dev/")))
		name = path += strlen("/dev/");
	return name;
}

static bool is_denied(int error)
{
	return error == EACCES || error == EPERM;
}

/* A thread of the kernel has no command line, and no descriptors either. */
static bool has_words(const struct vms_process *process)
{
	char words[2];

	return read_file(process->dir, "cmdline", words, sizeof(words));
}

/* Whether the link is of interest; fills in all but the number of the descriptor. */
static bool classify(int fds, const char *name, struct vms_process *process,
		     struct vms_descriptor *to)
{
	char link[512];
	ssize_t length = readlinkat(fds, name, link, sizeof(link) - 1);
	struct stat status;
	const char *rest;

	/* The numbers may be seen where what they stand for may not; or it is about to end. */
	if (length < 0 && is_denied(errno) && has_words(process))
		process->is_hidden = true;
	if (length <= 0)
		return false;
	link[length] = '\0';
	memset(to, 0, sizeof(*to));
	if (!strncmp(link, "anon_inode:", strlen("anon_inode:"))) {
		rest = link + strlen("anon_inode:");
		process->vcpu_descriptors += !strncmp(rest, "kvm-vcpu", strlen("kvm-vcpu")) &&
					     !strstr(rest, "stats");
		to->file = find_kind(anonymous, sizeof(anonymous) / sizeof(anonymous[0]), rest);
	} else {
		rest = node_name(link);
		to->file = rest ? find_kind(nodes, sizeof(nodes) / sizeof(nodes[0]), rest) : 0;
		/* Anyone may name a file so. */
		if (!to->file || fstatat(fds, name, &status, 0) || !S_ISCHR(status.st_mode))
			return false;
		to->device_number = major(status.st_rdev) << 20 | minor(status.st_rdev);
	}
	if (!to->file)
		return false;
	STRING_COPY(to->target, rest);
	return true;
}

static int add_descriptor(struct vms_process *process, const struct vms_descriptor *one)
{
	size_t count = process->count;

	if (!(count & (count - 1))) {
		struct vms_descriptor *grown = realloc(process->descriptors,
						       (count ? 2 * count : 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		process->descriptors = grown;
	}
	process->descriptors[process->count++] = *one;
	process->kvms += one->file == VMS_FILE_KVM;
	return 0;
}

static int read_descriptors(struct vms_process *process)
{
	_cleanup_dir_ DIR *dir = open_dir(process->dir, "fd");
	struct vms_descriptor one;
	struct dirent *entry;
	int err = 0;

	if (!dir && !is_denied(errno))
		return -errno;
	process->is_hidden = !dir && has_words(process);
	while (dir && !err && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !classify(dirfd(dir), entry->d_name, process, &one))
			continue;
		one.fd = atoi(entry->d_name);
		err = add_descriptor(process, &one);
	}
	return err;
}

int vms_process__open(struct vms_process *process, pid_t pid)
{
	char path[32];
	int err;

	*process = (struct vms_process){ .pid = pid };
	snprintf(path, sizeof(path), "/proc/%d", pid);
	process->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process->dir < 0)
		return -errno;
	err = read_descriptors(process);
	if (err)
		vms_process__close(process);
	return err;
}

void vms_process__close(struct vms_process *process)
{
	cleanup__close(&process->dir);
	free(process->descriptors);
	*process = (struct vms_process)VMS_PROCESS_NONE;
}

bool vms_process__is_alive(const struct vms_process *process)
{
	char path[32], link[8];

	if (faccessat(process->dir, "stat", F_OK, 0))
		return false;
	/* One that is about to end has closed all of its files already. */
	for (size_t i = 0; i < process->count; i++) {
		snprintf(path, sizeof(path), "fd/%d", process->descriptors[i].fd);
		if (readlinkat(process->dir, path, link, sizeof(link)) > 0 || errno != ENOENT)
			return true;
	}
	return !process->count;
}

/* Of the executable if it may be seen, else as the process calls itself. */
static bool parse_words(const struct vms_process *process, struct vm *vm)
{
	_cleanup_free_ char *words = malloc(WORDS_MAX);
	char program[512];
	ssize_t length = readlinkat(process->dir, "exe", program, sizeof(program) - 1);
	size_t size = words ? read_file(process->dir, "cmdline", words, WORDS_MAX) : 0;

	if (length > 0)
		program[length] = '\0';
	if (size == WORDS_MAX - 1)
		size = 0;
	/* A wrapper may run a VMM under another name: the first word is as good. */
	return (length > 0 && vm_name__parse(program, words, size, vm)) ||
	       vm_name__parse(NULL, words, size, vm);
}

bool vms_process__is_vm(const struct vms_process *process)
{
	struct vm vm;

	for (size_t i = 0; i < process->count; i++)
		switch (process->descriptors[i].file) {
		case VMS_FILE_KVM:
		case VMS_FILE_IOMMUFD:
		case VMS_FILE_CONTAINER:
		case VMS_FILE_DEVICE:
		case VMS_FILE_GROUP:
			return true;
		}
	if (!process->is_hidden)
		return false;
	vm__clear(&vm);
	return parse_words(process, &vm);
}

void vms_process__identify(const struct vms_process *process, struct vm *vm)
{
	char cgroup[4096], command[VM_NAME];

	vm->pid = process->pid;
	parse_words(process, vm);
	if (vm->name[0])
		return;
	if (read_file(process->dir, "cgroup", cgroup, sizeof(cgroup)) &&
	    vm_name__from_slice(cgroup, vm->name))
		return;
	read_file(process->dir, "comm", command, sizeof(command));
	command[strcspn(command, "\n")] = '\0';
	STRING_COPY(vm->name, command);
}

static bool has_migration_file(const struct vms_process *process, struct vm *vm)
{
	for (size_t i = 0; i < process->count; i++) {
		if (process->descriptors[i].file != VMS_FILE_MIGRATION)
			continue;
		vm->migrating = TRI_TRUE;
		snprintf(vm->migrating_because, sizeof(vm->migrating_because),
			 "it has a device's state open (%s)", process->descriptors[i].target);
		return true;
	}
	return false;
}

void vms_process__threads(const struct vms_process *process, struct vm *vm)
{
	_cleanup_dir_ DIR *dir = open_dir(process->dir, "task");
	bool known = has_migration_file(process, vm), is_named = false;
	struct dirent *entry;
	uint64_t vcpus = 0;

	while (dir && (entry = readdir(dir))) {
		char path[300], thread[64];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%s/comm", entry->d_name);
		read_file(dirfd(dir), path, thread, sizeof(thread));
		thread[strcspn(thread, "\n")] = '\0';
		is_named |= !strncmp(thread, "CPU ", 4);
		vcpus += vm_name__vcpu(thread);
		if (known || !vm_name__migration(thread))
			continue;
		vm->migrating = TRI_TRUE;
		snprintf(vm->migrating_because, sizeof(vm->migrating_because),
			 "it has a thread \"%s\"", thread);
		known = true;
	}
	if (vm->vcpus == UNKNOWN && vcpus)
		vm->vcpus = vcpus;
	if (known)
		return;
	if (is_named && !strcmp(vm->vmm, "qemu"))
		vm->migrating = TRI_FALSE;
	snprintf(vm->migrating_because, sizeof(vm->migrating_because), "%s",
		 vm->migrating == TRI_FALSE ? "its threads have names, none of them a migration's" :
		 !strcmp(vm->vmm, "qemu") ? "it is QEMU without debug-threads=on" :
		 "only QEMU's threads tell");
}
