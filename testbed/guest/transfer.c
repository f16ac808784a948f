// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sender and destination process. See transfer.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "runtime.h"
#include "transfer.h"

/* Cost of a page on the wire, as in QEMU's RAM stream: address and flags, then the content. */
#define PAGE_HEADER_BYTES	8
#define ZERO_PAGE_BYTES		9

/* A batch is sent once it holds this much: enough for few calls, little enough for the cap. */
#define BATCH_BYTES		(1 << 20)
#define DATA_RUN_PAGES		(BATCH_BYTES / SZ_4K)
#define ZERO_RUN_PAGES		65536

#define SOCKET_BUFFER_BYTES	(4 << 20)

/* On the wire: this, then the runs, then the content of those that are not zero. */
struct batch_header {
	uint64_t runs;
	uint64_t acknowledge;
};

/* Writes or reads all of 'iov', which it uses up. 0, -errno, or -EPIPE at the peer's end. */
static int move_all(int sock, struct iovec *iov, int count, bool out)
{
	while (count) {
		ssize_t n;

		if (!iov->iov_len) {
			iov++;
			count--;
			continue;
		}
		n = out ? writev(sock, iov, count) : readv(sock, iov, count);
		if (interrupted)
			return -EINTR;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		for (; n; iov++, count--) {
			size_t part = (size_t)n < iov->iov_len ? (size_t)n : iov->iov_len;

			iov->iov_base = (char *)iov->iov_base + part;
			iov->iov_len -= part;
			n -= part;
			if (iov->iov_len)
				break;
		}
	}
	return 0;
}

/* ---- the destination process ---- */

static int receive(int sock, void *buf, size_t bytes)
{
	struct iovec iov = { .iov_base = buf, .iov_len = bytes };

	return move_all(sock, &iov, 1, false);
}

/* Zero pages only matter where something was received before: fresh memory is zero already. */
static void clear_pages(uint8_t *memory, const uint8_t *received, uint64_t offset, uint64_t length)
{
	for (uint64_t at = offset; at < offset + length; at += SZ_4K)
		if (received[at / SZ_4K])
			memset(memory + at, 0, SZ_4K);
}

static int receive_runs(int sock, uint64_t count, uint8_t *memory, uint8_t *received,
			uint64_t bytes)
{
	struct transfer_run runs[TRANSFER_BATCH_RUNS];
	struct iovec iov[TRANSFER_BATCH_RUNS];
	int used = 0, err;

	if (count > TRANSFER_BATCH_RUNS)
		return -EPROTO;
	err = receive(sock, runs, count * sizeof(*runs));
	if (err)
		return err;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset = runs[i].offset, length = runs[i].length;

		if (offset > bytes || length > bytes - offset)
			return -EPROTO;
		if (runs[i].zero) {
			clear_pages(memory, received, offset, length);
			continue;
		}
		memset(received + offset / SZ_4K, 1, length / SZ_4K);
		iov[used++] = (struct iovec){ .iov_base = memory + offset, .iov_len = length };
	}
	return move_all(sock, iov, used, false);
}

/* Returns when the source closes the socket or breaks the protocol. */
static void destination(int sock, uint8_t *memory, uint64_t bytes)
{
	__cleanup_free uint8_t *received = calloc(1, bytes / SZ_4K);
	struct batch_header header;

	while (received && !receive(sock, &header, sizeof(header))) {
		uint64_t now;

		if (receive_runs(sock, header.runs, memory, received, bytes))
			return;
		now = clock_ns();
		if (header.acknowledge && write(sock, &now, sizeof(now)) != sizeof(now))
			return;
	}
}

/* ---- the source's side ---- */

