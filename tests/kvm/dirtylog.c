// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual machine that knows the truth about its dirty log. Its guest adds one to the first word
 * of each page of a seeded random set; after each round the log is read as a VMM would, and
 * compared with what really changed in memory. Every round is one JSON line on stdout. Not here:
 * what hwdbm saw of it (compare), and what the guest's machine is like (machine.h).
 */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define M2 (2UL << 20)

#define LIST_MAX ((LOW_BYTES - LIST) / 4 - 1)

#define LOGGED_SLOT 3

/* Headers of Linux before 6.3 have 0 for arm64, which had no rings then. */
#define RING_PAGE (KVM_DIRTY_LOG_PAGE_OFFSET ?: 64)

enum mode { BITMAP, MANUAL, MANUAL_SET, RING };
static const char * const mode_names[] = { "bitmap", "manual", "manual-set", "ring" };

static struct {
	enum mode mode;
	unsigned long memory_bytes;
	unsigned long base;
	unsigned int rounds;
	unsigned int pages;
	unsigned int seed;
	unsigned int delay;
	unsigned int interval_ms;
	unsigned int wait_ms;
	unsigned int ring_entries;
	bool live;
	bool region2;
	bool touch;
	bool hold;
} options = {
	.memory_bytes = 64UL << 20, .base = 256UL << 20, .rounds = 5, .pages = 1000, .seed = 1,
	.ring_entries = 65536,
};

static struct {
	int vm, vcpu;
	struct kvm_run *run;
	char *low, *memory;
	struct control *control;
	struct kvm_dirty_gfn *ring;
	uint32_t ring_next;
	pthread_t thread;
	sem_t stopped, go;
	volatile bool stop, end;
} vm;

/* KVM_CAP_..., which headers of Linux before 6.5 do not have. */
#define CAP_ARM_EAGER_SPLIT_CHUNK_SIZE 228

