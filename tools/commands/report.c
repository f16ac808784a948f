// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm report: read recordings, judge them by limits, print tables, write HTML, JSON, CSV and
 * Markdown. Not here: the model or any form of output.
 */
#define _GNU_SOURCE
#include "commands.h"
#include "last_good.h"
#include "limits.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../lib/strings.h"
#include "../output/answer.h"
#include "../output/draft.h"
#include "../output/html.h"
#include "../output/rates.h"
#include "../output/recording.h"
#include "../output/report.h"
#include "../output/text.h"

#include <errno.h>
#include <string.h>

struct report_options {
	struct option_texts inputs;
	struct option_texts limits;
	struct option_texts rates;
	const char *limits_file;
	const char *truth;
	const char *compare;
	const char *last_good;
	const char *json;
	const char *html;
	const char *csv;
	const char *markdown;
	bool redact;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXTS, offsetof(struct report_options, inputs), "RUN",
	  "a run, as an operand (- is stdin); any number of times" },
	{ "html", 0, OPTION_TEXT, offsetof(struct report_options, html), "FILE",
	  "write the report as one HTML file" },
	{ "json", 'j', OPTION_TEXT, offsetof(struct report_options, json), "FILE",
	  "write the report as JSON; - is stdout, without the tables" },
	{ "csv", 0, OPTION_TEXT, offsetof(struct report_options, csv), "FILE",
	  "write its figures as CSV, a row for each run and quantity" },
	{ "markdown", 0, OPTION_TEXT, offsetof(struct report_options, markdown), "FILE",
	  "write it as Markdown" },
	{ "limit", 'l', OPTION_TEXTS, offsetof(struct report_options, limits), "NAME=VALUE",
	  "what no run may exceed; any number of times" },
	{ "limits", 0, OPTION_TEXT, offsetof(struct report_options, limits_file), "FILE",
	  "limits from a file; --limit goes before them" },
	{ "compare", 'c', OPTION_TEXT, offsetof(struct report_options, compare), "RUN",
	  "say what has changed since this run" },
	{ "last-good", 'g', OPTION_TEXT, offsetof(struct report_options, last_good), "FOLDER",
	  "the same since the newest good recording in there" },
	{ "rate", 0, OPTION_TEXTS, offsetof(struct report_options, rates), "FILE",
	  "rate of a service in the guest, for brownout: CSV of time,value" },
	{ "truth", 0, OPTION_TEXT, offsetof(struct report_options, truth), "FILE",
	  "log of a VMM that knows which pages were written, for a single recording" },
	{ "redact", 0, OPTION_FLAG, offsetof(struct report_options, redact), NULL,
	  "without names, process ids, addresses, paths and UUIDs" },
};

static const struct command_spec spec = {
	.name = "report",
	.usage = "[OPTIONS] RUN...",
	.summary = "Makes a report of recordings: whether they keep declared limits, what they cost, what\n"
		   "has changed, and where the time went; as tables, HTML, JSON, CSV and Markdown. A RUN is\n"
		   "a recording, or the folder of a test-bed run, whose VMM log gives the truth to compare\n"
		   "with.",
	.notes = LIMITS_HELP "\n\n"
		 "Nothing passes that the recordings cannot tell: the verdict is UNDECIDED then. Without limits\n"
		 "nothing is judged. A VMM's downtime leaves out the load at the target: where no blackout was\n"
		 "measured, above a limit on blackout it fails, and below it proves nothing.\n\n"
		 "--last-good takes the newest recording of a folder that passes the limits; without\n"
		 "limits, that is whole, lost no event, and did not fail.\n\n"
		 "--rate needs times in seconds by CLOCK_MONOTONIC of the recorded host, and three values from\n"
		 "before the migration: their median is the steady rate. One file for all runs, or one for\n"
		 "each, in their order.\n\n"
		 "Exit status: 0; 1 if no run could be read, or the verdict is FAIL; 2 for bad options; 3 if\n"
		 "the verdict is UNDECIDED, or a run is cut off, damaged, failed, lost events, or disagrees\n"
		 "with its VMM's log: a report was made of what is good.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct report {
	struct dossiers dossiers;
	struct dossiers compared;
	struct limits limits;
	struct report_document document;
	char *answer;
	char *command;			/* how to make the report again */
	char *last_good;
};

static void free_report(struct report *report)
{
	dossiers__release(&report->dossiers);
	dossiers__release(&report->compared);
	free(report->document.runs);
	free(report->document.sync_runs);
	free(report->answer);
	free(report->command);
	free(report->last_good);
}

