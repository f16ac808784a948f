// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of QEMU's monitor: lines of JSON over a Unix socket. It asks query-migrate and
 * query-migrate-parameters, and takes STOP, RESUME and MIGRATION as a reason to ask at once.
 */
#define _GNU_SOURCE
#include "qmp.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/stream.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* A VMM that is alive greets at once, but its main loop may be busy. */
#define PATIENCE_MS 3000
#define STEP_MS 50

/* No answer of interest is longer, and no monitor sends more in a second; who reads that measures nothing else. */
#define MOST_BYTES (1 << 20)

#define CAPABILITIES "{\"execute\":\"qmp_capabilities\"}\n"
/* They are answered in this order: what the migration is told is known when its state is. */
#define SETTINGS "hwdbm-settings"
#define QUESTIONS "{\"execute\":\"query-migrate-parameters\",\"id\":\"" SETTINGS "\"}\n" \
		  "{\"execute\":\"query-migrate\",\"id\":\"hwdbm\"}\n"

struct qmp {
	int fd;
	const char *command;		/* whose messages these are */
	const char *path;
	uint64_t pid;
	sample_handler handler;
	void *context;
	char *buffer;
	size_t length;
	size_t size;
	uint64_t second_ns;		/* since when it has sent so much */
	size_t sent;
	bool is_asked;
	uint64_t waiting_ns;		/* since when an answer is due; 0: none is */
	bool is_silence_said;
	bool is_refusal_said;
	char event[24];			/* that made us ask */
	char version[64];		/* by its greeting */
	uint64_t limit_ns;		/* that a migration was told; UNKNOWN */
	uint64_t max_bandwidth;		/* the same; 0: none */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static void put_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(put_json)

static uint64_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_real(value) && json_real_value(value) >= 0)
		return (uint64_t)json_real_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0 ?
		       (uint64_t)json_integer_value(value) : UNKNOWN;
}

static uint64_t scaled(uint64_t value, uint64_t by)
{
	return value == UNKNOWN || (by && value > UINT64_MAX / by - 1) ? UNKNOWN : value * by;
}

static void copy_text(const json_t *object, const char *name, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, name));

	if (value)
		string__copy(text, size, value);
}

static void fill_state(const json_t *answer, struct vmm_state_sample *sample)
{
	const json_t *ram = json_object_get(answer, "ram");
	const json_t *mbps = json_object_get(ram, "mbps");
	uint64_t page_bytes = number(ram, "page-size");

	STRING_COPY(sample->via, "qmp");
	/* A VM that never migrated has no status. */
	STRING_COPY(sample->status, "none");
	copy_text(answer, "status", sample->status, sizeof(sample->status));
	copy_text(answer, "error-desc", sample->error, sizeof(sample->error));
	sample->syncs = number(ram, "dirty-sync-count");
	sample->remaining_bytes = number(ram, "remaining");
	sample->transferred_bytes = number(ram, "transferred");
	sample->total_bytes = number(ram, "total");
	sample->device_bytes = number(json_object_get(answer, "vfio"), "transferred");
	if (page_bytes != UNKNOWN)
		sample->dirty_bytes_per_second = scaled(number(ram, "dirty-pages-rate"), page_bytes);
	if (json_is_number(mbps) && json_number_value(mbps) >= 0 && json_number_value(mbps) < 1e12)
		sample->bytes_per_second = (uint64_t)(json_number_value(mbps) * 1e6 / 8);
	sample->elapsed_ns = scaled(number(answer, "total-time"), NS_PER_MS);
	sample->downtime_ns = scaled(number(answer, "downtime"), NS_PER_MS);
	sample->expected_downtime_ns = scaled(number(answer, "expected-downtime"), NS_PER_MS);
	sample->throttle_percent = number(answer, "cpu-throttle-percentage");
}

int qmp__state(const char *text, size_t length, struct vmm_state_sample *sample)
{
	json_error_t error;
	_cleanup_json_ json_t *answer = json_loadb(text, length, 0, &error);

	if (!json_is_object(answer))
		return !answer && json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	field__clear(sample__table(SAMPLE_VMM_STATE), sample);
	fill_state(answer, sample);
	return 0;
}

static int hand_on(struct qmp *qmp, const json_t *answer)
{
	union sample sample;

	field__clear(sample__table(SAMPLE_VMM_STATE), &sample);
	fill_state(answer, &sample.vmm_state);
	sample.vmm_state.t_ns = now_ns();
	sample.vmm_state.pid = qmp->pid ? qmp->pid : UNKNOWN;
	STRING_COPY(sample.vmm_state.event, qmp->event);
	STRING_COPY(sample.vmm_state.version, qmp->version);
	sample.vmm_state.downtime_limit_ns = qmp->limit_ns;
	sample.vmm_state.max_bandwidth = qmp->max_bandwidth;
	*qmp->event = '\0';
	return qmp->handler(qmp->context, SAMPLE_VMM_STATE, &sample);
}

