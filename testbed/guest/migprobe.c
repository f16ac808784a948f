// SPDX-License-Identifier: GPL-2.0-only
/*
 * migprobe: checks the migration protocol of the DMA generator's VFIO driver, by hand, between two
 * generators that write the same memory: that one goes on exactly where the other stopped, whatever
 * the size of the state, and that everything which goes wrong ends well. Every check prints one
 * line, "ok NAME" or "not ok NAME: why". Dirty tracking is the business of others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "generator.h"
#include "iommu.h"
#include "memory.h"
#include "migration.h"
#include "probe.h"
#include "runtime.h"
#include "type1.h"

#define IOVA		UINT64_C(0x4000000000)
#define BYTES		(3 * SZ_2M)
#define PARAMETERS	"/sys/module/dmagen_vfio_pci/parameters/"
#define ALL_SLOTS	7	/* the mask of those that program() sets */

/* The stream, as the driver's stream.c writes it */
#define HEADER_BYTES	32
#define VERSION_AT	8
#define STATE_BYTES	(DMAGEN_NR_MIG_WORDS * 8)
#define TAIL_BYTES	(STATE_BYTES + 8)

#define STOP		VFIO_DEVICE_STATE_STOP
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define PRE_COPY	VFIO_DEVICE_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_DEVICE_STATE_PRE_COPY_P2P
#define ERROR		VFIO_DEVICE_STATE_ERROR

struct side {
	struct iommu io;
	struct iommu_space space;
	struct generator gen;
};

/* Two generators, each with the memory at IOVA */
struct bench {
	struct side source, target;
	struct memory mem;
};

struct blob {
	void *data;
	size_t bytes;
};

#define BENCH_EMPTY	{ .source.io = IOMMU_CLOSED, .target.io = IOMMU_CLOSED }
#define __cleanup_bench	__attribute__((cleanup(bench_close)))
#define __cleanup_blob	__attribute__((cleanup(blob_free)))

#define FAIL_UNLESS(condition, ...) \
	do { \
		if (!(condition)) \
			return because(FAIL, __VA_ARGS__); \
	} while (0)

static void blob_free(struct blob *blob)
{
	free(blob->data);
}

static void parameter(const char *name, uint64_t value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	if (write_text(path, text))
		problem(errno, "cannot write %s to %s", text, path);
}

static void side_close(struct side *s)
{
	generator_close(&s->gen);
	iommu_space_destroy(&s->space);
	iommu_close(&s->io);
}

static void bench_close(struct bench *b)
{
	side_close(&b->source);
	side_close(&b->target);
	memory_destroy(&b->mem);
	parameter("padding_bytes", 0);
	parameter("precopy_bytes", 0);
	parameter("load_delay_ms", 0);
	parameter("precopy", 1);
}

static int side_open(struct side *s, unsigned int n, struct memory *mem)
{
	char name[16], path[64];
	int err = type1_find(DMAGEN_PCI_VENDOR_ID, DMAGEN_PCI_DEVICE_ID, n, name);

	if (err)
		return problem(-err, "there is no DMA generator %u", n);
	err = iommu_find(name, path, sizeof(path));
	if (!err)
		err = iommu_open(&s->io, path);
	if (!err)
		err = generator_open(&s->gen, &s->io);
	if (!err)
		err = iommu_space_create(&s->space, &s->io, false);
	if (!err)
		err = iommu_space_map(&s->space, mem->va, IOVA, mem->bytes);
	if (!err)
		generator_set(&s->gen, DMAGEN_TRUTH_BASE, IOVA);
	return err;
}

static bool bench_open(struct bench *b)
{
	if (!memory_create(&b->mem, BYTES, SZ_4K) && !side_open(&b->source, 0, &b->mem) &&
	    !side_open(&b->target, 1, &b->mem))
		return true;
	because(FAIL, "%s", problem_text());
	return false;
}

