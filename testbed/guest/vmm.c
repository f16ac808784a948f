// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unmodified QEMU with DMA generators. See vmm.h.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime.h"
#include "type1.h"
#include "vmm.h"

#define ARGUMENTS	64

struct command {
	char *argv[ARGUMENTS];
	int argc;
};

static void add(struct command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct command *cmd, const char *fmt, ...)
{
	va_list args;

	if (cmd->argc == ARGUMENTS - 1)
		abort();
	va_start(args, fmt);
	if (vasprintf(&cmd->argv[cmd->argc++], fmt, args) < 0)
		abort();
	va_end(args);
}

static void add_memory(struct command *cmd, const struct vmm_options *opt)
{
	const char *folder = opt->backing == SZ_4K ? "/tmp" : "/dev/hugepages";

	add(cmd, "-m");
	add(cmd, "%llu", (unsigned long long)(opt->memory >> 20));
	add(cmd, "-object");
	add(cmd, "memory-backend-file,id=memory,size=%llu,mem-path=%s/%s.memory,share=on,prealloc=on",
	    (unsigned long long)opt->memory, folder, opt->name);
}

/*
 * Without mmap: under TCG, unlike KVM, QEMU asks the IOMMU for the dirty pages of the BARs that it
 * has mapped, of which iommufd has none, and takes its EINVAL for the end of the migration. And
 * without KVM's way for MSIs, which QEMU 10.0 takes for a GICv2m even where there is no KVM.
 */
static void add_device(struct command *cmd, const struct vmm_options *opt, unsigned int n,
		       const char *host)
{
	add(cmd, "-device");
	/* QEMU takes type1 for one without a dirty log, until told otherwise. */
	add(cmd, "vfio-pci,id=generator%u,host=%s,addr=%d.0,x-no-mmap=on,x-no-kvm-msi=on%s%s", n, host,
	    PAYLOAD_SLOT + n, opt->iommufd ? ",iommufd=iommufd0" : "",
	    opt->insist ? ",enable-migration=on" : "");
}

static int add_devices(struct command *cmd, const struct vmm_options *opt)
{
	char host[16];

	if (opt->iommufd) {
		add(cmd, "-object");
		add(cmd, "iommufd,id=iommufd0");
	}
	for (unsigned int n = 0; n < opt->devices; n++) {
		int err = type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, opt->generator + n,
				     host);

		if (err)
			return problem(-err, "there is no DMA generator %u", opt->generator + n);
		add_device(cmd, opt, n, host);
	}
	return 0;
}

static void add_payload(struct command *cmd, const struct vmm_options *opt)
{
	add(cmd, "-device");
	add(cmd, "loader,file=/tmp/payload,cpu-num=0");
	for (unsigned int i = 0; i < 4; i++) {
		add(cmd, "-device");
		add(cmd, "loader,addr=%#x,data=%#llx,data-len=8", PAYLOAD_PAGE + 8 * i,
		    (unsigned long long)opt->payload[i]);
	}
}

static const char * const traces[] = {
	"migration_bitmap_sync_end", "vfio_get_dirty_bitmap", "vfio_migration_set_state",
	"iommufd_backend_set_dirty",
};

static int describe(struct command *cmd, const struct vmm_options *opt)
{
	add(cmd, VMM_QEMU);
	add(cmd, "-M");
	add(cmd, "virt,highmem=off,gic-version=2,memory-backend=memory");
	add(cmd, "-cpu");
	add(cmd, "cortex-a57");
	add(cmd, "-accel");
	add(cmd, "tcg");
	add(cmd, "-nodefaults");
	add(cmd, "-display");
	add(cmd, "none");
	if (!opt->autostart)
		add(cmd, "-S");
	add_memory(cmd, opt);
	add_payload(cmd, opt);
	add(cmd, "-qmp");
	add(cmd, "unix:/tmp/%s.qmp,server=on,wait=off", opt->name);
	/* A monitor has one client; this one is for whoever watches. */
	add(cmd, "-qmp");
	add(cmd, "unix:/tmp/%s.observe,server=on,wait=off", opt->name);
	if (opt->incoming) {
		add(cmd, "-incoming");
		add(cmd, "defer");
	}
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		add(cmd, "-trace");
		add(cmd, "%s", traces[i]);
	}
	return add_devices(cmd, opt);
}

/* In the child. Its output goes to /vmm/tmp/NAME.log. */
static void run(struct command *cmd, const char *name)
{
	char path[64];
	int null = open("/dev/null", O_RDONLY), log;

	snprintf(path, sizeof(path), VMM_ROOT "/tmp/%s.log", name);
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dup2(null, 0);
	dup2(log, 1);
	dup2(log, 2);
	if (chroot(VMM_ROOT) || chdir("/")) {
		fprintf(stderr, "cannot enter " VMM_ROOT " (%s)\n", strerror(errno));
		_exit(127);
	}
	execv(cmd->argv[0], cmd->argv);
	fprintf(stderr, "cannot run " VMM_QEMU " (%s)\n", strerror(errno));
	_exit(127);
}

