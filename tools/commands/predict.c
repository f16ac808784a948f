// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm predict: will a migration converge and how long is the guest gone, from recordings.
 * Not here: the model (tools/model/predict.h), what a recording tells (history.h).
 */
#include "commands.h"
#include "load.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../model/forecast.h"
#include "../model/last_copy.h"
#include "../model/whatif.h"
#include "../output/prediction.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9

/* QEMU's default (migration/options.c, DEFAULT_MIGRATE_SET_DOWNTIME). */
#define DOWNTIME_LIMIT_NS UINT64_C(300000000)

/* No VMM stops its vCPUs in no time; a few milliseconds are usual. */
#define STOP_S 0.005

#define VMS_MAX 100000

struct predict_options {
	const char *input;
	const char *mode;
	const char *rule;
	uint64_t pid;
	uint64_t bandwidth;
	uint64_t last_bandwidth;
	struct option_texts last_copies;
	uint64_t downtime_ns;
	uint64_t granularity;
	uint64_t backing;
	uint64_t size;
	uint64_t left;
	uint64_t device;
	uint64_t load_ns;
	struct option_texts stops;
	uint64_t iterations;
	uint64_t vms;
	bool scale;
	bool verbose;
	bool json;
};

static const struct option_spec option_table[] = {
	{ "input", 'i', OPTION_TEXT, offsetof(struct predict_options, input), "FILE",
	  "a recording (- is stdin); more may follow as operands" },
	{ "bandwidth", 'b', OPTION_SIZE, offsetof(struct predict_options, bandwidth), "BYTES",
	  "of the transfer, per second: 1.2G, 25Gbit" },
	{ "downtime-limit", 'l', OPTION_SECONDS, offsetof(struct predict_options, downtime_ns),
	  "TIME", "what is left must fit into this (300ms)" },
	{ "granularity", 'g', OPTION_SIZE, offsetof(struct predict_options, granularity), "BYTES",
	  "leaf size of dirty tracking: 4K, 64K, 2M or 1G (as recorded)" },
	{ "mode", 'm', OPTION_TEXT, offsetof(struct predict_options, mode), "MODE",
	  "off, eager or lazy: whether and when blocks are split (as recorded, or off)" },
	{ "backing", 0, OPTION_SIZE, offsetof(struct predict_options, backing), "BYTES",
	  "block size before they are split; lazy needs it" },
	{ "size", 's', OPTION_SIZE, offsetof(struct predict_options, size), "BYTES",
	  "memory of the VM (as recorded)" },
	{ "left", 0, OPTION_SIZE, offsetof(struct predict_options, left), "BYTES",
	  "of a migration under way: memory still to send, instead of all" },
	{ "device-state", 0, OPTION_BYTES, offsetof(struct predict_options, device), "BYTES",
	  "state that devices send with the VM stopped (0)" },
	{ "load-delay", 0, OPTION_SECONDS, offsetof(struct predict_options, load_ns), "TIME",
	  "from the last byte to the VM running (0)" },
	{ "stop-delay", 0, OPTION_TEXTS, offsetof(struct predict_options, stops), "TIME",
	  "from the decision to the VM standing still; once for each measured one (5ms)" },
	{ "switchover-bandwidth", 0, OPTION_SIZE,
	  offsetof(struct predict_options, last_bandwidth), "BYTES",
	  "of the transfer with the VM stopped, if that differs" },
	{ "last-copy", 0, OPTION_TEXTS, offsetof(struct predict_options, last_copies),
	  "BYTES/TIME",
	  "in place of these three: what was sent in a real blackout, and how long it was: 50M/24ms; once for each" },
	{ "rule", 0, OPTION_TEXT, offsetof(struct predict_options, rule), "RULE",
	  "qemu, or passes: each pass is sent whole (qemu)" },
	{ "max-iterations", 0, OPTION_U64, offsetof(struct predict_options, iterations), "N",
	  "it does not converge if that takes more (30)" },
	{ "pid", 'p', OPTION_PID, offsetof(struct predict_options, pid), "PID",
	  "the VMM, if recordings have several" },
	{ "scale", 0, OPTION_FLAG, offsetof(struct predict_options, scale), NULL,
	  "let the load grow with --size: as many times more is written" },
	{ "vms", 0, OPTION_U64, offsetof(struct predict_options, vms), "N",
	  "drain a host of so many such VMs in waves that share the bandwidth" },
	{ "verbose", 'v', OPTION_FLAG, offsetof(struct predict_options, verbose), NULL,
	  "say what the bound on the blackout is made of, and what makes it wide" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct predict_options, json), NULL,
	  "one JSON document, with sizes in bytes and times in nanoseconds" },
};