/* A strided, a random and a hot and cold slot, each in 2 MiB of its own */
static void program(struct side *s)
{
	struct dma_slot slots[] = {
		{ .op_bytes = 8, .pattern = DMAGEN_OP_STRIDE, .stride = SZ_4K + 8, .count = 37 },
		{ .op_bytes = 24, .pattern = DMAGEN_OP_RANDOM, .seed = 5, .count = 11 },
		{ .op_bytes = 64, .pattern = DMAGEN_OP_HOT_COLD, .seed = 9, .count = 13,
		  .hot_bytes = 4 * SZ_4K, .hot_percent = 70 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
		slots[i].base = IOVA + i * SZ_2M;
		slots[i].length = SZ_2M;
		generator_set_slot(&s->gen, i, &slots[i]);
	}
}

static void ring(struct side *s, unsigned int times)
{
	while (times--)
		generator_ring(&s->gen, ALL_SLOTS);
}

static uint64_t ops(const struct side *s)
{
	return generator_get(&s->gen, DMAGEN_OPS);
}

/* Stops the device and takes its state; it is in STOP_COPY then. 0 or -errno. */
static int save(struct side *s, struct blob *blob)
{
	__cleanup_fd int data = -1;
	bool ended = false;
	int err = migration_go(&s->io, STOP_COPY, &data);

	if (!err)
		err = migration_read(data, &blob->data, &blob->bytes, &ended);
	return !err && !ended ? -ENODATA : err;
}

/* Gives it to a device, which then goes to 'state'. The error of the write, or of the load. */
static int load(struct side *s, const struct blob *blob, enum vfio_device_mig_state state)
{
	__cleanup_fd int data = -1;
	int err = migration_go(&s->io, RESUMING, &data), load_err;

	if (err)
		return err;
	err = migration_write(data, blob->data, blob->bytes);
	load_err = migration_go(&s->io, state, NULL);
	return err ? err : load_err;
}

/* ---- what a VMM finds ---- */

static enum outcome what_it_offers(void)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = DMAGEN_BAR_MIG };
	struct vfio_device_feature log = {
		.argsz = sizeof(log),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
	};
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t flags = 0, word;
	void *va;

	if (!bench_open(&b))
		return FAIL;
	FAIL_UNLESS(!migration_flags(&b.source.io, &flags) &&
		    flags == (VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY),
		    "the migration flags are %#" PRIx64, flags);
	FAIL_UNLESS(migration_state(&b.source.io) == RUNNING, "it does not begin with RUNNING");
	FAIL_UNLESS(ioctl(b.source.io.fd, VFIO_DEVICE_FEATURE, &log) && errno == ENOTTY,
		    "it offers a dirty log of its own");
	FAIL_UNLESS(!ioctl(b.source.io.fd, VFIO_DEVICE_GET_REGION_INFO, &bar) && !bar.size,
		    "the migration registers have %" PRIu64 " bytes", (uint64_t)bar.size);
	FAIL_UNLESS(pread(b.source.io.fd, &word, 8, bar.offset) < 0 &&
		    pwrite(b.source.io.fd, &word, 8, bar.offset) < 0,
		    "the migration registers can be accessed");
	va = mmap(NULL, SZ_4K, PROT_READ, MAP_SHARED, b.source.io.fd, bar.offset);
	FAIL_UNLESS(va == MAP_FAILED, "the migration registers can be mapped");
	return PASS;
}

/* ---- going on where the other stopped ---- */

static bool same_memory(const struct memory *mem, const uint8_t *other, uint64_t *offset)
{
	for (*offset = 0; *offset < mem->bytes; ++*offset)
		if (mem->va[*offset] != other[*offset])
			return false;
	return true;
}

/*
 * From one state S, saved once: 8 rings on one device without a break, then the same with a move
 * after the fifth. Memory, sequence numbers and what the devices know to have written are equal.
 */