static void take_event(struct qmp *qmp, const char *event)
{
	static const char *const events[] = { "STOP", "RESUME", "MIGRATION", "SHUTDOWN" };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (strcmp(events[i], event))
			continue;
		STRING_COPY(qmp->event, event);
		/* What an earlier question gets for an answer may be older than the event. */
		qmp->is_asked = false;
		qmp__ask(qmp);
	}
}

/* Once: it would be the same each second. */
static void tell_refusal(struct qmp *qmp, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "desc"));

	if (qmp->is_refusal_said)
		return;
	qmp->is_refusal_said = true;
	log__warn("%s: --qmp %s: the monitor does not say how the migration stands (%.160s); its view is missing",
		  qmp->command, qmp->path, text ?: "it gives no state and no reason");
}

static int take_line(struct qmp *qmp, const char *line, size_t length)
{
	json_error_t error;
	_cleanup_json_ json_t *said = json_loadb(line, length, 0, &error);
	const char *event = json_string_value(json_object_get(said, "event"));
	const char *id = json_string_value(json_object_get(said, "id"));
	const json_t *answer = json_object_get(said, "return");

	if (event) {
		take_event(qmp, event);
		return 0;
	}
	/* The answer to qmp_capabilities has none. */
	if (!id)
		return 0;
	if (!strcmp(id, SETTINGS)) {
		qmp->limit_ns = scaled(number(answer, "downtime-limit"), NS_PER_MS);
		qmp->max_bandwidth = number(answer, "max-bandwidth");
		return 0;
	}
	qmp->is_asked = false;
	qmp->waiting_ns = 0;
	if (json_is_object(answer))
		return hand_on(qmp, answer);
	tell_refusal(qmp, json_object_get(said, "error"));
	return 0;
}

static int make_room(struct qmp *qmp)
{
	size_t size = qmp->size ? 2 * qmp->size : 4096;
	char *grown;

	if (qmp->length < qmp->size)
		return 0;
	if (size > MOST_BYTES)
		return -EMSGSIZE;
	grown = realloc(qmp->buffer, size);
	if (!grown)
		return -ENOMEM;
	qmp->buffer = grown;
	qmp->size = size;
	return 0;
}

static int take_lines(struct qmp *qmp)
{
	size_t done = 0;
	char *end;
	int err = 0;

	while (!err && (end = memchr(qmp->buffer + done, '\n', qmp->length - done))) {
		size_t length = end - (qmp->buffer + done);

		err = take_line(qmp, qmp->buffer + done, length);
		done += length + 1;
	}
	qmp->length -= done;
	memmove(qmp->buffer, qmp->buffer + done, qmp->length);
	return err;
}

static bool is_flood(struct qmp *qmp, size_t got)
{
	uint64_t now = now_ns();

	if (now - qmp->second_ns > NS_PER_SECOND) {
		qmp->second_ns = now;
		qmp->sent = 0;
	}
	qmp->sent += got;
	return qmp->sent > MOST_BYTES;
}

