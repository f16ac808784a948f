// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sockets of a process by its descriptors, their counters by sock_diag(7). What
 * /proc/PID/io counts as written is of no use: it leaves out what sendmsg(2) sends, and so
 * all that QEMU does.
 */
#define _GNU_SOURCE
#include "transfer.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* A VMM connects before it starts to track. */
#define CONNECTS_BEFORE_NS (5 * NS_PER_SECOND)

/* A VMM opens its connections when a migration begins, and hardly later. */
#define LIST_EVERY_NS (2 * NS_PER_SECOND)

/* A socket is listed once it is connecting; look that often before it is taken for another kind. */
#define LOOKS 3

/* States whose counters are of interest: all but those that listen or wait for old packets. */
#define TCP_STATES_ALL 0xfffu
#define TCP_STATE_TIME_WAIT 6
#define TCP_STATE_LISTEN 10
#define STATES (TCP_STATES_ALL & ~(1u << TCP_STATE_TIME_WAIT) & ~(1u << TCP_STATE_LISTEN))

#define FAREWELLS (1u << (SKNLGRP_INET_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET6_TCP_DESTROY - 1))

#define ANSWER_BYTES (32 << 10)

struct transfer_socket {
	uint64_t inode;
	uint64_t seen_ns;		/* first */
	uint64_t sent;			/* and acknowledged */
	uint64_t given;			/* sent, whether it has arrived or not */
	uint64_t received;
	uint64_t told;			/* the sum of all three when they were last told */
	struct inet_diag_sockid id;
	uint8_t family;			/* 0: no TCP */
	uint8_t looks;
	bool open;
	bool foreign;			/* older than the migration */
	bool final;			/* it is closed, and this is what it has carried in all */
};

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* @groups: 0 to ask, or what to be told of. Return: the socket or -errno. */
static int open_netlink(unsigned int groups)
{
	const struct timeval patience = { .tv_sec = 1 };
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (groups ? SOCK_NONBLOCK : 0),
			NETLINK_SOCK_DIAG);
	int err = fd < 0 ? -errno : 0;

	if (!err && !groups)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!err && groups && bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	if (err)
		cleanup__close(&fd);
	return err ?: fd;
}

/* A socket stays in the namespace it was made in. */
static int open_in_namespace(int theirs, int ours, unsigned int groups)
{
	int fd;

	if (setns(theirs, CLONE_NEWNET))
		return -errno;
	fd = open_netlink(groups);
	/* What was ours can be entered again, or this thread has no business to go on. */
	if (setns(ours, CLONE_NEWNET))
		abort();
	return fd;
}

/* Return: a socket in the network namespace of the process, or -errno. */
static int open_beside(struct transfer *t, unsigned int groups)
{
	_cleanup_close_ int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int theirs = -1;
	struct stat a, b;
	char path[64];

	/* A kernel without network namespaces has one. */
	if (ours < 0 && errno == ENOENT)
		return open_netlink(groups);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", t->pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (ours < 0 || theirs < 0 || fstat(ours, &a) || fstat(theirs, &b))
		return -errno;
	t->foreign = a.st_ino != b.st_ino || a.st_dev != b.st_dev;
	return t->foreign ? open_in_namespace(theirs, ours, groups) : open_netlink(groups);
}

void transfer__open(struct transfer *t, pid_t pid)
{
	char path[64];
	int fd;

	t->pid = pid;
	t->expected_ns = now_ns() + LIST_EVERY_NS;
	t->process = syscall(SYS_pidfd_open, pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	t->descriptors = t->process < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->descriptors < 0) {
		t->error = errno;
		return;
	}
	fd = open_beside(t, 0);
	t->error = fd < 0 ? -fd : 0;
	t->netlink = fd < 0 ? -1 : fd;
}

void transfer__listen(struct transfer *t, bool on)
{
	if (on == (t->farewells >= 0) || t->error)
		return;
	cleanup__close(&t->farewells);
	/* Without it a little is missing, no more. */
	t->farewells = on ? open_beside(t, FAREWELLS) : -1;
	if (t->farewells < 0)
		t->farewells = -1;
}

void transfer__begin(struct transfer *t, uint64_t t_ns)
{
	for (size_t i = 0; i < t->count; i++)
		t->sockets[i].foreign = t->sockets[i].seen_ns + CONNECTS_BEFORE_NS < t_ns;
	t->listed_ns = 0;
	t->expected_ns = t_ns + LIST_EVERY_NS;
}

static struct transfer_socket *find(const struct transfer *t, uint64_t inode)
{
	for (size_t i = t->count; i-- > 0;)
		if (t->sockets[i].inode == inode)
			return &t->sockets[i];
	return NULL;
}

static int note_socket(struct transfer *t, uint64_t inode, uint64_t now)
{
	struct transfer_socket *found = find(t, inode);

	if (!found) {
		found = realloc(t->sockets, (t->count + 1) * sizeof(*found));
		if (!found)
			return -ENOMEM;
		t->sockets = found;
		found = &found[t->count++];
		*found = (struct transfer_socket){ .inode = inode, .seen_ns = now };
	}
	found->open = true;
	return 0;
}

