// SPDX-License-Identifier: GPL-2.0-only
/*
 * Totals by kind: gathered from a session or a recording, shown as a table with histograms and
 * call chains, or as JSON lines. Not here: options of any one command.
 */
#define _GNU_SOURCE
#include "totals.h"
#include "commands.h"
#include "kept.h"
#include "session.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "../output/bars.h"
#include "../output/json.h"
#include "../output/recording.h"
#include "../output/rows.h"
#include "../output/table.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

/* Without an interval: how often is looked who is there, lest one ends unseen. */
#define LOOK_NS (1000 * NS_PER_MS)

/* Call chains on a screen. */
#define CHAINS_SHOWN 10

struct totals {
	const struct totals_command *command;
	struct totals_options options;
	struct session session;
	struct kept kept;
	char *rows;			/* records of the command's table */
	size_t row_count;
	struct stack_sample *stacks;
	size_t stack_count;
	uint64_t shows;
	bool looking;			/* between two showings: nothing is recorded */
	bool emulated;
	struct shown shown;
};

static const struct field_table *table_of(const struct totals *t)
{
	return sample__table(t->command->kind);
}

static void *row_at(const struct totals *t, size_t index)
{
	return t->rows + index * table_of(t)->record_size;
}

static void forget(struct totals *t)
{
	for (size_t i = 0; i < t->row_count; i++)
		field__release(table_of(t), row_at(t, i));
	t->row_count = 0;
	t->stack_count = 0;
}

/* Takes the sample's lists. */
static int add_row(struct totals *t, union sample *sample)
{
	size_t size = table_of(t)->record_size;
	char *rows = realloc(t->rows, (t->row_count + 1) * size);

	if (!rows)
		return -ENOMEM;
	t->rows = rows;
	memcpy(row_at(t, t->row_count++), sample, size);
	field__clear(table_of(t), sample);
	return 0;
}

static int add_stack(struct totals *t, const struct stack_sample *stack)
{
	struct stack_sample *stacks = realloc(t->stacks, (t->stack_count + 1) * sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	t->stacks = stacks;
	t->stacks[t->stack_count++] = *stack;
	return 0;
}

static uint64_t number_of(const struct field_table *table, const void *row, const char *name)
{
	return field__u64(field__find(table, name), row);
}

/* What took longest first; what has no time behind it, by number. */
static int by_cost(const void *one, const void *other, void *context)
{
	const struct field_table *table = table_of(context);
	const char *count = field__find(table, "flushes") ? "flushes" : "operations";
	uint64_t a = number_of(table, one, "total_ns"), b = number_of(table, other, "total_ns");

	if (a == b) {
		a = number_of(table, one, count);
		b = number_of(table, other, count);
	} else if (a == UNKNOWN || b == UNKNOWN) {
		return a == UNKNOWN ? 1 : -1;
	}
	return a < b ? 1 : a > b ? -1 : 0;
}

/* "kvm block 2M 4K eager" and whatever else tells a row from another. */
static void put_title(const struct totals *t, const void *row)
{
	const struct field_table *table = table_of(t);
	bool first = true;

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		char text[UNITS_TEXT];

		if (field->unit == UNIT_COUNT)
			break;
		if (!field->heading || !field__known(field, row))
			continue;
		printf("%s%s ", first ? "" : ", ", field->heading);
		if (field->type == FIELD_TEXT)
			table__text(stdout, field__text(field, row));
		else
			fputs(units__field(field, row, text), stdout);
		first = false;
	}
	putchar('\n');
}

static void put_histograms(const struct totals *t)
{
	const struct field *field = field__find(table_of(t), "histogram_ns");

	for (size_t i = 0; i < t->row_count; i++) {
		const struct pairs *histogram = field__place(field, row_at(t, i));

		if (!histogram->count)
			continue;
		putchar('\n');
		put_title(t, row_at(t, i));
		bars__print(stdout, histogram, t->emulated ? "*" : "");
	}
}

