// SPDX-License-Identifier: GPL-2.0-only
/*
 * Syncs of all forms of input. Not here: runs as a report makes them (model/run.h).
 */
#define _GNU_SOURCE
#include "side.h"
#include "json.h"
#include "recording.h"
#include "units.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static void put_json(json_t **json)
{
	json_decref(*json);
}

#define _cleanup_json_ _cleanup_(put_json)

#define SETTING(text, member) { text, offsetof(struct side_settings, member) }

const struct side_setting side_settings[] = {
	SETTING("kernel", kernel_release), SETTING("kernel patched", kernel_patched),
	SETTING("machine", host_machine), SETTING("VMM", vmm),
	SETTING("time basis", time_basis),
	SETTING("tracker", tracker), SETTING("leaf size", leaf), SETTING("split mode", split_mode),
	SETTING("backing", backing), SETTING("workload", workload),
};

const size_t side_setting_count = sizeof(side_settings) / sizeof(side_settings[0]);

const char *side__setting(const struct side *side, size_t which)
{
	return (const char *)&side->settings + side_settings[which].offset;
}

static struct side *add_side(struct sides *sides, const char *name)
{
	struct side *grown = realloc(sides->at, (sides->count + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	sides->at = grown;
	grown += sides->count++;
	*grown = (struct side){ .lost = UNKNOWN };
	STRING_COPY(grown->name, name);
	return grown;
}

void sides__release(struct sides *sides)
{
	for (size_t i = 0; i < sides->count; i++)
		for (int m = 0; m < MEASURES; m++)
			measured__release(&sides->at[i].measured[m]);
	free(sides->at);
	*sides = (struct sides){ 0 };
}

static int add_sync(struct side *side, int64_t ret, const uint64_t values[MEASURES])
{
	int err = 0;

	side->syncs++;
	if (ret) {
		side->failed++;
		return 0;
	}
	for (int m = 0; !err && m < MEASURES; m++)
		err = measured__add(&side->measured[m], values[m]);
	return err;
}

/* ---- recordings -------------------------------------------------------------------- */

struct reading {
	struct side *side;
	bool has_header, has_end;
};

static void take_header(struct side_settings *s, const struct header_sample *header)
{
	STRING_COPY(s->kernel_release, header->kernel_release);
	STRING_COPY(s->host_machine, header->host_machine);
	STRING_COPY(s->time_basis, header->time_basis);
	STRING_COPY(s->vmm, header->vmm);
	if (header->kernel_patched != TRI_UNKNOWN)
		STRING_COPY(s->kernel_patched, header->kernel_patched ? "yes" : "no");
}

static void put_leaf(char *to, size_t size, uint64_t bytes)
{
	char text[UNITS_TEXT];

	if (bytes != UNKNOWN)
		string__copy(to, size, bytes ? units__leaf(bytes, text) : "as mapped");
}

static void take_tracking(struct side_settings *s, const struct tracking_sample *tracking)
{
	if (tracking->enable != TRI_TRUE || tracking->granularity_bytes == UNKNOWN)
		return;
	put_leaf(s->leaf, sizeof(s->leaf), tracking->granularity_bytes);
	STRING_COPY(s->split_mode, tracking->split_mode);
}

/* Once, behind the program's name. */
static void take_version(struct side_settings *s, const struct vmm_state_sample *state)
{
	size_t used = strlen(s->vmm);

	if (*state->version && !strstr(s->vmm, state->version))
		snprintf(s->vmm + used, sizeof(s->vmm) - used, "%s%s", used ? " " : "", state->version);
}

/* "iommufd, kvm" in order of appearance */
static void take_source(struct side_settings *s, const char *source)
{
	size_t used = strlen(s->tracker), length;
	const char *found;

	if (!*source)
		source = "iommufd";
	length = strlen(source);
	for (found = s->tracker; (found = strstr(found, source)); found += length)
		if (!found[length] || found[length] == ',')
			return;
	snprintf(s->tracker + used, sizeof(s->tracker) - used, "%s%s", used ? ", " : "", source);
}

static int take_sync(struct side *side, const struct sync_sample *sync)
{
	const uint64_t values[MEASURES] = {
		[MEASURE_SYNC_NS] = sync->total_ns, [MEASURE_DIRTY_BYTES] = sync->dirty_bytes,
		[MEASURE_SPLITS] = sync->splits, [MEASURE_TLB] = sync->tlb_invalidations,
	};

	take_source(&side->settings, sync->source);
	return add_sync(side, sync->ret, values);
}

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct reading *reading = context;
	struct side *side = reading->side;

	switch (kind) {
	case SAMPLE_HEADER:
		reading->has_header = true;
		take_header(&side->settings, &sample->header);
		return 0;
	case SAMPLE_TRACKING:
		take_tracking(&side->settings, &sample->tracking);
		return 0;
	case SAMPLE_SYNC:
		return take_sync(side, &sample->sync);
	case SAMPLE_VMM_STATE:
		take_version(&side->settings, &sample->vmm_state);
		return 0;
	case SAMPLE_VMM_START:
		put_leaf(side->settings.backing, sizeof(side->settings.backing),
			 sample->vmm_start.backing_bytes);
		STRING_COPY(side->settings.workload, sample->vmm_start.workload_name);
		return 0;
	case SAMPLE_END:
		reading->has_end = true;
		side->lost = sample__lost(&sample->end);
		return 0;
	default:
		return 0;
	}
}

static int load_recording(struct sides *sides, const char *name, const char *path, const char *log)
{
	struct reading reading = { .side = add_side(sides, name) };
	struct recording_flaws flaws = { 0 };
	int err;

	if (!reading.side)
		return -ENOMEM;
	if (log)
		recording__read(log, take_sample, &reading, &flaws);
	/* Its syncs are the VMM's; only settings are asked of it. */
	reading.has_header = reading.has_end = false;
	err = recording__read(path, take_sample, &reading, &flaws);
	path = recording__label(path);
	if (err && err != -EINVAL) {
		log__error("diff: cannot read %s (%s)", path, strerror(-err));
		return err;
	}
	if (!reading.has_header) {
		if (!err)
			log__error("diff: %s is neither a recording (it has no header line) nor a report",
				   path);
		return -EINVAL;
	}
	reading.side->damaged = err || !reading.has_end || recording__is_flawed(&flaws);
	if (err)
		log__warn("diff: what is before that is compared: %" PRIu64 " syncs of %s",
			  reading.side->syncs, path);
	else if (!reading.has_end)
		log__warn("diff: %s has no end, it was interrupted; what was lost is unknown", path);
	return 0;
}

static int load_folder(struct sides *sides, const char *path)
{
	_cleanup_free_ char *recording = NULL, *log = NULL;
	struct run named;
	struct stat info;

	recording__name_run(path, &named);
	if (asprintf(&recording, "%s/recording.jsonl", path) < 0 ||
	    asprintf(&log, "%s/vmm.jsonl", path) < 0)
		return -ENOMEM;
	return load_recording(sides, named.name, recording, stat(log, &info) ? NULL : log);
}

/* ---- reports ----------------------------------------------------------------------- */

static int add_report_sync(struct side *side, const json_t *object)
{
	struct run_sync sync;
	const char *bad;
	int err = json__read_record(object, &run_sync_table, &sync, &bad);
	const uint64_t values[MEASURES] = {
		[MEASURE_SYNC_NS] = sync.duration_ns, [MEASURE_DIRTY_BYTES] = sync.dirty_bytes,
		[MEASURE_SPLITS] = sync.splits, [MEASURE_TLB] = sync.tlb_invalidations,
	};

	return err ?: add_sync(side, 0, values);
}

static void take_result(struct side *side, const struct run_result *r)
{
	struct side_settings *s = &side->settings;

	STRING_COPY(s->kernel_release, r->kernel_release);
	STRING_COPY(s->host_machine, r->host_machine);
	STRING_COPY(s->time_basis, r->time_basis);
	if (r->kernel_patched != TRI_UNKNOWN)
		STRING_COPY(s->kernel_patched, r->kernel_patched ? "yes" : "no");
	STRING_COPY(s->tracker, r->path);
	put_leaf(s->leaf, sizeof(s->leaf), r->granularity_bytes);
	STRING_COPY(s->split_mode, r->split_mode);
	put_leaf(s->backing, sizeof(s->backing), r->backing_bytes);
	STRING_COPY(s->workload, r->workload_name);
	side->lost = r->events_lost;
}

static int load_run(struct sides *sides, const char *path, const json_t *object)
{
	struct run_result result;
	struct side *side;
	const char *bad = "?";
	size_t i;
	json_t *sync;
	int err = json__read_record(object, &run_table, &result, &bad);

	if (err) {
		log__error("diff: %s: \"%s\" of a run has a value of the wrong type", path, bad);
		return err;
	}
	side = add_side(sides, result.name);
	if (!side)
		return -ENOMEM;
	take_result(side, &result);
	json_array_foreach(json_object_get(object, "syncs"), i, sync) {
		err = add_report_sync(side, sync);
		if (err == -EINVAL) {
			log__warn("diff: %s: sync %zu of %s is damaged and left out", path, i + 1,
				  side->name);
			side->damaged = true;
		} else if (err) {
			return err;
		}
	}
	return 0;
}

static int load_report(struct sides *sides, const char *path, const json_t *document)
{
	size_t i;
	json_t *run;
	int err = 0;

	json_array_foreach(json_object_get(document, "runs"), i, run) {
		err = load_run(sides, path, run);
		if (err)
			return err;
	}
	if (i)
		return 0;
	log__error("diff: %s is a report without runs", path);
	return -EINVAL;
}

/*
 * A report is one document over many lines, and says so in the first of them. What can be read only once is
 * taken for a recording.
 */
static bool is_report(const char *path)
{
	_cleanup_fclose_ FILE *file = NULL;
	char start[512] = "";
	const char *schema;
	struct stat info;

	if (!strcmp(path, "-") || stat(path, &info) || !S_ISREG(info.st_mode))
		return false;
	file = fopen(path, "re");
	if (!file || !fread(start, 1, sizeof(start) - 1, file))
		return false;
	schema = strstr(start, "\"schema\"");
	return schema && strstr(schema, "\"hwdbm.report/");
}

static int load_file(struct sides *sides, const char *path)
{
	_cleanup_json_ json_t *document = NULL;
	json_error_t error;
	const char *schema;

	if (!is_report(path))
		return load_recording(sides, recording__label(path), path, NULL);
	document = json_load_file(path, 0, &error);
	if (!document) {
		log__error("diff: %s:%d: damaged report (%s)", path, error.line, error.text);
		return -EINVAL;
	}
	schema = json_string_value(json_object_get(document, "schema"));
	if (schema && !strcmp(schema, REPORT_SCHEMA))
		return load_report(sides, path, document);
	log__error("diff: %s: schema \"%s\", this hwdbm reads \"%s\"", path, schema ? schema : "",
		   REPORT_SCHEMA);
	return -EINVAL;
}

int sides__load(struct sides *sides, const char *path)
{
	size_t first = sides->count;
	int err = recording__is_folder(path) ? load_folder(sides, path) : load_file(sides, path);

	if (err == -ENOMEM)
		log__error("diff: cannot read %s (%s)", path, strerror(ENOMEM));
	for (size_t i = first; i < sides->count; i++)
		for (int m = 0; m < MEASURES; m++)
			measured__sort(&sides->at[i].measured[m]);
	return err;
}