static int list_sockets(struct transfer *t, uint64_t now)
{
	int copy = openat(t->descriptors, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return copy < 0 ? -errno : -ENOMEM;
	}
	for (size_t i = 0; i < t->count; i++)
		t->sockets[i].open = false;
	while (!err && (entry = readdir(dir))) {
		char link[64];
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		uint64_t inode;

		if (length <= 0)
			continue;
		link[length] = '\0';
		if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
			err = note_socket(t, inode, now);
	}
	closedir(dir);
	return err;
}

/* One that is gone and never was TCP tells nothing any more; its number may be another's one day. */
static void forget_closed(struct transfer *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (t->sockets[i].open || t->sockets[i].family)
			t->sockets[kept++] = t->sockets[i];
	t->count = kept;
}

/* A socket that is closed has no inode any more, but keeps its cookie. */
static struct transfer_socket *find_named(const struct transfer *t, const struct inet_diag_msg *message)
{
	if (message->idiag_inode)
		return find(t, message->idiag_inode);
	for (size_t i = 0; i < t->count; i++)
		if (t->sockets[i].family &&
		    !memcmp(t->sockets[i].id.idiag_cookie, message->id.idiag_cookie,
			    sizeof(message->id.idiag_cookie)))
			return &t->sockets[i];
	return NULL;
}

static void take_answer(struct transfer *t, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);
	int length = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*message));
	struct transfer_socket *one;

	one = length < 0 ? NULL : find_named(t, message);
	if (!one)
		return;
	one->family = message->idiag_family;
	one->id = message->id;
	one->final = !message->idiag_inode;
	for (const struct nlattr *at = (const void *)(message + 1);
	     length >= (int)sizeof(*at) && at->nla_len >= sizeof(*at) && at->nla_len <= length;) {
		int step = NLA_ALIGN(at->nla_len);
		struct tcp_info info = { 0 };

		if (at->nla_type == INET_DIAG_INFO) {
			size_t size = at->nla_len - sizeof(*at);

			memcpy(&info, at + 1, size < sizeof(info) ? size : sizeof(info));
			if (info.tcpi_bytes_acked > one->sent)
				one->sent = info.tcpi_bytes_acked;
			if (info.tcpi_bytes_sent - info.tcpi_bytes_retrans > one->given)
				one->given = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
			if (info.tcpi_bytes_received > one->received)
				one->received = info.tcpi_bytes_received;
		}
		length -= step;
		at = (const void *)((const char *)at + step);
	}
}

/* Return: 0, or the kernel's -errno. */
static int ask(struct transfer *t, const struct question *question)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	bool list = question->header.nlmsg_flags & NLM_F_DUMP;

	if (send(t->netlink, question, sizeof(*question), 0) < 0)
		return -errno;
	for (;;) {
		ssize_t got = recv(t->netlink, answer, sizeof(answer), 0);
		const struct nlmsghdr *header = (const void *)answer;

		if (got < 0)
			return -errno;
		for (; NLMSG_OK(header, (size_t)got); header = NLMSG_NEXT(header, got)) {
			if (header->nlmsg_type == NLMSG_DONE)
				return 0;
			if (header->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
			if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				take_answer(t, header);
		}
		if (!list)
			return 0;
	}
}

static void take_farewells(struct transfer *t)
{
	_Alignas(struct nlmsghdr) char said[ANSWER_BYTES];
	ssize_t got;

	while (t->farewells >= 0 && (got = recv(t->farewells, said, sizeof(said), 0)) > 0)
		for (const struct nlmsghdr *header = (const void *)said; NLMSG_OK(header, (size_t)got);
		     header = NLMSG_NEXT(header, got))
			if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				take_answer(t, header);
}

static struct question question_of(uint8_t family, uint16_t flags)
{
	return (struct question){
		.header = { .nlmsg_len = sizeof(struct question),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | flags },
		.request = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP,
			     .idiag_ext = 1 << (INET_DIAG_INFO - 1), .idiag_states = STATES },
	};
}

static bool has_connection(const struct transfer *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->sockets[i].family && t->sockets[i].open && !t->sockets[i].foreign)
			return true;
	return false;
}

/* A process whose migration has not connected is asked again at once, but not all the time it tracks. */
static bool knows_sockets(const struct transfer *t, uint64_t now)
{
	return (has_connection(t) || now >= t->expected_ns) && now < t->listed_ns + LIST_EVERY_NS;
}

/* Whether there are sockets of which nobody knows yet what they are. */
static bool look_again(struct transfer *t)
{
	bool again = false;

	for (size_t i = 0; i < t->count; i++) {
		if (t->sockets[i].family || t->sockets[i].looks >= LOOKS)
			continue;
		t->sockets[i].looks++;
		again = true;
	}
	return again;
}

static int list_all(struct transfer *t)
{
	struct question four = question_of(AF_INET, NLM_F_DUMP);
	struct question six = question_of(AF_INET6, NLM_F_DUMP);
	int err = ask(t, &four);

	return err ?: ask(t, &six);
}