static void free_options(struct report_options *options)
{
	free(options->inputs.at);
	free(options->limits.at);
	free(options->rates.at);
}

/* ---- the command line, for the report's provenance --------------------------------- */

/* What an output would show as "?" is written out: bash, ksh, zsh and busybox read that. */
static void put_escaped(FILE *out, const char *word)
{
	fputs(" $'", out);
	for (; *word; word++) {
		if ((unsigned char)*word < ' ' || *word == 0x7f)
			fprintf(out, "\\%03o", (unsigned int)*word);
		else
			fprintf(out, "%s%c", *word == '\'' || *word == '\\' ? "\\" : "", *word);
	}
	fputc('\'', out);
}

/* As a shell takes it back. */
static void put_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
	bool has_control = false;

	for (const char *c = word; *c; c++)
		has_control |= (unsigned char)*c < ' ' || *c == 0x7f;
	if (has_control) {
		put_escaped(out, word);
		return;
	}
	if (*word && !word[strspn(word, plain)]) {
		fprintf(out, " %s", word);
		return;
	}
	fputs(" '", out);
	for (; *word; word++)
		*word == '\'' ? fputs("'\\''", out) : fputc(*word, out);
	fputc('\'', out);
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
		put_word(out, argv[i]);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* Paths are names: what is left are the options that change figures. */
static char *redacted_command(const struct report_options *o, size_t runs)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("hwdbm report --redact", out);
	if (o->limits_file)
		fputs(" --limits FILE", out);
	for (size_t i = 0; i < o->limits.count; i++) {
		fputs(" --limit", out);
		put_word(out, o->limits.at[i]);
	}
	if (o->truth)
		fputs(" --truth FILE", out);
	if (o->compare || o->last_good)
		fputs(o->compare ? " --compare RUN" : " --last-good FOLDER", out);
	for (size_t i = 0; i < o->rates.count; i++)
		fputs(" --rate FILE", out);
	for (size_t i = 0; i < runs && i < 8; i++)
		fputs(" RUN", out);
	fputs(runs > 8 ? " ..." : "", out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* ---- reading ----------------------------------------------------------------------- */

static int load_runs(struct report *report, const struct report_options *options, int count, char **paths)
{
	int err = 0;

	report->dossiers.redacted = options->redact;
	report->dossiers.truth = options->truth;
	if (options->truth && access(options->truth, R_OK)) {
		log__error("report: cannot read %s (%s)", options->truth, strerror(errno));
		return -EINVAL;
	}
	for (size_t i = 0; err != -ENOMEM && i < options->inputs.count; i++)
		err = dossiers__load(&report->dossiers, "report", options->inputs.at[i]);
	for (int i = 0; err != -ENOMEM && i < count; i++)
		err = dossiers__load(&report->dossiers, "report", paths[i]);
	if (err == -ENOMEM)
		return err;
	return report->dossiers.count ? 0 : -EINVAL;
}

static int load_limits(struct report *report, const struct report_options *options)
{
	int err = 0;

	limits__init(&report->limits);
	if (options->limits_file)
		err = limits__load(&report->limits, "report", options->limits_file);
	return err ?: limits__parse(&report->limits, "report", &options->limits);
}

static int find_last_good(struct report *report, const struct report_options *options)
{
	size_t count = report->dossiers.count;
	const char **paths = calloc(count, sizeof(*paths));
	int err = paths ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < count; i++)
		paths[i] = report->dossiers.at[i]->path;
	err = err ?: last_good__find("report", options->last_good, &report->limits, paths, count,
				     &report->last_good);
	free(paths);
	return err;
}

static int load_compared(struct report *report, const struct report_options *options)
{
	const char *path = options->compare;
	int err = 0;

	if (options->last_good) {
		err = find_last_good(report, options);
		path = report->last_good;
	}
	if (err || !path)
		return err;
	report->compared.redacted = options->redact;
	err = dossiers__load(&report->compared, "report", path);
	if (err)
		return err;
	if (options->redact)
		STRING_COPY(report->compared.at[0]->name, "the run before");
	report->document.compared = report->compared.at[0];
	return 0;
}

static const char *find_brownout(const struct rates *rates, const struct account *a, struct brownout *out)
{
	if (rates->at[0].t_ns > a->last_ns || rates->at[rates->count - 1].t_ns < a->first_ns)
		return "the times of the rates do not meet the recording's: give seconds by its CLOCK_MONOTONIC";
	return brownout__compute(rates, a->begin_ns, a->finish_ns, out);
}

