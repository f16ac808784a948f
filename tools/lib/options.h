/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options declared as a table: one line gives the name, its place in a struct and the
 * help text. Not here: what an option does.
 */
#ifndef HWDBM_LIB_OPTIONS_H
#define HWDBM_LIB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
	OPTION_FLAG,		/* bool */
	OPTION_TEXT,		/* const char *, into argv; not empty */
	OPTION_U64,		/* uint64_t, decimal */
	OPTION_COUNT,		/* the same, but not 0: for what is 0 when it is not given */
	OPTION_PID,		/* the same, of a process */
	OPTION_MS,		/* OPTION_COUNT, and small enough to be had in nanoseconds */
	OPTION_PERCENT,		/* uint64_t millionths, given as "0.1" or "0.1%" */
	OPTION_SHARE,		/* the same, but not 0 */
	OPTION_SECONDS,		/* uint64_t nanoseconds, given as seconds with a fraction or ns/us/ms/s/m/h */
	OPTION_PERIOD,		/* the same, but not 0 */
	OPTION_BYTES,		/* uint64_t, with K, M, G, T or KiB to TiB, or as bits with kbit, Mbit, Gbit */
	OPTION_SIZE,		/* the same, but not 0 */
	OPTION_TEXTS,		/* struct option_texts: may be given again and again; none is empty */
};

/* Into argv, in order; free @at. Zero-initialised: none. */
struct option_texts {
	const char **at;
	size_t count;
};

struct option_spec {
	const char *name;
	char letter;		/* 0: none */
	enum option_type type;
	size_t offset;
	const char *argument;	/* NULL for flags */
	const char *help;
};

struct command_spec {
	const char *name;
	const char *usage;	/* after "hwdbm <name> " */
	const char *summary;	/* one line */
	const char *notes;	/* requirements, overhead, exit status; may be NULL */
	const struct option_spec *options;
	size_t option_count;
	bool stop_at_first;	/* what follows the first plain word is a command line */
};

/**
 * options__parse() - read options into the struct they describe
 *
 * @into: the struct of option_spec.offset, with defaults already set
 * @argv: words after the command's name
 *
 * Return: number of words consumed, so that argv[n] is the first operand (operands are
 * moved behind the options unless stop_at_first); -EINVAL after a message about a bad
 * option or an empty operand; -ECANCELED after --help was printed.
 */
int options__parse(const struct command_spec *command, void *into, int argc, char **argv);

/** options__help() - print the command's help on stdout */
void options__help(const struct command_spec *command);

/**
 * options__seconds() - "1.5", "200ms", "50us", "2s", "3m", "1h" as nanoseconds
 * Return: 0 or -EINVAL with @ns untouched.
 */
int options__seconds(const char *text, uint64_t *ns);

/**
 * options__percent() - "0.1%" or "0.1", up to 100, as millionths
 * Return: 0 or -EINVAL with @millionths untouched.
 */
int options__percent(const char *text, uint64_t *millionths);

/**
 * options__bytes() - "4096", "4K", "1.5G" or "1.5GiB" (powers of 1024), "25Gbit" (of 1000, in bits)
 * Return: 0 or -EINVAL with @bytes untouched.
 */
int options__bytes(const char *text, uint64_t *bytes);

/**
 * options__u64() - a decimal number and nothing else
 * Return: 0 or -EINVAL with @value untouched.
 */
int options__u64(const char *text, uint64_t *value);

#endif
