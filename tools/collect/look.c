// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process that has a VM is enough to see all. Which one it is, the kernel says when a VM is
 * made; at the start, and if it has ended, /proc is searched.
 */
#define _GNU_SOURCE
#include "look.h"
#include "vms_process.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* A search of /proc takes its time: one more only after so many times as long. */
#define SEARCH_REST 2000
#define SEARCH_MIN_NS (2 * NS_PER_SECOND)

/* After the kernel has told of a VM, its descriptor is still to come. */
#define SETTLE_NS 20000000

#define ATTEMPTS 4

struct look {
	struct bpf_program *program;
	struct hwdbm_look *result;
	pid_t pid;
	pid_t anchor;			/* has a VM, as far as is known; 0: none */
	int events;
	uint64_t next_search;
	unsigned long cost_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* The kernel's words on devices; KVM's tell of each VM that is made. */
static int open_events(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    NETLINK_KOBJECT_UEVENT);

	if (events >= 0 && bind(events, (struct sockaddr *)&address, sizeof(address)))
		cleanup__close(&events);
	return events;
}

/* Fills in the result; found is 0 if the process has no VM. Return: 0 or -errno. */
static int walk(struct look *look, pid_t pid)
{
	union bpf_iter_link_info info = { .task.tid = pid };
	DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
			    .link_info_len = sizeof(info));
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	__u64 target = look->result->target;
	_cleanup_close_ int fd = -1;
	struct bpf_link *link;
	char nothing[64];
	ssize_t got;
	int err = 0;

	*look->result = (struct hwdbm_look){ .target = target };
	link = bpf_program__attach_iter(look->program, &options);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	do {
		got = err ? 0 : read(fd, nothing, sizeof(nothing));
	} while (got > 0 || (got < 0 && errno == EAGAIN));
	if (got < 0)
		err = -errno;
	bpf_link__destroy(link);
	look->cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	return err;
}

static bool has_vm(pid_t pid)
{
	struct vms_process process = VMS_PROCESS_NONE;
	bool has;

	if (vms_process__open(&process, pid))
		return false;
	has = process.kvms;
	vms_process__close(&process);
	return has;
}

/* Looks for a process with a VM; not too often. */
static void search(struct look *look)
{
	uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = clock_ns(CLOCK_MONOTONIC), took;
	struct dirent *entry;
	DIR *dir;

	if (now < look->next_search)
		return;
	dir = opendir("/proc");
	look->anchor = 0;
	while (dir && !look->anchor && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) && has_vm(atoi(entry->d_name)))
			look->anchor = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	took = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) * SEARCH_REST;
	look->next_search = now + (took < SEARCH_MIN_NS ? SEARCH_MIN_NS : took);
}

int look__open(struct look **out, struct bpf_program *program, struct hwdbm_look *result, pid_t pid)
{
	struct look *look = calloc(1, sizeof(*look));
	int err;

	if (!look)
		return -ENOMEM;
	look->program = program;
	look->result = result;
	look->pid = pid;
	/* Before the first search: what is made meanwhile is told of. */
	look->events = open_events();
	/* Also tells the program who is followed. */
	err = walk(look, pid ?: getpid());
	if (err == -EINVAL)
		err = -EOPNOTSUPP;
	if (err) {
		look__free(look);
		return err;
	}
	*out = look;
	return 0;
}

void look__free(struct look *look)
{
	if (!look)
		return;
	cleanup__close(&look->events);
	free(look);
}

int look__fd(const struct look *look)
{
	return look->events;
}

/* "change@/devices/virtual/misc/kvm", then "NAME=VALUE", each with its end. */
static bool is_new_vm(const char *text, const char *end)
{
	if (!strstr(text, "@/devices/virtual/misc/kvm"))
		return false;
	for (; text < end; text += strlen(text) + 1)
		if (!strcmp(text, "EVENT=create"))
			return true;
	return false;
}

bool look__hear(struct look *look)
{
	char text[4096];
	bool heard = false;

	for (;;) {
		ssize_t got = recv(look->events, text, sizeof(text) - 1, 0);

		/* Too many to take: there may have been one among them. */
		if (got < 0 && errno == ENOBUFS) {
			heard = true;
			continue;
		}
		if (got <= 0)
			break;
		text[got] = '\0';
		heard |= is_new_vm(text, text + got);
	}
	if (heard && !look->anchor)
		look->next_search = clock_ns(CLOCK_MONOTONIC) + SETTLE_NS;
	return heard;
}

/* Walks from whichever process has a VM. Return: 0 or -errno. */
static int walk_from_any(struct look *look)
{
	int err = -ESRCH;

	look->result->found = 0;
	/* Mostly the one that is followed has one. */
	if (look->pid)
		err = walk(look, look->pid);
	if (!look->result->found && look->anchor)
		err = walk(look, look->anchor);
	if (look->result->found)
		return err;
	if (look->anchor)
		look->next_search = 0;
	search(look);
	if (!look->anchor) {
		*look->result = (struct hwdbm_look){ .target = look->result->target, .is_whole = 1 };
		return 0;
	}
	return walk(look, look->anchor);
}

int look__now(struct look *look, unsigned int *logging)
{
	int err = 0;

	look->cost_ns = 0;
	for (int i = 0; i < ATTEMPTS; i++) {
		err = walk_from_any(look);
		if (!err && (look->result->is_whole || !look->result->found))
			break;
		/* It has just ended */
		if (err == -ESRCH || err == -ENOENT)
			err = 0;
	}
	*logging = look->result->logging;
	if (!err && look->result->found && !look->result->is_whole)
		err = -EAGAIN;
	return err;
}

unsigned long look__cost_ns(const struct look *look)
{
	return look->cost_ns;
}