static const struct command_spec spec = {
	.name = "predict",
	.usage = "[OPTIONS] RECORDING...",
	.summary = "Predicts a migration from recordings of the same VM (by record or dirtysync -o, or the\n"
		   "folder of a test-bed run): whether it converges, and how long the VM stands still, as\n"
		   "the likely time and as a bound that holds with 95 %.",
	.notes = "Each pre-copy iteration of a recording is a point of the working-set curve, bytes\n"
		 "written as a function of time; the migration is played through 400 times on curves that\n"
		 "fit the points. Times that no iteration came near are bounds, not guesses: where they\n"
		 "decide, the answer is \"cannot be told\". The best recording is of an earlier migration of\n"
		 "the same load with another bandwidth, or of several. How long VMs really stood still\n"
		 "here, whatever they ran, goes into --last-copy, the more the better: a line is fitted to\n"
		 "these, and what single ones differ from it widens the bound.\n"
		 "Everything assumed is printed, and so is what is not known.\n\n"
		 "Requirements: none; recordings of any host will do.\n"
		 "Exit status: 0; 1 if there is nothing to predict from; 2 for bad options; 3 if a\n"
		 "recording is damaged or cut off: what is good of it was used.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

struct predict {
	struct predict_options options;
	struct last_copy last;		/* of as many as were measured */
	double *stops;			/* seconds */
	struct history history;
	struct prediction_document document;
	struct forecast forecast;
	struct load load;
};

/* ---- recordings -------------------------------------------------------------------- */

static int take_sample(void *context, enum sample_kind kind, union sample *sample)
{
	struct predict *p = context;

	return history__add(&p->history, kind, sample);
}

static int load(struct predict *p, const char *path)
{
	return load__recording(&p->load, path) ?: history__end(&p->history);
}

/* ---- settings ---------------------------------------------------------------------- */

static const char *unit_name(unsigned int unit, char text[UNITS_TEXT])
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;

	if (unit == FORECAST_AS_RECORDED)
		return strcpy(text, "as recorded");
	return units__leaf(UINT64_C(1) << shifts[unit], text);
}

/* What the recording's VMM was told counts where nothing else was said. */
static void take_defaults(struct predict *p)
{
	struct predict_options *o = &p->options;
	const struct vmm_start_sample *vmm = &p->history.vmm_start;

	if (!o->bandwidth && vmm->bandwidth_bytes_per_second != UNKNOWN)
		o->bandwidth = vmm->bandwidth_bytes_per_second;
	if (o->downtime_ns == UNKNOWN)
		o->downtime_ns = vmm->downtime_limit_ns == UNKNOWN ? DOWNTIME_LIMIT_NS :
								      vmm->downtime_limit_ns;
	if (!o->last_bandwidth)
		o->last_bandwidth = o->bandwidth;
	if (!o->size)
		o->size = vmm->memory_bytes != UNKNOWN ? vmm->memory_bytes :
							  history__memory(&p->history);
	/* A lazy run reports blocks of several sizes: not what this mode would. */
	if (!o->mode)
		o->mode = strcmp(p->history.split_mode, "eager") ? "off" : "eager";
	if (!o->granularity && !o->backing && p->history.granularity_bytes != UNKNOWN &&
	    whatif__unit(p->history.granularity_bytes) < UNIT_SIZES)
		o->granularity = p->history.granularity_bytes;
}

