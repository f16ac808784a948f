// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many migrations and what they have in common. Not here: one migration (precopy.c).
 */
#include "predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define F(member, ...) FIELD(prediction, member, #member, __VA_ARGS__)

static const struct field fields[] = {
	F(verdict, "verdict", FIELD_TEXT, UNIT_NONE,
	  "converges, does not converge, or cannot be told"),
	F(converges, NULL, FIELD_BOOL, UNIT_NONE, "the same; null if it cannot be told"),
	F(converged_share, NULL, FIELD_RATIO, UNIT_RATIO, "share of the trials that converged"),
	F(trials, NULL, FIELD_U64, UNIT_COUNT, "migrations played through"),
	F(iterations, "iterations", FIELD_U64, UNIT_COUNT,
	  "syncs until the VM is stopped, median of the trials that converge"),
	F(iterations_bound, NULL, FIELD_U64, UNIT_COUNT, "no more than this with 95 %"),
	F(sent_bytes, "sent", FIELD_U64, UNIT_BYTES, "bytes sent in all"),
	F(sent_bytes_bound, NULL, FIELD_U64, UNIT_BYTES, "no more than this with 95 %"),
	F(total_ns, "time", FIELD_U64, UNIT_NS, "from the start until the VM runs again"),
	F(total_bound_ns, NULL, FIELD_U64, UNIT_NS, "no more than this with 95 %"),
	F(left_bytes, NULL, FIELD_U64, UNIT_BYTES, "memory sent with the VM stopped"),
	F(blackout_ns, "blackout", FIELD_U64, UNIT_NS, "time for which the VM stands still"),
	F(blackout_bound_ns, "at most (95 %)", FIELD_U64, UNIT_NS, "no more than this with 95 %"),
	F(threshold_bytes, NULL, FIELD_U64, UNIT_BYTES,
	  "bandwidth x downtime limit: the VM is stopped once no more is left"),
	F(forced_blackout_ns, NULL, FIELD_U64, UNIT_NS,
	  "if it is stopped after the last iteration, converged or not; of all trials, at most with 95 %"),
};

const struct field_table prediction_table = FIELD_TABLE("prediction", prediction, fields);

#define M(member, ...) FIELD(prediction_makeup, member, #member, __VA_ARGS__)

static const struct field makeup_fields[] = {
	M(left_ns, NULL, FIELD_U64, UNIT_NS, "of the bound on the blackout: memory that is left"),
	M(device_ns, NULL, FIELD_U64, UNIT_NS, "the devices' state"),
	M(fixed_ns, NULL, FIELD_U64, UNIT_NS, "whatever is sent: to stop the VM, sync and load"),
	M(known_curve_ns, NULL, FIELD_U64, UNIT_NS, "the bound, were the working set just as the middle curve says"),
	M(known_syncs_ns, NULL, FIELD_U64, UNIT_NS, "the bound, did each sync find just what the curve says"),
	M(known_overlap_ns, NULL, FIELD_U64, UNIT_NS, "the bound, were it known how much of what is left is written again"),
	M(known_copy_ns, NULL, FIELD_U64, UNIT_NS, "the bound, did all last copies take as long as their middle one"),
	M(widest, NULL, FIELD_TEXT, UNIT_NONE, "which of these is least: curve, syncs, overlap or copy; limit: none, and no more may be left"),
};

const struct field_table prediction_makeup_table = FIELD_TABLE("prediction_makeup", prediction_makeup, makeup_fields);

/* The last copy may be slower than was said by up to this share. */
#define UNSTEADY 0.02

/*
 * The bound is a quantile far out, since trials do not know all that differs. Of what was
 * measured itself, 95 % is enough: so much less is it taken to differ, as normal quantiles have it.
 */
#define MEASURED (1.645 / 2.326)

/* What lowers the bound by less than this share widens it no more than the next seed does. */
#define COUNTS 0.05

/* Curves that are drawn once and used by many trials. */
#define CURVES 20

/* What trials differ in; one of them may be taken at its middle. */
enum open_end { CURVE, SYNCS, OVERLAP, COPY, OPEN_ENDS, NOTHING = OPEN_ENDS };

