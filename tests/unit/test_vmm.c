// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM says, and what its connections carried: this process stands in for one.
 */
#include "unit.h"
#include "../../tools/collect/qmp.h"
#include "../../tools/collect/transfer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct vmm_state_sample state;

static int parse(const char *text)
{
	return qmp__state(text, strlen(text), &state);
}

static void qemu_in_the_middle(void)
{
	/* QEMU 7.2's, shortened */
	static const char answer[] =
		"{\"expected-downtime\": 1710, \"status\": \"active\", \"setup-time\": 1, "
		"\"total-time\": 3402, \"cpu-throttle-percentage\": 20, \"ram\": {\"total\": 268763136, "
		"\"dirty-sync-count\": 3, \"page-size\": 4096, \"remaining\": 101920768, "
		"\"mbps\": 503.31648, \"transferred\": 210763776, \"dirty-pages-rate\": 14643}}";

	CHECK(!parse(answer));
	CHECK(!strcmp(state.via, "qmp"));
	CHECK(!strcmp(state.status, "active"));
	CHECK_NUMBER(state.syncs, 3);
	CHECK_NUMBER(state.remaining_bytes, 101920768);
	CHECK_NUMBER(state.transferred_bytes, 210763776);
	CHECK_NUMBER(state.total_bytes, 268763136);
	CHECK_NUMBER(state.dirty_bytes_per_second, UINT64_C(14643) * 4096);
	CHECK_NUMBER(state.bytes_per_second, 62914560);
	CHECK_NUMBER(state.expected_downtime_ns, UINT64_C(1710000000));
	CHECK_NUMBER(state.elapsed_ns, UINT64_C(3402000000));
	CHECK_NUMBER(state.throttle_percent, 20);
	CHECK_NUMBER(state.downtime_ns, UNKNOWN);
	CHECK_NUMBER(state.device_bytes, UNKNOWN);
}

static void qemu_at_the_end(void)
{
	CHECK(!parse("{\"status\": \"completed\", \"downtime\": 75, \"vfio\": {\"transferred\": 123}}"));
	CHECK_NUMBER(state.downtime_ns, 75000000);
	CHECK_NUMBER(state.device_bytes, 123);
	CHECK_NUMBER(state.remaining_bytes, UNKNOWN);
	CHECK(!parse("{\"status\": \"failed\", \"error-desc\": \"Unable to write\"}"));
	CHECK(!strcmp(state.error, "Unable to write"));
	CHECK(!parse("{}"));
	CHECK(!strcmp(state.status, "none"));
}

static void answers_that_make_no_sense(void)
{
	char deep[4096];

	CHECK(parse("") < 0);
	CHECK(parse("[]") < 0);
	CHECK(parse("null") < 0);
	CHECK(parse("{\"status\"") < 0);
	CHECK(!parse("{\"status\": 7, \"ram\": [1], \"total-time\": \"x\", \"downtime\": -1, \"vfio\": null}"));
	CHECK(!strcmp(state.status, "none"));
	CHECK_NUMBER(state.downtime_ns, UNKNOWN);
	CHECK(!parse("{\"total-time\": 9223372036854775807, \"ram\": {\"page-size\": 9223372036854775807, "
		     "\"dirty-pages-rate\": 4096, \"mbps\": 1e300, \"remaining\": 1e10}}"));
	CHECK_NUMBER(state.elapsed_ns, UNKNOWN);
	CHECK_NUMBER(state.dirty_bytes_per_second, UNKNOWN);
	CHECK_NUMBER(state.bytes_per_second, UNKNOWN);
	CHECK(!parse("{\"status\": \"a status that is much longer than its place, and that has to be cut off\"}"));
	CHECK_NUMBER(strlen(state.status), sizeof(state.status) - 1);
	memset(deep, '[', sizeof(deep));
	CHECK(qmp__state(deep, sizeof(deep), &state) < 0);
}

static int listen_here(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)address, length) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)address, &length))
		return -1;
	return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -1;
	return fd;
}