static bool is_lazy(const struct predict_options *o)
{
	return !strcmp(o->mode, "lazy");
}

/* From the granularity up to the backing, as page tables have it: 4K, 2M, 1G. */
static int choose_levels(struct predict *p)
{
	const struct predict_options *o = &p->options;
	uint64_t size = strcmp(o->mode, "off") || !o->backing ? o->granularity : o->backing;

	p->forecast.units[0] = size ? whatif__unit(size) : FORECAST_AS_RECORDED;
	p->forecast.levels = 1;
	if (!is_lazy(o))
		return 0;
	for (size <<= 9; size <= o->backing && p->forecast.levels < PRECOPY_LEVELS; size <<= 9)
		p->forecast.units[p->forecast.levels++] = whatif__unit(size);
	if (p->forecast.levels > 1 && size >> 9 == o->backing)
		return 0;
	log__error("predict: lazily split are 2M blocks to 4K, 1G blocks to 2M or to 4K; give such --backing and --granularity");
	return -EINVAL;
}

/* "BYTES/TIME" */
static int read_last_copy(const char *text, struct last_copy_point *point)
{
	const char *slash = strchr(text, '/');
	uint64_t bytes, ns;
	char first[32];

	if (!slash || (size_t)(slash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(slash - text));
	first[slash - text] = '\0';
	if (options__bytes(first, &bytes) || options__seconds(slash + 1, &ns) || !bytes || !ns)
		return -EINVAL;
	*point = (struct last_copy_point){ (double)bytes, (double)ns / NS_PER_SECOND };
	return 0;
}

static int take_last_copies(struct predict *p)
{
	const struct option_texts *texts = &p->options.last_copies;
	_cleanup_free_ struct last_copy_point *points = calloc(texts->count ?: 1, sizeof(*points));

	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < texts->count; i++)
		if (read_last_copy(texts->at[i], &points[i])) {
			log__error("predict: --last-copy \"%s\": give what was sent and how long the VM stood still, such as 50M/24ms",
				   texts->at[i]);
			return -EINVAL;
		}
	return texts->count ? last_copy__fit(&p->last, points, texts->count) : 0;
}

static int take_stops(struct predict *p)
{
	const struct option_texts *texts = &p->options.stops;

	p->stops = calloc(texts->count ?: 1, sizeof(*p->stops));
	if (!p->stops)
		return -ENOMEM;
	for (size_t i = 0; i < texts->count; i++) {
		uint64_t ns;

		if (options__seconds(texts->at[i], &ns)) {
			log__error("predict: --stop-delay \"%s\": give seconds, or a number with ns, us, ms, s, m or h",
				   texts->at[i]);
			return -EINVAL;
		}
		p->stops[i] = (double)ns / NS_PER_SECOND;
	}
	return 0;
}

static int check_options(const struct predict_options *o)
{
	char text[UNITS_TEXT];

	if (o->granularity && whatif__unit(o->granularity) == UNIT_SIZES)
		log__error("predict: --granularity %s: recordings tell about 4K, 64K, 2M and 1G",
			   units__bytes(o->granularity, text));
	else if (o->backing && whatif__unit(o->backing) == UNIT_SIZES)
		log__error("predict: --backing %s: blocks are of 4K, 64K, 2M or 1G",
			   units__bytes(o->backing, text));
	else if (o->mode && strcmp(o->mode, "off") && strcmp(o->mode, "eager") && !is_lazy(o))
		log__error("predict: --mode %s: it is off, eager or lazy", o->mode);
	else if (strcmp(o->rule, "qemu") && strcmp(o->rule, "passes"))
		log__error("predict: --rule %s: it is qemu or passes", o->rule);
	else if (o->last_copies.count && (o->last_bandwidth || o->stops.count || o->load_ns))
		log__error("predict: --last-copy tells all of a blackout: --switchover-bandwidth, --stop-delay and --load-delay are in it");
	else if (!o->iterations || o->iterations > PRECOPY_ITERATIONS_MOST)
		log__error("predict: --max-iterations %" PRIu64 ": give 1 to %d", o->iterations, PRECOPY_ITERATIONS_MOST);
	else if (!o->downtime_ns)
		log__error("predict: --downtime-limit 0: nothing can be sent in no time");
	else if (!o->vms)
		log__error("predict: --vms 0: a host without VMs is drained; give 1 or more");
	else if (o->vms != UNKNOWN && o->vms > VMS_MAX)
		log__error("predict: --vms %" PRIu64 ": no host has more than %d", o->vms, VMS_MAX);
	else
		return 0;
	return -EINVAL;
}

