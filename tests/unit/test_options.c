// SPDX-License-Identifier: GPL-2.0-only
/*
 * Option tables, and a child command held back, run, refused and stopped.
 */
#include "unit.h"
#include "../../tools/lib/child.h"
#include "../../tools/lib/options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct values {
	bool flag;
	const char *text;
	uint64_t number;
	uint64_t ns;
	uint64_t count;
};

static const struct option_spec table[] = {
	{ "flag", 'f', OPTION_FLAG, offsetof(struct values, flag), NULL, "a flag" },
	{ "text", 't', OPTION_TEXT, offsetof(struct values, text), "TEXT", "a text" },
	{ "number", 0, OPTION_U64, offsetof(struct values, number), "N", "a number" },
	{ "time", 'd', OPTION_SECONDS, offsetof(struct values, ns), "TIME", "a time" },
	{ "count", 'c', OPTION_COUNT, offsetof(struct values, count), "N", "not 0" },
	{ "interval", 'I', OPTION_MS, offsetof(struct values, count), "MS", "not 0" },
	{ "share", 's', OPTION_SHARE, offsetof(struct values, count), "PERCENT", "not 0" },
	{ "period", 'p', OPTION_PERIOD, offsetof(struct values, count), "TIME", "not 0" },
};

static struct command_spec spec = {
	.name = "test", .usage = "", .summary = "", .options = table,
	.option_count = sizeof(table) / sizeof(table[0]),
};

#define PARSE(values, ...)								\
	({										\
		char *argv_[] = { "test", __VA_ARGS__, NULL };				\
											\
		options__parse(&spec, values, sizeof(argv_) / sizeof(argv_[0]) - 1, argv_);	\
	})

static void options_reach_their_places(void)
{
	struct values v = { 0 };

	spec.stop_at_first = false;
	CHECK_NUMBER(PARSE(&v, "-f", "--text", "a b", "--number=7", "-d2.5s", "operand"), 6);
	CHECK(v.flag && !strcmp(v.text, "a b") && v.number == 7 && v.ns == 2500000000);
}

static void a_command_line_is_left_alone(void)
{
	struct values v = { 0 };

	spec.stop_at_first = true;
	CHECK_NUMBER(PARSE(&v, "-t", "x", "--", "ls", "-f"), 4);
	CHECK(!v.flag);
	CHECK_NUMBER(PARSE(&v, "ls", "-f"), 1);
	CHECK(!v.flag);
}

static void bad_options_are_refused(void)
{
	struct values v = { 0 };

	spec.stop_at_first = false;
	CHECK(PARSE(&v, "--nonsense") == -EINVAL);
	CHECK(PARSE(&v, "-z") == -EINVAL);
	CHECK(PARSE(&v, "-t") == -EINVAL);
	CHECK(PARSE(&v, "--number", "7x") == -EINVAL);
	CHECK(PARSE(&v, "--number", "-7") == -EINVAL);
	CHECK(PARSE(&v, "--number", "99999999999999999999") == -EINVAL);
	CHECK(PARSE(&v, "--flag=yes") == -EINVAL);
	CHECK(!v.number && !v.flag);
}

/* The fields are 0 when the option is not given: a 0 that is given must not pass for that. */
static void nothing_at_all_is_refused(void)
{
	static char * const letters[] = { "-c", "-I", "-s", "-p" };
	struct values v = { 0 };

	spec.stop_at_first = false;
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		CHECK_NUMBER(PARSE(&v, letters[i], "0"), -EINVAL);
		CHECK_NUMBER(PARSE(&v, letters[i], ""), -EINVAL);
		CHECK_NUMBER(PARSE(&v, letters[i], "1"), 3);
		CHECK(v.count);
	}
	CHECK_NUMBER(PARSE(&v, "-p", "0.1ns"), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "-s", "0.000001%"), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "-I", "4294967296"), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "-d", "0"), 3);
	CHECK_NUMBER(v.ns, 0);
}

/* A variable that is not set in a script: never a file, a VM or a command without a name. */
static void words_that_are_empty_are_refused(void)
{
	struct values v = { 0 };

	spec.stop_at_first = false;
	CHECK_NUMBER(PARSE(&v, "-t", ""), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "--text="), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "operand", ""), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "", "-f"), -EINVAL);
	spec.stop_at_first = true;
	CHECK_NUMBER(PARSE(&v, "--", ""), -EINVAL);
	CHECK_NUMBER(PARSE(&v, "--", "echo", ""), 2);
}

