// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files, and iommufd's IOMMU_OPTION. Not here: which value is right (model/knob.c).
 */
#define _GNU_SOURCE
#include "knobs.h"
#include "vms_process.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ioctl.h>
#include <linux/kcmp.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* include/uapi/linux/iommufd.h, which Debian 12 does not have */
#define IOMMU_OPTION _IO(';', 0x87)
#define IOMMU_OPTION_DIRTY_SPLIT 2
#define IOMMU_OPTION_OP_SET 0
#define IOMMU_OPTION_OP_GET 1

struct iommu_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

/* Objects of an iommufd get the lowest free numbers, from 1 on. */
#define OBJECTS_MOST 4096

static int read_file(const char *path, char text[KNOB_TEXT])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, KNOB_TEXT - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	knob__clean(text);
	return 0;
}

/* The kernel takes a value whole or not at all. */
static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Its number may have been given to another file meanwhile. */
static int copy_iommufd(const struct knob_place *place)
{
	int fd = (int)syscall(SYS_pidfd_getfd, place->pidfd, place->fd, 0);
	char path[40], target[32];
	ssize_t length;

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	if (!strcmp(target, "/dev/iommu"))
		return fd;
	close(fd);
	return -EBADF;
}

static int option(int iommufd, __u16 op, __u32 ioas, uint64_t *value)
{
	struct iommu_option command = {
		.size = sizeof(command), .option_id = IOMMU_OPTION_DIRTY_SPLIT, .op = op,
		.object_id = ioas, .val64 = *value,
	};

	if (ioctl(iommufd, IOMMU_OPTION, &command))
		return -errno;
	*value = command.val64;
	return 0;
}

static int call_option(const struct knob_place *place, __u16 op, uint64_t *value)
{
	_cleanup_close_ int fd = copy_iommufd(place);

	return fd < 0 ? fd : option(fd, op, place->ioas, value);
}

int knobs__read(const struct knob_place *place, char text[KNOB_TEXT])
{
	uint64_t value = 0;
	int err;

	if (place->knob)
		return read_file(place->knob->path, text);
	err = call_option(place, IOMMU_OPTION_OP_GET, &value);
	if (!err)
		snprintf(text, KNOB_TEXT, "0x%" PRIx64, value);
	return err;
}

int knobs__write(const struct knob_place *place, const char *text)
{
	uint64_t value;

	if (place->knob)
		return write_file(place->knob->path, text);
	if (sscanf(text, "0x%" SCNx64, &value) != 1)
		return -EINVAL;
	return call_option(place, IOMMU_OPTION_OP_SET, &value);
}

void knobs__words(const struct knob_place *place, const char *text, char words[KNOB_TEXT])
{
	uint64_t value;

	if (!place->knob && sscanf(text, "0x%" SCNx64, &value) == 1)
		knob__unpack(value, words);
	else
		string__copy(words, KNOB_TEXT, text);
}

bool knobs__settable(const struct knob *knob, char reason[KNOB_REASON])
{
	struct stat info;

	*reason = '\0';
	if (!knob->path)
		string__copy(reason, KNOB_REASON, "only the VMM can set it");
	else if (stat(knob->path, &info))
		snprintf(reason, KNOB_REASON, errno == ENOENT ? "this kernel does not have it (no %s)" :
							       "cannot look at %s", knob->path);
	else if (knob->type == KNOB_NONE)
		string__copy(reason, KNOB_REASON, "hwdbm tune only shows it");
	/* Root may read and write any file, but the kernel has no way to take a value here. */
	else if (!(info.st_mode & 0222))
		string__copy(reason, KNOB_REASON, "this kernel lets nobody write it while it runs; give it at boot");
	else if (access(knob->path, W_OK))
		string__copy(reason, KNOB_REASON, errno == EROFS ? "sysfs is mounted read-only here" :
								    "it takes root");
	return !*reason;
}

/* ---- the iommufds of a VM ---------------------------------------------------------- */

/* Whether another VM's process holds the very same open file. Return: 0, -EBUSY, or -errno. */
static int is_used_by(pid_t pid, int fd, pid_t other)
{
	struct vms_process process = VMS_PROCESS_NONE;
	int err = vms_process__open(&process, other);

	if (err)
		return 0;
	for (size_t i = 0; !err && i < process.count; i++)
		if (process.descriptors[i].file == VMS_FILE_IOMMUFD && vms_process__is_vm(&process) &&
		    !syscall(SYS_kcmp, pid, other, KCMP_FILE, fd, process.descriptors[i].fd))
			err = -EBUSY;
	vms_process__close(&process);
	return err;
}

static int find_other(pid_t pid, int fd, pid_t *other)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int err = proc ? 0 : -errno;

	while (!err && (entry = readdir(proc))) {
		*other = (pid_t)strtol(entry->d_name, NULL, 10);
		if (*other > 0 && *other != pid && *other != getpid())
			err = is_used_by(pid, fd, *other);
	}
	if (proc)
		closedir(proc);
	return err;
}

/* Asks for numbers only: what is no IOAS answers ENOENT. */
static int list_ioas(const struct knob_place *like, struct knob_place *places, int count)
{
	_cleanup_close_ int iommufd = copy_iommufd(like);

	if (iommufd < 0)
		return iommufd;
	for (uint32_t id = 1; id <= OBJECTS_MOST && count < KNOB_PLACES; id++) {
		uint64_t value = 0;
		int err = option(iommufd, IOMMU_OPTION_OP_GET, id, &value);

		if (err == -EOPNOTSUPP || err == -ENOTTY)
			return -EOPNOTSUPP;
		if (err)
			continue;
		places[count] = *like;
		places[count].ioas = id;
		snprintf(places[count].name, sizeof(places[count].name), "dirty_split of IOAS %u of process %d",
			 id, like->pid);
		count++;
	}
	return count;
}

int knobs__of_vm(pid_t pid, int pidfd, struct knob_place places[KNOB_PLACES], pid_t *other)
{
	struct vms_process process = VMS_PROCESS_NONE;
	int count = 0, found = 0, err = vms_process__open(&process, pid);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	if (process.is_hidden)
		err = -EPERM;
	for (size_t i = 0; !err && i < process.count; i++) {
		struct knob_place like = { .pid = pid, .pidfd = pidfd, .fd = process.descriptors[i].fd };

		if (process.descriptors[i].file != VMS_FILE_IOMMUFD)
			continue;
		found++;
		err = find_other(pid, like.fd, other);
		if (err)
			break;
		count = list_ioas(&like, places, count);
		err = count < 0 ? count : 0;
	}
	vms_process__close(&process);
	return err ?: count ?: found ? -ENOENT : -ENODEV;
}

void knobs__held(char *names, size_t size)
{
	DIR *dir = opendir(KNOBS_HELD_DIR);
	struct dirent *entry;
	struct stat info;
	size_t used = 0;

	*names = '\0';
	while (dir && used < size && (entry = readdir(dir)))
		if (*entry->d_name != '.' && !fstatat(dirfd(dir), entry->d_name, &info, 0) && info.st_size)
			used += (size_t)snprintf(names + used, size - used, "%s%s", used ? ", " : "",
						 entry->d_name);
	if (dir)
		closedir(dir);
}

uint64_t knobs__start_time(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[40], line[1024], *at;
	uint64_t ticks = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	/* The name, field 2, may hold anything; 20 more fields follow it until starttime. */
	at = strrchr(line, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, " %" SCNu64, &ticks);
	return ticks;
}
