// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding a recording, reading it, and what to say of it. Not here: lines (output/recording.c).
 */
#define _GNU_SOURCE
#include "load.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct load *load = context;

	load->has_header |= kind == SAMPLE_HEADER;
	load->has_end |= kind == SAMPLE_END;
	return load->handler(load->context, kind, sample);
}

static int take_settings(void *context, enum sample_kind kind, union sample *sample)
{
	struct load *load = context;

	return kind == SAMPLE_VMM_START ? load->handler(load->context, kind, sample) : 0;
}

static int explain(const struct load *load, const char *path, int err)
{
	log__error("%s: cannot read %s (%s)", load->command, recording__label(path), strerror(-err));
	return err;
}

static int load_file(struct load *load, const char *path)
{
	uint64_t before = *load->syncs;
	struct recording_flaws flaws = { 0 };
	int err;

	load->has_header = load->has_end = false;
	err = recording__read(path, take_sample, load, &flaws);
	if (err && err != -EINVAL)
		return explain(load, path, err);
	if (!load->has_header) {
		if (!err)
			log__error("%s: %s is no recording (it has no header line); make one with hwdbm record",
				   load->command, recording__label(path));
		return -EINVAL;
	}
	if (err && load->needs_sync && *load->syncs == before)
		return err;
	if (err)
		log__warn("%s: what is before that is used: %" PRIu64 " syncs of %s", load->command,
			  *load->syncs - before, recording__label(path));
	else if (!load->has_end && !flaws.cut)
		log__warn("%s: %s has no end, it was interrupted; what was lost is unknown", load->command,
			  recording__label(path));
	load->unsound |= err || !load->has_end || recording__is_flawed(&flaws);
	return 0;
}

int load__recording(struct load *load, const char *path)
{
	_cleanup_free_ char *recording = NULL, *log = NULL;
	struct recording_flaws flaws = { 0 };

	if (!recording__is_folder(path))
		return load_file(load, path);
	if (asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	if (load->wants_settings)
		recording__read(log, take_settings, load, &flaws);
	return load_file(load, recording);
}