/* Return: bytes that came, 0 if none did, -EPIPE at the end, -EMSGSIZE if they are too many, or another -errno. */
static ssize_t take_bytes(struct qmp *qmp)
{
	int err = make_room(qmp);
	ssize_t got;

	if (err)
		return err;
	got = recv(qmp->fd, qmp->buffer + qmp->length, qmp->size - qmp->length, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	qmp->length += got;
	if (is_flood(qmp, got))
		return -EMSGSIZE;
	return got ?: -EPIPE;
}

int qmp__read(struct qmp *qmp)
{
	for (;;) {
		ssize_t got = take_bytes(qmp);
		int err;

		if (got == -EMSGSIZE)
			log__warn("%s: --qmp %s: more than 1 MiB in a line or a second, which no monitor sends; it is not listened to any more",
				  qmp->command, qmp->path);
		else if (got < 0)
			log__warn("%s: --qmp %s: the monitor says no more (%s)", qmp->command, qmp->path,
				  got == -EPIPE ? "it was closed" : strerror((int)-got));
		if (got <= 0)
			return got ? QMP_GONE : 0;
		err = take_lines(qmp);
		if (err)
			return err;
	}
}

static int say(struct qmp *qmp, const char *text)
{
	ssize_t sent = send(qmp->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent == (ssize_t)strlen(text) ? 0 : sent < 0 ? -errno : -EIO;
}

void qmp__ask(struct qmp *qmp)
{
	uint64_t now = now_ns();

	if (qmp->waiting_ns && now - qmp->waiting_ns > PATIENCE_MS * NS_PER_MS && !qmp->is_silence_said) {
		qmp->is_silence_said = true;
		log__warn("%s: --qmp %s: the monitor has not answered for %d s; its view is missing until it does",
			  qmp->command, qmp->path, PATIENCE_MS / 1000);
	}
	if (qmp->is_asked)
		return;
	if (!qmp->waiting_ns)
		qmp->waiting_ns = now;
	qmp->is_asked = !say(qmp, QUESTIONS);
}

/* {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "Debian 1:7.2+dfsg-7"} */
static void take_version(struct qmp *qmp, const json_t *version)
{
	const json_t *qemu = json_object_get(version, "qemu");
	const char *package = json_string_value(json_object_get(version, "package"));

	if (qemu)
		snprintf(qmp->version, sizeof(qmp->version), "%lld.%lld.%lld%s%.40s%s",
			 json_integer_value(json_object_get(qemu, "major")),
			 json_integer_value(json_object_get(qemu, "minor")),
			 json_integer_value(json_object_get(qemu, "micro")),
			 package && *package ? " (" : "", package && *package ? package : "",
			 package && *package ? ")" : "");
}

/*
 * Return: 0 with the first line's @end; -EBUSY without a word; -EPROTO if it is none of a monitor's; -EINTR if a signal to stop
 * came; -ENOMEM.
 */
static int await_line(struct qmp *qmp, char **end)
{
	uint64_t until = now_ns() + PATIENCE_MS * NS_PER_MS, now;

	for (now = now_ns(); now < until; now = now_ns()) {
		struct pollfd wait = { .fd = qmp->fd, .events = POLLIN };
		ssize_t got = poll(&wait, 1, STEP_MS) > 0 ? take_bytes(qmp) : 0;

		/* A session takes its signals when it has begun. */
		if (stream__stop_signal())
			return -EINTR;
		if (got < 0 || (got && *qmp->buffer != '{'))
			return got == -ENOMEM ? -ENOMEM : -EPROTO;
		*end = got ? memchr(qmp->buffer, '\n', qmp->length) : NULL;
		if (*end)
			return 0;
	}
	return qmp->length ? -EPROTO : -EBUSY;
}

/* The greeting is the one line without which nothing else makes sense. */
static int greet(struct qmp *qmp)
{
	_cleanup_json_ json_t *said = NULL;
	json_error_t error;
	char *end;
	int err = await_line(qmp, &end);

	if (err)
		return err;
	said = json_loadb(qmp->buffer, end - qmp->buffer, 0, &error);
	if (!json_object_get(said, "QMP"))
		return -EPROTO;
	take_version(qmp, json_object_get(json_object_get(said, "QMP"), "version"));
	qmp->length -= end + 1 - qmp->buffer;
	memmove(qmp->buffer, end + 1, qmp->length);
	return say(qmp, CAPABILITIES);
}

static int connect_to(struct qmp *qmp, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	STRING_COPY(address.sun_path, path);
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (qmp->fd < 0)
		return -errno;
	/* A queue that is full keeps a client waiting, too. */
	setsockopt(qmp->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)))
		return errno == EAGAIN ? -EBUSY : -errno;
	return greet(qmp);
}

int qmp__open(struct qmp **out, const char *command, const char *path, uint64_t pid,
	      sample_handler handler, void *context)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));
	int err;

	if (!qmp)
		return -ENOMEM;
	qmp->fd = -1;
	qmp->command = command;
	qmp->path = path;
	qmp->limit_ns = qmp->max_bandwidth = UNKNOWN;
	qmp->pid = pid;
	qmp->handler = handler;
	qmp->context = context;
	err = connect_to(qmp, path);
	if (err == -EBUSY)
		log__error("%s: --qmp %s: no answer; most likely another client holds this monitor, which serves one at a time (libvirt keeps the one of its VMs: use --libvirt URI); add a -qmp socket to the VM, or do without",
			   command, path);
	else if (err == -EPROTO)
		log__error("%s: --qmp %s: this is no QMP monitor, it does not greet as one",
			   command, path);
	else if (err == -EINTR)
		log__error("%s: --qmp %s: stopped before it answered", command, path);
	else if (err)
		log__error("%s: --qmp %s: cannot connect (%s)", command, path, strerror(-err));
	if (err) {
		qmp__free(qmp);
		return err;
	}
	*out = qmp;
	return 0;
}

int qmp__fd(const struct qmp *qmp)
{
	return qmp->fd;
}

void qmp__free(struct qmp *qmp)
{
	if (!qmp)
		return;
	cleanup__close(&qmp->fd);
	free(qmp->buffer);
	free(qmp);
}