/* ---- prices ------------------------------------------------------------------------ */

static double sync_seconds(struct predict *p)
{
	double memory = (double)history__memory(&p->history), ns = 0;
	char text[UNITS_TEXT];

	for (size_t i = 0; i < p->history.count; i++) {
		uint64_t one = forecast__sync_ns(&p->history.sources[i]);

		if (one == UNKNOWN)
			prediction__note(&p->document.unknown, "how long syncs of %s take: counted as 0",
					 p->history.sources[i].source);
		else
			ns += (double)one;
	}
	if (memory > 0)
		ns *= (double)p->options.size / memory;
	prediction__note(&p->document.from, "syncs that take %s for all memory, at the granularity recorded",
			 units__duration((uint64_t)ns, text));
	return ns / NS_PER_SECOND;
}

/* Eager splitting goes through all blocks before tracking is on. */
static double start_seconds(struct predict *p)
{
	const struct predict_options *o = &p->options;
	uint64_t block = o->backing, ns;

	if (strcmp(o->mode, "eager"))
		return 0;
	ns = block > o->granularity ? forecast__split_ns(&p->history, block) : 0;
	if (!block || ns == UNKNOWN) {
		prediction__note(&p->document.unknown,
				 "how long it takes to split all blocks at the start%s: counted as 0",
				 block ? "" : " (--backing)");
		return 0;
	}
	return (double)ns * (double)(o->size / block) / NS_PER_SECOND;
}

/* One level of tables: 512 leaves for one. */
static void put_break_even(struct predict *p)
{
	const uint64_t blocks[] = { UINT64_C(2) << 20, UINT64_C(1) << 30 };
	const struct history_cost *leaves = &p->history.leaves;
	char leaf[UNITS_TEXT], finer[UNITS_TEXT], rate[UNITS_TEXT];

	for (size_t i = 0; i < 2; i++) {
		struct whatif_costs costs = {
			.split_ns = forecast__split_ns(&p->history, blocks[i]),
			.sync_ns = leaves->count ? 511 * leaves->ns / leaves->count : UNKNOWN,
		};
		double share = whatif__break_even(blocks[i], &costs, (double)p->options.bandwidth,
						  p->document.prediction.iterations);

		units__leaf(blocks[i], leaf);
		units__leaf(blocks[i] >> 9, finer);
		if (share >= 0)
			prediction__note(&p->document.from,
					 "splitting a %s block to %s pays while less than %.2f %% of it is dirty in an iteration, at %s/s and by the recorded cost of splits and of leaves in syncs",
					 leaf, finer, 100 * share,
					 units__bytes(p->options.bandwidth, rate));
		else if (share < 0)
			prediction__note(&p->document.from,
					 "splitting a %s block to %s never pays at %s/s, by its recorded cost",
					 leaf, finer, units__bytes(p->options.bandwidth, rate));
	}
	if (!leaves->count || (!p->history.splits[9].count && !p->history.splits[18].count))
		prediction__note(&p->document.unknown,
				 "from which density on splitting a block pays: the recording has no splits, or no walk times");
}

/* ---- the prediction ---------------------------------------------------------------- */

static struct precopy_setup make_setup(struct predict *p)
{
	const struct predict_options *o = &p->options;
	bool measured = o->last_copies.count > 0;

