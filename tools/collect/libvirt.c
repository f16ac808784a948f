// SPDX-License-Identifier: GPL-2.0-only
/*
 * libvirt's library at run time. The few declarations here are its ABI, which it has kept
 * since 1.0.3 (2013). Not in static builds, which cannot load libraries.
 */
#define _GNU_SOURCE
#include "libvirt.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/stream.h"
#include "../lib/strings.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

typedef struct _virConnect virConnect;
typedef struct _virDomain virDomain;

/* enum virTypedParameterType and struct _virTypedParameter */
enum { TYPED_INT = 1, TYPED_UINT, TYPED_LLONG, TYPED_ULLONG, TYPED_DOUBLE, TYPED_BOOLEAN, TYPED_STRING };

struct typed_parameter {
	char field[80];
	int type;
	union {
		int i;
		unsigned int ui;
		long long l;
		unsigned long long ul;
		double d;
		char b;
		char *s;
	} value;
};

/* enum virDomainJobType */
static const char *const job_types[] = {
	"none", "bounded", "active", "completed", "failed", "cancelled",
};

/* Long enough for a connection by ssh that asks for a password */
#define PATIENCE_MS 30000
#define STEP_MS 50

#define JOB_STATS_COMPLETED 1		/* VIR_DOMAIN_JOB_STATS_COMPLETED: of the last job */
#define JOB_STATS_KEEP 2			/* VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED: others may ask too */

struct calls {
	virConnect *(*open)(const char *uri);
	int (*close)(virConnect *connection);
	virDomain *(*by_name)(virConnect *connection, const char *name);
	virDomain *(*by_uuid)(virConnect *connection, const char *uuid);
	int (*free_domain)(virDomain *domain);
	int (*job)(virDomain *domain, int *type, struct typed_parameter **parameters, int *count,
		   unsigned int flags);
	void (*free_parameters)(struct typed_parameter *parameters, int count);
	const char *(*error)(void);
	void (*quiet)(void *data, void (*handler)(void *data, void *error));
};

struct libvirt {
	void *library;
	struct calls calls;
	char *uri, *name;
	int err;			/* why there is nothing to ask, and in words; the thread's until it has ended */
	char why[256];
	virConnect *connection;
	virDomain *domain;
	uint64_t pid;
	uint64_t interval_ns;
	pthread_t thread;
	bool is_running;
	atomic_bool is_done;		/* the thread is to end, or has ended */
	int from, to;			/* of a pipe: whole samples */
};

_Static_assert(sizeof(struct vmm_state_sample) <= PIPE_BUF, "a sample is written at once");