static void times_have_units(void)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "1", 1000000000 }, { "0.5", 500000000 }, { "300ms", 300000000 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 }, { ".25s", 250000000 },
		{ "50us", 50000 }, { "7ns", 7 },
	};
	static const char * const bad[] = { "", "x", "1x", "-1", "1 s", "1e400", "nan", "inf", ".", "1e3", "0x10",
					     "1.5.2", "1:30", "5M", "+5", " 5", "5 ", "1m30s" };
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_NUMBER(options__seconds(good[i].text, &ns), 0);
		CHECK_NUMBER(ns, good[i].ns);
	}
	ns = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (options__seconds(bad[i], &ns) != -EINVAL)
			FAIL("\"%s\" is taken for a time", bad[i]);
	CHECK_NUMBER(ns, 42);
}

static void shares_are_millionths(void)
{
	static const struct {
		const char *text;
		uint64_t millionths;
	} good[] = {
		{ "0.1%", 1000 }, { "0.1", 1000 }, { "100", 1000000 }, { "0", 0 }, { ".0001%", 1 },
	};
	static const char * const bad[] = { "", "%", "-1", "101", "100.1%", "1 %", "1%%", "nan", "x", "0x1", "1e1" };
	uint64_t share;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_NUMBER(options__percent(good[i].text, &share), 0);
		CHECK_NUMBER(share, good[i].millionths);
	}
	share = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (options__percent(bad[i], &share) != -EINVAL)
			FAIL("\"%s\" is taken for a share", bad[i]);
	CHECK_NUMBER(share, 42);
}

static void sizes_have_units(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "4K", 4096 }, { "1.5G", 1610612736 },
		{ "12T", UINT64_C(12) << 40 }, { "10Gbit", 1250000000 }, { "8kbit", 1000 },
		{ "4KiB", 4096 }, { "1.5GiB", 1610612736 },
	};
	static const char * const bad[] = { "", "K", "-1", "1 G", "1GB", "1e400", "nan", "8E", "4k", "0x10", "1e3" };
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_NUMBER(options__bytes(good[i].text, &bytes), 0);
		CHECK_NUMBER(bytes, good[i].bytes);
	}
	bytes = 42;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (options__bytes(bad[i], &bytes) != -EINVAL)
			FAIL("\"%s\" is taken for a size", bad[i]);
	CHECK_NUMBER(bytes, 42);
}

static void wait_for(struct child *child)
{
	const struct timespec step = { .tv_nsec = 1000000 };

	for (int i = 0; i < 5000 && !child__reap(child); i++)
		nanosleep(&step, NULL);
}

static void a_child_waits_and_reports_its_status(void)
{
	char *argv[] = { "sh", "-c", "exit 7", NULL };
	struct child child = CHILD_NONE;

	CHECK_NUMBER(child__prepare(&child, argv), 0);
	usleep(20000);
	CHECK(!child__reap(&child));
	CHECK_NUMBER(child__start(&child), 0);
	wait_for(&child);
	CHECK(child.ended && child.status == 7);
	child__stop(&child);
}

static void a_command_that_does_not_exist_is_an_error(void)
{
	char *argv[] = { "/nonexistent/command", NULL };
	struct child child = CHILD_NONE;

	CHECK_NUMBER(child__prepare(&child, argv), 0);
	CHECK(child__start(&child) == -ENOENT);
	CHECK(kill(child.pid, 0) && errno == ESRCH);
}

static void a_child_that_never_started_leaves_nothing(void)
{
	char *argv[] = { "touch", "/tmp/hwdbm-test-must-not-exist", NULL };
	struct child child = CHILD_NONE;

	CHECK_NUMBER(child__prepare(&child, argv), 0);
	child__stop(&child);
	CHECK(access(argv[1], F_OK));
	CHECK(kill(child.pid, 0) && errno == ESRCH);
}

static void stopping_ends_the_whole_group(void)
{
	/* The grandchild inherits the pipe: it ends when nobody of the group is left. */
	char *argv[] = { "sh", "-c", "sleep 1000 & wait", NULL };
	struct child child = CHILD_NONE;
	struct pollfd end;
	int ends[2];

	CHECK_NUMBER(pipe(ends), 0);
	CHECK_NUMBER(child__prepare(&child, argv), 0);
	close(ends[1]);
	CHECK_NUMBER(child__start(&child), 0);
	usleep(100000);
	child__stop(&child);
	CHECK(child.ended && child.status == 128 + SIGTERM);
	end = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	CHECK(poll(&end, 1, 1000) == 1 && end.revents & POLLHUP);
	close(ends[0]);
}

RUN_TESTS(TEST(options_reach_their_places), TEST(a_command_line_is_left_alone),
	  TEST(bad_options_are_refused),
	  TEST(nothing_at_all_is_refused), TEST(words_that_are_empty_are_refused), TEST(times_have_units), TEST(shares_are_millionths),
	  TEST(sizes_have_units),
	  TEST(a_child_waits_and_reports_its_status),
	  TEST(a_command_that_does_not_exist_is_an_error),
	  TEST(a_child_that_never_started_leaves_nothing), TEST(stopping_ends_the_whole_group))