	return (struct precopy_setup){
		.memory_bytes = (double)o->size,
		.pending_bytes = (double)(o->left ? o->left : o->size),
		.pending_s = o->left ? forecast__last_interval(&p->history) : 0,
		.bandwidth = (double)o->bandwidth,
		.last_bandwidth = measured ? 1 / p->last.byte_s : (double)o->last_bandwidth,
		.last_measured = measured, .last_fixed_s = p->last.fixed_s,
		.last_spread = p->last.spread, .last_freedom = p->last.freedom,
		.downtime_limit_s = (double)o->downtime_ns / NS_PER_SECOND,
		.device_bytes = (double)o->device, .load_s = (double)o->load_ns / NS_PER_SECOND,
		.stop_s = STOP_S, .stops = p->stops, .stop_count = o->stops.count,
		.slice_s = strcmp(o->rule, "qemu") ? 0 : PRECOPY_QEMU_SLICE_S,
		.sync_s = sync_seconds(p), .start_s = start_seconds(p), .levels = p->forecast.levels,
		.most_iterations = (unsigned int)o->iterations,
	};
}

/* ---- other granularities ----------------------------------------------------------- */

static int add_row(struct predict *p, const struct precopy_setup *asked, unsigned int unit)
{
	static const unsigned int shifts[UNIT_SIZES] = UNIT_SIZE_SHIFTS;
	const struct forecast *f = &p->forecast;
	struct forecast all = { f->history, f->memory_bytes, { unit }, 1 };
	struct whatif_row *row = &p->document.rows[p->document.row_count];
	struct precopy_setup setup = *asked;
	struct prediction prediction;
	struct forecast_dirty dirty;
	int err = forecast__dirty(&p->history, unit, &dirty);

	if (err || !dirty.count)
		return err;
	setup.levels = 1;
	setup.start_s = 0;
	err = forecast__run(&all, &setup, UNKNOWN, &prediction);
	if (err)
		return err == -EINVAL ? 0 : err;
	field__clear(&whatif_row_table, row);
	row->granularity_bytes = UINT64_C(1) << shifts[unit];
	row->asked_for = f->levels == 1 && f->units[0] == unit ? TRI_TRUE : TRI_FALSE;
	row->syncs = dirty.count;
	row->dirty_p50_bytes = dirty.median;
	row->dirty_max_bytes = dirty.most;
	strcpy(row->verdict, prediction.verdict);
	row->iterations = prediction.iterations;
	row->total_ns = prediction.total_ns;
	row->blackout_ns = prediction.blackout_ns;
	row->blackout_bound_ns = prediction.blackout_bound_ns;
	p->document.row_count++;
	return 0;
}

/* ---- what no test machine holds ----------------------------------------------------- */

/* As if each part of the larger memory were written as the recorded one was. */
static void scale_load(struct predict *p)
{
	double factor = (double)p->options.size / (double)history__memory(&p->history);

	for (size_t i = 0; i < p->history.count; i++)
		for (size_t k = 0; k < p->history.sources[i].count; k++) {
			struct history_point *point = &p->history.sources[i].points[k];

			if (point->reported_bytes != UNKNOWN)
				point->reported_bytes = (uint64_t)((double)point->reported_bytes * factor);
			for (int u = 0; u < UNIT_SIZES; u++)
				if (point->bytes[u] != UNKNOWN)
					point->bytes[u] = (uint64_t)((double)point->bytes[u] * factor);
		}
}

static int add_drain_row(struct predict *p, const struct precopy_setup *asked, uint64_t at_once)
{
	struct drain_row *row = &p->document.drain[p->document.drain_count];
	struct precopy_setup setup = *asked;
	struct prediction prediction;
	int err;

	setup.bandwidth /= (double)at_once;
	setup.last_bandwidth /= (double)at_once;
	err = forecast__run(&p->forecast, &setup, UNKNOWN, &prediction);
	if (err)
		return err;
	field__clear(&drain_row_table, row);
	row->at_once = at_once;
	row->waves = (p->options.vms + at_once - 1) / at_once;
	row->bandwidth_bytes_per_second = p->options.bandwidth / at_once;
	strcpy(row->verdict, prediction.verdict);
	row->iterations = prediction.iterations;
	row->blackout_ns = prediction.blackout_ns;
	row->blackout_bound_ns = prediction.blackout_bound_ns;
	row->total_ns = prediction.total_ns;
	if (prediction.total_ns != UNKNOWN && prediction.converges != TRI_FALSE)
		row->drain_ns = row->waves * prediction.total_ns;
	if (prediction.total_bound_ns != UNKNOWN && prediction.converges == TRI_TRUE)
		row->drain_bound_ns = row->waves * prediction.total_bound_ns;
	p->document.drain_count++;
	return 0;
}

