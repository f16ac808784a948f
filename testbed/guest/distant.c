// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other guest. See distant.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "distant.h"
#include "runtime.h"

#define QUESTIONS	50	/* of the time */

struct page_header {
	uint64_t page;
	uint32_t zero;		/* no content follows */
	uint32_t written;
};

static int open_streams(struct distant *other, int fd)
{
	int one = 1, copy = dup(fd);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	other->in = fdopen(fd, "r");
	other->out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!other->in || !other->out)
		return problem(ENOMEM, "cannot talk to the other guest");
	setvbuf(other->in, NULL, _IOFBF, SZ_2M);
	setvbuf(other->out, NULL, _IOFBF, SZ_2M);
	return 0;
}

int distant_accept(struct distant *other, unsigned int seconds)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(DISTANT_PORT) };
	__cleanup_fd int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	int one = 1, fd;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1))
		return problem(errno, "cannot listen on port %d (%s)", DISTANT_PORT, strerror(errno));
	if (poll(&ready, 1, seconds * 1000) != 1)
		return problem(ETIMEDOUT, "the other guest does not come");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? problem(errno, "cannot accept the other guest (%s)", strerror(errno)) :
			open_streams(other, fd);
}

int distant_connect(struct distant *other, const char *text, unsigned int seconds)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(DISTANT_PORT) };
	uint64_t end = clock_ns() + seconds * NSEC_PER_SEC;

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
		return problem(EINVAL, "--peer: '%s' is no address; give one such as 10.0.0.2", text);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return open_streams(other, fd);
		if (fd >= 0)
			close(fd);
		if (interrupted)
			return -EINTR;
		if (clock_ns() > end)
			return problem(ETIMEDOUT, "the other guest, %s, does not answer", text);
		usleep(200000);
	}
}

void distant_close(struct distant *other)
{
	if (other->in)
		fclose(other->in);
	if (other->out)
		fclose(other->out);
	*other = DISTANT_NONE;
}

static int put(struct distant *other, const void *data, size_t bytes)
{
	return fwrite(data, 1, bytes, other->out) == bytes ? 0 :
	       problem(EPIPE, "the other guest does not listen any more");
}

int distant_send(struct distant *other, const void *data, size_t bytes)
{
	int err = put(other, data, bytes);

	if (!err && fflush(other->out))
		err = problem(EPIPE, "the other guest does not listen any more");
	return err;
}

int distant_receive(struct distant *other, void *data, size_t bytes)
{
	return fread(data, 1, bytes, other->in) == bytes ? 0 :
	       problem(EPIPE, "the other guest says no more");
}

static const uint8_t zero_page[SZ_4K];

int distant_send_memory(struct distant *other, const struct memory *memory, uint64_t first,
			const uint64_t *written)
{
	const uint8_t *va = memory->va;
	int err = 0;

	for (uint64_t page = 0; !err && page < memory->bytes / SZ_4K; page++) {
		uint64_t own = page - first;
		struct page_header header = {
			.page = page, .zero = !memcmp(va + page * SZ_4K, zero_page, SZ_4K),
			.written = page >= first && written[own / 64] >> own % 64 & 1,
		};

		err = put(other, &header, sizeof(header));
		if (!err && !header.zero)
			err = put(other, va + page * SZ_4K, SZ_4K);
	}
	return err ? err : distant_send(other, zero_page, 0);
}

int distant_compare(struct distant *other, const struct memory *memory,
		    void (*take)(void *context, uint64_t page, const void *source,
				 const void *target, bool written),
		    void *context)
{
	const uint8_t *va = memory->va;
	static uint64_t content[SZ_4K / sizeof(uint64_t)];

	for (uint64_t page = 0; page < memory->bytes / SZ_4K; page++) {
		const void *source = content, *target = va + page * SZ_4K;
		struct page_header header;
		int err = distant_receive(other, &header, sizeof(header));

		if (!err && header.zero)
			source = zero_page;
		else if (!err)
			err = distant_receive(other, content, SZ_4K);
		if (err)
			return err;
		if (header.page != page)
			return problem(EPROTO, "the other guest has memory of another size");
		if (memcmp(source, target, SZ_4K))
			take(context, page, source, target, header.written);
	}
	return 0;
}

int distant_ask_clock(struct distant *other, int64_t *least, int64_t *most)
{
	*least = INT64_MIN;
	*most = INT64_MAX;
	for (int i = 0; i < QUESTIONS; i++) {
		uint64_t before = clock_ns(), theirs, after;
		int err = distant_send(other, &before, sizeof(before));

		if (!err)
			err = distant_receive(other, &theirs, sizeof(theirs));
		if (err)
			return err;
		after = clock_ns();
		if ((int64_t)(theirs - after) > *least)
			*least = theirs - after;
		if ((int64_t)(theirs - before) < *most)
			*most = theirs - before;
	}
	return 0;
}

int distant_answer_clock(struct distant *other)
{
	int err = 0;

	for (int i = 0; !err && i < QUESTIONS; i++) {
		uint64_t time;

		err = distant_receive(other, &time, sizeof(time));
		time = clock_ns();
		if (!err)
			err = distant_send(other, &time, sizeof(time));
	}
	return err;
}