static enum outcome goes_on(uint64_t padding)
{
	uint64_t truth_bytes = BYTES / SZ_4K / 8, seq, done, at, size = 0;
	__cleanup_blob struct blob start = { 0 }, moved = { 0 };
	__cleanup_free uint8_t *memory = malloc(BYTES);
	__cleanup_free void *truth = malloc(truth_bytes);
	__cleanup_bench struct bench b = BENCH_EMPTY;
	int err;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	ring(&b.source, 3);
	err = save(&b.source, &start);
	FAIL_UNLESS(!err && start.bytes == HEADER_BYTES + TAIL_BYTES,
		    "saving: %s, %zu bytes", strerror(-err), start.bytes);
	err = migration_go(&b.source.io, RUNNING, NULL);
	FAIL_UNLESS(!err, "STOP_COPY to RUNNING: %s", strerror(-err));

	memset(b.mem.va, 0, BYTES);
	ring(&b.source, 5);
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);
	ring(&b.source, 3);
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);
	memcpy(memory, b.mem.va, BYTES);
	memcpy(truth, (void *)b.source.gen.truth, truth_bytes);
	seq = generator_get(&b.source.gen, DMAGEN_LAST_SEQ);
	done = ops(&b.source);

	memset(b.mem.va, 0, BYTES);
	err = load(&b.target, &start, RUNNING);
	FAIL_UNLESS(!err, "loading: %s", strerror(-err));
	ring(&b.target, 5);
	/* The strided slot, without the help of the mechanism under test: 3 rings were before. */
	at = 8 * 37 * (SZ_4K + 8) % SZ_2M;
	FAIL_UNLESS(!*(uint64_t *)(b.mem.va + at), "the next place is written already");
	parameter("padding_bytes", padding);
	FAIL_UNLESS(!migration_data_size(&b.target.io, &size) &&
		    size == HEADER_BYTES + padding + TAIL_BYTES, "it says %" PRIu64 " bytes", size);
	err = save(&b.target, &moved);
	FAIL_UNLESS(!err && moved.bytes == size, "saving the padded state: %s, %zu bytes",
		    strerror(-err), moved.bytes);
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);
	err = load(&b.source, &moved, RUNNING);
	FAIL_UNLESS(!err, "loading the padded state: %s", strerror(-err));
	ring(&b.source, 3);
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);

	FAIL_UNLESS(*(uint64_t *)(b.mem.va + at), "the next write went to another place");
	FAIL_UNLESS(same_memory(&b.mem, memory, &at), "memory differs at %#" PRIx64, at);
	FAIL_UNLESS(generator_get(&b.source.gen, DMAGEN_LAST_SEQ) == seq && ops(&b.source) == done,
		    "the counters differ");
	FAIL_UNLESS(!memcmp(truth, (void *)b.source.gen.truth, truth_bytes),
		    "other pages are written");
	FAIL_UNLESS(!generator_get(&b.source.gen, DMAGEN_FAILED), "DMA has failed");
	return PASS;
}

static enum outcome goes_on_0(void)
{
	return goes_on(0);
}

static enum outcome goes_on_odd(void)
{
	return goes_on(12345);
}

static enum outcome goes_on_1m(void)
{
	return goes_on(SZ_1M);
}

static enum outcome goes_on_64m(void)
{
	return goes_on(64 * SZ_1M);
}

/* One that writes by itself: stands still while stopped, and goes on at its pace. */
static enum outcome goes_on_paced(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_blob struct blob moved = { 0 };
	uint64_t before, seq;
	int err;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	generator_run(&b.source.gen, ALL_SLOTS, 7, 1000);
	usleep(50000);
	err = migration_go(&b.source.io, STOP, NULL);
	FAIL_UNLESS(!err, "RUNNING to STOP: %s", strerror(-err));
	before = ops(&b.source);
	seq = generator_get(&b.source.gen, DMAGEN_LAST_SEQ);
	FAIL_UNLESS(before, "it did nothing before");
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);
	usleep(50000);
	/* A doorbell of a stopped device is heard when it runs again, here: by the other. */
	generator_ring(&b.source.gen, 1);
	generator_set(&b.source.gen, DMAGEN_LATCH, 1);
	FAIL_UNLESS(ops(&b.source) == before &&
		    !generator_get(&b.source.gen, DMAGEN_LATCHED_PAGES), "it writes while stopped");
	err = save(&b.source, &moved);
	if (!err)
		err = load(&b.target, &moved, STOP);
	FAIL_UNLESS(!err, "the move: %s", strerror(-err));
	generator_set(&b.target.gen, DMAGEN_LATCH, 1);
	usleep(50000);
	FAIL_UNLESS(ops(&b.target) == before &&
		    generator_get(&b.target.gen, DMAGEN_LAST_SEQ) == seq,
		    "it does not stand where the other stood");
	err = migration_go(&b.target.io, RUNNING, NULL);
	FAIL_UNLESS(!err && ops(&b.target) >= before + 37, "the doorbell was lost: %" PRIu64 " operations",
		    ops(&b.target) - before);
	usleep(100000);
	FAIL_UNLESS(ops(&b.target) > before + 37 + 7, "it does not go on by itself");
	FAIL_UNLESS(ops(&b.source) == before, "the source goes on");
	FAIL_UNLESS(generator_get(&b.target.gen, DMAGEN_PACE) == DMAGEN_PACE_VALUE(7, UINT64_C(1000)),
		    "its pace has changed");
	return PASS;
}