struct trial {
	enum open_end known;
	const struct predict_source *sources;
	size_t count;
	unsigned int levels;
	struct working_curve *curves;	/* [source][level] */
	struct working_guess guess;
	double off[PREDICT_SOURCES];	/* factor by which a source's curves are off */
	struct random random;
};

static double source_bytes(const struct trial *trial, size_t source, unsigned int level,
			   double seconds)
{
	const struct working_curve *curve = &trial->curves[source * trial->levels + level];
	double bytes = working_curve__bytes(curve, seconds, &trial->guess) * trial->off[source];

	return curve->most_bytes > 0 ? fmin(bytes, curve->most_bytes) : bytes;
}

static double dirty_bytes(void *context, unsigned int level, double seconds)
{
	const struct trial *trial = context;
	double bytes = 0;

	for (size_t i = 0; i < trial->count; i++)
		bytes += source_bytes(trial, i, level, seconds);
	return bytes;
}

/* Of several sources each has its own; weighed by what they write. */
static double noise(void *context, double seconds)
{
	struct trial *trial = context;
	double sum = 0, bytes = 0;

	for (size_t i = 0; i < trial->count; i++) {
		double part = source_bytes(trial, i, 0, seconds);

		bytes += part;
		sum += part * working_set__draw_error(trial->sources[i].levels[0], seconds,
						      &trial->random);
	}
	return bytes > 0 && trial->known != SYNCS ? sum / bytes : 1;
}

static void draw_guess(struct trial *trial)
{
	trial->guess.early = random__share(&trial->random);
	trial->guess.late = random__share(&trial->random);
	for (size_t i = 0; i < trial->count; i++)
		trial->off[i] = exp(trial->sources[i].levels[0]->spread *
				    random__normal(&trial->random));
	if (trial->known != CURVE)
		return;
	trial->guess = (struct working_guess){ 0.5, 0.5, 0.5 };
	for (size_t i = 0; i < trial->count; i++)
		trial->off[i] = 1;
}

static void draw_curves(struct trial *trial)
{
	for (size_t i = 0; i < trial->count; i++)
		for (unsigned int k = 0; k < trial->levels; k++) {
			struct working_curve *curve = &trial->curves[i * trial->levels + k];

			working_set__resample(trial->sources[i].levels[k], &trial->random,
					      &trial->guess, curve);
			if (trial->known == CURVE)
				*curve = trial->sources[i].levels[k]->curve;
		}
}