static void die(const char *what)
{
	fprintf(stderr, "dirtylog: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static int vm_ioctl(unsigned long command, void *argument, const char *what)
{
	int ret = ioctl(vm.vm, command, argument);

	if (ret < 0)
		die(what);
	return ret;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % limit;
}

/* ---- the machine -------------------------------------------------------------------- */

static void set_slot(uint32_t slot, uint32_t flags, uint64_t base, uint64_t bytes, void *memory)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = base, .memory_size = bytes,
		.userspace_addr = (uintptr_t)memory,
	};

#ifdef KVM_SET_USER_MEMORY_REGION2
	if (options.region2) {
		struct kvm_userspace_memory_region2 region2 = {
			.slot = slot, .flags = flags, .guest_phys_addr = base,
			.memory_size = bytes, .userspace_addr = (uintptr_t)memory,
		};

		vm_ioctl(KVM_SET_USER_MEMORY_REGION2, &region2, "KVM_SET_USER_MEMORY_REGION2");
		return;
	}
#endif
	vm_ioctl(KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void enable(uint32_t cap, uint64_t value, const char *what)
{
	struct kvm_enable_cap request = { .cap = cap, .args = { value } };

	vm_ioctl(KVM_ENABLE_CAP, &request, what);
}

/* Machines whose memory is ordered weakly have only the second. */
static void enable_ring(void)
{
	bool strong = ioctl(vm.vm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) > 0;

	enable(strong ? KVM_CAP_DIRTY_LOG_RING : KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
	       options.ring_entries * sizeof(struct kvm_dirty_gfn), "KVM_CAP_DIRTY_LOG_RING");
}

static char *map_memory(unsigned long bytes)
{
	char *memory = mmap(NULL, bytes + M2, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("memory for the guest");
	memory = (char *)(((uintptr_t)memory + M2 - 1) & ~(M2 - 1));
	memset(memory, 0, bytes);
	return memory;
}

static void make_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;

	if (kvm < 0)
		die("/dev/kvm");
	vm.vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm.vm < 0)
		die("KVM_CREATE_VM");
	machine_prepare(vm.vm);
	if (options.mode == MANUAL || options.mode == MANUAL_SET)
		enable(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, options.mode == MANUAL ? 1 : 3,
		       "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	if (options.mode == RING)
		enable_ring();
#ifdef __aarch64__
	/* Without, Arm splits nothing but what is written to. Linux before 6.5 never does. */
	if (options.touch) {
		struct kvm_enable_cap eager = { .cap = CAP_ARM_EAGER_SPLIT_CHUNK_SIZE,
						.args = { M2 } };

		ioctl(vm.vm, KVM_ENABLE_CAP, &eager);
	}
#endif
	vm.low = map_memory(LOW_BYTES);
	vm.memory = map_memory(options.memory_bytes);
	vm.control = (void *)(vm.low + CONTROL);
	vm.control->delay = options.delay;
	vm.control->repeat = options.live;
	memcpy(vm.low + CODE, guest_code, guest_end - guest_code);
	set_slot(0, 0, 0, LOW_BYTES, vm.low);
	set_slot(LOGGED_SLOT, 0, options.base, options.memory_bytes, vm.memory);
	vm.vcpu = vm_ioctl(KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vm.vcpu, 0);
	if (vm.run == MAP_FAILED)
		die("the vCPU's run page");
	if (options.mode == RING) {
		vm.ring = mmap(NULL, options.ring_entries * sizeof(*vm.ring),
			       PROT_READ | PROT_WRITE, MAP_SHARED, vm.vcpu,
			       RING_PAGE * PAGE);
		if (vm.ring == MAP_FAILED)
			die("the dirty ring");
	}
	if (machine_make(kvm, vm.vm, vm.vcpu, vm.low))
		die("registers of the guest");
	close(kvm);
}

static void wake(int signal)
{
	(void)signal;
}

static void *run_vcpu(void *unused)
{
	(void)unused;
	while (!vm.end) {
		if (vm.stop) {
			sem_post(&vm.stopped);
			while (sem_wait(&vm.go))
				;
			continue;
		}
		if (!ioctl(vm.vcpu, KVM_RUN, 0)) {
			/* Nothing that this guest does leaves to user space. */
			fprintf(stderr, "dirtylog: the guest left with reason %u\n",
				vm.run->exit_reason);
			exit(1);
		}
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN");
	}
	return NULL;
}

static void stop_vcpu(void)
{
	vm.stop = true;
	vm.run->immediate_exit = 1;
	/* A signal that comes before KVM_RUN is remembered by immediate_exit. */
	pthread_kill(vm.thread, SIGUSR1);
	while (sem_wait(&vm.stopped))
		;
}

static void go_on(void)
{
	vm.run->immediate_exit = 0;
	vm.stop = false;
	sem_post(&vm.go);
}

/* ---- rounds ------------------------------------------------------------------------- */

struct truth {
	uint64_t *bitmap;	/* as the ioctl left it, or made of the ring's entries */
	uint32_t *before;	/* first word of each page */
	size_t pages;
};

static void choose_pages(const struct truth *truth, unsigned int round)
{
	uint32_t *list = (void *)(vm.low + LIST);
	unsigned int count = options.pages, spread = truth->pages;

	/* Clustered and scattered rounds: what the sizes make of a set differs. */
	if (round % 3 == 2 && spread > count * 4)
		spread = count * 4;
	for (unsigned int i = 0; i < count; i++)
		list[i] = options.base + (uint64_t)random_below(spread) * PAGE;
	list[count] = 0;
}

static void run_round(unsigned int round)
{
	vm.control->asked = round;
	if (options.live) {
		usleep(options.interval_ms * 1000);
		return;
	}
	while (__atomic_load_n(&vm.control->done, __ATOMIC_ACQUIRE) != round)
		usleep(100);
	if (options.interval_ms)
		usleep(options.interval_ms * 1000);
}

/* One of KVM's own counters of this VM; -1 if it has none of that name. */
static int64_t counter(const char *name)
{
	struct kvm_stats_header header;
	int stats = ioctl(vm.vm, KVM_GET_STATS_FD, NULL);
	int64_t value = -1;

	if (stats < 0 || pread(stats, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	for (uint32_t i = 0; i < header.num_desc; i++) {
		char buffer[sizeof(struct kvm_stats_desc) + 256] = "";
		struct kvm_stats_desc *at = (void *)buffer;
		size_t size = sizeof(*at) + header.name_size;

		if (size > sizeof(buffer) ||
		    pread(stats, at, size, header.desc_offset + i * size) != (ssize_t)size)
			break;
		if (!strcmp(at->name, name) &&
		    pread(stats, &value, 8, header.data_offset + at->offset) != 8)
			value = -1;
	}
	close(stats);
	return value;
}

/* The guest writes to every 2M before anything is logged; huge pages are then mapped as such. */
static void touch(void)
{
	uint32_t *list = (void *)(vm.low + LIST);
	unsigned int count = 0;

	for (uint64_t at = 0; at < options.memory_bytes && count < LIST_MAX; at += M2)
		list[count++] = options.base + at;
	list[count] = 0;
	run_round(~0U);
	printf("{\"mapped_2m\":%" PRId64 "}\n", counter("pages_2m"));
	fflush(stdout);
}

/* And how often KVM has flushed TLBs for this VM so far. */
static void tell_flushes(void)
{
	printf("{\"flush_requests\":%" PRId64 ",\"flushes\":%" PRId64 "}\n",
	       counter("remote_tlb_flush_requests"), counter("remote_tlb_flush"));
	fflush(stdout);
}

static unsigned int read_ring(const struct truth *truth)
{
	unsigned int count = 0;

	for (;; count++, vm.ring_next++) {
		struct kvm_dirty_gfn *entry = &vm.ring[vm.ring_next % options.ring_entries];

		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			return count;
		if ((uint16_t)entry->slot == LOGGED_SLOT && entry->offset < truth->pages)
			truth->bitmap[entry->offset / 64] |= 1UL << entry->offset % 64;
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
}

/* Returns what KVM_RESET_DIRTY_RINGS did; 0 for a bitmap. */
static int read_log(const struct truth *truth, uint64_t *get_ns, uint64_t *clear_ns)
{
	struct kvm_dirty_log log = { .slot = LOGGED_SLOT, .dirty_bitmap = truth->bitmap };
	struct kvm_clear_dirty_log clear = { .slot = LOGGED_SLOT, .num_pages = truth->pages,
					     .dirty_bitmap = truth->bitmap };
	uint64_t start;
	int ret = 0;

	if (options.mode == RING) {
		memset(truth->bitmap, 0, (truth->pages + 63) / 64 * 8);
		read_ring(truth);
	}
	start = now_ns();
	if (options.mode == RING)
		ret = vm_ioctl(KVM_RESET_DIRTY_RINGS, NULL, "KVM_RESET_DIRTY_RINGS");
	else
		vm_ioctl(KVM_GET_DIRTY_LOG, &log, "KVM_GET_DIRTY_LOG");
	*get_ns = now_ns() - start;
	if (options.mode == MANUAL || options.mode == MANUAL_SET)
		vm_ioctl(KVM_CLEAR_DIRTY_LOG, &clear, "KVM_CLEAR_DIRTY_LOG");
	*clear_ns = now_ns() - start - *get_ns;
	return ret;
}

static bool is_dirty(const struct truth *truth, size_t page)
{
	return truth->bitmap[page / 64] >> page % 64 & 1;
}

/* Dirty bytes if memory were tracked in units of this size, of those inside the slot. */
static uint64_t dirty_bytes(const struct truth *truth, uint64_t unit)
{
	uint64_t bytes = 0, counted_to = 0, end = options.base + options.memory_bytes;

	for (size_t page = 0; page < truth->pages; page++) {
		uint64_t address = options.base + page * PAGE;
		uint64_t first = address / unit * unit, last = first + unit;

		if (!is_dirty(truth, page) || address < counted_to)
			continue;
		bytes += (last < end ? last : end) - (first > options.base ? first : options.base);
		counted_to = last;
	}
	return bytes;
}

static void tell_round(const struct truth *truth, unsigned int round, int ret, uint64_t get_ns,
		       uint64_t clear_ns)
{
	uint64_t changed = 0, missing = 0, extra = 0;

	for (size_t page = 0; page < truth->pages; page++) {
		uint32_t word = *(volatile uint32_t *)(vm.memory + page * PAGE);
		bool written = word != truth->before[page], dirty = is_dirty(truth, page);

		changed += written;
		missing += written && !dirty;
		extra += dirty && !written;
		truth->before[page] = word;
	}
	printf("{\"round\":%u,\"changed_pages\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"extra\":%" PRIu64,
	       round, changed, missing, extra);
	printf(",\"dirty_4k_bytes\":%" PRIu64 ",\"dirty_64k_bytes\":%" PRIu64
	       ",\"dirty_2m_bytes\":%" PRIu64 ",\"dirty_1g_bytes\":%" PRIu64,
	       dirty_bytes(truth, PAGE), dirty_bytes(truth, 65536), dirty_bytes(truth, M2),
	       dirty_bytes(truth, 1UL << 30));
	printf(",\"reset\":%d,\"get_ns\":%" PRIu64 ",\"clear_ns\":%" PRIu64 "}\n", ret, get_ns,
	       clear_ns);
	fflush(stdout);
}

static void run_rounds(void)
{
	struct truth truth = { .pages = options.memory_bytes / PAGE };

	truth.bitmap = calloc((truth.pages + 63) / 64, 8);
	truth.before = calloc(truth.pages, sizeof(*truth.before));
	if (!truth.bitmap || !truth.before)
		die("memory for the truth");
	for (size_t page = 0; page < truth.pages; page++)
		truth.before[page] = *(volatile uint32_t *)(vm.memory + page * PAGE);
	for (unsigned int round = 1; round <= options.rounds; round++) {
		uint64_t get_ns, clear_ns;
		int ret;

		choose_pages(&truth, round);
		if (options.live && round > 1)
			go_on();
		run_round(round);
		if (options.live)
			stop_vcpu();
		ret = read_log(&truth, &get_ns, &clear_ns);
		tell_round(&truth, round, ret, get_ns, clear_ns);
	}
	free(truth.bitmap);
	free(truth.before);
}

/* ---- options ------------------------------------------------------------------------ */

static unsigned long number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (!*text || *end || value > most) {
		fprintf(stderr, "dirtylog: '%s' is no number up to %lu\n", text, most);
		exit(2);
	}
	return value;
}

static void usage(int status)
{
	fputs("usage: dirtylog [--mode bitmap|manual|manual-set|ring] [--memory MB] [--base ADDRESS]\n"
	      "                [--extra-pages N] [--rounds N] [--pages N] [--seed N] [--delay TURNS]\n"
	      "                [--interval MS] [--wait MS] [--ring-entries N] [--live | --touch] [--region2] [--hold]\n"
	      "--live reads the log while the guest goes on, which it does as fast as --delay lets it\n"
	      "--touch lets the guest write to all memory first; counters of KVM are told, too\n"
	      "--hold keeps the VM, at the end, until a signal\n",
	      status ? stderr : stdout);
	exit(status);
}

static enum mode mode_of(const char *name)
{
	for (unsigned int i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++)
		if (!strcmp(name, mode_names[i]))
			return i;
	usage(2);
	return BITMAP;
}

static void parse(int argc, char **argv)
{
	static const struct option words[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "memory", required_argument, NULL, 'M' },
		{ "base", required_argument, NULL, 'b' },
		{ "extra-pages", required_argument, NULL, 'x' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "pages", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "delay", required_argument, NULL, 'd' },
		{ "interval", required_argument, NULL, 'i' },
		{ "wait", required_argument, NULL, 'w' },
		{ "ring-entries", required_argument, NULL, 'e' },
		{ "live", no_argument, NULL, 'l' },
		{ "region2", no_argument, NULL, '2' },
		{ "touch", no_argument, NULL, 't' },
		{ "hold", no_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	unsigned long extra_pages = 0;
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'm': options.mode = mode_of(optarg); break;
		case 'M': options.memory_bytes = number(optarg, 3584) << 20; break;
		case 'b': options.base = number(optarg, 0xf0000000); break;
		case 'x': extra_pages = number(optarg, 1 << 20); break;
		case 'r': options.rounds = number(optarg, ~0U); break;
		case 'p': options.pages = number(optarg, LIST_MAX); break;
		case 's': options.seed = number(optarg, ~0U); break;
		case 'd': options.delay = number(optarg, INT32_MAX); break;
		case 'i': options.interval_ms = number(optarg, 60000); break;
		case 'w': options.wait_ms = number(optarg, 60000); break;
		case 'e': options.ring_entries = number(optarg, 65536); break;
		case 'l': options.live = true; break;
		case '2': options.region2 = true; break;
		case 't': options.touch = true; break;
		case 'H': options.hold = true; break;
		case 'h': usage(0); break;
		default: usage(2);
		}
	}
	options.memory_bytes += extra_pages * PAGE;
	if (optind < argc || (options.touch && options.live) || options.base < LOW_BYTES || options.base % PAGE ||
	    options.base + options.memory_bytes > 0xf0000000)
		usage(2);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = wake };

	parse(argc, argv);
	random_state = options.seed * 0x9e3779b97f4a7c15 + 1;
	sigaction(SIGUSR1, &action, NULL);
	sem_init(&vm.stopped, 0, 0);
	sem_init(&vm.go, 0, 0);
	make_vm();
	if (pthread_create(&vm.thread, NULL, run_vcpu, NULL))
		die("a thread for the vCPU");
	if (options.touch)
		touch();
	set_slot(LOGGED_SLOT, KVM_MEM_LOG_DIRTY_PAGES, options.base, options.memory_bytes,
		 vm.memory);
	/* For a tool that comes late. */
	usleep(options.wait_ms * 1000);
	run_rounds();
	if (!options.live)
		stop_vcpu();
	vm.end = true;
	go_on();
	pthread_join(vm.thread, NULL);
	set_slot(LOGGED_SLOT, 0, options.base, options.memory_bytes, vm.memory);
	if (options.touch)
		tell_flushes();
	if (options.hold)
		pause();
	return 0;
}