/* ---- the protocol ---- */

static enum outcome pre_copy(void)
{
	const uint64_t padding = 3 * SZ_1M, early = 2 * SZ_1M;
	__cleanup_blob struct blob first = { 0 }, rest = { 0 };
	__cleanup_bench struct bench b = BENCH_EMPTY;
	struct vfio_precopy_info info;
	__cleanup_fd int data = -1;
	__cleanup_fd int load = -1;
	uint64_t before, size = 0;
	bool ended;
	int err;

	if (!bench_open(&b))
		return FAIL;
	parameter("padding_bytes", padding);
	parameter("precopy_bytes", early);
	program(&b.source);
	generator_run(&b.source.gen, ALL_SLOTS, 7, 1000);
	err = migration_go(&b.source.io, PRE_COPY, &data);
	FAIL_UNLESS(!err && data >= 0, "RUNNING to PRE_COPY: %s", strerror(-err));
	before = ops(&b.source);
	FAIL_UNLESS(!migration_precopy_info(data, &info) && !info.dirty_bytes &&
		    info.initial_bytes == HEADER_BYTES + early, "%" PRIu64 " initial bytes",
		    (uint64_t)info.initial_bytes);
	err = migration_read(data, &first.data, &first.bytes, &ended);
	FAIL_UNLESS(!err && !ended && first.bytes == HEADER_BYTES + early,
		    "PRE_COPY gives %zu bytes (%s), the end is %d", first.bytes, strerror(-err), ended);
	FAIL_UNLESS(!migration_precopy_info(data, &info) && !info.initial_bytes, "bytes are left");
	usleep(50000);
	FAIL_UNLESS(ops(&b.source) > before, "it stands still in PRE_COPY");
	FAIL_UNLESS(!migration_data_size(&b.source.io, &size) && size == padding - early + TAIL_BYTES,
		    "it says that %" PRIu64 " bytes are left", size);

	err = migration_go(&b.source.io, STOP_COPY, NULL);
	FAIL_UNLESS(!err, "PRE_COPY to STOP_COPY: %s", strerror(-err));
	before = ops(&b.source);
	FAIL_UNLESS(migration_precopy_info(data, &info) == -EINVAL, "it still knows PRE_COPY's sizes");
	FAIL_UNLESS(migration_go(&b.source.io, PRE_COPY, NULL) == -EINVAL &&
		    migration_state(&b.source.io) == STOP_COPY, "it goes back to PRE_COPY");
	err = migration_read(data, &rest.data, &rest.bytes, &ended);
	FAIL_UNLESS(!err && ended && rest.bytes == size, "STOP_COPY gives %zu bytes (%s), the end is %d",
		    rest.bytes, strerror(-err), ended);
	FAIL_UNLESS(!migration_go(&b.source.io, STOP, NULL) && read(data, &size, 1) < 0 &&
		    errno == ENODEV, "the data goes on after STOP_COPY");

