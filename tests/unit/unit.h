/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test is a function; CHECK() says what did not hold and ends it. Each program prints
 * "ok NAME" or "not ok NAME: REASON" per test and closes with its counts. Not here:
 * anything that needs root or a kernel.
 */
#ifndef HWDBM_TESTS_UNIT_H
#define HWDBM_TESTS_UNIT_H

#include <stdbool.h>
#include <stdio.h>

struct unit_test {
	const char *name;
	void (*function)(void);
};

static char unit_reason[256];

#define FAIL(...)									\
	do {										\
		int at_ = snprintf(unit_reason, sizeof(unit_reason), "%s:%d: ", __FILE__,	\
				   __LINE__);						\
											\
		snprintf(unit_reason + at_, sizeof(unit_reason) - at_, __VA_ARGS__);	\
		return;									\
	} while (0)

#define CHECK(condition)								\
	do {										\
		if (!(condition))							\
			FAIL("%s", #condition);						\
	} while (0)

#define CHECK_NUMBER(is, should)							\
	do {										\
		unsigned long long is_ = (is), should_ = (should);			\
											\
		if (is_ != should_)							\
			FAIL("%s is %llu, should be %llu", #is, is_, should_);		\
	} while (0)

#define TEST(function) { #function, function }

#define RUN_TESTS(...)									\
	int main(void)									\
	{										\
		static const struct unit_test tests[] = { __VA_ARGS__ };		\
		int count = sizeof(tests) / sizeof(tests[0]), failed = 0;		\
											\
		setvbuf(stdout, NULL, _IOLBF, 0);					\
		for (int i = 0; i < count; i++) {					\
			unit_reason[0] = '\0';						\
			tests[i].function();						\
			failed += !!unit_reason[0];					\
			if (unit_reason[0])						\
				printf("not ok %s: %s\n", tests[i].name, unit_reason);	\
			else								\
				printf("ok %s\n", tests[i].name);			\
		}									\
		printf("%d passed, %d failed, 0 skipped\n", count - failed, failed);	\
		return failed ? 1 : 0;							\
	}

#endif