static int map_memory(struct vmm *vmm, const struct vmm_options *opt)
{
	__cleanup_fd int fd = open(vmm->file, O_RDWR | O_CLOEXEC);
	void *va = MAP_FAILED;

	if (fd >= 0)
		va = mmap(NULL, opt->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (va == MAP_FAILED)
		return problem(errno, "cannot map the memory of %s, %s (%s)", vmm->name, vmm->file,
			       strerror(errno));
	vmm->memory = (struct memory){ va, opt->memory, opt->backing };
	return 0;
}

void vmm_last_words(const struct vmm *vmm, char *words, size_t size)
{
	char path[64], text[1024], *last;
	__cleanup_fd int fd = -1;
	ssize_t length;
	off_t end;

	snprintf(path, sizeof(path), VMM_ROOT "/tmp/%s.log", vmm->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	end = lseek(fd, 0, SEEK_END);
	length = pread(fd, text, sizeof(text) - 1, end < (off_t)sizeof(text) ? 0 : end - sizeof(text) + 1);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length > 0 ? length : 0] = '\0';
	last = strrchr(text, '\n');
	snprintf(words, size, "%s", last ? last + 1 : text);
}

static int explain_end(const struct vmm *vmm)
{
	char words[256];

	vmm_last_words(vmm, words, sizeof(words));
	return problem(ECHILD, "QEMU, as the %s, has ended before it was set up: %s", vmm->name,
		       *words ? words : "it says nothing");
}

int vmm_start(struct vmm *vmm, const struct vmm_options *opt)
{
	struct command cmd = { .argc = 0 };
	char path[64];
	int err;

	*vmm = VMM_NONE;
	snprintf(vmm->name, sizeof(vmm->name), "%s", opt->name);
	snprintf(vmm->file, sizeof(vmm->file), "%s/%s.memory",
		 opt->backing == SZ_4K ? VMM_ROOT "/tmp" : "/dev/hugepages", opt->name);
	err = describe(&cmd, opt);
	vmm->pid = err ? 0 : fork();
	if (!err && !vmm->pid)
		run(&cmd, opt->name);
	while (cmd.argc)
		free(cmd.argv[--cmd.argc]);
	if (err)
		return err;
	if (vmm->pid < 0) {
		vmm->pid = 0;
		return problem(errno, "cannot start QEMU (%s)", strerror(errno));
	}
	snprintf(path, sizeof(path), VMM_ROOT "/tmp/%s.qmp", opt->name);
	err = qmp_open(&vmm->qmp, path, vmm->pid, 60);
	if (err == -ECHILD)
		return explain_end(vmm);
	return err ? err : map_memory(vmm, opt);
}

bool vmm_alive(struct vmm *vmm)
{
	if (vmm->pid && waitpid(vmm->pid, NULL, WNOHANG) == vmm->pid)
		vmm->pid = 0;
	return vmm->pid;
}

int vmm_kill(struct vmm *vmm)
{
	if (!vmm->pid || kill(vmm->pid, SIGKILL))
		return problem(ESRCH, "%s is not there to be killed", vmm->name);
	waitpid(vmm->pid, NULL, 0);
	vmm->pid = 0;
	return 0;
}

void vmm_end(struct vmm *vmm)
{
	uint64_t end = clock_ns() + 10 * NSEC_PER_SEC;

	vmm_leave(vmm);
	if (vmm_alive(vmm))
		qmp_quit(&vmm->qmp);
	while (vmm_alive(vmm) && clock_ns() < end)
		usleep(20000);
	if (vmm_alive(vmm)) {
		kill(vmm->pid, SIGKILL);
		waitpid(vmm->pid, NULL, 0);
	}
	qmp_close(&vmm->qmp);
	memory_destroy(&vmm->memory);
	unlink(vmm->file);
	*vmm = VMM_NONE;
}

/* The number of the descriptor of its VFIO device n, from 0, or -errno. They are listed in order. */
static int find_device_fd(pid_t pid, unsigned int n)
{
	char folder[64], link[PATH_MAX];
	struct dirent *entry;
	int found = -ENODEV;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	dir = opendir(folder);
	while (dir && found < 0 && (entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (length < 0)
			continue;
		link[length] = '\0';
		if ((strstr(link, "/dev/vfio/devices/vfio") || strstr(link, "[vfio-device]")) && !n--)
			found = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int watch_device(struct vmm *vmm, unsigned int n)
{
	__cleanup_fd int pidfd = syscall(SYS_pidfd_open, vmm->pid, 0);
	struct vmm_device *device = &vmm->devices[n];
	int fd = find_device_fd(vmm->pid, n);

	if (pidfd < 0 || fd < 0)
		return problem(ENODEV, "%s has no VFIO device %u", vmm->name, n);
	*device = (struct vmm_device){ .io = IOMMU_CLOSED };
	device->io.fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (device->io.fd < 0)
		return problem(errno, "cannot share device %u of %s (%s)", n, vmm->name, strerror(errno));
	vmm->device_count = n + 1;
	return generator_watch(&device->gen, &device->io);
}

int vmm_watch(struct vmm *vmm, unsigned int devices)
{
	int err = 0;

	for (unsigned int n = 0; !err && n < devices; n++)
		err = watch_device(vmm, n);
	return err;
}

void vmm_leave(struct vmm *vmm)
{
	while (vmm->device_count) {
		struct vmm_device *device = &vmm->devices[--vmm->device_count];

		generator_leave(&device->gen);
		iommu_close(&device->io);
	}
}

uint64_t vmm_word(const struct vmm *vmm, unsigned int word)
{
	const volatile uint64_t *page =
		(void *)(vmm->memory.va + PAYLOAD_PAGE - PAYLOAD_RAM);

	return page[word];
}