	err = migration_go(&b.target.io, RESUMING, &load);
	FAIL_UNLESS(!err && load >= 0, "RUNNING to RESUMING: %s", strerror(-err));
	err = migration_write(load, first.data, first.bytes);
	if (!err)
		err = migration_write(load, rest.data, rest.bytes);
	if (!err)
		err = migration_go(&b.target.io, RUNNING, NULL);
	FAIL_UNLESS(!err, "the target: %s", strerror(-err));
	usleep(50000);
	FAIL_UNLESS(ops(&b.target) > before && ops(&b.source) == before, "it does not go on");
	return PASS;
}

/* A migration that is given up: the source runs as if nothing had been. */
static enum outcome cancelled(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_fd int data = -1;
	uint64_t before;
	char byte;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	generator_run(&b.source.gen, ALL_SLOTS, 7, 1000);
	FAIL_UNLESS(!migration_go(&b.source.io, PRE_COPY, &data), "RUNNING to PRE_COPY");
	FAIL_UNLESS(!migration_go(&b.source.io, PRE_COPY_P2P, NULL), "PRE_COPY to PRE_COPY_P2P");
	before = ops(&b.source);
	usleep(20000);
	FAIL_UNLESS(ops(&b.source) == before, "it writes in PRE_COPY_P2P");
	FAIL_UNLESS(!migration_go(&b.source.io, RUNNING, NULL), "PRE_COPY_P2P to RUNNING");
	usleep(20000);
	FAIL_UNLESS(ops(&b.source) > before, "it does not go on after PRE_COPY");
	FAIL_UNLESS(read(data, &byte, 1) < 0 && errno == ENODEV, "the data goes on");
	close(data);
	FAIL_UNLESS(!migration_go(&b.source.io, STOP_COPY, &data), "RUNNING to STOP_COPY");
	FAIL_UNLESS(!migration_go(&b.source.io, RUNNING, NULL), "STOP_COPY to RUNNING");
	before = ops(&b.source);
	usleep(20000);
	FAIL_UNLESS(ops(&b.source) > before, "it does not go on after STOP_COPY");
	return PASS;
}

static enum outcome without_pre_copy(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t flags = 0;

	parameter("precopy", 0);
	if (!bench_open(&b))
		return FAIL;
	FAIL_UNLESS(!migration_flags(&b.source.io, &flags) && !(flags & VFIO_MIGRATION_PRE_COPY),
		    "it offers PRE_COPY");
	FAIL_UNLESS(migration_go(&b.source.io, PRE_COPY, NULL) == -EINVAL, "it goes to PRE_COPY");
	return PASS;
}

static enum outcome load_delay(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_blob struct blob blob = { 0 };
	uint64_t start, quick, slow;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	FAIL_UNLESS(!save(&b.source, &blob), "saving");
	start = clock_ns();
	FAIL_UNLESS(!load(&b.target, &blob, STOP), "loading");
	quick = clock_ns() - start;
	parameter("load_delay_ms", 400);
	start = clock_ns();
	FAIL_UNLESS(!load(&b.target, &blob, STOP), "loading");
	slow = clock_ns() - start;
	FAIL_UNLESS(slow >= 400 * NSEC_PER_MSEC && quick < 400 * NSEC_PER_MSEC,
		    "loading takes %" PRIu64 " ms with 400 ms of delay, %" PRIu64 " ms without",
		    slow / NSEC_PER_MSEC, quick / NSEC_PER_MSEC);
	return PASS;
}

/* A user who has switched the device's memory off can still migrate it. */
static enum outcome memory_off(void)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_blob struct blob blob = { 0 };
	uint16_t command = 0, after = 0xffff;
	int err;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	ioctl(b.source.io.fd, VFIO_DEVICE_GET_REGION_INFO, &config);
	pwrite(b.source.io.fd, &command, 2, config.offset + PCI_COMMAND);
	err = save(&b.source, &blob);
	pread(b.source.io.fd, &after, 2, config.offset + PCI_COMMAND);
	command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	pwrite(b.source.io.fd, &command, 2, config.offset + PCI_COMMAND);
	FAIL_UNLESS(!err, "saving: %s", strerror(-err));
	FAIL_UNLESS(!(after & PCI_COMMAND_MEMORY), "its memory is on");
	FAIL_UNLESS(!load(&b.target, &blob, RUNNING), "loading");
	return PASS;
}