static int ask_each(struct transfer *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct question question = question_of(t->sockets[i].family, 0);
		int err;

		if (!t->sockets[i].family || !t->sockets[i].open)
			continue;
		question.request.id = t->sockets[i].id;
		err = ask(t, &question);
		/* It was closed a moment ago. */
		if (err && err != -ENOENT && err != -ESTALE)
			return err;
	}
	return 0;
}

static int list(struct transfer *t, uint64_t now)
{
	int err = list_sockets(t, now);

	t->listed_ns = now;
	err = err ?: look_again(t) ? list_all(t) : ask_each(t);
	forget_closed(t);
	return err;
}

static void explain(const struct transfer *t, int error, struct transfer_sample *sample)
{
	if (t->foreign && t->netlink < 0)
		snprintf(sample->why_unknown, sizeof(sample->why_unknown),
			 "its network namespace cannot be entered (%s)", strerror(error));
	else
		snprintf(sample->why_unknown, sizeof(sample->why_unknown),
			 "its TCP connections cannot be seen (%s)", strerror(error));
}

static bool has_ended(const struct transfer *t)
{
	struct pollfd end = { .fd = t->process, .events = POLLIN };

	return t->process < 0 ? t->error == ESRCH : poll(&end, 1, 0) > 0;
}

int transfer__read(struct transfer *t, struct transfer_sample *sample)
{
	uint64_t now = now_ns();
	bool ended = has_ended(t);
	int err = 0;

	field__clear(sample__table(SAMPLE_TRANSFER), sample);
	sample->t_ns = now;
	sample->pid = t->pid;
	sample->ended = ended ? TRI_TRUE : TRI_FALSE;
	if (t->error) {
		explain(t, t->error, sample);
		return 0;
	}
	/* Of a process that has ended the last words are left. */
	if (!ended)
		err = knows_sockets(t, now) ? ask_each(t) : list(t, now);
	take_farewells(t);
	if (err == -ENOMEM)
		return err;
	sample->t_ns = now_ns();
	if (err) {
		explain(t, -err, sample);
		return 0;
	}
	sample->connections = 0;
	for (size_t i = 0; i < t->count; i++) {
		if (!t->sockets[i].family || t->sockets[i].foreign)
			continue;
		sample->sent_bytes = (sample->connections++ ? sample->sent_bytes : 0) +
				     t->sockets[i].sent;
	}
	if (!sample->connections)
		STRING_COPY(sample->why_unknown,
			    "the process has no TCP connection of its migration; other sockets are not counted");
	return 0;
}

/* "10.0.0.1:4444": what came in by IPv4 is the same at both ends, whatever socket took it. */
static void write_address(uint8_t family, const __be32 address[4], __be16 port,
			  char text[SAMPLE_ADDRESS])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char host[INET6_ADDRSTRLEN] = "?";

	if (family == AF_INET6 && !memcmp(address, mapped, sizeof(mapped))) {
		family = AF_INET;
		address += 3;
	}
	inet_ntop(family, address, host, sizeof(host));
	snprintf(text, SAMPLE_ADDRESS, family == AF_INET ? "%s:%u" : "[%s]:%u", host, ntohs(port));
}

static int tell_connection(const struct transfer *t, const struct transfer_socket *one,
			   uint64_t start, sample_handler handler, void *context)
{
	union sample sample;
	struct connection_sample *c = &sample.connection;

	field__clear(sample__table(SAMPLE_CONNECTION), &sample);
	c->t_ns = now_ns();
	c->total_ns = c->t_ns - start;
	c->pid = t->pid;
	write_address(one->family, one->id.idiag_src, one->id.idiag_sport, c->local);
	write_address(one->family, one->id.idiag_dst, one->id.idiag_dport, c->remote);
	c->sent_bytes = one->given;
	c->acked_bytes = one->sent;
	c->received_bytes = one->received;
	return handler(context, SAMPLE_CONNECTION, &sample);
}

int transfer__connections(struct transfer *t, sample_handler handler, void *context)
{
	int err = 0;

	take_farewells(t);
	for (size_t i = 0; !err && !t->error && i < t->count; i++) {
		struct transfer_socket *one = &t->sockets[i];
		struct question question = question_of(one->family, 0);
		uint64_t start = now_ns(), sum;

		if (!one->family || one->foreign || (!one->open && !one->final))
			continue;
		question.request.id = one->id;
		if (!one->final && ask(t, &question))
			continue;
		sum = one->given + one->sent + one->received;
		if (sum != one->told)
			err = tell_connection(t, one, start, handler, context);
		one->told = sum;
	}
	return err;
}

uint64_t transfer__carried(const struct transfer *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->count; i++)
		if (!t->sockets[i].foreign)
			sum += t->sockets[i].sent + t->sockets[i].received;
	return sum;
}

void transfer__close(struct transfer *t)
{
	free(t->sockets);
	cleanup__close(&t->process);
	cleanup__close(&t->descriptors);
	cleanup__close(&t->netlink);
	cleanup__close(&t->farewells);
	*t = (struct transfer)TRANSFER_NONE;
}
