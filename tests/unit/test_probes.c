// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice among alternatives: order, what is avoided, and which reason is given. Not
 * here: tests of real probes (tests/shell/doctor, tests/guest/probes).
 */
#include "../../tools/collect/probes.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

#define TRACKING HWDBM_MEASURE_TRACKING
#define SYNC HWDBM_MEASURE_SYNC

static const struct probe rows[] = {
	{ .measures = TRACKING, .kind = PROBE_EVENT, .targets = { { "first" } } },
	{ .measures = TRACKING, .kind = PROBE_FENTRY, .targets = { { "second" } }, .module = "mod" },
	{ .measures = TRACKING, .kind = PROBE_KPROBE, .targets = { { "third" } } },
	{ .measures = SYNC, .kind = PROBE_SYSCALL, .targets = { { "a" }, { "b" } } },
};

static const struct probe_table table = { rows, sizeof(rows) / sizeof(rows[0]) };

/* What each row's test says, and whether it was made. */
struct script {
	enum probe_state says[PROBES_MAX];
	int error;
	unsigned int asked;
};

static enum probe_state play(void *context, const struct probe *probe, struct probe_result *result)
{
	struct script *script = context;
	size_t row = probe - rows;

	script->asked |= 1u << row;
	result->error = script->error;
	return script->says[row];
}

#define ALL_SERVE { PROBE_SERVES, PROBE_SERVES, PROBE_SERVES, PROBE_SERVES }

static struct probe_choice choose(struct script *script, struct probe_options options)
{
	struct probe_choice choice;

	if (!options.measure)
		options.measure = MEASURE_ALL;
	probes__choose(&table, &options, play, script, &choice);
	return choice;
}

static void first_that_serves(void)
{
	struct script script = { .says = { PROBE_ABSENT, PROBE_SERVES, PROBE_SERVES,
					   PROBE_SERVES } };
	struct probe_choice choice = choose(&script, (struct probe_options){ 0 });

	CHECK(choice.chosen[TRACKING] == &rows[1]);
	CHECK(choice.chosen[SYNC] == &rows[3]);
	CHECK_NUMBER(script.asked, 0xb);
	CHECK_NUMBER(choice.results[0].state, PROBE_ABSENT);
	CHECK_NUMBER(choice.results[2].state, PROBE_UNTRIED);
	CHECK_NUMBER(probes__served(&choice), BIT_OF(TRACKING) | BIT_OF(SYNC));
}

static void all_are_tested_if_asked(void)
{
	struct script script = { .says = { PROBE_SERVES, PROBE_REFUSED, PROBE_SERVES,
					   PROBE_SERVES } };
	struct probe_choice choice = choose(&script, (struct probe_options){ .all = true });

	CHECK(choice.chosen[TRACKING] == &rows[0]);
	CHECK_NUMBER(script.asked, 0xf);
	CHECK_NUMBER(choice.results[1].state, PROBE_REFUSED);
}

static void only_what_is_wanted(void)
{
	struct script script = { .says = ALL_SERVE };
	struct probe_choice choice = choose(&script, (struct probe_options){
		.measure = BIT_OF(SYNC) });

	CHECK(!choice.chosen[TRACKING]);
	CHECK_NUMBER(script.asked, 0x8);
}

static void avoided_kinds_are_not_tested(void)
{
	struct script script = { .says = ALL_SERVE };
	struct probe_choice choice = choose(&script, (struct probe_options){
		.avoid = BIT_OF(PROBE_EVENT) | BIT_OF(PROBE_FENTRY) });

	CHECK(choice.chosen[TRACKING] == &rows[2]);
	CHECK_NUMBER(script.asked, 0xc);
	CHECK_NUMBER(choice.results[0].state, PROBE_AVOIDED);
}