/* ---- what goes wrong ---- */

/* What the kernel log holds behind the last line of ours */
static void log_mark(void)
{
	write_text("/dev/kmsg", "migprobe: mark");
}

static bool log_says(const char *words)
{
	int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
	__cleanup_free char *text = calloc(1, size + 1);
	char *at, *mark = NULL;

	if (!text || klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, size) < 0)
		return false;
	for (at = text; (at = strstr(at, "migprobe: mark")); at++)
		mark = at;
	return mark && strstr(mark, words);
}

/* CRC-32 as the kernel's crc32_le(~0) has it */
static uint64_t checksum(const struct blob *blob)
{
	const uint8_t *header = blob->data, *words = header + blob->bytes - TAIL_BYTES;
	uint32_t crc = ~0u;

	for (size_t i = 0; i < HEADER_BYTES + STATE_BYTES; i++) {
		crc ^= i < HEADER_BYTES ? header[i] : words[i - HEADER_BYTES];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static void bad_magic(struct blob *blob)
{
	((uint8_t *)blob->data)[0] ^= 1;
}

static void bad_version(struct blob *blob)
{
	((uint8_t *)blob->data)[VERSION_AT]++;
}

static void too_much_padding(struct blob *blob)
{
	((uint64_t *)blob->data)[2] = ~UINT64_C(0) - SZ_1M + 1;
}

static void bad_padding(struct blob *blob)
{
	((uint8_t *)blob->data)[HEADER_BYTES + SZ_1M / 2 + 77] ^= 1;
}

static void bad_state(struct blob *blob)
{
	((uint8_t *)blob->data)[blob->bytes - 16] ^= 1;
}

static void truncated(struct blob *blob)
{
	blob->bytes -= 9;
}

static void short_header(struct blob *blob)
{
	blob->bytes = HEADER_BYTES / 2;
}

static void empty(struct blob *blob)
{
	blob->bytes = 0;
}

static void too_long(struct blob *blob)
{
	blob->data = realloc(blob->data, blob->bytes + 1);
	((uint8_t *)blob->data)[blob->bytes++] = 0;
}

static const struct {
	const char *name, *words;
	void (*spoil)(struct blob *blob);
} spoilers[] = {
	{ "another device's state", "not the state of a traffic generator", bad_magic },
	{ "another version", "has version 2 with", bad_version },
	{ "too much padding", "more padding than any", too_much_padding },
	{ "wrong padding", "padding is wrong", bad_padding },
	{ "a wrong word", "does not fit its checksum", bad_state },
	{ "a state cut short", "before it is complete", truncated },
	{ "half a header", "ends after 16 bytes", short_header },
	{ "nothing", "ends after 0 bytes", empty },
	{ "a byte too many", "goes on after its end", too_long },
};

static enum outcome bad_data(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	uint64_t before;
	int err;

	if (!bench_open(&b))
		return FAIL;
	parameter("padding_bytes", SZ_1M);
	program(&b.source);
	for (size_t i = 0; i < ARRAY_SIZE(spoilers); i++) {
		__cleanup_blob struct blob blob = { 0 };

		FAIL_UNLESS(!save(&b.source, &blob) && !migration_go(&b.source.io, STOP, NULL),
			    "saving");
		spoilers[i].spoil(&blob);
		log_mark();
		err = load(&b.target, &blob, RUNNING);
		FAIL_UNLESS(err == -EINVAL, "%s: %s", spoilers[i].name, strerror(-err));
		FAIL_UNLESS(log_says(spoilers[i].words), "%s: the kernel log does not say why",
			    spoilers[i].name);
		FAIL_UNLESS(migration_state(&b.target.io) == ERROR, "%s: the state is %d",
			    spoilers[i].name, migration_state(&b.target.io));
		FAIL_UNLESS(migration_go(&b.target.io, RUNNING, NULL) == -EIO &&
			    migration_go(&b.target.io, STOP, NULL) == -EIO, "%s: it goes on without a reset",
			    spoilers[i].name);
		err = migration_reset(&b.target.io);
		FAIL_UNLESS(!err, "%s: the reset fails: %s", spoilers[i].name, strerror(-err));
		FAIL_UNLESS(migration_state(&b.target.io) == RUNNING, "%s: the reset does not help",
			    spoilers[i].name);
		program(&b.target);
		before = ops(&b.target);
		ring(&b.target, 1);
		FAIL_UNLESS(ops(&b.target) == before + 37 + 11 + 13 &&
			    !generator_get(&b.target.gen, DMAGEN_FAILED),
			    "%s: after the reset it does not work", spoilers[i].name);
	}
	return PASS;
}

/* A state that nobody saved, but whose checksum is right: harmless, whatever it says. */
static enum outcome made_up(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	__cleanup_blob struct blob blob = { 0 };
	uint64_t *words;
	int err;

	if (!bench_open(&b))
		return FAIL;
	program(&b.source);
	FAIL_UNLESS(!save(&b.source, &blob), "saving");
	words = (uint64_t *)((char *)blob.data + HEADER_BYTES);
	for (size_t i = 0; i < DMAGEN_NR_MIG_WORDS; i++)
		words[i] = ~UINT64_C(0);
	/* A pace of 2^32 operations in 71 minutes; doorbells would take as long as COUNT says. */
	words[10] = 0;
	words[DMAGEN_NR_MIG_WORDS] = checksum(&blob);
	err = load(&b.target, &blob, RUNNING);
	FAIL_UNLESS(!err, "loading: %s", strerror(-err));
	usleep(20000);
	FAIL_UNLESS(generator_get(&b.target.gen, DMAGEN_ID) == DMAGEN_ID_VALUE, "it is gone");
	FAIL_UNLESS(!migration_reset(&b.target.io), "the reset fails");
	program(&b.target);
	ring(&b.target, 1);
	FAIL_UNLESS(ops(&b.target) == 37 + 11 + 13, "after the reset it does not work");
	return PASS;
}

/* A reset ends everything, wherever it was. */
static enum outcome reset_anywhere(void)
{
	static const enum vfio_device_mig_state states[] = {
		RUNNING, RUNNING_P2P, STOP, STOP_COPY, PRE_COPY, PRE_COPY_P2P, RESUMING,
	};
	__cleanup_bench struct bench b = BENCH_EMPTY;

	if (!bench_open(&b))
		return FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		__cleanup_fd int data = -1;
		char byte = 0;

		program(&b.source);
		FAIL_UNLESS(!migration_go(&b.source.io, states[i], &data), "to state %d", states[i]);
		FAIL_UNLESS(!migration_reset(&b.source.io), "reset in state %d", states[i]);
		FAIL_UNLESS(migration_state(&b.source.io) == RUNNING, "after a reset in state %d",
			    states[i]);
		FAIL_UNLESS(data < 0 || ((states[i] == RESUMING ? write(data, &byte, 1) :
					  read(data, &byte, 1)) < 0 && errno == ENODEV),
			    "the data goes on after a reset in state %d", states[i]);
		program(&b.source);
		ring(&b.source, 1);
		FAIL_UNLESS(ops(&b.source) == 37 + 11 + 13, "DMA after a reset in state %d", states[i]);
	}
	return PASS;
}

/* Whoever has it next finds it running, and without what the last one was doing. */
static enum outcome closed_anywhere(void)
{
	static const enum vfio_device_mig_state states[] = { STOP, STOP_COPY, PRE_COPY, RESUMING };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		__cleanup_fd int data = -1;
		char byte = 0;

		for (int turn = 0; turn < 2; turn++) {
			__cleanup_bench struct bench b = BENCH_EMPTY;

			if (!bench_open(&b))
				return FAIL;
			FAIL_UNLESS(migration_state(&b.source.io) == RUNNING, "after a close in state %d",
				    states[i]);
			FAIL_UNLESS(!generator_get(&b.source.gen, DMAGEN_RUN) && !ops(&b.source),
				    "it goes on after a close in state %d", states[i]);
			program(&b.source);
			generator_run(&b.source.gen, ALL_SLOTS, 7, 1000);
			if (!turn)
				FAIL_UNLESS(!migration_go(&b.source.io, states[i], &data), "to state %d",
					    states[i]);
		}
		FAIL_UNLESS(data < 0 || ((states[i] == RESUMING ? write(data, &byte, 1) :
					  read(data, &byte, 1)) < 0 && errno == ENODEV),
			    "the data goes on after a close in state %d", states[i]);
	}
	return PASS;
}

