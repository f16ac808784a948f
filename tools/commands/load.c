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
#include <sys/stat.h>

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct load *load = context;

	load->has_header |= kind == SAMPLE_HEADER;
	return load->handler(load->context, kind, sample);
}

static int take_settings(void *context, enum sample_kind kind, union sample *sample)
{
	struct load *load = context;

	return kind == SAMPLE_VMM_START ? load->handler(load->context, kind, sample) : 0;
}

static int explain(const struct load *load, const char *path, int err)
{
	log__error("%s: cannot read %s (%s)", load->command, path, strerror(-err));
	return err;
}

static int load_file(struct load *load, const char *path)
{
	uint64_t before = *load->syncs;
	bool cut = false;
	int err;

	load->has_header = false;
	err = recording__read(path, take_sample, load, &cut);
	if (err && err != -EINVAL)
		return explain(load, path, err);
	if (!load->has_header) {
		if (!err)
			log__error("%s: %s is no recording (it has no header line); make one with hwdbm record",
				   load->command, path);
		return -EINVAL;
	}
	if (err && load->needs_sync && *load->syncs == before)
		return err;
	if (err)
		log__warn("%s: what is before that is used: %" PRIu64 " syncs of %s", load->command,
			  *load->syncs - before, path);
	load->unsound |= cut || err;
	return 0;
}

int load__recording(struct load *load, const char *path)
{
	_cleanup_free_ char *recording = NULL, *log = NULL;
	struct stat info;
	bool cut = false;

	if (stat(path, &info))
		return explain(load, path, -errno);
	if (!S_ISDIR(info.st_mode))
		return load_file(load, path);
	if (asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	if (load->wants_settings)
		recording__read(log, take_settings, load, &cut);
	return load_file(load, recording);
}
