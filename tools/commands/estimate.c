// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm estimate: how dirty memory would be at a finer granularity, from a recording in which the
 * kernel split a sample of the blocks. Not here: how that is estimated (tools/model/estimate.h).
 */
#include "commands.h"
#include "load.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../output/estimate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct estimate_options {
	const char *input;
	uint64_t pid;
	bool json;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXT, offsetof(struct estimate_options, input), "FILE",
	  "a recording (- is stdin), or the folder of a test-bed run" },
	{ "pid", 'p', OPTION_PID, offsetof(struct estimate_options, pid), "PID",
	  "only what this process tracks" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct estimate_options, json), NULL,
	  "one JSON document, with sizes in bytes and times in nanoseconds" },
};

static const struct command_spec spec = {
	.name = "estimate",
	.usage = "[OPTIONS] RECORDING",
	.summary = "Estimates how dirty memory would be if it were tracked in pages, from a recording in\n"
		   "which the kernel split only a small share of the blocks; with 95 % intervals. The\n"
		   "recording is one by record or dirtysync -o.",
	.notes = "Before the migration that is recorded, on a host with hwdbm's host/ patches:\n\n"
		 "  echo 4K > /sys/module/iommu/parameters/dirty_granularity\n"
		 "  echo sample=4.5%,1 > /sys/module/iommu/parameters/dirty_split\n\n"
		 "The seed (here 1) selects the blocks; with another one they are others, and by chance\n"
		 "a little more or fewer. Each row is a point of the working-set curve: what is written\n"
		 "in such an interval. Nothing is read but what the VMM's own syncs found.\n\n"
		 "Requirements: none; hwdbm record has its own.\n"
		 "Overhead: none.\n"
		 "Exit status: 0; 1 if nothing can be estimated; 2 for bad options; 3 if a recording is\n"
		 "damaged or cut off: what is good of it was used.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct estimating {
	struct estimate_options options;
	struct estimator estimator;
	struct load load;
};

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct estimating *x = context;

	return estimate__take(&x->estimator, kind, sample);
}

static int load(struct estimating *x, const char *path)
{
	return load__recording(&x->load, path) ?: estimate__end(&x->estimator);
}

/* Why there is not one estimate, in one sentence. */
static int refuse(const struct estimator *e, const char *path)
{
	uint64_t most = 0;

	for (size_t i = 0; i < e->count; i++)
		if (e->rows[i].sampled_blocks > most)
			most = e->rows[i].sampled_blocks;
	if (e->type1 && e->type1 == e->syncs + e->failed)
		log__error("estimate: %s is of memory behind VFIO's type1, which has no estimate (its calls do not tell where their bitmap is); let the VMM use iommufd",
			   path);
	else if (!e->syncs && e->failed)
		log__error("estimate: %s has %" PRIu64 " syncs, and of none is it known which leaves were dirty; that takes the events of hwdbm's kernel patches",
			   path, e->failed);
	else if (!e->syncs)
		log__error("estimate: %s has no sync of an IOMMU%s; record one while a migration runs",
			   path, e->wanted_pid ? " by that process" : "");
	else if (e->late && !e->starts)
		log__error("estimate: %s begins after tracking had started, so that it is not known what was split; record from before the migration on",
			   path);
	else if (!e->sampled_starts)
		log__error("estimate: in %s no blocks were sampled; write sample=4.5%%,1 to /sys/module/iommu/parameters/dirty_split before the migration (see hwdbm estimate --help)",
			   path);
	else if (!e->count)
		log__error("estimate: %s ends before the first sync of a sampled domain; record longer", path);
	else if (!strcmp(e->rows[0].unknown, estimate__reason(ESTIMATE_TOO_FEW)))
		log__error("estimate: in %s at most %" PRIu64 " sampled blocks are dirty at once, and it takes %d; sample a larger share, or wait longer between syncs",
			   path, most, ESTIMATE_BLOCKS_MIN);
	else if (!strcmp(e->rows[0].unknown, estimate__reason(ESTIMATE_NOT_COUNTED)))
		log__error("estimate: in %s the VMM's bitmaps were not counted; record with hwdbm dirtysync --count-every 1 -o FILE",
			   path);
	else
		log__error("estimate: nothing can be estimated from %s: %s", path, e->rows[0].unknown);
	return -ENODATA;
}

static void put_unknown(const struct estimator *e, struct prediction_notes *notes)
{
	uint64_t without = 0;

	for (size_t i = 0; i < e->count; i++)
		without += !!*e->rows[i].unknown;
	if (without)
		prediction__note(notes, "%" PRIu64 " of %zu iterations: see their rows", without,
				 e->count);
	if (e->syncs_without)
		prediction__note(notes, "%" PRIu64 " syncs of domains that were not sampled, or whose start was not seen",
				 e->syncs_without);
	if (e->failed)
		prediction__note(notes, "%" PRIu64 " syncs that failed, or that do not tell which leaves were dirty",
				 e->failed);
	if (e->lost)
		prediction__note(notes, "what %" PRIu64 " events that the recorder lost would have told",
				 e->lost);
	if (!e->lost_known)
		prediction__note(notes, "what the recorder lost: the recording has no end");
}

static int answer(struct estimating *x, const char *path)
{
	const struct estimator *e = &x->estimator;
	struct estimate_document document = {
		.estimator = e, .emulated = !strcmp(e->time_basis, "emulated"),
	};
	bool any = false;
	int err;

	for (size_t i = 0; i < e->count; i++)
		any |= estimate__finest(&e->rows[i]) < UNIT_SIZES;
	if (!any)
		return refuse(e, path);
	put_unknown(e, &document.unknown);
	errno = 0;
	err = x->options.json ? estimate__json(stdout, &document) : estimate__text(stdout, &document);
	if (err)
		log__error("estimate: cannot write the answer (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

int estimate__main(int argc, char **argv)
{
	struct estimating x = {
		.load = { .command = "estimate", .handler = take_sample, .context = &x,
			  .needs_sync = true, .syncs = &x.estimator.syncs },
	};
	int first = options__parse(&spec, &x.options, argc, argv), recordings, err;
	const char *path;

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0)
		return COMMAND_USAGE;
	recordings = argc - first + !!x.options.input;
	if (recordings != 1) {
		log__error("estimate: which recording? give one; see hwdbm estimate --help");
		return COMMAND_USAGE;
	}
	path = x.options.input ?: argv[first];
	estimate__init(&x.estimator);
	x.estimator.wanted_pid = x.options.pid;
	err = load(&x, path);
	err = err ?: answer(&x, path);
	estimate__release(&x.estimator);
	if (err)
		return COMMAND_FAILED;
	return x.load.unsound ? COMMAND_UNSOUND : COMMAND_OK;
}