static int load_calls(struct libvirt *l)
{
	static const struct {
		const char *name;
		size_t offset;
	} names[] = {
		{ "virConnectOpenReadOnly", offsetof(struct calls, open) },
		{ "virConnectClose", offsetof(struct calls, close) },
		{ "virDomainLookupByName", offsetof(struct calls, by_name) },
		{ "virDomainLookupByUUIDString", offsetof(struct calls, by_uuid) },
		{ "virDomainFree", offsetof(struct calls, free_domain) },
		{ "virDomainGetJobStats", offsetof(struct calls, job) },
		{ "virTypedParamsFree", offsetof(struct calls, free_parameters) },
		{ "virGetLastErrorMessage", offsetof(struct calls, error) },
		{ "virSetErrorFunc", offsetof(struct calls, quiet) },
	};

	l->library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!l->library)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *symbol = dlsym(l->library, names[i].name);

		if (!symbol)
			return -ENOSYS;
		memcpy((char *)&l->calls + names[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

static uint64_t value_of(const struct typed_parameter *parameter)
{
	switch (parameter->type) {
	case TYPED_INT:
		return parameter->value.i < 0 ? UNKNOWN : (uint64_t)parameter->value.i;
	case TYPED_UINT:
		return parameter->value.ui;
	case TYPED_LLONG:
		return parameter->value.l < 0 ? UNKNOWN : (uint64_t)parameter->value.l;
	case TYPED_ULLONG:
		return parameter->value.ul;
	default:
		return UNKNOWN;
	}
}

static uint64_t scaled(uint64_t value, uint64_t by)
{
	return value > UINT64_MAX / by - 1 ? UNKNOWN : value * by;
}

/* Names of libvirt-domain.h's VIR_DOMAIN_JOB_* */
static void take_parameter(struct vmm_state_sample *sample, const struct typed_parameter *one,
			   uint64_t *dirty_pages, uint64_t *page_bytes)
{
	const struct {
		const char *name;
		uint64_t *to;
		uint64_t scale;
	} fields[] = {
		{ "time_elapsed", &sample->elapsed_ns, NS_PER_MS },
		{ "memory_remaining", &sample->remaining_bytes, 1 },
		{ "memory_processed", &sample->transferred_bytes, 1 },
		{ "memory_total", &sample->total_bytes, 1 },
		{ "memory_bps", &sample->bytes_per_second, 1 },
		{ "memory_iteration", &sample->syncs, 1 },
		{ "memory_dirty_rate", dirty_pages, 1 },
		{ "memory_page_size", page_bytes, 1 },
		{ "vfio_data_transferred", &sample->device_bytes, 1 },
		{ "auto_converge_throttle", &sample->throttle_percent, 1 },
	};

	/* While a job runs this is an expectation; which one it is, the state says. */
	if (!strcmp(one->field, "downtime"))
		*(strcmp(sample->status, "completed") ? &sample->expected_downtime_ns :
							&sample->downtime_ns) =
			scaled(value_of(one), NS_PER_MS);
	if (!strcmp(one->field, "errmsg") && one->type == TYPED_STRING && one->value.s)
		STRING_COPY(sample->error, one->value.s);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(one->field, fields[i].name))
			*fields[i].to = scaled(value_of(one), fields[i].scale);
}

static int ask(struct libvirt *l, unsigned int flags, struct vmm_state_sample *sample)
{
	uint64_t dirty_pages = UNKNOWN, page_bytes = UNKNOWN;
	struct typed_parameter *parameters = NULL;
	struct timespec now;
	int type = 0, count = 0;

	if (l->calls.job(l->domain, &type, &parameters, &count, flags))
		return -EIO;
	field__clear(sample__table(SAMPLE_VMM_STATE), sample);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->t_ns = now.tv_sec * NS_PER_SECOND + now.tv_nsec;
	sample->pid = l->pid ? l->pid : UNKNOWN;
	STRING_COPY(sample->via, "libvirt");
	if (type >= 0 && (size_t)type < sizeof(job_types) / sizeof(job_types[0]))
		STRING_COPY(sample->status, job_types[type]);
	for (int i = 0; i < count; i++)
		take_parameter(sample, &parameters[i], &dirty_pages, &page_bytes);
	if (dirty_pages != UNKNOWN && page_bytes != UNKNOWN && page_bytes)
		sample->dirty_bytes_per_second = scaled(dirty_pages, page_bytes);
	l->calls.free_parameters(parameters, count);
	return 0;
}

/*
 * A job that ended between two questions is "none" at once, and a short one has never been anything
 * else; libvirt remembers the last one, which is told if it is not @known, the one before.
 */
static int ask_well(struct libvirt *l, struct vmm_state_sample *known, struct vmm_state_sample *sample)
{
	struct vmm_state_sample completed;
	int err = ask(l, 0, sample);

	if (err || strcmp(sample->status, "none") ||
	    ask(l, JOB_STATS_COMPLETED | JOB_STATS_KEEP, &completed) || !strcmp(completed.status, "none"))
		return err;
	if (completed.elapsed_ns == known->elapsed_ns &&
	    completed.transferred_bytes == known->transferred_bytes)
		return 0;
	*known = *sample = completed;
	return 0;
}

static void pause_for(uint64_t ns)
{
	const struct timespec time = { .tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND };

	nanosleep(&time, NULL);
}

/* libvirt would write to stderr by itself. */
static void say_nothing(void *data, void *error)
{
	(void)data;
	(void)error;
}

static int find_domain(struct libvirt *l)
{
	struct vmm_state_sample sample;

	l->calls.quiet(NULL, say_nothing);
	l->connection = l->calls.open(l->uri);
	if (!l->connection) {
		snprintf(l->why, sizeof(l->why), "cannot connect (%s)", l->calls.error());
		return -ECONNREFUSED;
	}
	l->domain = l->calls.by_name(l->connection, l->name);
	if (!l->domain)
		l->domain = l->calls.by_uuid(l->connection, l->name);
	if (!l->domain) {
		snprintf(l->why, sizeof(l->why), "no domain has the name or UUID \"%s\"", l->name);
		return -ENOENT;
	}
	if (!ask(l, 0, &sample))
		return 0;
	snprintf(l->why, sizeof(l->why), "cannot ask about the jobs of %s (%s)", l->name, l->calls.error());
	return -EOPNOTSUPP;
}

static void *keep_asking(void *context)
{
	struct libvirt *l = context;
	struct vmm_state_sample known;

	field__clear(sample__table(SAMPLE_VMM_STATE), &known);
	l->err = find_domain(l);
	if (!l->err)
		ask(l, JOB_STATS_COMPLETED | JOB_STATS_KEEP, &known);
	while (!l->err && !atomic_load(&l->is_done)) {
		struct vmm_state_sample sample;

		if (ask_well(l, &known, &sample) ||
		    write(l->to, &sample, sizeof(sample)) != sizeof(sample))
			break;
		pause_for(l->interval_ns);
	}
	/* The reader learns of it by the end of the pipe. */
	cleanup__close(&l->to);
	l->to = -1;
	return NULL;
}

static int start_asking(struct libvirt *l)
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	l->from = ends[0];
	l->to = ends[1];
	if (fcntl(l->from, F_SETFL, O_NONBLOCK))
		return -errno;
	err = pthread_create(&l->thread, NULL, keep_asking, l);
	l->is_running = !err;
	return -err;
}

