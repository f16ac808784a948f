// SPDX-License-Identifier: GPL-2.0-only
/*
 * One pass over a recording for all that is made of it. Not here: lines (recording.c).
 */
#define _GNU_SOURCE
#include "dossier.h"

#include "recording.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

struct loading {
	struct dossiers *dossiers;
	struct dossier *dossier;
	bool is_log;			/* a VMM's: its header and end are not the recording's */
};

static void free_dossier(struct dossier *d)
{
	if (!d)
		return;
	account__release(&d->account);
	run__free(d->run);
	free(d->blackout);
	free(d->path);
	free(d);
}

void dossiers__release(struct dossiers *all)
{
	for (size_t i = 0; i < all->count; i++)
		free_dossier(all->at[i]);
	free(all->at);
	free(all->excluded);
	redact__release(&all->redact);
	*all = (struct dossiers){ 0 };
}

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct loading *loading = context;
	struct dossier *d = loading->dossier;
	int err = 0;

	if (loading->is_log && (kind == SAMPLE_HEADER || kind == SAMPLE_END))
		return 0;
	if (loading->dossiers->redacted)
		err = redact__sample(&loading->dossiers->redact, kind, sample);
	err = err ?: account__add(&d->account, kind, sample);
	if (d->run && d->account.syncs > DOSSIER_SYNCS_MAX) {
		run__free(d->run);
		d->run = NULL;
	}
	if (!err && d->run)
		err = run__add(d->run, kind, sample);
	return err;
}

static int take_plan(struct dossiers *all, struct dossier *d, const char *path)
{
	int err = d->run ? recording__load_plan(path, d->run) : 0;
	struct plan_sample *plan = d->run ? &d->run->samples.plan : NULL;
	union sample sample;

	if (err || !all->redacted || !d->run->samples.has_plan)
		return err;
	sample.plan = *plan;
	err = redact__sample(&all->redact, SAMPLE_PLAN, &sample);
	*plan = sample.plan;
	/* One number for each run, whatever it is called by. */
	STRING_COPY(plan->name, d->name);
	return err;
}

/* ---- what is wrong with it --------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void note(struct dossier *d, const char *format, ...)
{
	size_t used = strlen(d->trouble);
	va_list arguments;

	if (used + 3 < sizeof(d->trouble) && used)
		used += (size_t)snprintf(d->trouble + used, sizeof(d->trouble) - used, "; ");
	va_start(arguments, format);
	vsnprintf(d->trouble + used, sizeof(d->trouble) - used, format, arguments);
	va_end(arguments);
}

static void examine(struct dossier *d, const char *command, const char *path, int err,
		    const struct recording_flaws *flaws)
{
	const struct account *a = &d->account;

	if (err) {
		log__warn("%s: what is before that is used: %" PRIu64 " syncs of %s", command, a->syncs,
			  path);
		note(d, "damaged after %" PRIu64 " samples; what is before that is used", a->samples);
	}
	if (flaws->cut)
		note(d, "its last line is cut off");
	if (!err && !a->has_end) {
		log__warn("%s: %s: the recording has no end, it was interrupted; totals and losses are unknown",
			  command, path);
		note(d, "it has no end: it was interrupted, and what was lost is unknown");
	}
	if (!a->syncs) {
		log__warn("%s: %s: there is no sync in it", command, path);
		note(d, "there is no sync in it");
	}
	if (flaws->skewed)
		note(d, "its clock goes backwards: times around that are not to be trusted");
	if (a->several_vms) {
		log__warn("%s: %s: several VMs migrate in it, and its figures are of all; record each by itself (-p, --vm)",
			  command, path);
		note(d, "several VMs migrate in it, and its figures are of all");
	}
	if (a->stat.total.migrations > 1)
		note(d, "%" PRIu64 " migrations are in it: its total time is from the first one's start to the last one's end",
		     a->stat.total.migrations);
	if (a->end.gave_up == TRI_TRUE)
		note(d, "hwdbm detached before the end, because of --max-overhead");
	d->damaged = err || !a->has_end || recording__is_flawed(flaws);
}

static int exclude(struct dossiers *all, const char *name, const char *why)
{
	char (*grown)[200] = realloc(all->excluded, (all->excluded_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	all->excluded = grown;
	snprintf(grown[all->excluded_count++], sizeof(*grown), "%s: %s", name, why);
	return -EINVAL;
}

/* ---- reading ----------------------------------------------------------------------- */

static bool is_taken(const struct dossiers *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->at[i]->name, name))
			return true;
	return false;
}

/* Files of one name are told apart by as much of their paths as it takes. */
static void name_it(struct dossiers *all, struct dossier *d, const char *path)
{
	const char *from = path + strlen(path);
	struct run named;

	recording__name_run(recording__label(path), &named);
	STRING_COPY(d->name, named.name);
	while (is_taken(all, d->name) && from > path) {
		while (from > path && (*--from != '/' || from[1] == '/' || !from[1]))
			;
		STRING_COPY(d->name, from + (*from == '/'));
	}
	if (all->redacted)
		snprintf(d->name, sizeof(d->name), "recording %zu",
			 all->count + all->excluded_count + 1);
	if (d->run)
		STRING_COPY(d->run->name, d->name);
}

static int read_log(struct loading *loading, const char *command, const char *path, const char *log,
		    struct recording_flaws *flaws)
{
	struct digest digest;
	int err;

	if (access(log, F_OK)) {
		log__warn("%s: %s: no vmm.jsonl, so no truth to compare with", command, path);
		return 0;
	}
	loading->is_log = true;
	digest__start(&digest, log);
	err = recording__read(log, take_sample, loading, flaws);
	digest__finish(&digest, loading->dossier->log_digest);
	return err;
}

