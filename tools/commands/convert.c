// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm convert: a recording in formats of others. Not here: the formats.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/csv.h"
#include "../output/draft.h"
#include "../output/recording.h"
#include "../output/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct convert_options {
	const char *input;
	const char *output;
	const char *format;
};

static const struct option_spec option_table[] = {
	{ "format", 'f', OPTION_TEXT, offsetof(struct convert_options, format), "FORMAT",
	  "perfetto: a trace for ui.perfetto.dev; csv: a row for each sync (csv)" },
	{ "input", 'i', OPTION_TEXT, offsetof(struct convert_options, input), "FILE",
	  "the recording, which may also be given as an operand; - is stdin" },
	{ "output", 'o', OPTION_TEXT, offsetof(struct convert_options, output), "FILE",
	  "where to write; - is stdout (-)" },
};

static const struct command_spec spec = {
	.name = "convert",
	.usage = "[OPTIONS] RECORDING",
	.summary = "Converts a recording for other programs: a trace in Chrome's JSON format, which\n"
		   "Perfetto opens, or comma-separated values. Recordings of any length are streamed.",
	.notes = "CSV columns are called as in the recording; sizes are in bytes, times in nanoseconds,\n"
		 "and what is unknown is empty. Only syncs have rows. Traces also show clears, splits,\n"
		 "and starts of tracking, each on the row of its slot or domain; when devices were stopped\n"
		 "and let go, when vCPUs ran, what the VMM said, and the bytes sent.\n"
		 "Exit status: 0; 1 if it cannot be read or written; 2 for bad options; 3 if the recording\n"
		 "is damaged or cut off: what is good of it was converted.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct convert {
	struct convert_options options;
	struct writer csv;
	struct trace trace;
	bool is_trace;
	bool has_header, has_end;
	uint64_t syncs;
	int write_error;
};

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct convert *c = context;

	c->has_header |= kind == SAMPLE_HEADER;
	c->has_end |= kind == SAMPLE_END;
	c->syncs += kind == SAMPLE_SYNC;
	if (c->is_trace) {
		c->write_error = trace__add(&c->trace, kind, sample);
	} else if (kind == SAMPLE_SYNC) {
		csv__row(&c->csv, sample__table(kind), sample);
		c->write_error = c->csv.err;
	}
	return c->write_error;
}

static int begin(struct convert *c, FILE *out)
{
	if (c->is_trace) {
		trace__begin(&c->trace, out);
		return 0;
	}
	writer__init(&c->csv, out);
	csv__heading(&c->csv, sample__table(SAMPLE_SYNC));
	return c->csv.err;
}

/* Even a trace of a damaged recording has to be whole. */
static int end(struct convert *c)
{
	int err = c->is_trace ? trace__end(&c->trace) : writer__flush(&c->csv);

	return c->write_error ?: err;
}

static int status_of(const struct convert *c, const char *path, int err, bool flawed)
{
	if (err && err != -EINVAL) {
		log__error("convert: cannot read %s (%s)", path, strerror(-err));
		return COMMAND_FAILED;
	}
	if (!c->has_header) {
		if (!err)
			log__error("convert: %s is no recording (it has no header line); make one with hwdbm record",
				   path);
		return COMMAND_FAILED;
	}
	if (err)
		log__warn("convert: what is before that was converted: %" PRIu64 " syncs of %s",
			  c->syncs, path);
	else if (!c->has_end)
		log__warn("convert: %s has no end, it was interrupted; what was lost is unknown", path);
	return err || flawed || !c->has_end ? COMMAND_UNSOUND : COMMAND_OK;
}

static int convert(struct convert *c, const char *path, FILE *out)
{
	struct recording_flaws flaws = { 0 };
	int err = begin(c, out), ended;

	err = err ?: recording__read(path, take_sample, c, &flaws);
	ended = end(c);
	if (ended) {
		log__error("convert: cannot write %s (%s)", c->options.output, strerror(-ended));
		return COMMAND_FAILED;
	}
	return status_of(c, recording__label(path), err, recording__is_flawed(&flaws));
}

static int choose_format(struct convert *c)
{
	c->is_trace = !strcmp(c->options.format, "perfetto");
	if (c->is_trace || !strcmp(c->options.format, "csv"))
		return 0;
	log__error("convert: --format %s: it is perfetto or csv", c->options.format);
	return -EINVAL;
}

int convert__main(int argc, char **argv)
{
	static struct convert c = { .options = { .output = "-", .format = "csv" } };
	int first = options__parse(&spec, &c.options, argc, argv), status;
	const char *path = c.options.input;
	struct draft draft;
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || choose_format(&c))
		return COMMAND_USAGE;
	if ((first < argc) + !!path + (argc - first > 1) != 1) {
		log__error("convert: which recording? give one; see hwdbm convert --help");
		return COMMAND_USAGE;
	}
	path = path ?: argv[first];
	if (recording__is_same(c.options.output, path)) {
		log__error("convert: --output %s is the recording itself; give another name", c.options.output);
		return COMMAND_USAGE;
	}
	err = draft__open(&draft, c.options.output);
	if (err) {
		log__error("convert: cannot write %s (%s)", c.options.output, strerror(-err));
		return COMMAND_FAILED;
	}
	status = convert(&c, path, draft.out);
	err = draft__finish(&draft, status == COMMAND_FAILED ? -ECANCELED : 0);
	if (err && status != COMMAND_FAILED) {
		log__error("convert: cannot write %s (%s)", c.options.output, strerror(-err));
		status = COMMAND_FAILED;
	}
	return status;
}