/* Innermost first, as debuggers write them. */
static void put_frames(const char *frames)
{
	size_t end = strlen(frames);

	while (end) {
		const char *last = memrchr(frames, ';', end);
		size_t begin = last ? (size_t)(last - frames) + 1 : 0;
		char frame[256];

		snprintf(frame, sizeof(frame), "%.*s", (int)(end - begin), frames + begin);
		fputs("            ", stdout);
		table__text(stdout, frame);
		putchar('\n');
		end = begin ? begin - 1 : 0;
	}
}

static void put_stacks(const struct totals *t)
{
	size_t shown = t->stack_count < CHAINS_SHOWN ? t->stack_count : CHAINS_SHOWN;

	if (t->options.stacks)
		printf("\nCall chains by time, %zu of %zu%s\n", shown, t->stack_count,
		       shown < t->stack_count ? "; --folded FILE writes all" : "");
	for (size_t i = 0; i < shown; i++) {
		const struct stack_sample *stack = &t->stacks[i];
		char time[UNITS_TEXT], count[UNITS_TEXT];

		if (isnan(stack->share))
			fputs("      - %", stdout);
		else
			printf("  %5.1f %%", 100 * stack->share);
		printf("  %s%s  %s flushes of %s, cause %s, ",
		       units__duration(stack->total_ns, time), t->emulated ? "*" : "",
		       units__count(stack->count, count), stack->source,
		       *stack->cause ? stack->cause : "-");
		table__text(stdout, *stack->vm ? stack->vm : "-");
		if (stack->pid != UNKNOWN)
			printf(" (%" PRIu64 ")", stack->pid);
		putchar('\n');
		put_frames(stack->frames);
	}
}

static int put_table(const struct totals *t)
{
	int err = 0;

	if (!t->row_count)
		printf("No %s seen\n", t->command->what);
	else
		err = table__print(stdout, table_of(t), t->rows, t->row_count, TABLE_ALL, 0);
	if (t->options.histograms)
		put_histograms(t);
	if (t->options.stacks || t->stack_count)
		put_stacks(t);
	return err;
}

static int put_json(const struct totals *t)
{
	int err = 0;

	for (size_t i = 0; !err && i < t->row_count; i++)
		err = json__write_line(stdout, table_of(t), row_at(t, i));
	for (size_t i = 0; !err && i < t->stack_count; i++)
		err = json__write_line(stdout, sample__table(SAMPLE_STACK), &t->stacks[i]);
	return err;
}

static int show(struct totals *t)
{
	int err;

	errno = 0;
	if (t->row_count)
		qsort_r(t->rows, t->row_count, table_of(t)->record_size, by_cost, t);
	if (t->options.json) {
		err = put_json(t);
	} else {
		if (t->shows++)
			putchar('\n');
		err = put_table(t);
		if (!err && (ferror(stdout) || fflush(stdout)))
			err = -(errno ?: EIO);
	}
	if (err)
		t->kept.output_error = err;
	return err;
}

/* The last line: what was missed. */
static int put_end(struct totals *t, const struct end_sample *end)
{
	int err = 0;

	errno = 0;
	if (t->options.json) {
		err = json__write_line(stdout, sample__table(SAMPLE_END), end);
	} else {
		rows__lost(stdout, end);
		if (t->emulated)
			printf("\nTimes are emulated: comparable within one run only, and never with hardware");
		if (putchar('\n') == EOF || fflush(stdout))
			err = -(errno ?: EIO);
	}
	if (err)
		t->kept.output_error = err;
	return err;
}