/* So much is sent, received and acknowledged, but for the last few packets. */
static bool carry(int from, int to, size_t bytes)
{
	static char buffer[65536];

	while (bytes) {
		size_t part = bytes < sizeof(buffer) ? bytes : sizeof(buffer);

		if (send(from, buffer, part, 0) != (ssize_t)part ||
		    recv(to, buffer, part, MSG_WAITALL) != (ssize_t)part)
			return false;
		bytes -= part;
	}
	usleep(50000);
	return true;
}

#define MIB (UINT64_C(1) << 20)

static void connections_are_counted(void)
{
	struct transfer transfer = TRANSFER_NONE;
	struct transfer_sample sample;
	struct sockaddr_in address;
	int server = listen_here(&address), old, old_peer, new, peer;
	struct timespec now;

	CHECK(server >= 0);
	transfer__open(&transfer, getpid());
	CHECK(!transfer__read(&transfer, &sample));
	CHECK_NUMBER(sample.sent_bytes, UNKNOWN);
	CHECK(*sample.why_unknown);

	/* Both ends are ours: one sends, the other says nothing. */
	old = connect_to(&address);
	old_peer = accept(server, NULL, NULL);
	CHECK(carry(old, old_peer, 3 * MIB));
	CHECK(!transfer__read(&transfer, &sample));
	CHECK_NUMBER(sample.connections, 2);
	CHECK(sample.sent_bytes >= 3 * MIB && sample.sent_bytes <= 3 * MIB + 4);

	/* A migration that begins 6 s later has nothing to do with it. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	transfer__begin(&transfer, (uint64_t)(now.tv_sec + 6) * 1000000000);
	new = connect_to(&address);
	peer = accept(server, NULL, NULL);
	CHECK(carry(old, old_peer, MIB));
	CHECK(carry(new, peer, 2 * MIB));
	CHECK(!transfer__read(&transfer, &sample));
	CHECK_NUMBER(sample.connections, 2);
	CHECK(sample.sent_bytes >= 2 * MIB && sample.sent_bytes <= 2 * MIB + 4);

	/* What is closed stays counted. */
	close(new);
	close(peer);
	CHECK(!transfer__read(&transfer, &sample));
	CHECK(sample.sent_bytes >= 2 * MIB && sample.sent_bytes <= 2 * MIB + 4);
	transfer__close(&transfer);
	close(old);
	close(old_peer);
	close(server);
}

static void last_words_are_heard(void)
{
	struct transfer transfer = TRANSFER_NONE;
	struct transfer_sample sample;
	struct sockaddr_in address;
	int server = listen_here(&address), fd = connect_to(&address), peer = accept(server, NULL, NULL);
	bool heard;

	transfer__open(&transfer, getpid());
	CHECK(!transfer__read(&transfer, &sample));
	transfer__listen(&transfer, true);
	heard = transfer.farewells >= 0;
	CHECK(carry(fd, peer, 5 * MIB));
	close(peer);
	close(fd);
	usleep(100000);
	CHECK(!transfer__read(&transfer, &sample));
	/* Without privilege nobody tells. */
	CHECK(!heard || (sample.sent_bytes >= 5 * MIB && sample.sent_bytes <= 5 * MIB + 4));
	transfer__close(&transfer);
	close(server);
}

static void a_process_that_is_not_there(void)
{
	struct transfer transfer = TRANSFER_NONE;
	struct transfer_sample sample;

	transfer__open(&transfer, 0x7ffffff0);
	CHECK(!transfer__read(&transfer, &sample));
	CHECK(sample.ended == TRI_TRUE);
	CHECK_NUMBER(sample.sent_bytes, UNKNOWN);
	transfer__close(&transfer);
}

RUN_TESTS(TEST(qemu_in_the_middle), TEST(qemu_at_the_end), TEST(answers_that_make_no_sense),
	  TEST(connections_are_counted), TEST(last_words_are_heard), TEST(a_process_that_is_not_there))
