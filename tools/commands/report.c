// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm report: read runs, print the tables, write JSON and HTML. Not here: the model or
 * any form of output.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/html.h"
#include "../output/recording.h"
#include "../output/report.h"
#include "../output/text.h"

#include <errno.h>
#include <string.h>

struct report_options {
	const char *json;
	const char *html;
};

static const struct option_spec option_table[] = {
	{ "json", 'j', OPTION_TEXT, offsetof(struct report_options, json), "FILE",
	  "write the report as JSON; - is stdout, without the tables" },
	{ "html", 0, OPTION_TEXT, offsetof(struct report_options, html), "FILE",
	  "write the report as one HTML file" },
};

static const struct command_spec spec = {
	.name = "report",
	.usage = "[OPTIONS] RUN...",
	.summary = "Makes tables, JSON and HTML of recordings. A RUN is a recording, or the folder of a\n"
		   "test-bed run, whose VMM log gives the truth to compare with.",
	.notes = "Exit status: 0; 1 if a run cannot be read; 2 for bad options; 3 if a report was made\n"
		 "but a run in it is cut off, failed, lost events, or disagrees with its VMM's log.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct report {
	struct run **runs;
	size_t count;
	bool cut;		/* a recording has no proper end */
	char *answer;
	char *command;		/* how to make the report again */
};

static void free_report(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		run__free(report->runs[i]);
	free(report->runs);
	free(report->answer);
	free(report->command);
}

static char *command_line(int argc, char **argv)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("hwdbm", out);
	for (int i = 0; i < argc; i++)
		fprintf(out, " %s", argv[i]);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static int load(struct report *report, int count, char **paths)
{
	report->runs = calloc(count, sizeof(*report->runs));
	if (!report->runs)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		int err = recording__load_run(paths[i], &report->runs[report->count],
					      &report->cut);

		if (err)
			return err;
		report->count++;
	}
	report->answer = answer__write(report->runs, report->count);
	return report->answer ? 0 : -ENOMEM;
}

static int write_text(FILE *out, const struct report *report)
{
	return text__report(out, report->runs, report->count, report->answer);
}

static int write_json(FILE *out, const struct report *report)
{
	return report__write(out, report->runs, report->count, report->answer);
}

static int write_html(FILE *out, const struct report *report)
{
	return html__write(out, report->runs, report->count, report->answer, report->command);
}

static int write_to(const char *path, int (*write)(FILE *, const struct report *),
		    const struct report *report)
{
	FILE *file;
	int err;

	if (!path)
		return 0;
	errno = 0;
	file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	err = file ? write(file, report) : -errno;
	/* errno knows more than "the stream refused it"; a full disk may show only at the end. */
	if (err == -EIO && errno)
		err = -errno;
	if (file && file != stdout && fclose(file) && !err)
		err = -errno;
	if (err)
		log__error("report: cannot write %s (%s)", path, strerror(-err));
	return err;
}

static bool is_sound(const struct report *report)
{
	bool sound = !report->cut;

	for (size_t i = 0; i < report->count; i++)
		sound = sound && run__is_sound(report->runs[i]);
	return sound;
}

int report__main(int argc, char **argv)
{
	_cleanup_(free_report) struct report report = { .command = command_line(argc, argv) };
	struct report_options options = { 0 };
	int first = options__parse(&spec, &options, argc, argv);
	bool quiet;
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (first == argc) {
		log__error("report: which runs? give recordings or run folders; see hwdbm report --help");
		return COMMAND_USAGE;
	}
	if (load(&report, argc - first, argv + first))
		return COMMAND_FAILED;

	quiet = (options.json && !strcmp(options.json, "-")) ||
		(options.html && !strcmp(options.html, "-"));
	err = quiet ? 0 : write_to("-", write_text, &report);
	err = write_to(options.json, write_json, &report) ?: err;
	err = write_to(options.html, write_html, &report) ?: err;
	if (err)
		return COMMAND_FAILED;
	if (is_sound(&report))
		return COMMAND_OK;
	log__error("report: not every run can be trusted, see the notes above and the report");
	return COMMAND_UNSOUND;
}