/* "name;outermost;...;innermost_[k] nanoseconds" */
static int write_folded(const struct totals *t)
{
	FILE *out;
	bool failed;

	if (!t->options.folded)
		return 0;
	out = recording__create(t->options.folded);
	for (size_t i = 0; out && i < t->stack_count; i++) {
		const struct stack_sample *stack = &t->stacks[i];

		if (stack->total_ns == UNKNOWN)
			continue;
		fprintf(out, "%s;%s %" PRIu64 "\n", *stack->vm ? stack->vm : "?", stack->frames,
			stack->total_ns);
	}
	errno = out ? 0 : errno;
	failed = !out || ferror(out);
	if (out && fclose(out))
		failed = true;
	if (!failed)
		return 0;
	log__error("%s: cannot write %s (%s)", t->command->spec->name, t->options.folded,
		   strerror(errno ?: EIO));
	return -EIO;
}

static int take_header(struct totals *t, const struct header_sample *header)
{
	int err = 0;

	t->shown.has_header = true;
	t->emulated = !strcmp(header->time_basis, "emulated");
	if (t->options.json)
		err = json__write_line(stdout, sample__table(SAMPLE_HEADER), header);
	if (err)
		t->kept.output_error = err;
	return err;
}

static int take_end(struct totals *t, const struct end_sample *end)
{
	int err = show(t);

	t->shown.has_end = true;
	err = err ?: put_end(t, end);
	return err ?: write_folded(t);
}

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct totals *t = context;

	int err = t->looking ? 0 : kept__write(&t->kept, kind, sample);

	if (err || t->kept.output_error)
		return err;
	if (kind == t->command->kind)
		return add_row(t, sample);
	switch (kind) {
	case SAMPLE_HEADER:
		return take_header(t, &sample->header);
	case SAMPLE_STACK:
		return add_stack(t, &sample->stack);
	case SAMPLE_END:
		return take_end(t, &sample->end);
	default:
		return 0;
	}
}

static int tick(void *context)
{
	struct totals *t = context;
	int err;

	if (!t->options.interval_ms)
		return collect__look(t->session.collector);
	forget(t);
	t->looking = true;
	err = collect__summaries(t->session.collector);
	t->looking = false;
	return err ?: show(t);
}

static int check_own(const struct totals_options *o, const char *name, bool has_command)
{
	if (o->input && (o->pid || o->vm || o->output || o->duration_ns || o->interval_ms ||
			      has_command))
		log__error("%s: -i shows a recording that exists; -p, --vm, -o, -d, -I and a command are for a new one",
			   name);
	else if (o->folded && !o->stacks && !o->input)
		log__error("%s: --folded writes what --stacks takes; give both", name);
	else if (o->folded && ((o->input && recording__is_same(o->folded, o->input)) ||
			       (o->output && !strcmp(o->folded, o->output))))
		log__error("%s: --folded %s is the recording itself; give another name", name, o->folded);
	else
		return 0;
	return -EINVAL;
}

static int check_options(const struct totals *t, struct session_options *session, bool has_command)
{
	const struct totals_options *o = &t->options;
	const char *name = t->command->spec->name;

	if (check_own(o, name, has_command))
		return -EINVAL;
	session->collect.pid = o->pid;
	session->vm = o->vm;
	session->collect.stacks = o->stacks;
	session->duration_ns = o->duration_ns;
	session->interval_ns = o->interval_ms ? o->interval_ms * NS_PER_MS : LOOK_NS;
	return kept__check(name, o->output) ?: session__check(session, o->avoid, has_command);
}

static int show_recording(struct totals *t)
{
	int err = kept__read(&t->shown, take_sample, t);

	if (!err && t->shown.has_header && !t->shown.has_end)
		err = show(t);
	return kept__shown(&t->kept, &t->shown, err);
}

/* The first alternative that was passed over though the kernel has it, and why. */
static bool find_refused(const struct probe_choice *choice, enum hwdbm_measure measure,
			 const struct probe **probe, const struct probe_result **result)
{
	for (size_t i = 0; i < choice->table->count; i++) {
		enum probe_state state = choice->results[i].state;

		*probe = &choice->table->at[i];
		*result = &choice->results[i];
		if ((*probe)->measures != measure || *probe == choice->chosen[measure])
			continue;
		if (state == PROBE_REFUSED || state == PROBE_LOCKED_DOWN || state == PROBE_UNTYPED ||
		    (state == PROBE_UNSUPPORTED && (*probe)->kind == PROBE_FENTRY))
			return true;
	}
	return false;
}

