// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing recordings. Not here: the field tables that say what is in a line.
 */
#define _GNU_SOURCE
#include "recording.h"
#include "json.h"
#include "../model/blackout.h"
#include "scan.h"
#include "units.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "../lib/stream.h"

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

/* CPUs write down what they saw one after the other, and one may be held up before it does. */
#define CLOCK_STEP_NS UINT64_C(10000000)

/* A pipe without a reader would be waited for by a process that is deaf to signals then. */
static FILE *create_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
	FILE *out = fd < 0 || fcntl(fd, F_SETFL, 0) ? NULL : stream__open(fd);

	if (!out && fd >= 0)
		close(fd);
	return out;
}

FILE *recording__create(const char *path)
{
	FILE *out;
	int copy;

	if (strcmp(path, "-"))
		return create_file(path);
	copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	out = copy < 0 ? NULL : stream__open(copy);
	if (out || copy < 0)
		return out;
	/* A stdout that is closed is held by something that cannot be written (hwdbm.c). */
	close(copy);
	errno = EBADF;
	return NULL;
}

bool recording__is_same(const char *one, const char *other)
{
	struct stat a, b;

	return !stat(one, &a) && !stat(other, &b) && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

bool recording__is_one(const char *path)
{
	static const char begin[] = "{\"type\":";
	struct stat info;
	char start[sizeof(begin)] = "";
	_cleanup_fclose_ FILE *file = !stat(path, &info) && S_ISREG(info.st_mode) ? fopen(path, "re") : NULL;

	return file && fread(start, 1, sizeof(begin) - 1, file) && !strcmp(start, begin);
}

int recording__write(FILE *out, enum sample_kind kind, const union sample *sample)
{
	return json__write_line(out, sample__table(kind), sample);
}

const char *recording__label(const char *path)
{
	return strcmp(path, "-") ? path : "stdin";
}

bool recording__is_folder(const char *path)
{
	struct stat info;

	return strcmp(path, "-") && !stat(path, &info) && S_ISDIR(info.st_mode);
}

/* Where samples go, and what was read so far. */
struct reader {
	const char *path;		/* for messages */
	sample_handler handler;
	void *context;
	size_t number;			/* of the line */
	bool has_header;
	struct recording_flaws flaws;
	const struct field *clocks[SAMPLE_KINDS];	/* the time in a sample of that kind; NULL: it has none */
	uint64_t last_ns[SAMPLE_KINDS];
};

static int add_to_run(void *context, enum sample_kind kind, union sample *sample)
{
	return run__add(context, kind, sample);
}

static void find_clocks(struct reader *reader)
{
	for (int kind = 0; kind < SAMPLE_KINDS; kind++) {
		const struct field_table *table = sample__table(kind);

		for (size_t i = 0; i < table->count && !reader->clocks[kind]; i++)
			if (!strcmp(table->fields[i].name, "t_ns") && table->fields[i].type == FIELD_U64)
				reader->clocks[kind] = &table->fields[i];
	}
}

/* Samples of different kinds come in different ways, and those of one kind in their order. */
static void check_clock(struct reader *reader, enum sample_kind kind, union sample *sample)
{
	const struct field *field = reader->clocks[kind];
	uint64_t *last = &reader->last_ns[kind], t;
	char text[UNITS_TEXT];

	if (!field)
		return;
	t = *(uint64_t *)field__place(field, sample);
	if (t == UNKNOWN)
		return;
	if (t + CLOCK_STEP_NS < *last) {
		if (!reader->flaws.skewed)
			log__warn("%s:%zu: the clock goes backwards here, by %s; times around that are not to be trusted",
				  reader->path, reader->number, units__duration(*last - t, text));
		reader->flaws.skewed = true;
	} else if (t < *last) {
		return;
	}
	*last = t;
}

static int hand_on(struct reader *reader, enum sample_kind kind, union sample *sample)
{
	if (kind == SAMPLE_HEADER && reader->has_header) {
		log__error("%s:%zu: another recording begins here; give each of them as a file of its own",
			   reader->path, reader->number);
		return -EINVAL;
	}
	reader->has_header |= kind == SAMPLE_HEADER;
	check_clock(reader, kind, sample);
	if (kind == SAMPLE_END && sample->end.gave_up == TRI_TRUE) {
		log__warn("%s: hwdbm detached before the end, because of --max-overhead: what came then is not in there",
			  reader->path);
		reader->flaws.detached = true;
	}
	return reader->handler(reader->context, kind, sample);
}

static int add_object(struct reader *reader, const json_t *object, const char *type)
{
	enum sample_kind kind = sample__kind(type);
	const char *bad = "?";
	union sample sample;
	int err;

	if (kind == SAMPLE_KINDS)
		return 0;
	err = json__read_record(object, sample__table(kind), &sample, &bad);
	if (err == -EINVAL)
		log__error("%s:%zu: \"%s\" of a \"%s\" line has a value of the wrong type", reader->path,
			   reader->number, bad, type);
	if (err)
		return err;
	if (kind == SAMPLE_HEADER && strcmp(sample.header.schema, RECORDING_SCHEMA)) {
		log__error("%s:%zu: schema \"%s\", this hwdbm reads \"%s\"", reader->path, reader->number,
			   sample.header.schema, RECORDING_SCHEMA);
		return -EINVAL;
	}
	err = hand_on(reader, kind, &sample);
	field__release(sample__table(kind), &sample);
	return err;
}

static bool is_blank(const char *line, size_t length)
{
	while (length && (line[length - 1] == '\n' || line[length - 1] == '\r' || line[length - 1] == ' '))
		length--;
	return !length;
}

/* Whether it is how a line begins, and goes on as text; what is damaged seldom does. */
static bool is_begun(const char *line, size_t length)
{
	static const char start[] = "{\"type\":";
	const size_t least = length < sizeof(start) - 1 ? length : sizeof(start) - 1;

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < ' ')
			return false;
	return !memcmp(line, start, least);
}