static void set_buffers(int sock)
{
	int bytes = SOCKET_BUFFER_BYTES;

	/* The forced forms exceed the system's limit; the plain ones are the fallback. */
	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static void run_destination(struct transfer *tr, int sock, pid_t parent)
{
	void *memory;

	/* Ctrl-C reaches the whole process group; the source decides when this one ends. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(tr->sock);
	memory = mmap(NULL, tr->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, tr->memfd, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	destination(sock, memory, tr->bytes);
	_exit(0);
}

int transfer_start(struct transfer *tr, uint64_t bytes, uint64_t rate)
{
	pid_t parent = getpid();
	int pair[2], err;

	*tr = TRANSFER_NONE;
	tr->bytes = bytes;
	tr->rate = rate;
	tr->memfd = memfd_create("destination", MFD_CLOEXEC);
	if (tr->memfd < 0 || ftruncate(tr->memfd, bytes)) {
		err = problem(errno, "cannot create the destination's memory (%s); ask for less --memory",
			      strerror(errno));
		goto fail;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		err = problem(errno, "cannot create a socket to the destination (%s); check the limit on open files",
			      strerror(errno));
		goto fail;
	}
	set_buffers(pair[0]);
	set_buffers(pair[1]);
	tr->sock = pair[0];
	tr->child = fork();
	if (!tr->child)
		run_destination(tr, pair[1], parent);
	close(pair[1]);
	if (tr->child < 0) {
		tr->child = 0;
		err = problem(errno, "cannot start the destination process (%s); check free memory and process limits",
			      strerror(errno));
		goto fail;
	}
	return 0;
fail:
	transfer_stop(tr);
	return err;
}

void transfer_stop(struct transfer *tr)
{
	cleanup_fd(&tr->sock);
	if (tr->child) {
		kill(tr->child, SIGKILL);
		while (waitpid(tr->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	cleanup_fd(&tr->memfd);
	*tr = TRANSFER_NONE;
}

void transfer_begin(struct transfer *tr)
{
	tr->begun_ns = clock_ns();
	tr->sent_bytes = 0;
	tr->batch_runs = 0;
	tr->batch_bytes = 0;
}

static int lost_destination(int err)
{
	return problem(err, "the destination process is gone (%s); look for an out-of-memory kill in the kernel log",
		       strerror(err));
}

/* Sleeps until the cap would have let this through too: no link delivers before it has carried. */
static int keep_rate(struct transfer *tr)
{
	uint64_t whole = tr->sent_bytes / tr->rate, rest = tr->sent_bytes % tr->rate;
	uint64_t due = tr->begun_ns + whole * NSEC_PER_SEC + rest * NSEC_PER_SEC / tr->rate;

	return clock_ns() < due ? sleep_until(due) : 0;
}

static int send_batch(struct transfer *tr, bool acknowledge)
{
	struct batch_header header = { .runs = tr->batch_runs, .acknowledge = acknowledge };
	struct iovec iov[TRANSFER_BATCH_RUNS + 2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = tr->batch, .iov_len = tr->batch_runs * sizeof(*tr->batch) },
	};
	int used = 2, err = keep_rate(tr);

	if (err)
		return err;
	for (unsigned int i = 0; i < tr->batch_runs; i++) {
		const struct transfer_run *run = &tr->batch[i];

		if (!run->zero)
			iov[used++] = (struct iovec){
				.iov_base = (void *)(tr->batch_memory + run->offset),
				.iov_len = run->length,
			};
	}
	err = move_all(tr->sock, iov, used, true);
	if (err)
		return err == -EINTR ? err : lost_destination(-err);
	tr->batch_runs = 0;
	tr->batch_bytes = 0;
	return 0;
}

static int send_run(struct transfer *tr, const uint8_t *memory, uint64_t first, uint64_t pages,
		    bool zero)
{
	if (!pages)
		return 0;
	tr->batch_memory = memory;
	tr->batch[tr->batch_runs++] = (struct transfer_run){
		.offset = first * SZ_4K,
		.length = pages * SZ_4K,
		.zero = zero,
	};
	if (!zero)
		tr->batch_bytes += pages * SZ_4K;
	tr->sent_bytes += pages * (zero ? ZERO_PAGE_BYTES : SZ_4K + PAGE_HEADER_BYTES);
	if (tr->batch_runs < TRANSFER_BATCH_RUNS && tr->batch_bytes < BATCH_BYTES)
		return 0;
	return send_batch(tr, false);
}

int transfer_pages(struct transfer *tr, const uint8_t *memory, uint64_t first, uint64_t pages)
{
	uint64_t start = first, end = first + pages;
	bool zero = false;
	int err;

	for (uint64_t at = first; at < end; at++) {
		bool is_zero = memory_is_zero(memory + at * SZ_4K, SZ_4K);

		if (is_zero == zero &&
		    at - start < (zero ? ZERO_RUN_PAGES : DATA_RUN_PAGES))
			continue;
		err = send_run(tr, memory, start, at - start, zero);
		if (err)
			return err;
		start = at;
		zero = is_zero;
	}
	return send_run(tr, memory, start, end - start, zero);
}

/* The first page at or after 'at' whose bit is 'set', or 'pages'. */
static uint64_t next_bit(const uint64_t *bitmap, uint64_t at, uint64_t pages, bool set)
{
	while (at < pages) {
		uint64_t word = (set ? bitmap[at / 64] : ~bitmap[at / 64]) >> at % 64;

		if (word)
			return at + __builtin_ctzll(word);
		at = (at / 64 + 1) * 64;
	}
	return pages;
}

int transfer_bitmap(struct transfer *tr, const uint8_t *memory, const uint64_t *bitmap,
		    uint64_t pages)
{
	uint64_t first = 0, end;
	int err;

	while ((first = next_bit(bitmap, first, pages, true)) < pages) {
		end = next_bit(bitmap, first, pages, false);
		err = transfer_pages(tr, memory, first, end - first);
		if (err)
			return err;
		first = end;
	}
	return 0;
}

int transfer_flush(struct transfer *tr, uint64_t *when)
{
	int err = send_batch(tr, true);

	if (err)
		return err;
	err = receive(tr->sock, when, sizeof(*when));
	if (err && err != -EINTR)
		return lost_destination(-err);
	return err;
}

static bool first_unequal(const uint8_t *a, const uint8_t *b, uint64_t from, uint64_t to,
			  uint64_t *at)
{
	for (uint64_t page = from; page < to; page += SZ_4K) {
		if (!memcmp(a + page, b + page, SZ_4K))
			continue;
		for (*at = page; a[*at] == b[*at]; ++*at)
			;
		return true;
	}
	return false;
}

static bool first_nonzero(const uint8_t *memory, uint64_t from, uint64_t to, uint64_t *at)
{
	for (uint64_t page = from; page < to; page += SZ_4K) {
		if (memory_is_zero(memory + page, SZ_4K))
			continue;
		for (*at = page; !memory[*at]; ++*at)
			;
		return true;
	}
	return false;
}

int transfer_compare(struct transfer *tr, const uint8_t *memory, bool *identical,
		     uint64_t *first_difference)
{
	uint8_t *copy = mmap(NULL, tr->bytes, PROT_READ, MAP_SHARED, tr->memfd, 0);
	bool differs = false;
	uint64_t at = 0;

	if (copy == MAP_FAILED)
		return problem(errno, "cannot map the destination's memory for the comparison (%s)",
			       strerror(errno));
	/*
	 * The file system itself tells which pages the destination has: holes read as zero, and
	 * looking at them would fill them.
	 */
	while (!differs && !interrupted && at < tr->bytes) {
		off_t data = lseek(tr->memfd, at, SEEK_DATA), hole;
		uint64_t end = data < 0 ? tr->bytes : (uint64_t)data;

		differs = first_nonzero(memory, at, end, first_difference);
		if (differs || end == tr->bytes)
			break;
		hole = lseek(tr->memfd, end, SEEK_HOLE);
		at = hole < 0 ? tr->bytes : (uint64_t)hole;
		differs = first_unequal(memory, copy, end, at, first_difference);
	}
	munmap(copy, tr->bytes);
	if (interrupted)
		return -EINTR;
	*identical = !differs;
	return 0;
}
