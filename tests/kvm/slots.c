// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs that do nothing, to be looked at: as many slots, with and without dirty log, as
 * asked. Says what it made, one line per slot, then "ready", and stays until its input
 * ends or a signal. An "s" there makes it read the dirty log of each slot that has one, and say
 * "synced N". Words behind "--" are left alone: a VMM's options for others to read.
 * Not here: a guest that runs.
 *
 *   --vms N        a process for each, this one the first (1)
 *   --slots N      (1)
 *   --pages N      of 4 KiB in each slot (16)
 *   --log WHICH    none, all, or odd: which slots have the dirty log on (none)
 *   --read-only    slot 0 cannot be written; it never has the log
 *   --manual N     enable KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 with these flags
 *   --ring BYTES   enable the dirty ring
 *   --vcpus N      (0)
 *   --touch        write all memory, so that something backs it
 *   --huge         with 2 MiB pages, if the host makes transparent ones
 *   --share        a child holds the same descriptors
 *   --churn        slots come and go until the end
 *   --thread NAME  a second thread of this name
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE 4096ULL
#define HUGE_PAGE (2ULL << 20)

static struct {
	unsigned long vms, slots, pages, manual, ring, vcpus;
	const char *log, *thread;
	bool read_only, touch, huge, share, churn, has_manual;
} o = { .vms = 1, .slots = 1, .pages = 16, .log = "none" };

static int kvm, vm;
static char *memory;

static uint32_t flags_of(unsigned long slot)
{
	if (o.read_only && !slot)
		return KVM_MEM_READONLY;
	return !strcmp(o.log, "all") || (!strcmp(o.log, "odd") && slot % 2) ?
	       KVM_MEM_LOG_DIRTY_PAGES : 0;
}

static void set_slot(unsigned long slot, uint64_t pages)
{
	/* A gap between slots keeps each its own. */
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = pages ? flags_of(slot) : 0,
		.guest_phys_addr = slot * (o.pages + 1) * PAGE,
		.memory_size = pages * PAGE,
		.userspace_addr = (uintptr_t)memory + slot * o.pages * PAGE,
	};

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(1, "slot %lu", slot);
	if (pages && !o.churn)
		printf("slot %lu %llu %llu %llu %u\n", slot, region.guest_phys_addr,
		       region.memory_size, region.userspace_addr, region.flags);
}

static unsigned long read_logs(void)
{
	void *bitmap = calloc(1, (o.pages + 63) / 64 * 8);
	unsigned long count = 0;

	for (unsigned long i = 0; i < o.slots; i++) {
		struct kvm_dirty_log log = { .slot = i, .dirty_bitmap = bitmap };

		if (!(flags_of(i) & KVM_MEM_LOG_DIRTY_PAGES))
			continue;
		if (ioctl(vm, KVM_GET_DIRTY_LOG, &log))
			err(1, "the log of slot %lu", i);
		count++;
	}
	free(bitmap);
	return count;
}

static void enable(uint32_t cap, uint64_t argument)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { argument } };

	if (ioctl(vm, KVM_ENABLE_CAP, &enable))
		err(2, "capability %u", cap);
}

static void *sleep_on(void *name)
{
	prctl(PR_SET_NAME, name);
	pause();
	return NULL;
}

static void make_vm(void)
{
	size_t size = o.slots * o.pages * PAGE;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		err(2, "KVM_CREATE_VM");
	memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memory = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	madvise(memory, size, o.huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (o.touch)
		memset(memory, 1, size);
	if (o.has_manual)
		enable(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, o.manual);
	if (o.ring)
		enable(KVM_CAP_DIRTY_LOG_RING, o.ring);
	for (unsigned long i = 0; i < o.vcpus; i++)
		if (ioctl(vm, KVM_CREATE_VCPU, i) < 0)
			err(1, "vCPU %lu", i);
	for (unsigned long i = 0; i < o.slots; i++)
		set_slot(i, o.pages);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "vms", 1, NULL, 'v' }, { "slots", 1, NULL, 's' }, { "pages", 1, NULL, 'p' },
		{ "log", 1, NULL, 'l' }, { "read-only", 0, NULL, 'r' },
		{ "manual", 1, NULL, 'm' }, { "ring", 1, NULL, 'R' },
		{ "vcpus", 1, NULL, 'c' }, { "touch", 0, NULL, 't' }, { "huge", 0, NULL, 'h' },
		{ "share", 0, NULL, 'S' }, { "churn", 0, NULL, 'C' },
		{ "thread", 1, NULL, 'T' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (c) {
		case 'v': o.vms = strtoul(optarg, NULL, 0); break;
		case 's': o.slots = strtoul(optarg, NULL, 0); break;
		case 'p': o.pages = strtoul(optarg, NULL, 0); break;
		case 'l': o.log = optarg; break;
		case 'r': o.read_only = true; break;
		case 'm': o.manual = strtoul(optarg, NULL, 0); o.has_manual = true; break;
		case 'R': o.ring = strtoul(optarg, NULL, 0); break;
		case 'c': o.vcpus = strtoul(optarg, NULL, 0); break;
		case 't': o.touch = true; break;
		case 'h': o.huge = true; break;
		case 'S': o.share = true; break;
		case 'C': o.churn = true; break;
		case 'T': o.thread = optarg; break;
		default: exit(1);
		}
}

/* A process group of their own: whoever ends the first ends them all. */
static void fork_others(unsigned long count)
{
	pid_t parent = getpid();

	while (count--) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		if (!o.share)
			make_vm();
		for (;;)
			pause();
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char byte;

	parse(argc, argv);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		err(2, "/dev/kvm");
	if (o.vms > 1)
		fork_others(o.vms - 1);
	make_vm();
	fflush(stdout);
	if (o.share)
		fork_others(1);
	if (o.thread && pthread_create(&thread, NULL, sleep_on, (void *)o.thread))
		errx(1, "pthread_create");
	printf("ready %d\n", getpid());
	fflush(stdout);
	fcntl(0, F_SETFL, O_NONBLOCK);
	while (o.churn)
		for (unsigned long i = 0; i < o.slots; i++) {
			set_slot(i, 0);
			set_slot(i, o.pages);
			if (!read(0, &byte, 1))
				return 0;
		}
	fcntl(0, F_SETFL, 0);
	while (read(0, &byte, 1) > 0)
		if (byte == 's') {
			printf("synced %lu\n", read_logs());
			fflush(stdout);
		}
	return 0;
}