/* One at a time, two, four ..., and all together. */
static int add_drain(struct predict *p, const struct precopy_setup *setup)
{
	uint64_t vms = p->options.vms == UNKNOWN ? 0 : p->options.vms;
	int err = 0;

	p->document.vms = vms;
	for (uint64_t at_once = 1; !err && at_once < vms && p->document.drain_count < DRAIN_ROWS - 1; at_once *= 2)
		err = add_drain_row(p, setup, at_once);
	return vms && !err ? add_drain_row(p, setup, vms) : err;
}

/* ---- what to say of it ------------------------------------------------------------- */

static void put_source(struct predict *p, const struct history_source *source)
{
	uint64_t shortest = UNKNOWN, longest = 0;
	char from[UNITS_TEXT], to[UNITS_TEXT], size[UNITS_TEXT];

	for (size_t i = 0; i < source->count; i++) {
		uint64_t ns = source->points[i].interval_ns;

		shortest = ns < shortest ? ns : shortest;
		longest = ns > longest ? ns : longest;
	}
	prediction__note(&p->document.from, "%zu iterations of %s by process %" PRIu64 " over %s, %s to %s apart",
			 source->count, source->source, source->pid,
			 units__bytes(source->length_bytes, size), units__duration(shortest, from),
			 units__duration(longest, to));
}

static void put_gaps(struct predict *p)
{
	const struct history *h = &p->history;
	const struct {
		uint64_t count;
		const char *text;
	} gaps[] = {
		{ h->no_interval, "iterations left out: since when their dirty bytes were written was not seen" },
		{ h->all_set, "first iterations left out: the log began with all pages set" },
		{ h->backwards, "iterations left out: their clock goes backwards" },
		{ h->failed, "iterations left out: a sync in them failed" },
		{ h->kept, "syncs left out: they cleared nothing" },
		{ h->contradictory, "syncs whose dirty bytes at different sizes contradict each other: taken as unknown" },
		{ h->others, "other VMs or processes in the recordings left out (see -p)" },
		{ h->lost, "events lost by the recorder: what they would have told is missing" },
	};

	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		if (gaps[i].count)
			prediction__note(&p->document.unknown, "%" PRIu64 " %s", gaps[i].count,
					 gaps[i].text);
	if (!h->lost_known)
		prediction__note(&p->document.unknown, "what the recorder lost: the recording has no end");
}

static void put_measured_assumptions(struct predict *p)
{
	const struct last_copy *last = &p->last;
	struct prediction_notes *n = &p->document.assumed;
	char a[UNITS_TEXT], b[UNITS_TEXT];

	prediction__note(n, "a blackout lasts %s, and as long as %s/s take for what is left, by %zu that were measured",
			 units__duration((uint64_t)(last->fixed_s * NS_PER_SECOND), a),
			 units__bytes((uint64_t)(1 / last->byte_s), b), p->options.last_copies.count);
	prediction__note(n, "one blackout differs from the next by a factor of %.2f (standard deviation)",
			 exp(last->spread));
	if (!last->line)
		prediction__note(&p->document.unknown,
				 "what of a blackout is there whatever is sent: taken as 0 (--last-copy, three or more, the largest twice the smallest)");
}

