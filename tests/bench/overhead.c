// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls whose cost is looked at while somebody traces them: processor time of one, in nanoseconds,
 * on stdout, in the fastest of some series: what others do to the machine is not the tracer's. Not
 * here: who traces (overhead).
 *
 *   calls COUNT             getppid(), then an ioctl that has nothing to do with KVM
 *   log COUNT MIB [dense]   KVM_GET_DIRTY_LOG of a slot; dense: every page is dirty, and stays so
 *   paced COUNT MIB HZ      the same, dense, so many times a second; prints nothing
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define SERIES 20

/* Of one call, in the fastest series of @count calls in all. */
static double fastest(long count, void (*call)(void *), void *argument)
{
	long each = count / SERIES ? count / SERIES : 1;
	double best = 0;

	for (int i = 0; i < SERIES; i++) {
		double start = now(), took;

		for (long j = 0; j < each; j++)
			call(argument);
		took = (now() - start) / (double)each;
		if (!i || took < best)
			best = took;
	}
	return best;
}

static void system_call(void *argument)
{
	(void)argument;
	syscall(SYS_getppid);
}

static void foreign_ioctl(void *file)
{
	int bytes;

	ioctl(*(int *)file, FIONREAD, &bytes);
}

static void calls(long count)
{
	int pipes[2];

	if (pipe(pipes))
		err(1, "pipe");
	printf("%.1f ", fastest(count, system_call, NULL));
	printf("%.1f\n", fastest(count, foreign_ioctl, &pipes[0]));
}

/* Nothing is cleared by a read: a log that is all set at first stays so. */
static int make_log(size_t bytes, int dense, struct kvm_dirty_log *log)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_enable_cap manual = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
					 .args = { dense ? 3 : 1 } };
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = KVM_MEM_LOG_DIRTY_PAGES, .guest_phys_addr = 1UL << 32,
		.memory_size = bytes,
	};
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	region.userspace_addr = (uintptr_t)memory;
	*log = (struct kvm_dirty_log){ .slot = 1, .dirty_bitmap = calloc(1, bytes / 4096 / 8 + 8) };
	if (vm < 0 || memory == MAP_FAILED || !log->dirty_bitmap || ioctl(vm, KVM_ENABLE_CAP, &manual) ||
	    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "a VM with a dirty log");
	return vm;
}

struct log {
	int vm;
	struct kvm_dirty_log get;
};

static void get(void *log)
{
	if (ioctl(((struct log *)log)->vm, KVM_GET_DIRTY_LOG, &((struct log *)log)->get))
		err(1, "KVM_GET_DIRTY_LOG");
}

static void logs(long count, size_t bytes, int dense)
{
	struct log log;

	log.vm = make_log(bytes, dense, &log.get);
	/* Whoever follows logs comes now. */
	usleep(300000);
	get(&log);
	printf("%.1f\n", fastest(count, get, &log));
}

static void paced(long count, size_t bytes, long hz)
{
	struct log log;

	log.vm = make_log(bytes, 1, &log.get);
	for (long i = 0; i < count; i++) {
		get(&log);
		usleep(1000000 / hz);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;

	if (argc == 3 && !strcmp(argv[1], "calls"))
		calls(count);
	else if (argc >= 4 && !strcmp(argv[1], "log"))
		logs(count, strtoul(argv[3], NULL, 0) << 20, argc > 4);
	else if (argc == 5 && !strcmp(argv[1], "paced"))
		paced(count, strtoul(argv[3], NULL, 0) << 20, atol(argv[4]));
	else
		errx(2, "usage: calls COUNT | log COUNT MIB [dense] | paced COUNT MIB HZ");
	return 0;
}
