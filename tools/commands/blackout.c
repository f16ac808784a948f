// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm blackout: how long a VM stood still, from the recordings of its two hosts. Not here: how
 * they are joined (tools/model/blackout.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../model/blackout.h"
#include "../output/blackout.h"
#include "../output/recording.h"

#include <errno.h>
#include <string.h>

struct blackout_options {
	const char *source;
	const char *target;
	bool json;
};

static const struct option_spec option_table[] = {
	{ "src", 's', OPTION_TEXT, offsetof(struct blackout_options, source), "FILE",
	  "recording of the host that the VM left" },
	{ "dst", 'd', OPTION_TEXT, offsetof(struct blackout_options, target), "FILE",
	  "recording of the host that it came to; the same file if it is one host" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct blackout_options, json), NULL,
	  "one JSON document, times in nanoseconds" },
};

static const struct command_spec spec = {
	.name = "blackout",
	.usage = "--src FILE --dst FILE [-j]",
	.summary = "Shows how long a VM stood still when it was migrated, and what took how long: from the\n"
		   "first stop of its vCPUs and devices at the source to its start at the target.",
	.notes = "Each recording is made by hwdbm record on its host, with -p or --vm of the VM's process or of\n"
		 "the whole host, begun before the migration. With --qmp at the source the VMM's own downtime\n"
		 "stands beside it.\n\n"
		 "The hosts' clocks need not agree. What was sent on the migration's TCP connections was sent\n"
		 "before it was received, and received before it was acknowledged; that bounds by how much\n"
		 "they differ, and the rest is the error shown. If a phase is shorter than that, it is said.\n\n"
		 "Requirements: none; it reads recordings.\n"
		 "Exit status: 0; 1 if there is no blackout to be told; 2 for bad options; 3 if one is shown\n"
		 "and a recording is cut off, damaged, or has lost events.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct reader {
	struct blackout_side side;
	struct recording_flaws flaws;
	bool damaged;
};

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct reader *reader = context;

	return blackout__add(&reader->side, kind, sample);
}

static int read_side(const char *path, struct reader *reader)
{
	int err = recording__read(path, take_sample, reader, &reader->flaws);
	const char *name = recording__label(path);

	/* -EINVAL was said. */
	if (err && err != -EINVAL) {
		log__error("blackout: cannot read %s (%s)", name, strerror(-err));
		return err;
	}
	if (!reader->side.has_header) {
		if (!err)
			log__error("blackout: %s is no recording (it has no header line); make one with hwdbm record",
				   name);
		return -EINVAL;
	}
	reader->damaged = err;
	if (err)
		log__warn("blackout: what is before that is used of %s", name);
	else if (!reader->side.has_end)
		log__warn("blackout: %s has no end, it was interrupted; what came later is missing", name);
	if (reader->side.lost)
		log__warn("blackout: %s has lost %llu events; what is missing may be among them", name,
			  (unsigned long long)reader->side.lost);
	return 0;
}

static bool is_sound(const struct reader *reader)
{
	return !reader->damaged && !recording__is_flawed(&reader->flaws) && reader->side.has_end && !reader->side.lost;
}

static int show(const struct blackout_options *o, const struct reader *source,
		const struct reader *target)
{
	const char *basis = source->side.header.time_basis;
	char why[2 * BLACKOUT_REASON] = "";
	struct blackout blackout;
	int err = blackout__join(&source->side, &target->side, &blackout, why);

	if (err) {
		log__error("blackout: %s", why);
		return COMMAND_FAILED;
	}
	err = o->json ? blackout_json__put(stdout, &blackout, basis) :
			blackout_text__put(stdout, &blackout, !strcmp(basis, "emulated"));
	if (err)
		log__error("blackout: cannot write to stdout (%s)", strerror(-err));
	if (err || blackout.total_ns == UNKNOWN)
		return COMMAND_FAILED;
	return is_sound(source) && is_sound(target) ? COMMAND_OK : COMMAND_UNSOUND;
}

int blackout__main(int argc, char **argv)
{
	struct blackout_options options = { 0 };
	struct reader source = { 0 }, target = { 0 };
	int first = options__parse(&spec, &options, argc, argv), status = COMMAND_FAILED;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	if (first < argc || !options.source || !options.target) {
		log__error("blackout: which recordings? give --src and --dst; see hwdbm blackout --help");
		return COMMAND_USAGE;
	}
	if (!strcmp(options.source, "-") && !strcmp(options.target, "-")) {
		log__error("blackout: --src and --dst cannot both be stdin; write one of them to a file");
		return COMMAND_USAGE;
	}
	if (!read_side(options.source, &source) && !read_side(options.target, &target))
		status = show(&options, &source, &target);
	blackout__release(&source.side);
	blackout__release(&target.side);
	return status;
}