static int add_rates(struct report *report, const struct report_options *options)
{
	size_t runs = report->dossiers.count, files = options->rates.count;

	if (files > 1 && files != runs) {
		log__error("report: %zu files of --rate for %zu runs; give one for all, or one for each",
			   files, runs);
		return -EINVAL;
	}
	for (size_t f = 0; f < files; f++) {
		_cleanup_(rates__release) struct rates rates = { 0 };
		int err = rates__load(&rates, "report", options->rates.at[f]);

		if (err)
			return err;
		for (size_t i = files > 1 ? f : 0; i < (files > 1 ? f + 1 : runs); i++) {
			struct board_run *run = &report->document.runs[i];

			run->no_brownout = find_brownout(&rates, run->account, &run->brownout);
			if (run->no_brownout)
				log__warn("report: %s: no brownout: %s", report->dossiers.at[i]->name,
					  run->no_brownout);
		}
	}
	return 0;
}

static int make_runs(struct report *report)
{
	struct report_document *d = &report->document;
	size_t count = report->dossiers.count;

	d->dossiers = &report->dossiers;
	d->runs = calloc(count, sizeof(*d->runs));
	d->sync_runs = calloc(count, sizeof(*d->sync_runs));
	if (!d->runs || !d->sync_runs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct dossier *one = report->dossiers.at[i];

		d->runs[i] = (struct board_run){
			.account = &one->account, .damaged = one->damaged,
			.no_brownout = "no rate of a service was given (--rate)",
			.blackout_ns = UNKNOWN, .blackout_error_ns = UNKNOWN,
		};
		if (one->blackout) {
			d->runs[i].blackout_ns = one->blackout->total_ns;
			d->runs[i].blackout_error_ns = one->blackout->error_ns;
		}
		if (one->run && d->runs[i].blackout_ns != UNKNOWN) {
			one->run->result.blackout_ns = d->runs[i].blackout_ns;
			one->run->result.blackout_error_ns = d->runs[i].blackout_error_ns;
		}
		if (one->run && one->run->sync_count)
			d->sync_runs[d->sync_run_count++] = one->run;
	}
	return 0;
}

static int load(struct report *report, const struct report_options *options, int count, char **paths)
{
	struct report_document *d = &report->document;
	int err = load_runs(report, options, count, paths);

	err = err ?: load_compared(report, options);
	err = err ?: make_runs(report);
	err = err ?: add_rates(report, options);
	if (err)
		return err;
	if (options->redact) {
		free(report->command);
		report->command = redacted_command(options, report->dossiers.count);
	}
	report->answer = answer__write(d->sync_runs, d->sync_run_count);
	if (!report->answer || !report->command)
		return -ENOMEM;
	d->answer = d->sync_run_count ? report->answer : NULL;
	d->command = report->command;
	return board__judge(&d->board, d->runs, report->dossiers.count, &report->limits,
			    d->compared ? &d->compared->account : NULL, report->dossiers.excluded_count);
}

/* ---- writing ----------------------------------------------------------------------- */

static int write_text(FILE *out, const struct report_document *d)
{
	int err = board__text(out, d);

	if (err || !d->sync_run_count)
		return err;
	fputc('\n', out);
	return text__report(out, d->sync_runs, d->sync_run_count, d->answer);
}

static int write_to(const char *path, int (*write)(FILE *, const struct report_document *),
		    const struct report_document *document)
{
	struct draft draft;
	int err;

	if (!path)
		return 0;
	err = draft__open(&draft, path);
	if (!err) {
		errno = 0;
		err = write(draft.out, document);
		/* errno knows more than "the stream refused it"; a full disk may show only at the end. */
		if (err == -EIO && errno)
			err = -errno;
		err = draft__finish(&draft, err);
	}
	if (err)
		log__error("report: cannot write %s (%s)", path, strerror(-err));
	return err;
}

static int write_all(const struct report_document *d, const struct report_options *o)
{
	const struct {
		const char *path;
		int (*write)(FILE *out, const struct report_document *document);
	} forms[] = {
		{ o->json, report__write }, { o->html, html__report }, { o->csv, board__csv },
		{ o->markdown, board__markdown },
	};
	bool quiet = false;
	int err = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		quiet |= forms[i].path && !strcmp(forms[i].path, "-");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		err = write_to(forms[i].path, forms[i].write, d) ?: err;
	/* Last: whoever reads it may go away, as head does. */
	if (!quiet)
		err = write_to("-", write_text, d) ?: err;
	return err;
}

