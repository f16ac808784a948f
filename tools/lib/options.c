// SPDX-License-Identifier: GPL-2.0-only
/*
 * getopt_long() driven by the table. Not here: any option of a command.
 */
#include "options.h"
#include "log.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 32

int options__u64(const char *text, uint64_t *value)
{
	unsigned long long parsed;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	parsed = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*value = parsed;
	return 0;
}

/* Digits with a point, and nothing else that strtod() would take: no "0x10", "1e9", "nan" or "-1". */
static int decimal(const char *text, double *value, char **end)
{
	size_t length = strspn(text, "0123456789.");

	*value = strtod(text, end);
	return length && *end == text + length ? 0 : -EINVAL;
}

int options__seconds(const char *text, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = { { "", 1e9 }, { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 },
		      { "m", 60e9 }, { "h", 3600e9 } };
	char *end;
	double value;

	if (decimal(text, &value, &end))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double result = value * units[i].ns;

		if (strcmp(end, units[i].suffix) || !isfinite(result) || result >= 0x1p63)
			continue;
		*ns = (uint64_t)result;
		return 0;
	}
	return -EINVAL;
}

int options__percent(const char *text, uint64_t *millionths)
{
	double value;
	char *end;

	if (decimal(text, &value, &end))
		return -EINVAL;
	if ((*end && strcmp(end, "%")) || !(value <= 100))
		return -EINVAL;
	*millionths = (uint64_t)(value * 1e4 + 0.5);
	return 0;
}

int options__bytes(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *suffix;
		double bytes;
	} units[] = { { "", 1 }, { "K", 0x1p10 }, { "M", 0x1p20 }, { "G", 0x1p30 },
		      { "T", 0x1p40 }, { "KiB", 0x1p10 }, { "MiB", 0x1p20 }, { "GiB", 0x1p30 },
		      { "TiB", 0x1p40 }, { "kbit", 1e3 / 8 }, { "Mbit", 1e6 / 8 },
		      { "Gbit", 1e9 / 8 } };
	char *end;
	double value;

	if (decimal(text, &value, &end))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double result = value * units[i].bytes;

		if (strcmp(end, units[i].suffix) || !(result < 0x1p63))
			continue;
		*bytes = (uint64_t)result;
		return 0;
	}
	return -EINVAL;
}

/* What a value of that type looks like, to be appended to a message; or "". */
static const char *form_of(enum option_type type)
{
	switch (type) {
	case OPTION_SECONDS:
	case OPTION_PERIOD:
		return " (300ms, 2.5s, 10m or 1h; seconds without a unit)";
	case OPTION_BYTES:
	case OPTION_SIZE:
		return " (4K, 1.5G or 12T, of 1,024; 10Gbit, of 1,000; bytes without a unit)";
	case OPTION_PERCENT:
	case OPTION_SHARE:
		return " (0.1%, up to 100%)";
	case OPTION_PID:
		return " (the number of a process, in digits, up to 2147483647)";
	case OPTION_MS:
		return " (whole milliseconds, up to 4294967295)";
	case OPTION_U64:
	case OPTION_COUNT:
		return " (digits only)";
	default:
		return "";
	}
}

static int add_text(struct option_texts *texts, const char *text)
{
	const char **grown = realloc(texts->at, (texts->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	texts->at = grown;
	grown[texts->count++] = text;
	return 0;
}

/* What 0 means is nothing that a person would ask for: the field says with it that the option was not given. */
static int refuse_zero(int err, const uint64_t *value)
{
	return err ?: *value ? 0 : -ERANGE;
}

static int store(const struct option_spec *option, void *into, const char *text)
{
	void *at = (char *)into + option->offset;
	int err;

	switch (option->type) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)at = text;
		return *text ? 0 : -ENODATA;
	case OPTION_U64:
		return options__u64(text, at);
	case OPTION_COUNT:
		return refuse_zero(options__u64(text, at), at);
	case OPTION_PID:
		err = refuse_zero(options__u64(text, at), at);
		return err ?: *(uint64_t *)at > INT32_MAX ? -EINVAL : 0;
	case OPTION_MS:
		err = refuse_zero(options__u64(text, at), at);
		return err ?: *(uint64_t *)at > UINT32_MAX ? -EINVAL : 0;
	case OPTION_PERCENT:
		return options__percent(text, at);
	case OPTION_SHARE:
		return refuse_zero(options__percent(text, at), at);
	case OPTION_SECONDS:
		return options__seconds(text, at);
	case OPTION_PERIOD:
		return refuse_zero(options__seconds(text, at), at);
	case OPTION_BYTES:
		return options__bytes(text, at);
	case OPTION_SIZE:
		return refuse_zero(options__bytes(text, at), at);
	case OPTION_TEXTS:
		return *text ? add_text(at, text) : -ENODATA;
	}
	return -EINVAL;
}

