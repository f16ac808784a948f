/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libvirt says of a VM's migration, through its own library, which is loaded when it
 * is asked for: hwdbm neither needs it to be built nor to run. Read-only. Not here: figures
 * of ours.
 */
#ifndef HWDBM_COLLECT_LIBVIRT_H
#define HWDBM_COLLECT_LIBVIRT_H

#include "../model/sample.h"

struct libvirt;

/* There is nothing more to be read. */
#define LIBVIRT_GONE 1

#ifdef HWDBM_LIBVIRT

/**
 * libvirt__open() - connect, find the domain, and ask about it every so often
 *
 * A daemon may let a call wait for long, so that a thread of its own does the asking; the
 * first answer is waited for until it comes, a signal to end is pending, or it takes too long.
 * Says on stderr what is wrong when it fails.
 *
 * @command: who asks; begins the messages
 * @domain: name or UUID
 * @pid: for the samples; 0: unknown
 * @interval_ns: between two answers
 * @out: set on success; free with libvirt__free()
 *
 * Return: 0, -ENOENT (no library, or no such domain), or another -errno.
 */
int libvirt__open(struct libvirt **out, const char *command, const char *uri,
		  const char *domain, uint64_t pid, uint64_t interval_ns);

/** libvirt__fd() - becomes readable when there is an answer */
int libvirt__fd(const struct libvirt *libvirt);

/**
 * libvirt__read() - hand on each answer that has come
 * Return: 0; LIBVIRT_GONE once libvirt or the VM is; or the handler's error.
 */
int libvirt__read(struct libvirt *libvirt, sample_handler handler, void *context);

/** libvirt__free() - end the asking and free; NULL is fine */
void libvirt__free(struct libvirt *libvirt);

#else /* a static build cannot load a library */

#include "../lib/log.h"

#include <errno.h>

static inline int libvirt__open(struct libvirt **out, const char *command, const char *uri,
				const char *domain, uint64_t pid, uint64_t interval_ns)
{
	(void)out, (void)uri, (void)domain, (void)pid, (void)interval_ns;
	log__error("%s: --libvirt: this hwdbm was built without it", command);
	return -EOPNOTSUPP;
}

static inline int libvirt__fd(const struct libvirt *libvirt)
{
	(void)libvirt;
	return -1;
}

static inline int libvirt__read(struct libvirt *libvirt, sample_handler handler, void *context)
{
	(void)libvirt, (void)handler, (void)context;
	return 0;
}

static inline void libvirt__free(struct libvirt *libvirt)
{
	(void)libvirt;
}

#endif

#endif
