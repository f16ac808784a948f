// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at recordings from the newest on, until one is good. Not here: what good means of
 * figures (model/board.h).
 */
#define _GNU_SOURCE
#include "last_good.h"

#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../output/dossier.h"
#include "../output/recording.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct candidate {
	char *path;
	struct timespec changed;
};

struct candidates {
	struct candidate *at;
	size_t count;
};

static void release(struct candidates *all)
{
	for (size_t i = 0; i < all->count; i++)
		free(all->at[i].path);
	free(all->at);
}

static bool starts_as_recording(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char start[64] = "";

	return file && fread(start, 1, sizeof(start) - 1, file) && strstr(start, "\"header\"");
}

static bool is_operand(const struct stat *info, const char *const *operands, size_t count)
{
	struct stat other;

	for (size_t i = 0; i < count; i++)
		if (!stat(operands[i], &other) && other.st_dev == info->st_dev && other.st_ino == info->st_ino)
			return true;
	return false;
}

/* The time of a folder is that of the recording in it. */
static bool examine(const char *path, struct stat *info)
{
	_cleanup_free_ char *inner = NULL;
	struct stat recording;

	if (stat(path, info))
		return false;
	if (S_ISREG(info->st_mode))
		return starts_as_recording(path);
	if (!S_ISDIR(info->st_mode) || asprintf(&inner, "%s/recording.jsonl", path) < 0 ||
	    stat(inner, &recording) || !S_ISREG(recording.st_mode))
		return false;
	info->st_mtim = recording.st_mtim;
	return starts_as_recording(inner);
}

static int by_age(const void *a, const void *b)
{
	const struct candidate *one = a, *two = b;

	if (one->changed.tv_sec != two->changed.tv_sec)
		return one->changed.tv_sec < two->changed.tv_sec ? 1 : -1;
	if (one->changed.tv_nsec != two->changed.tv_nsec)
		return one->changed.tv_nsec < two->changed.tv_nsec ? 1 : -1;
	return strcmp(two->path, one->path);
}

static int collect(struct candidates *all, const char *folder, const char *const *operands, size_t count)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int err = directory ? 0 : -errno;

	while (!err && (entry = readdir(directory))) {
		struct candidate *grown;
		struct stat info;
		char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		grown = realloc(all->at, (all->count + 1) * sizeof(*grown));
		if (!grown || (all->at = grown, asprintf(&path, "%s/%s", folder, entry->d_name) < 0))
			err = -ENOMEM;
		else if (examine(path, &info) && !is_operand(&info, operands, count))
			all->at[all->count++] = (struct candidate){ path, info.st_mtim };
		else
			free(path);
	}
	if (directory)
		closedir(directory);
	if (all->count)
		qsort(all->at, all->count, sizeof(*all->at), by_age);
	return err;
}

static bool is_sound(const struct dossier *d)
{
	return !d->damaged && d->account.syncs && !account__lost(&d->account) &&
	       !account__failure(&d->account) &&
	       (d->account.missed_pages == UNKNOWN || !d->account.missed_pages) &&
	       d->account.vmm_end.memory_identical != TRI_FALSE;
}

static int is_good(const char *command, const char *path, const struct limits *limits, bool *good)
{
	struct dossiers dossiers = { 0 };
	struct board_run run = { .no_brownout = "not given", .blackout_ns = UNKNOWN,
				 .blackout_error_ns = UNKNOWN };
	struct board board;
	int err = dossiers__load(&dossiers, command, path);

	*good = false;
	if (!err && !limits__any(limits)) {
		*good = is_sound(dossiers.at[0]);
	} else if (!err) {
		run.account = &dossiers.at[0]->account;
		run.damaged = dossiers.at[0]->damaged;
		/* Where the other side cannot be read there is no blackout, which no limit on it passes. */
		if (dossiers.at[0]->blackout) {
			run.blackout_ns = dossiers.at[0]->blackout->total_ns;
			run.blackout_error_ns = dossiers.at[0]->blackout->error_ns;
		}
		err = board__judge(&board, &run, 1, limits, NULL, 0);
		*good = !err && board.verdict == OUTCOME_PASS;
	}
	dossiers__release(&dossiers);
	return err == -EINVAL ? 0 : err;
}

int last_good__find(const char *command, const char *folder, const struct limits *limits,
		    const char *const *operands, size_t count, char **path)
{
	_cleanup_(release) struct candidates all = { 0 };
	struct stat info;
	bool good = false;
	int err = stat(folder, &info) ? -errno : 0;

	if (!err && (!S_ISDIR(info.st_mode) || examine(folder, &info))) {
		*path = strdup(folder);
		return *path ? 0 : -ENOMEM;
	}
	err = err ?: collect(&all, folder, operands, count);
	for (size_t i = 0; !err && i < all.count; i++) {
		err = is_good(command, all.at[i].path, limits, &good);
		if (err || !good)
			continue;
		*path = TAKE_PTR(all.at[i].path);
		log__info("%s: the last good run is %s", command, *path);
		return 0;
	}
	if (err) {
		log__error("%s: cannot read %s (%s)", command, folder, strerror(-err));
		return err;
	}
	log__error("%s: --last-good %s: of %zu recordings in there none %s", command, folder, all.count,
		   limits__any(limits) ? "passes the limits" : "is whole and lost nothing");
	return -ENOENT;
}