void options__help(const struct command_spec *command)
{
	printf("Usage: hwdbm %s %s\n\n%s\n\nOptions:\n", command->name, command->usage,
	       command->summary);
	for (size_t i = 0; i <= command->option_count; i++) {
		static const struct option_spec help = {
			.name = "help", .letter = 'h', .help = "this text",
		};
		const struct option_spec *o = i < command->option_count ? &command->options[i] :
									    &help;
		char left[48];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			 o->argument ? " " : "", o->argument ? o->argument : "");
		printf("  %-32s %s\n", left, o->help);
	}
	if (command->notes)
		printf("\n%s\n", command->notes);
}

static const struct option_spec *by_letter(const struct command_spec *command, int letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].letter && command->options[i].letter == letter)
			return &command->options[i];
	return NULL;
}

/* getopt's own messages name argv[0], which here is the command's name. */
static int complain(const struct command_spec *command, int result, char **argv)
{
	const struct option_spec *short_one = optopt ? by_letter(command, optopt) : NULL;

	if (result == ':' && short_one)
		log__error("%s: option -%c needs a value (%s); see hwdbm %s --help", command->name,
			   optopt, short_one->argument, command->name);
	else if (result == ':')
		log__error("%s: option %s needs a value; see hwdbm %s --help", command->name,
			   argv[optind - 1], command->name);
	else if (optopt && optopt < 256)
		log__error("%s: unknown option -%c; see hwdbm %s --help", command->name, optopt,
			   command->name);
	else
		log__error("%s: unknown or ambiguous option %s; see hwdbm %s --help",
			   command->name, argv[optind - 1], command->name);
	return -EINVAL;
}

static int complain_of_value(const struct command_spec *command, const struct option_spec *o, int err,
			     const char *value)
{
	const char *argument = o->argument ? o->argument : "value";

	if (err == -ERANGE)
		log__error("%s: --%s %s: it has to be more than 0; see hwdbm %s --help", command->name,
			   o->name, value, command->name);
	else if (err == -ENODATA)
		log__error("%s: --%s \"\": the %s is empty (a variable that is not set?); give one, or leave --%s out",
			   command->name, o->name, argument, o->name);
	else if (err == -ENOMEM)
		log__error("%s: no memory for --%s", command->name, o->name);
	else
		log__error("%s: --%s \"%s\" is not a valid %s%s; see hwdbm %s --help", command->name,
			   o->name, value, argument, form_of(o->type), command->name);
	return -EINVAL;
}

/* Of a command line that is run, only what is to be run; its arguments are its own. */
static int refuse_empty_words(const struct command_spec *command, int count, char **words)
{
	for (int i = 0; i < count && !(i && command->stop_at_first); i++) {
		if (*words[i])
			continue;
		log__error("%s: \"\": the %s is empty (a variable that is not set?); see hwdbm %s --help",
			   command->name, command->stop_at_first ? "COMMAND" : "operand", command->name);
		return -EINVAL;
	}
	return 0;
}

int options__parse(const struct command_spec *command, void *into, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 2] = { { "help", no_argument, NULL, 'h' } };
	char shorts[3 * OPTIONS_MAX] = "+:h", *next = shorts + 3;
	int result, which, err;

	if (!command->stop_at_first)
		strcpy(shorts, ":h"), next = shorts + 2;
	for (size_t i = 0; i < command->option_count && i < OPTIONS_MAX; i++) {
		const struct option_spec *o = &command->options[i];

		longs[i + 1] = (struct option){ o->name,
			o->type == OPTION_FLAG ? no_argument : required_argument, NULL,
			256 + (int)i };
		if (!o->letter)
			continue;
		*next++ = o->letter;
		if (o->type != OPTION_FLAG)
			*next++ = ':';
		*next = '\0';
	}

	optind = 0;
	opterr = 0;
	while ((result = getopt_long(argc, argv, shorts, longs, &which)) != -1) {
		const struct option_spec *o = result >= 256 ? &command->options[result - 256] :
							      by_letter(command, result);

		if (result == '?' || result == ':')
			return complain(command, result, argv);
		/* Of all that getopt knows only -h may have no entry. */
		if (!o) {
			options__help(command);
			return -ECANCELED;
		}
		err = store(o, into, optarg);
		if (err)
			return complain_of_value(command, o, err, optarg);
	}
	return refuse_empty_words(command, argc - optind, argv + optind) ?: optind;
}