static void put_blackout_assumptions(struct predict *p)
{
	const struct predict_options *o = &p->options;
	struct prediction_notes *n = &p->document.assumed;
	char a[UNITS_TEXT], b[UNITS_TEXT], c[UNITS_TEXT];

	if (o->last_copies.count) {
		put_measured_assumptions(p);
		prediction__note(n, "%s of device state", units__bytes(o->device, a));
		return;
	}
	prediction__note(n, "with the VM stopped, %s/s; %s of device state and %s to load it",
			 units__bytes(o->last_bandwidth, a), units__bytes(o->device, b),
			 units__duration(o->load_ns, c));
	if (o->stops.count > 1)
		prediction__note(n, "to stop the VM takes as long as one of the %zu times that were measured", o->stops.count);
	else
		prediction__note(n, "%s to stop the VM",
				 units__duration((uint64_t)((o->stops.count ? p->stops[0] : STOP_S) * NS_PER_SECOND), a));
}

static void put_assumptions(struct predict *p)
{
	const struct predict_options *o = &p->options;
	struct prediction_notes *n = &p->document.assumed;
	char a[UNITS_TEXT], b[UNITS_TEXT];

	prediction__note(n, "the load stays as recorded");
	prediction__note(n, "%s of memory, sent at %s/s", units__bytes(o->size, a),
			 units__bytes(o->bandwidth, b));
	put_blackout_assumptions(p);
	if (o->left)
		prediction__note(n, "%s are left to send now; times and bytes count from now",
				 units__bytes(o->left, a));
	prediction__note(n, "downtime limit %s; at most %" PRIu64 " iterations",
			 units__duration(o->downtime_ns, a), o->iterations);
	prediction__note(n, "dirty memory is tracked %s%s; splitting of blocks: %s",
			 p->forecast.units[0] == FORECAST_AS_RECORDED ? "" : "at ", unit_name(p->forecast.units[0], a),
			 o->mode);
	prediction__note(n, !strcmp(o->rule, "qemu") ?
			    "the VM is stopped by QEMU's rule (migration_iteration_run() in migration/migration.c): what is left, and what a sync finds then, is no more than bandwidth x limit; it looks every 100 ms" :
			    "the VM is stopped once a pass that was sent whole leaves no more dirty than bandwidth x limit");
	prediction__note(n, "every page is sent whole: zero pages and compression would send less");
	if (p->history.count > 1)
		prediction__note(n, "no page is written by two sources: their dirty bytes add up");
	if (p->history.count && o->size != history__memory(&p->history))
		prediction__note(n, o->scale ? "each part of it is written as the recorded %s was: all dirty bytes are multiplied by %.4g" :
					       "as much is written as in the recorded %s",
				 units__bytes(history__memory(&p->history), a),
				 (double)o->size / (double)history__memory(&p->history));
	if (o->vms != UNKNOWN)
		prediction__note(n, "all %" PRIu64 " VMs are like this one; those of a wave share the bandwidth evenly, also while they stand still, and the next wave begins when the last of them is done",
				 o->vms);
}

static void put_price_gaps(struct predict *p)
{
	const struct predict_options *o = &p->options;

	if (history__may_lack(&p->history))
		prediction__note(&p->document.unknown, HISTORY_MAY_LACK);
	if (o->granularity && p->history.granularity_bytes != UNKNOWN &&
	    o->granularity != p->history.granularity_bytes)
		prediction__note(&p->document.unknown,
				 "how long syncs take at another granularity than recorded: taken as equal");
	if (!p->last.freedom)
		prediction__note(&p->document.unknown,
				 "how much the rate with the VM stopped differs from run to run: taken as up to 2 %% less (--last-copy, for each measured one)");
	if (!o->device)
		prediction__note(&p->document.unknown,
				 "the size of the devices' state: taken as 0 (--device-state)");
	if (!o->load_ns && !o->last_copies.count)
		prediction__note(&p->document.unknown,
				 "the time to load state and start at the destination: taken as 0 (--load-delay)");
}

static int explain_no_points(const struct predict *p)
{
	char text[UNITS_TEXT];

	for (size_t i = 0; i < p->history.count; i++)
		if (p->history.sources[i].count) {
			log__error("predict: no iteration tells what was dirty at %s; record with leaves no larger than that, and have every bitmap counted (hwdbm dirtysync --count-every 1 -o FILE)",
				   unit_name(p->forecast.units[p->forecast.levels - 1], text));
			return -EINVAL;
		}
	log__error("predict: no iteration in there tells how much was written in which time%s",
		   p->history.no_interval ? ": only one was seen, and not when it began" : "");
	return -EINVAL;
}

