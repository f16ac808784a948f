// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm diff: what differs between runs, and whether that could be chance. Not here: reading
 * (output/side.c), the test (model/compare.c).
 */
#include "commands.h"
#include "last_good.h"
#include "limits.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/diff.h"

#include <errno.h>
#include <string.h>

struct diff_options {
	const char *last_good;
	struct option_texts limits;
	bool json;
};

static const struct option_spec option_table[] = {
	{ "last-good", 'g', OPTION_TEXT, offsetof(struct diff_options, last_good), "RUN|FOLDER",
	  "compare all with this one, or the newest good one in there; fail if one is worse" },
	{ "limit", 'l', OPTION_TEXTS, offsetof(struct diff_options, limits), "NAME=VALUE",
	  "good is what keeps this limit; any number of times" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct diff_options, json), NULL,
	  "one JSON document, with sizes in bytes and times in nanoseconds" },
};

static const struct command_spec spec = {
	.name = "diff",
	.usage = "[OPTIONS] BASE RUN...",
	.summary = "Compares syncs of any number of runs with those of the first: how long they took, how\n"
		   "much was dirty, how many blocks they split and TLB invalidations they made. A run is a\n"
		   "recording, the folder of a test-bed run, or every run in a report's JSON.",
	.notes = "The last good run of a folder is its newest recording that keeps the limits (see hwdbm\n"
		 "report --help); without limits, that is whole, lost no event, and did not fail.\n\n"
		 "Exit status: 0; 1 if a run cannot be read, or is worse than --last-good (more of anything\n"
		 "above); 2 for bad options; 3 if a recording is damaged or cut off: what is good of it\n"
		 "was compared.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

static const char *const measure_names[MEASURES] = {
	[MEASURE_SYNC_NS] = "the time of a sync",
	[MEASURE_DIRTY_BYTES] = "the dirty bytes of a sync",
	[MEASURE_SPLITS] = "the blocks that a sync splits",
	[MEASURE_TLB] = "the TLB invalidations of a sync",
};

static int load_last_good(struct sides *sides, const struct diff_options *options, int count, char **paths)
{
	_cleanup_free_ char *path = NULL;
	struct limits limits;
	int err;

	limits__init(&limits);
	err = limits__parse(&limits, "diff", &options->limits);
	err = err ?: last_good__find("diff", options->last_good, &limits, (const char *const *)paths, (size_t)count,
				     &path);
	return err ?: sides__load(sides, path);
}

static int load(struct sides *sides, const struct diff_options *options, int count, char **paths)
{
	int err = options->last_good ? load_last_good(sides, options, count, paths) : 0;

	if (!err && sides->count > 1) {
		log__error("diff: --last-good %s has %zu runs; give one with a single run",
			   options->last_good, sides->count);
		err = -EINVAL;
	}
	for (int i = 0; !err && i < count; i++)
		err = sides__load(sides, paths[i]);
	if (!err && sides->count < 2) {
		log__error("diff: there is but one run, and nothing to compare it with");
		err = -EINVAL;
	}
	return err;
}

static int find_worse(const struct sides *sides)
{
	int status = COMMAND_OK;

	for (size_t i = 1; i < sides->count; i++)
		for (int m = 0; m < MEASURES; m++) {
			struct diff_row row;

			diff__row(&sides->at[0], &sides->at[i], m, &row);
			if (row.comparison != COMPARE_MORE)
				continue;
			log__error("diff: %s is worse than the last good one: %s has gone up (p = %.2g)",
				   row.run, measure_names[m], row.p);
			status = COMMAND_FAILED;
		}
	return status;
}

static bool is_sound(const struct sides *sides)
{
	for (size_t i = 0; i < sides->count; i++)
		if (sides->at[i].damaged)
			return false;
	return true;
}

static void free_options(struct diff_options *options)
{
	free(options->limits.at);
}

int diff__main(int argc, char **argv)
{
	_cleanup_(sides__release) struct sides sides = { 0 };
	_cleanup_(free_options) struct diff_options options = { 0 };
	int first = options__parse(&spec, &options, argc, argv);
	int err;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (first == argc) {
		log__error("diff: which runs? give recordings, run folders or reports; see hwdbm diff --help");
		return COMMAND_USAGE;
	}
	if (options.limits.count && !options.last_good) {
		log__error("diff: --limit says which run of --last-good is good; give both, or see hwdbm report --limit");
		return COMMAND_USAGE;
	}
	if (load(&sides, &options, argc - first, argv + first))
		return COMMAND_FAILED;
	errno = 0;
	err = options.json ? diff__json(stdout, &sides) : diff__text(stdout, &sides);
	if (err) {
		log__error("diff: cannot write the comparison (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
		return COMMAND_FAILED;
	}
	if (options.last_good && find_worse(&sides))
		return COMMAND_FAILED;
	return is_sound(&sides) ? COMMAND_OK : COMMAND_UNSOUND;
}
