/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a case of the page table harness says what came of it. A case runs to
 * its end; its first failure is the one that is printed.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdint.h>

/* The case that runs has failed; printf arguments say why */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define check(condition, ...) \
	do { \
		if (!(condition)) \
			fail(__VA_ARGS__); \
	} while (0)

/* True once fail() was called in the case that runs */
bool failed(void);

/* Runs @body as the case @name (printf format) and prints its line */
#define run_case(body, ...) \
	do { \
		case_begin(__VA_ARGS__); \
		body; \
		case_end(); \
	} while (0)
void case_begin(const char *format, ...) __attribute__((format(printf, 1, 2)));
void case_end(void);

/* Forgets the failure of the case that runs, and says whether there was one */
bool take_failure(void);

/* xorshift64*; the state is the caller's and not 0 */
uint64_t random_next(uint64_t *state);

extern uint64_t test_seed;

/* "2M"; valid until the fourth call after this one */
const char *size_name(uint64_t bytes);

void run_split_cases(void);
void run_merge_cases(void);
void run_sync_cases(void);
void run_clear_cases(void);
void run_unmap_cases(void);
void run_race_cases(void);
void run_thread_cases(void);
void run_forced_cases(void);

#endif