static int make_document(struct predict *p)
{
	struct precopy_setup setup;
	int err;

	for (size_t i = 0; i < p->history.count; i++)
		if (p->history.sources[i].count)
			put_source(p, &p->history.sources[i]);
	p->forecast.history = &p->history;
	p->forecast.memory_bytes = (double)p->options.size;
	setup = make_setup(p);
	err = forecast__run(&p->forecast, &setup, UNKNOWN, &p->document.prediction);
	if (err == -EINVAL)
		return explain_no_points(p);
	field__clear(&prediction_makeup_table, &p->document.makeup);
	if (!err && p->options.verbose)
		err = forecast__makeup(&p->forecast, &setup, &p->document.makeup);
	p->document.known_from = UNKNOWN;
	if (!err && !p->options.left && p->history.recordings == 1)
		err = forecast__known_from(&p->forecast, &setup, &p->document.prediction,
					   &p->document.known_from);
	for (unsigned int unit = 0; !err && unit < UNIT_SIZES; unit++)
		err = add_row(p, &setup, unit);
	if (!err)
		err = add_drain(p, &setup);
	put_assumptions(p);
	put_gaps(p);
	put_price_gaps(p);
	put_break_even(p);
	p->document.emulated = !strcmp(p->history.time_basis, "emulated");
	return err;
}

static int predict(struct predict *p, int count, char **paths)
{
	int err = 0;

	p->history.wanted_pid = p->options.pid;
	if (p->options.input)
		err = load(p, p->options.input);
	for (int i = 0; !err && i < count; i++)
		err = load(p, paths[i]);
	if (err)
		return err;
	take_defaults(p);
	if (!p->options.bandwidth) {
		log__error("predict: how fast is the transfer? give --bandwidth, such as 1.2G or 10Gbit");
		return -EINVAL;
	}
	if (!p->options.size || !p->history.count)
		return explain_no_points(p);
	if (p->options.left > p->options.size) {
		log__error("predict: --left %" PRIu64 ": the VM has no more memory than %" PRIu64,
			   p->options.left, p->options.size);
		return -EINVAL;
	}
	if (p->options.scale)
		scale_load(p);
	err = choose_levels(p);
	err = err ?: make_document(p);
	if (err)
		return err;
	errno = 0;
	err = p->options.json ? prediction__json(stdout, &p->document) :
				prediction__text(stdout, &p->document);
	if (err)
		log__error("predict: cannot write the prediction (%s)",
			   strerror(err == -EIO && errno ? errno : -err));
	return err;
}

/* Return: exit status */
static int run(struct predict *p, int count, char **paths)
{
	int err;

	if (check_options(&p->options) || take_last_copies(p) || take_stops(p))
		return COMMAND_USAGE;
	if (!count && !p->options.input) {
		log__error("predict: from which recordings? see hwdbm predict --help");
		return COMMAND_USAGE;
	}
	history__init(&p->history);
	err = predict(p, count, paths);
	history__release(&p->history);
	if (err)
		return COMMAND_FAILED;
	return p->load.unsound ? COMMAND_UNSOUND : COMMAND_OK;
}

int predict__main(int argc, char **argv)
{
	struct predict p = {
		.options = { .rule = "qemu", .downtime_ns = UNKNOWN, .vms = UNKNOWN,
			     .iterations = 30 },
		.load = { .command = "predict", .handler = take_sample, .context = &p,
			  .wants_settings = true, .syncs = &p.history.rows.syncs },
	};
	int first = options__parse(&spec, &p.options, argc, argv);
	int status = first == -ECANCELED ? COMMAND_OK :
		     first < 0 ? COMMAND_USAGE : run(&p, argc - first, argv + first);

	free(p.stops);
	free(p.options.stops.at);
	free(p.options.last_copies.at);
	return status;
}
