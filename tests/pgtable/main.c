// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the cases of the page table harness and prints a line for each:
 * "ok NAME" or "not ok NAME: REASON". The cases themselves are elsewhere.
 *
 * usage: pgtable [--seed N] [--until-failure]
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

uint64_t test_seed = 1;

static char name[160], reason[320];
static bool has_failed;
static bool until_failure;
static unsigned int passed_cases, failed_cases;

void fail(const char *format, ...)
{
	va_list args;

	if (__atomic_exchange_n(&has_failed, true, __ATOMIC_ACQ_REL))
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
}

bool failed(void)
{
	return __atomic_load_n(&has_failed, __ATOMIC_ACQUIRE);
}

bool take_failure(void)
{
	return __atomic_exchange_n(&has_failed, false, __ATOMIC_ACQ_REL);
}

void case_begin(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	take_failure();
}

void case_end(void)
{
	if (failed()) {
		printf("not ok pgtable/%s: %s\n", name, reason);
		failed_cases++;
	} else {
		printf("ok pgtable/%s\n", name);
		passed_cases++;
	}
	/* The leak checker ends the process before the C library writes what is left */
	fflush(stdout);
	if (failed_cases && until_failure)
		exit(1);
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

const char *size_name(uint64_t bytes)
{
	static char names[4][16];
	static unsigned int next;
	char *text = names[next++ % 4];
	int unit = bytes >= 1 << 30 ? 3 : bytes >= 1 << 20 ? 2 : 1;

	snprintf(text, sizeof(names[0]), "%u%c", (unsigned int)(bytes >> 10 * unit), " KMG"[unit]);
	return text;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *end = "";

		if (!strcmp(argv[i], "--until-failure")) {
			until_failure = true;
		} else if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			test_seed = strtoull(argv[++i], &end, 0);
		} else {
			end = argv[i];
		}
		if (*end) {
			fprintf(stderr, "usage: pgtable [--seed N] [--until-failure]\n");
			return 2;
		}
	}

	run_split_cases();
	run_merge_cases();
	run_sync_cases();
	run_clear_cases();
	run_unmap_cases();
	run_race_cases();
	run_forced_cases();
	run_thread_cases();

	printf("# %u passed, %u failed, seed %llu\n", passed_cases, failed_cases,
	       (unsigned long long)test_seed);
	return failed_cases != 0;
}