/* What a person can change goes before what the kernel lacks. */
static void the_reason_that_helps(void)
{
	static const struct {
		enum probe_state says[3];
		int best;
		bool denied;
	} cases[] = {
		{ { PROBE_ABSENT, PROBE_NOT_LOADED, PROBE_ABSENT }, 1, false },
		{ { PROBE_ABSENT, PROBE_REFUSED, PROBE_UNSUPPORTED }, 1, true },
		{ { PROBE_UNPRIVILEGED, PROBE_REFUSED, PROBE_ABSENT }, 0, true },
		{ { PROBE_ABSENT, PROBE_NO_MODULE, PROBE_UNSUPPORTED }, 1, false },
		{ { PROBE_ABSENT, PROBE_ABSENT, PROBE_UNSUPPORTED }, 1, false },
		{ { PROBE_ABSENT, PROBE_UNSUPPORTED, PROBE_UNSUPPORTED }, 1, true },
		{ { PROBE_AVOIDED, PROBE_UNSUPPORTED, PROBE_AVOIDED }, 1, true },
		{ { PROBE_AVOIDED, PROBE_ABSENT, PROBE_UNSUPPORTED }, 1, false },
		{ { PROBE_AVOIDED, PROBE_AVOIDED, PROBE_UNSUPPORTED }, 2, false },
		{ { PROBE_ABSENT, PROBE_AVOIDED, PROBE_AVOIDED }, 1, false },
		{ { PROBE_LOCKED_DOWN, PROBE_REFUSED, PROBE_FAILED }, 0, true },
		{ { PROBE_ABSENT, PROBE_CHANGED, PROBE_CHANGED }, 1, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct probe_result *result = NULL;
		struct script script = { 0 };
		struct probe_choice choice;

		memcpy(script.says, cases[i].says, sizeof(cases[i].says));
		choice = choose(&script, (struct probe_options){ 0 });
		if (probes__why_not(&choice, TRACKING, &result) != &rows[cases[i].best])
			FAIL("case %zu blames another than %d", i, cases[i].best);
		if (result != &choice.results[cases[i].best])
			FAIL("case %zu has another's result", i);
		if (probes__is_denied(&choice, TRACKING) != cases[i].denied)
			FAIL("case %zu: denied is not %d", i, cases[i].denied);
	}
}

static void nothing_to_explain(void)
{
	struct script script = { .says = { PROBE_REFUSED, PROBE_SERVES } };
	struct probe_choice choice = choose(&script, (struct probe_options){ 0 });
	const struct probe_result *result;

	CHECK(!probes__why_not(&choice, TRACKING, &result));
	CHECK(!probes__is_denied(&choice, TRACKING));
	CHECK(!probes__why_not(&choice, HWDBM_MEASURE_TLB, &result));
}

/* What was asked for is said beside what the kernel lacks, and not in its place. */
static void avoiding_is_not_the_reason(void)
{
	struct script script = { .says = { PROBE_SERVES, PROBE_SERVES, PROBE_UNSUPPORTED } };
	struct probe_choice choice = choose(&script, (struct probe_options){
		.avoid = BIT_OF(PROBE_EVENT) | BIT_OF(PROBE_FENTRY) | BIT_OF(PROBE_SYSCALL) });
	char text[PROBE_TEXT];

	probes__explain(&choice, TRACKING, text);
	CHECK(strstr(text, "built without kprobes") && strstr(text, "other kinds of probe are avoided"));
	CHECK(!strcmp(probes__explain(&choice, SYNC, text), "avoided as asked"));
	CHECK(!*probes__explain(&choice, HWDBM_MEASURE_TLB, text));
}

/* EPERM means policy only if the tester says so; lockdown is named only if it is that. */
static void reasons_in_words(void)
{
	struct probe_result result = { .state = PROBE_REFUSED, .error = -EPERM };
	char text[PROBE_TEXT];

	CHECK(strstr(probes__reason(&rows[1], &result, text), "policy"));
	CHECK(strstr(text, "fentry") && strstr(text, "EPERM"));
	CHECK(!strstr(text, "lockdown") && !strstr(text, "privilege"));
	result.state = PROBE_LOCKED_DOWN;
	CHECK(strstr(probes__reason(&rows[1], &result, text), "lockdown"));
	CHECK(!strstr(text, "policy"));
	result.state = PROBE_UNPRIVILEGED;
	CHECK(strstr(probes__reason(&rows[1], &result, text), "CAP_PERFMON"));
	result = (struct probe_result){ .state = PROBE_UNSUPPORTED, .error = -524 };
	CHECK(strstr(probes__reason(&rows[1], &result, text), "(ENOTSUPP)"));
	result = (struct probe_result){ .state = PROBE_ABSENT, .target = "b" };
	CHECK(!strcmp(probes__reason(&rows[3], &result, text),
		      "this kernel has no system call event b"));
	result = (struct probe_result){ .state = PROBE_NOT_LOADED };
	CHECK(!strcmp(probes__reason(&rows[1], &result, text), "module mod is not loaded"));
}

/* What a probe needs beside its target may be in another module. */
static void the_module_that_is_missing(void)
{
	static const struct probe probe = {
		.kind = PROBE_FENTRY, .targets = { { "one" } }, .module = "mod", .needs = "two", .needs_in = "other",
	};
	struct probe_result result = { .state = PROBE_NOT_LOADED, .target = "one" };
	char text[PROBE_TEXT];

	CHECK(!strcmp(probes__reason(&probe, &result, text), "module mod is not loaded"));
	result.target = probe.needs;
	CHECK(!strcmp(probes__module(&probe, &result), "other"));
	CHECK(!strcmp(probes__reason(&probe, &result, text), "module other is not loaded"));
}

static void names(void)
{
	char text[PROBE_TEXT];

	CHECK(!strcmp(probes__name(&rows[0], text), "tp_btf/first"));
	CHECK(!strcmp(probes__name(&rows[3], text), "tp/syscalls/a+b"));
	for (unsigned int i = 0; i < HWDBM_MEASURES; i++)
		if (!probes__measure_name(i) || !probes__measure_about(i))
			FAIL("measurement %u has no name", i);
	for (unsigned int i = 0; i <= PROBE_UNKNOWN; i++) {
		struct probe_result result = { .state = i };

		if (!probes__state_name(i) || !*probes__reason(&rows[1], &result, text))
			FAIL("state %u has no words", i);
	}
}

static void kinds_of_an_option(void)
{
	unsigned int kinds = 77;

	CHECK_NUMBER(probes__parse_kinds("fentry", &kinds), 0);
	CHECK_NUMBER(kinds, BIT_OF(PROBE_FENTRY));
	CHECK_NUMBER(probes__parse_kinds("event,syscall,kprobe", &kinds), 0);
	CHECK_NUMBER(kinds, BIT_OF(PROBE_EVENT) | BIT_OF(PROBE_SYSCALL) | BIT_OF(PROBE_KPROBE));
	kinds = 77;
	CHECK(probes__parse_kinds("", &kinds) && probes__parse_kinds("fentry,", &kinds));
	CHECK(probes__parse_kinds("fent", &kinds) && probes__parse_kinds("event fentry", &kinds));
	CHECK_NUMBER(kinds, 77);
}

RUN_TESTS(TEST(first_that_serves), TEST(all_are_tested_if_asked), TEST(only_what_is_wanted),
	  TEST(avoided_kinds_are_not_tested), TEST(the_reason_that_helps), TEST(nothing_to_explain),
	  TEST(avoiding_is_not_the_reason), TEST(reasons_in_words), TEST(the_module_that_is_missing), TEST(names), TEST(kinds_of_an_option))