/* Recordings are kept packed; NULL if this is none of that kind */
static const char *unpacker_of(const char *start, size_t length)
{
	static const struct {
		const char *magic;
		const char *unpacker;
	} known[] = {
		{ "\x1f\x8b", "zcat" }, { "\x28\xb5\x2f\xfd", "zstdcat" }, { "\xfd" "7zXZ", "xzcat" }, { "BZh", "bzcat" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (length >= strlen(known[i].magic) && !memcmp(start, known[i].magic, strlen(known[i].magic)))
			return known[i].unpacker;
	return NULL;
}

/* What the library quotes of a line may be anything, and would go to a terminal. */
static int refuse(const struct reader *reader, const char *line, size_t length, bool is_json, const json_error_t *error)
{
	const char *unpacker = reader->number == 1 ? unpacker_of(line, length) : NULL;

	if (unpacker)
		log__error("%s:1: not a line of a recording: it is compressed; unpack it, as in \"%s FILE | hwdbm report -\"",
			   reader->path, unpacker);
	else if (reader->number == 1)
		log__error("%s:1: not a line of a recording: this is none; make one with hwdbm record",
			   reader->path);
	else if (is_json)
		log__error("%s:%zu: not a line of a recording (no \"type\")", reader->path, reader->number);
	else
		log__error("%s:%zu: not a line of a recording (damaged at column %d)", reader->path,
			   reader->number, error->column);
	return -EINVAL;
}

/* What the fast way does not understand. */
static int add_json(struct reader *reader, const char *line, size_t length, bool whole)
{
	json_error_t error;
	_cleanup_json_ json_t *object = json_loadb(line, length, 0, &error);
	const char *type = json_string_value(json_object_get(object, "type"));

	if (type)
		return add_object(reader, object, type);
	if (is_blank(line, length))
		return 0;
	if (whole || reader->number == 1 || !is_begun(line, length))
		return refuse(reader, line, length, object, &error);
	log__warn("%s:%zu: the last line is cut off and was skipped; what is before it is complete",
		  reader->path, reader->number);
	reader->flaws.cut = true;
	return 0;
}

static int add_line(struct reader *reader, const char *line, size_t length, bool whole)
{
	union sample sample;
	enum sample_kind kind;

	reader->number++;
	if (!scan__sample(line, length - (length && line[length - 1] == '\n'), &kind, &sample))
		return add_json(reader, line, length, whole);
	return hand_on(reader, kind, &sample);
}

int recording__add_line(const char *path, size_t number, const char *line, size_t length,
			struct run *run)
{
	struct reader reader = { .path = path, .handler = add_to_run, .context = run,
				 .number = number - 1 };

	return add_line(&reader, line, length, true);
}

int recording__load(const char *path, struct run *run, bool *cut)
{
	struct recording_flaws flaws = { 0 };
	int err = recording__read(path, add_to_run, run, &flaws);

	*cut |= recording__is_flawed(&flaws);
	return err;
}

static FILE *open_input(const char *path)
{
	int copy;

	if (strcmp(path, "-"))
		return fopen(path, "re");
	copy = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? NULL : fdopen(copy, "r");
}

/* A disk's image may be one line of any length: it is not read to its end to say that it is no recording. */
static bool is_text(FILE *file)
{
	int first = getc(file);

	if (first == EOF)
		clearerr(file);
	else
		ungetc(first, file);
	return first == EOF || first >= ' ' || first == '\n' || first == '\r' || first == '\t';
}

static int read_lines(struct reader *reader, FILE *file)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int err = 0;

	while (!err && (errno = 0, length = getline(&line, &size, file)) > 0)
		err = add_line(reader, line, length, line[length - 1] == '\n');
	/* Without memory for a line there is no mark of an error, only none of the end. */
	if (!err && !feof(file))
		err = errno ? -errno : -EIO;
	return err;
}

int recording__read(const char *path, sample_handler handler, void *context,
		    struct recording_flaws *flaws)
{
	struct reader reader = { .path = recording__label(path), .handler = handler, .context = context };
	_cleanup_fclose_ FILE *file = open_input(path);
	char start[8];
	int err;

	if (!file)
		return -errno;
	find_clocks(&reader);
	reader.number = !is_text(file);
	if (reader.number)
		err = refuse(&reader, start, fread(start, 1, sizeof(start), file), false, NULL);
	else
		err = read_lines(&reader, file);
	flaws->cut |= reader.flaws.cut;
	flaws->skewed |= reader.flaws.skewed;
	flaws->detached |= reader.flaws.detached;
	return err;
}

int recording__load_plan(const char *path, struct run *run)
{
	struct reader reader = { .path = path, .handler = add_to_run, .context = run, .number = 1 };
	json_error_t error;
	_cleanup_json_ json_t *object = NULL;

	if (access(path, F_OK))
		return 0;
	object = json_load_file(path, 0, &error);
	if (object)
		return add_object(&reader, object, "plan");
	log__error("%s:%d: %s", path, error.line, error.text);
	return -EINVAL;
}

static int add_to_side(void *side, enum sample_kind kind, union sample *sample)
{
	return blackout__add(side, kind, sample);
}

int recording__blackout(const char *folder, struct blackout *out)
{
	_cleanup_free_ char *source = NULL, *target = NULL;
	struct blackout_side from = { 0 }, to = { 0 };
	char why[sizeof(out->why)];
	struct recording_flaws flaws = { 0 };
	int err;

	field__clear(&blackout_table, out);
	if (asprintf(&source, "%s/recording.jsonl", folder) < 0 ||
	    asprintf(&target, "%s/target.jsonl", folder) < 0)
		return -ENOMEM;
	if (access(target, F_OK))
		return -ENOENT;
	err = recording__read(source, add_to_side, &from, &flaws);
	err = err ?: recording__read(target, add_to_side, &to, &flaws);
	err = err ?: blackout__join(&from, &to, out, why);
	blackout__release(&from);
	blackout__release(&to);
	if (err) {
		field__clear(&blackout_table, out);
		if (err == -ENODATA)
			STRING_COPY(out->why, why);
	}
	return err;
}

static int load_folder(const char *path, struct run *run, bool *cut)
{
	_cleanup_free_ char *plan = NULL, *recording = NULL, *log = NULL;
	struct blackout blackout;
	int err;

	if (asprintf(&plan, "%s/run.json", path) < 0 ||
	    asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	err = recording__load_plan(plan, run);
	err = err ?: recording__load(recording, run, cut);
	if (err)
		return err;
	err = recording__blackout(path, &blackout);
	if (err && err != -ENOENT && err != -ENODATA)
		return err;
	run->samples.blackout_ns = blackout.total_ns;
	run->samples.blackout_error_ns = blackout.error_ns;
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