static atomic_bool over;

static void *reset_again(void *arg)
{
	struct bench *b = arg;

	while (!over) {
		migration_reset(&b->source.io);
		usleep(1000);
	}
	return NULL;
}

static void *read_again(void *arg)
{
	int *data = arg, fd;
	char buf[8192];

	while (!over) {
		fd = *(volatile int *)data;
		if (fd < 0 || read(fd, buf, sizeof(buf)) <= 0)
			usleep(100);
	}
	return NULL;
}

/* Transitions, reads and resets at the same time. Whatever fails, nothing hangs or breaks. */
static enum outcome all_at_once(void)
{
	__cleanup_bench struct bench b = BENCH_EMPTY;
	pthread_t resets, reads;
	unsigned int went = 0;
	uint64_t end;
	int data = -1;

	if (!bench_open(&b))
		return FAIL;
	parameter("padding_bytes", SZ_1M);
	parameter("precopy_bytes", SZ_1M);
	program(&b.source);
	over = false;
	pthread_create(&resets, NULL, reset_again, &b);
	pthread_create(&reads, NULL, read_again, &data);
	end = clock_ns() + 3 * NSEC_PER_SEC;
	while (clock_ns() < end) {
		int fd = -1;

		if (!migration_go(&b.source.io, PRE_COPY, &fd)) {
			data = fd;
			went += !migration_go(&b.source.io, STOP_COPY, NULL);
		}
		migration_go(&b.source.io, RUNNING, NULL);
		data = -1;
		cleanup_fd(&fd);
	}
	over = true;
	pthread_join(resets, NULL);
	pthread_join(reads, NULL);
	FAIL_UNLESS(went, "no transition went well");
	FAIL_UNLESS(!migration_reset(&b.source.io) && migration_state(&b.source.io) == RUNNING,
		    "it cannot be reset");
	program(&b.source);
	ring(&b.source, 1);
	FAIL_UNLESS(ops(&b.source) == 37 + 11 + 13, "DMA fails afterwards");
	return PASS;
}

