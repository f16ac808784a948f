// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing recordings. Not here: the field tables that say what is in a line.
 */
#define _GNU_SOURCE
#include "recording.h"
#include "json.h"
#include "../model/blackout.h"
#include "scan.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(put_json)

FILE *recording__create(const char *path)
{
	int copy;

	if (strcmp(path, "-"))
		return fopen(path, "we");
	copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? NULL : fdopen(copy, "w");
}

int recording__write(FILE *out, enum sample_kind kind, const union sample *sample)
{
	return json__write_line(out, sample__table(kind), sample);
}

/* Where samples go. */
struct reader {
	sample_handler handler;
	void *context;
};

static int add_to_run(void *context, enum sample_kind kind, union sample *sample)
{
	return run__add(context, kind, sample);
}

static int add_object(const char *path, size_t number, const json_t *object, const char *type,
		      const struct reader *reader)
{
	enum sample_kind kind = sample__kind(type);
	const char *bad = "?";
	union sample sample;
	int err;

	if (kind == SAMPLE_KINDS)
		return 0;
	err = json__read_record(object, sample__table(kind), &sample, &bad);
	if (err == -EINVAL)
		log__error("%s:%zu: \"%s\" of a \"%s\" line has a value of the wrong type", path,
			   number, bad, type);
	if (err)
		return err;
	if (kind == SAMPLE_HEADER && strcmp(sample.header.schema, RECORDING_SCHEMA)) {
		log__error("%s:%zu: schema \"%s\", this hwdbm reads \"%s\"", path, number,
			   sample.header.schema, RECORDING_SCHEMA);
		return -EINVAL;
	}
	err = reader->handler(reader->context, kind, &sample);
	field__release(sample__table(kind), &sample);
	return err;
}

/* What the fast way does not understand. */
static int add_json(const char *path, size_t number, const char *line, size_t length, bool whole,
		    const struct reader *reader, bool *cut)
{
	json_error_t error;
	_cleanup_json_ json_t *object = json_loadb(line, length, 0, &error);
	const char *type = json_string_value(json_object_get(object, "type"));

	if (type)
		return add_object(path, number, object, type, reader);
	if (!whole) {
		log__warn("%s:%zu: the last line is cut off and was skipped; what is before it is complete",
			  path, number);
		*cut = true;
		return 0;
	}
	log__error("%s:%zu: not a line of a recording (%s)", path, number,
		   object ? "no \"type\"" : error.text);
	return -EINVAL;
}

static int add_line(const char *path, size_t number, const char *line, size_t length, bool whole,
		    const struct reader *reader, bool *cut)
{
	union sample sample;
	enum sample_kind kind;

	if (!scan__sample(line, length - (length && line[length - 1] == '\n'), &kind, &sample))
		return add_json(path, number, line, length, whole, reader, cut);
	return reader->handler(reader->context, kind, &sample);
}

int recording__add_line(const char *path, size_t number, const char *line, size_t length,
			struct run *run)
{
	const struct reader reader = { add_to_run, run };

	return add_line(path, number, line, length, true, &reader, NULL);
}

int recording__load(const char *path, struct run *run, bool *cut)
{
	return recording__read(path, add_to_run, run, cut);
}

int recording__read(const char *path, sample_handler handler, void *context, bool *cut)
{
	const struct reader reader = { handler, context };
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0, number = 0;
	ssize_t length;
	int err = 0;

	if (!file)
		return -errno;
	while (!err && (errno = 0, length = getline(&line, &size, file)) > 0) {
		bool whole = line[length - 1] == '\n';

		err = add_line(path, ++number, line, length, whole, &reader, cut);
	}
	if (!err && ferror(file))
		err = errno ? -errno : -EIO;
	return err;
}

int recording__load_plan(const char *path, struct run *run)
{
	const struct reader reader = { add_to_run, run };
	json_error_t error;
	_cleanup_json_ json_t *object = NULL;

	if (access(path, F_OK))
		return 0;
	object = json_load_file(path, 0, &error);
	if (object)
		return add_object(path, 1, object, "plan", &reader);
	log__error("%s:%d: %s", path, error.line, error.text);
	return -EINVAL;
}

static int add_to_side(void *side, enum sample_kind kind, union sample *sample)
{
	return blackout__add(side, kind, sample);
}

int recording__blackout(const char *folder, uint64_t *ns, uint64_t *error_ns)
{
	_cleanup_free_ char *source = NULL, *target = NULL;
	struct blackout_side from = { 0 }, to = { 0 };
	char why[2 * BLACKOUT_REASON];
	struct blackout blackout;
	bool cut = false;
	int err;

	*ns = UNKNOWN;
	*error_ns = UNKNOWN;
	if (asprintf(&source, "%s/recording.jsonl", folder) < 0 ||
	    asprintf(&target, "%s/target.jsonl", folder) < 0)
		return -ENOMEM;
	if (access(target, F_OK))
		return 0;
	err = recording__read(source, add_to_side, &from, &cut);
	err = err ?: recording__read(target, add_to_side, &to, &cut);
	if (!err && !blackout__join(&from, &to, &blackout, why)) {
		*ns = blackout.total_ns;
		*error_ns = blackout.error_ns;
	}
	blackout__release(&from);
	blackout__release(&to);
	return err;
}

static int load_folder(const char *path, struct run *run, bool *cut)
{
	_cleanup_free_ char *plan = NULL, *recording = NULL, *log = NULL;
	int err;

	if (asprintf(&plan, "%s/run.json", path) < 0 ||
	    asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	err = recording__load_plan(plan, run);
	err = err ?: recording__load(recording, run, cut);
	err = err ?: recording__blackout(path, &run->samples.blackout_ns, &run->samples.blackout_error_ns);
	if (err)
		return err;
	err = recording__load(log, run, cut);
	if (err == -ENOENT) {
		log__warn("%s: no vmm.jsonl, so no truth to compare with", path);
		err = 0;
	}
	return err;
}

void recording__name_run(const char *path, struct run *run)
{
	const char *slash;
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	slash = memrchr(path, '/', length);
	if (slash)
		length -= slash + 1 - path;
	snprintf(run->name, sizeof(run->name), "%.*s", (int)length,
		 slash ? slash + 1 : path);
}

int recording__load_run(const char *path, struct run **out, bool *cut)
{
	struct run *run = NULL;
	struct stat info;
	int err = stat(path, &info) ? -errno : run__new(&run);

	if (!err) {
		recording__name_run(path, run);
		err = S_ISDIR(info.st_mode) ? load_folder(path, run, cut) :
					      recording__load(path, run, cut);
	}
	if (!err && !run->samples.has_header) {
		log__error("%s: no recording in there (no header line); make one with hwdbm record",
			   path);
		err = -EINVAL;
	}
	err = err ?: run__update(run);
	if (err) {
		if (err != -EINVAL)
			log__error("%s: cannot read it (%s)", path, strerror(-err));
		run__free(run);
		return err;
	}
	if (!run->samples.has_end) {
		log__warn("%s: the recording has no end, it was interrupted; totals and losses are unknown",
			  path);
		*cut = true;
	}
	*out = run;
	return 0;
}