static bool is_sound(const struct report *report)
{
	bool sound = !report->dossiers.excluded_count;

	for (size_t i = 0; i < report->dossiers.count; i++) {
		const struct dossier *one = report->dossiers.at[i];

		sound = sound && !one->damaged && !account__lost(&one->account) &&
			!account__failure(&one->account) && (!one->run || run__is_sound(one->run));
	}
	return sound;
}

static int status_of(const struct report *report)
{
	const struct board *board = &report->document.board;

	if (board->verdict == OUTCOME_FAIL) {
		log__error("report: FAIL: %s", board->why);
		return COMMAND_FAILED;
	}
	if (board->verdict == OUTCOME_UNDECIDED) {
		log__error("report: UNDECIDED: %s", board->why);
		return COMMAND_UNSOUND;
	}
	if (is_sound(report))
		return COMMAND_OK;
	log__error("report: not every run can be trusted, see the notes above and the report");
	return COMMAND_UNSOUND;
}

static int check_options(const struct report_options *o)
{
	const char *const outputs[] = { o->json, o->html, o->csv, o->markdown };
	const size_t count = sizeof(outputs) / sizeof(outputs[0]);
	unsigned int to_stdout = 0;

	for (size_t i = 0; i < count; i++)
		to_stdout += outputs[i] && !strcmp(outputs[i], "-");
	if (to_stdout > 1) {
		log__error("report: only one of --json, --html, --csv and --markdown can go to stdout");
		return -EINVAL;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; outputs[i] && j < i; j++) {
			if (!outputs[j] || (strcmp(outputs[i], outputs[j]) && !recording__is_same(outputs[i], outputs[j])))
				continue;
			log__error("report: two forms of the report cannot both be in %s; give each a file of its own",
				   outputs[i]);
			return -EINVAL;
		}
	}
	if (o->compare && o->last_good) {
		log__error("report: --compare and --last-good exclude each other");
		return -EINVAL;
	}
	return 0;
}

static bool is_any(const char *path, const struct option_texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		if (recording__is_same(path, texts->at[i]))
			return true;
	return false;
}

/* What was recorded cannot be recorded again: neither what is read now, nor any other recording. */
static int keep_inputs(const struct report_options *o, char **operands)
{
	const char *const outputs[] = { o->json, o->html, o->csv, o->markdown };

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		const char *path = outputs[i];
		bool is_input = false;

		if (!path || !strcmp(path, "-"))
			continue;
		for (size_t j = 0; operands[j]; j++)
			is_input |= recording__is_same(path, operands[j]);
		if (is_input || is_any(path, &o->inputs) || recording__is_one(path)) {
			log__error("report: %s is one of the recordings; write the report to another file", path);
			return -EINVAL;
		}
		if (is_any(path, &o->rates) || (o->limits_file && recording__is_same(path, o->limits_file)) ||
		    (o->truth && recording__is_same(path, o->truth))) {
			log__error("report: %s is what the report is made from; write it to another file", path);
			return -EINVAL;
		}
	}
	return 0;
}

static int make_report(struct report *report, const struct report_options *options, int argc, char **argv,
		       int first)
{
	int err;

	if (check_options(options) || keep_inputs(options, argv + first) || load_limits(report, options))
		return COMMAND_USAGE;
	if (options->truth && (size_t)(argc - first) + options->inputs.count > 1) {
		log__error("report: --truth is of a single recording; give folders of test-bed runs for more");
		return COMMAND_USAGE;
	}
	if (first == argc && !options->inputs.count) {
		log__error("report: which runs? give recordings or run folders; see hwdbm report --help");
		return COMMAND_USAGE;
	}
	err = load(report, options, argc - first, argv + first);
	if (err == -ENOMEM)
		log__error("report: %s", strerror(ENOMEM));
	if (err || write_all(&report->document, options))
		return COMMAND_FAILED;
	return status_of(report);
}

int report__main(int argc, char **argv)
{
	_cleanup_(free_report) struct report report = { .command = command_line(argc, argv) };
	_cleanup_(free_options) struct report_options options = { 0 };
	int first = options__parse(&spec, &options, argc, argv);

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	return make_report(&report, &options, argc, argv, first);
}