/* A daemon, or the network before it, may leave a call without an answer for minutes. */
static int await_answer(struct libvirt *l)
{
	struct pollfd wait = { .fd = l->from, .events = POLLIN };

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		/* A session takes its signals when it has begun. */
		if (stream__stop_signal()) {
			snprintf(l->why, sizeof(l->why), "stopped before it answered");
			return -EINTR;
		}
		if (poll(&wait, 1, STEP_MS) <= 0)
			continue;
		if (wait.revents & POLLIN)
			return 0;
		pthread_join(l->thread, NULL);
		l->is_running = false;
		return l->err;
	}
	snprintf(l->why, sizeof(l->why), "no answer for %d s", PATIENCE_MS / 1000);
	return -ETIMEDOUT;
}

int libvirt__open(struct libvirt **out, const char *command, const char *uri,
		  const char *domain, uint64_t pid, uint64_t interval_ns)
{
	struct libvirt *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->from = l->to = -1;
	l->pid = pid;
	l->interval_ns = interval_ns;
	l->uri = strdup(uri);
	l->name = strdup(domain);
	err = l->uri && l->name ? load_calls(l) : -ENOMEM;
	if (err)
		log__error("%s: --libvirt needs libvirt's library, libvirt.so.0 (Debian package libvirt0): %s",
			   command, err == -ENOMEM ? strerror(ENOMEM) : dlerror());
	if (!err) {
		err = start_asking(l);
		if (err)
			snprintf(l->why, sizeof(l->why), "cannot start a thread (%s)", strerror(-err));
		err = err ?: await_answer(l);
		if (err)
			log__error("%s: --libvirt %s: %s", command, uri, l->why);
	}
	if (err) {
		libvirt__free(l);
		return err;
	}
	*out = l;
	return 0;
}

int libvirt__fd(const struct libvirt *l)
{
	return l->from;
}

int libvirt__read(struct libvirt *l, sample_handler handler, void *context)
{
	for (;;) {
		union sample sample;
		ssize_t got = read(l->from, &sample.vmm_state, sizeof(sample.vmm_state));
		int err;

		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (got != sizeof(sample.vmm_state))
			return LIBVIRT_GONE;
		err = handler(context, SAMPLE_VMM_STATE, &sample);
		if (err)
			return err;
	}
}

void libvirt__free(struct libvirt *l)
{
	struct timespec until;

	if (!l)
		return;
	if (l->is_running) {
		atomic_store(&l->is_done, true);
		/* It may be waiting for a daemon that does not answer; then it ends with the process. */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 2;
		if (pthread_clockjoin_np(l->thread, NULL, CLOCK_MONOTONIC, &until))
			return;
	}
	if (l->domain)
		l->calls.free_domain(l->domain);
	if (l->connection)
		l->calls.close(l->connection);
	/* The library stays: it has threads and destructors of its own. */
	cleanup__close(&l->from);
	cleanup__close(&l->to);
	free(l->uri);
	free(l->name);
	free(l);
}