static int read_recording(struct loading *loading, const char *path, struct recording_flaws *flaws)
{
	struct digest digest;
	struct stat info;
	int err;

	if (strcmp(path, "-")) {
		if (!stat(path, &info))
			loading->dossier->bytes = (uint64_t)info.st_size;
		digest__start(&digest, path);
	} else {
		digest = (struct digest)DIGEST_NONE;
	}
	err = recording__read(path, take_sample, loading, flaws);
	digest__finish(&digest, loading->dossier->digest);
	return err;
}

static int read_folder(struct loading *loading, const char *command, const char *path,
		       struct recording_flaws *flaws)
{
	_cleanup_free_ char *plan = NULL, *recording = NULL, *log = NULL;
	int err;

	if (asprintf(&plan, "%s/run.json", path) < 0 ||
	    asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	err = take_plan(loading->dossiers, loading->dossier, plan);
	err = err ?: read_recording(loading, recording, flaws);
	return err ?: read_log(loading, command, path, log, flaws);
}

/* Names in a plan take the place of the file's, unless another run has that name. */
static int finish(const struct dossiers *all, struct dossier *d)
{
	int err = account__finish(&d->account);

	if (err || !d->run)
		return err;
	err = run__update(d->run);
	if (err)
		return err;
	if (is_taken(all, d->run->result.name))
		STRING_COPY(d->run->result.name, d->name);
	else if (*d->run->result.name)
		STRING_COPY(d->name, d->run->result.name);
	return 0;
}

static void drop_addresses(struct dossier *d)
{
	struct sync_row *rows = d->account.by_source.at;

	for (size_t i = 0; d->run && i < d->run->sync_count; i++)
		d->run->syncs[i].iova = UNKNOWN;
	for (size_t i = 0; i < d->account.by_source.count; i++) {
		rows[i].iova = UNKNOWN;
		rows[i].where[0] = '\0';
	}
}

/* An interrupt is named by its device's address. */
static void drop_names(struct blackout *blackout)
{
	struct blackout_row *dma = &blackout->rows[BLACKOUT_FIRST_DMA];

	if (dma->begin_ns != UNKNOWN_I64)
		STRING_COPY(dma->note, "by the first interrupt");
	blackout->source_pid = blackout->target_pid = UNKNOWN;
}

static int join_sides(struct dossier *d, const char *command, const char *path)
{
	struct blackout *blackout = malloc(sizeof(*blackout));
	int err = blackout ? recording__blackout(path, blackout) : -ENOMEM;

	if (!err || err == -ENODATA) {
		d->blackout = blackout;
		if (d->redacted)
			drop_names(blackout);
		return 0;
	}
	free(blackout);
	if (err != -ENOENT && err != -ENOMEM)
		log__warn("%s: %s: its other side cannot be read, so that there is no blackout", command, d->name);
	return err == -ENOMEM ? err : 0;
}

static int load(struct dossiers *all, struct dossier *d, const char *command, const char *path)
{
	struct loading loading = { .dossiers = all, .dossier = d };
	struct recording_flaws flaws = { 0 };
	int err;

	if (recording__is_folder(path)) {
		err = read_folder(&loading, command, path, &flaws);
		err = err ?: join_sides(d, command, path);
	} else {
		err = read_recording(&loading, path, &flaws);
		if (!err && all->truth)
			err = read_log(&loading, command, path, all->truth, &flaws);
	}
	if (err == -ENOMEM)
		return err;
	if (err == -ENOENT && recording__is_folder(path)) {
		log__error("%s: %s: cannot read it: no recording.jsonl in this folder (%s); give the recordings in it one by one",
			   command, path, strerror(ENOENT));
		return exclude(all, d->name, "no recording.jsonl in this folder");
	}
	if (err && err != -EINVAL)
		log__error("%s: %s: cannot read it (%s)", command, recording__label(path), strerror(-err));
	if (!d->account.has_header) {
		if (!err)
			log__error("%s: %s: no recording in there (no header line); make one with hwdbm record",
				   command, recording__label(path));
		return exclude(all, d->name, err && err != -EINVAL ? strerror(-err) :
			       err ? "damaged from the start, noise, or of another version" :
				     "no recording in there: it has no header line");
	}
	examine(d, command, recording__label(path), err, &flaws);
	err = finish(all, d);
	if (all->redacted)
		drop_addresses(d);
	return err;
}

/* Given twice it makes two runs of one, and percentiles of less than they seem. */
static void find_twin(const struct dossiers *all, struct dossier *d, const char *command)
{
	for (size_t i = 0; i < all->count; i++)
		if (*d->digest && !strcmp(all->at[i]->digest, d->digest)) {
			log__warn("%s: %s is the same recording as %s, and counts as another run", command,
				  d->name, all->at[i]->name);
			note(d, "the same recording as %.60s", all->at[i]->name);
			return;
		}
}

int dossiers__load(struct dossiers *all, const char *command, const char *path)
{
	struct dossier **grown = realloc(all->at, (all->count + 1) * sizeof(*grown));
	struct dossier *d = calloc(1, sizeof(*d));
	int err;

	if (grown)
		all->at = grown;
	if (!grown || !d || run__new(&d->run)) {
		free(d);
		return -ENOMEM;
	}
	account__init(&d->account);
	d->redacted = all->redacted;
	d->path = strdup(path);
	name_it(all, d, path);
	err = d->path ? load(all, d, command, path) : -ENOMEM;
	if (err) {
		free_dossier(d);
		return err;
	}
	find_twin(all, d, command);
	all->at[all->count++] = d;
	return 0;
}