static int compare_doubles(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/* Sorts; the smallest that is at least that share. */
static double quantile(double *values, size_t count, double share)
{
	size_t rank = (size_t)ceil(share * (double)count);

	qsort(values, count, sizeof(*values), compare_doubles);
	return values[rank ? rank - 1 : 0];
}

static uint64_t whole(double value)
{
	return value < 0x1p63 ? (uint64_t)llround(value) : UNKNOWN;
}

struct measure {
	double (*of)(const struct precopy_outcome *outcome);
	double unit;
	size_t middle, bound;		/* places in struct prediction; SIZE_MAX: none */
};

static double iterations_of(const struct precopy_outcome *o)
{
	return o->iterations;
}

static double sent_of(const struct precopy_outcome *o)
{
	return o->sent_bytes;
}

static double total_of(const struct precopy_outcome *o)
{
	return o->total_s;
}

static double left_of(const struct precopy_outcome *o)
{
	return o->left_bytes;
}

static double blackout_of(const struct precopy_outcome *o)
{
	return o->blackout_s;
}

#define AT(member) offsetof(struct prediction, member)

static const struct measure measures[] = {
	{ iterations_of, 1, AT(iterations), AT(iterations_bound) },
	{ sent_of, 1, AT(sent_bytes), AT(sent_bytes_bound) },
	{ total_of, 1e9, AT(total_ns), AT(total_bound_ns) },
	{ left_of, 1, AT(left_bytes), SIZE_MAX },
	{ blackout_of, 1e9, AT(blackout_ns), AT(blackout_bound_ns) },
};

static void put(struct prediction *out, size_t place, double value)
{
	uint64_t number = whole(value);

	if (place != SIZE_MAX)
		memcpy((char *)out + place, &number, sizeof(number));
}

static void judge(struct prediction *out)
{
	if (out->converged_share >= 1 - PREDICT_DOUBT) {
		out->converges = TRI_TRUE;
		strcpy(out->verdict, "converges");
	} else if (out->converged_share <= PREDICT_DOUBT) {
		out->converges = TRI_FALSE;
		strcpy(out->verdict, "does not converge");
	} else {
		strcpy(out->verdict, "cannot be told");
	}
}

static void sum_up(struct prediction *out, const struct precopy_outcome *outcomes, size_t count,
		   double *values)
{
	size_t converged = 0;

	for (size_t i = 0; i < count; i++)
		converged += outcomes[i].converged;
	out->trials = count;
	out->converged_share = (double)converged / (double)count;
	judge(out);
	for (size_t m = 0; m < sizeof(measures) / sizeof(measures[0]); m++) {
		size_t kept = 0;

		/* One that does not converge goes on for ever: nothing but the verdict is known. */
		for (size_t i = 0; i < count; i++)
			if (outcomes[i].converged && out->converges != TRI_FALSE)
				values[kept++] = measures[m].of(&outcomes[i]) * measures[m].unit;
		if (!kept)
			continue;
		put(out, measures[m].middle, quantile(values, kept, 0.5));
		put(out, measures[m].bound, quantile(values, kept, PREDICT_QUANTILE));
	}
	for (size_t i = 0; i < count; i++)
		values[i] = outcomes[i].blackout_s * 1e9;
	out->forced_blackout_ns = whole(quantile(values, count, PREDICT_QUANTILE));
}

static bool makes_sense(const struct precopy_setup *setup, const struct predict_source *sources,
			size_t count)
{
	if (count > PREDICT_SOURCES || !(setup->memory_bytes > 0) || !(setup->bandwidth > 0) ||
	    !(setup->last_bandwidth > 0) || !setup->most_iterations ||
	    setup->levels > PRECOPY_LEVELS)
		return false;
	for (size_t i = 0; i < count; i++)
		for (unsigned int k = 0; k < (setup->levels ?: 1); k++)
			if (!sources[i].levels[k])
				return false;
	return true;
}

/* Student's t. */
static double student(struct random *random, unsigned int freedom)
{
	double squares = 0, normal = random__normal(random);

	for (unsigned int i = 0; i < freedom; i++) {
		double other = random__normal(random);

		squares += other * other;
	}
	return normal / sqrt(squares / freedom);
}

static double middle_stop(const struct precopy_setup *setup)
{
	double sum = 0;

	for (size_t i = 0; i < setup->stop_count; i++)
		sum += setup->stops[i];
	return sum / (double)setup->stop_count;
}

/* How long this one takes whatever is sent, and for each byte. */
static void draw_last_copy(const struct precopy_setup *setup, struct trial *trial,
			   struct precopy_setup *played)
{
	double slower = setup->last_freedom ?
			exp(MEASURED * setup->last_spread *
			    student(&trial->random, setup->last_freedom)) :
			1 / (1 - UNSTEADY * random__share(&trial->random));

	if (setup->stop_count)
		played->stop_s = setup->stops[random__below(&trial->random, setup->stop_count)];
	if (trial->known == COPY) {
		slower = 1;
		played->stop_s = setup->stop_count ? middle_stop(setup) : setup->stop_s;
	}
	played->last_bandwidth = setup->last_bandwidth / slower;
	played->last_fixed_s = setup->last_fixed_s * slower;
}

/* All trials, with one of the things that they differ in known; @outcomes: PREDICT_TRIALS. */
static void play(const struct precopy_setup *setup, const struct predict_source *sources,
		 size_t count, uint64_t seed, enum open_end known, struct precopy_outcome *outcomes)
{
	struct working_curve curves[PREDICT_SOURCES * PRECOPY_LEVELS];
	struct trial trial = {
		.known = known, .sources = sources, .count = count, .levels = setup->levels ?: 1,
		.curves = curves, .random = { seed },
	};
	const struct precopy_writers writers = { dirty_bytes, noise, &trial };
	struct precopy_setup played = *setup;

	for (size_t i = 0; i < PREDICT_TRIALS; i++) {
		draw_guess(&trial);
		if (i % (PREDICT_TRIALS / CURVES) == 0) {
			trial.guess.held = random__share(&trial.random);
			draw_curves(&trial);
		}
		played.overlap = 0.5 + random__share(&trial.random);
		if (known == OVERLAP)
			played.overlap = 1;
		draw_last_copy(setup, &trial, &played);
		precopy__run(&played, &writers, &outcomes[i]);
	}
}

int predict__run(const struct precopy_setup *setup, const struct predict_source *sources,
		 size_t count, uint64_t seed, struct prediction *out)
{
	struct precopy_outcome *outcomes;
	double *values;
	int err = 0;

	if (!makes_sense(setup, sources, count))
		return -EINVAL;
	outcomes = calloc(PREDICT_TRIALS, sizeof(*outcomes));
	values = calloc(PREDICT_TRIALS, sizeof(*values));
	if (!outcomes || !values)
		err = -ENOMEM;
	if (!err) {
		play(setup, sources, count, seed, NOTHING, outcomes);
		field__clear(&prediction_table, out);
		out->threshold_bytes = whole(precopy__threshold(setup));
		sum_up(out, outcomes, PREDICT_TRIALS, values);
	}
	free(outcomes);
	free(values);
	return err;
}

/* ---- what the bound is made of ----------------------------------------------------- */

static int by_blackout(const void *a, const void *b)
{
	const struct precopy_outcome *one = a, *two = b;

	if (one->converged != two->converged)
		return one->converged ? -1 : 1;
	return (one->blackout_s > two->blackout_s) - (one->blackout_s < two->blackout_s);
}

/* The trial that is the bound; NULL if hardly any converges, so that there is none. */
static const struct precopy_outcome *bound_of(struct precopy_outcome *outcomes)
{
	size_t converged = 0;

	qsort(outcomes, PREDICT_TRIALS, sizeof(*outcomes), by_blackout);
	while (converged < PREDICT_TRIALS && outcomes[converged].converged)
		converged++;
	if ((double)converged <= PREDICT_DOUBT * PREDICT_TRIALS)
		return NULL;
	return &outcomes[(size_t)ceil(PREDICT_QUANTILE * (double)converged) - 1];
}

static const struct {
	const char *name;
	size_t place;
} open_ends[OPEN_ENDS] = {
	[CURVE] = { "curve", offsetof(struct prediction_makeup, known_curve_ns) },
	[SYNCS] = { "syncs", offsetof(struct prediction_makeup, known_syncs_ns) },
	[OVERLAP] = { "overlap", offsetof(struct prediction_makeup, known_overlap_ns) },
	[COPY] = { "copy", offsetof(struct prediction_makeup, known_copy_ns) },
};

int predict__makeup(const struct precopy_setup *setup, const struct predict_source *sources,
		    size_t count, uint64_t seed, struct prediction_makeup *out)
{
	const struct precopy_outcome *bound;
	struct precopy_outcome *outcomes;
	uint64_t least = UNKNOWN, all = UNKNOWN;
	bool full = false;

	if (!makes_sense(setup, sources, count))
		return -EINVAL;
	outcomes = calloc(PREDICT_TRIALS, sizeof(*outcomes));
	if (!outcomes)
		return -ENOMEM;
	field__clear(&prediction_makeup_table, out);
	play(setup, sources, count, seed, NOTHING, outcomes);
	bound = bound_of(outcomes);
	if (bound) {
		all = whole(bound->blackout_s * 1e9);
		full = bound->left_bytes + setup->device_bytes >= (1 - COUNTS) * precopy__threshold(setup);
		out->left_ns = whole(bound->left_s * 1e9);
		out->device_ns = whole(bound->device_s * 1e9);
		out->fixed_ns = whole((bound->blackout_s - bound->left_s - bound->device_s) * 1e9);
	}
	for (enum open_end i = CURVE; bound && i < OPEN_ENDS; i++) {
		const struct precopy_outcome *then;
		uint64_t ns;

		play(setup, sources, count, seed, i, outcomes);
		then = bound_of(outcomes);
		ns = then ? whole(then->blackout_s * 1e9) : UNKNOWN;
		memcpy((char *)out + open_ends[i].place, &ns, sizeof(ns));
		if (ns < least) {
			least = ns;
			strcpy(out->widest, open_ends[i].name);
		}
	}
	if (full && (double)least > (1 - COUNTS) * (double)all)
		strcpy(out->widest, "limit");
	free(outcomes);
	return 0;
}