/* What is measured less well than it could be, or not at all, because somebody refuses it. */
static void warn_of_refusals(const struct totals *t)
{
	const struct probe_choice *choice = collect__probes(t->session.collector);
	const char *name = t->command->spec->name;
	const struct probe_result *result;
	char served[PROBE_TEXT], reason[PROBE_TEXT];
	const struct probe *probe;

	for (unsigned int i = 0; i < HWDBM_MEASURES; i++) {
		const struct probe *chosen = choice->chosen[i];

		if (!(t->command->require & BIT_OF(i)) || !find_refused(choice, i, &probe, &result))
			continue;
		probes__reason(probe, result, reason);
		if (!chosen)
			log__warn("%s: \"%s\" cannot be measured: %s", name, probes__measure_name(i),
				  reason);
		else if (chosen->kind == PROBE_EVENT || chosen->kind == PROBE_ITER)
			log__warn("%s: \"%s\" is measured by %s, which cannot see %s: %s", name,
				  probes__measure_name(i), probes__name(chosen, served),
				  chosen->blind, reason);
	}
}

/* A counter that is read now and then does not say who counted. */
static void warn_of_stacks(const struct totals *t)
{
	const struct probe_choice *choice = collect__probes(t->session.collector);
	bool can_take = !t->options.stacks;

	for (unsigned int i = 0; i < HWDBM_MEASURES; i++)
		can_take |= t->command->require & BIT_OF(i) && choice->chosen[i] &&
			    choice->chosen[i]->kind != PROBE_ITER;
	if (!can_take)
		log__warn("%s: --stacks: nothing on this host tells when a TLB is flushed; there will be no call chains",
			  t->command->spec->name);
}

static int watch(struct totals *t, const struct session_options *options, char **command)
{
	const struct totals_options *o = &t->options;
	int err = session__open(&t->session, options, command), ended = 0;

	if (!err) {
		warn_of_refusals(t);
		warn_of_stacks(t);
	}
	err = err ?: kept__open(&t->kept);
	err = err ?: session__header(&t->session);
	if (!err && !*command && !o->duration_ns)
		log__info("%s: watching until Ctrl-C%s", t->command->spec->name,
			  t->session.target >= 0 ? " or the end of the process" : "");
	err = err ?: session__follow(&t->session, command);
	forget(t);
	if (t->session.collector && !kept__failed(&t->kept))
		ended = session__finish(&t->session);
	kept__explain(&t->kept);
	return err ?: ended;
}

static int run(struct totals *t, const struct session_options *options, char **command)
{
	int err = watch(t, options, command), status = session__status(&t->session, err);

	session__close(&t->session);
	return kept__close(&t->kept, err) ? COMMAND_FAILED : status;
}

int totals__main(const struct totals_command *command, int argc, char **argv)
{
	struct totals t = { .command = command, .options = command->defaults,
			    .session = SESSION_NONE };
	struct session_options options = {
		.collect = { .command = command->spec->name, .measure = command->measure,
			     .require = command->require },
		/* Blocks are split and TLBs flushed without a log, too. */
		.always = true,
		.handler = take_sample, .tick = tick, .context = &t,
	};
	int first = options__parse(command->spec, &t.options, argc, argv), status;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&t, &options, first < argc))
		return COMMAND_USAGE;
	log__set_verbose(t.options.verbose);
	t.kept = (struct kept){ .command = command->spec->name, .path = t.options.output };
	t.shown = (struct shown){ .path = t.options.input, .missing = "its totals are missing" };
	status = t.options.input ? show_recording(&t) : run(&t, &options, argv + first);
	forget(&t);
	free(t.rows);
	free(t.stacks);
	return status;
}