static const struct check checks[] = {
	{ "what-it-offers", what_it_offers },
	{ "goes-on", goes_on_0 },
	{ "goes-on-12345", goes_on_odd },
	{ "goes-on-1m", goes_on_1m },
	{ "goes-on-64m", goes_on_64m },
	{ "goes-on-paced", goes_on_paced },
	{ "pre-copy", pre_copy },
	{ "cancelled", cancelled },
	{ "without-pre-copy", without_pre_copy },
	{ "load-delay", load_delay },
	{ "memory-off", memory_off },
	{ "bad-data", bad_data },
	{ "made-up", made_up },
	{ "reset-anywhere", reset_anywhere },
	{ "closed-anywhere", closed_anywhere },
	{ "all-at-once", all_at_once },
	{ "kernel-log-clean", kernel_log_clean },
};

static const struct probe probe = {
	.name = "migprobe",
	.checks = checks,
	.n = ARRAY_SIZE(checks),
};

static const char help[] =
"Usage: migprobe [CHECK...]\n"
"Checks the migration protocol between the first two DMA generators, which have to be bound to\n"
"dmagen_vfio_pci; without CHECK, everything. Exit status 0 when nothing failed.\n"
"Checks:\n";

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		if (c != 'h') {
			problem(EINVAL, "unknown option; see migprobe --help");
			return 2;
		}
		fputs(help, stdout);
		probe_list(&probe);
		return 0;
	}
	return probe_run(&probe, argc, argv);
}
