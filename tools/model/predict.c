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

/* The last copy may be slower than was said by up to this share. */
#define UNSTEADY 0.02

/* And is not so many times as fast, however much it differed when it was measured. */
#define FASTER_MOST 4

/* Curves that are drawn once and used by many trials. */
#define CURVES 20

struct trial {
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
	return bytes > 0 ? sum / bytes : 1;
}

static void draw_guess(struct trial *trial)
{
	trial->guess.early = random__share(&trial->random);
	trial->guess.late = random__share(&trial->random);
	for (size_t i = 0; i < trial->count; i++)
		trial->off[i] = exp(trial->sources[i].levels[0]->spread *
				    random__normal(&trial->random));
}

static void draw_curves(struct trial *trial)
{
	for (size_t i = 0; i < trial->count; i++)
		for (unsigned int k = 0; k < trial->levels; k++)
			working_set__resample(trial->sources[i].levels[k], &trial->random,
					      &trial->guess,
					      &trial->curves[i * trial->levels + k]);
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

/* Student's t with n - 1 degrees of freedom, as wide as one more of n normal values is. */
static double one_more(struct random *random, unsigned int n)
{
	double squares = 0, normal = random__normal(random);

	for (unsigned int i = 1; i < n; i++) {
		double other = random__normal(random);

		squares += other * other;
	}
	return normal / sqrt(squares / (n - 1)) * sqrt(1 + 1.0 / n);
}

static double draw_last_bandwidth(const struct precopy_setup *setup, struct random *random)
{
	double slower;

	if (setup->last_runs < 2)
		return setup->last_bandwidth * (1 - UNSTEADY * random__share(random));
	slower = 1 + setup->last_spread * one_more(random, setup->last_runs);
	return setup->last_bandwidth / fmax(slower, 1.0 / FASTER_MOST);
}

int predict__run(const struct precopy_setup *setup, const struct predict_source *sources,
		 size_t count, uint64_t seed, struct prediction *out)
{
	struct working_curve curves[PREDICT_SOURCES * PRECOPY_LEVELS];
	struct trial trial = {
		.sources = sources, .count = count, .levels = setup->levels ?: 1,
		.curves = curves, .random = { seed },
	};
	const struct precopy_writers writers = { dirty_bytes, noise, &trial };
	struct precopy_setup played = *setup;
	struct precopy_outcome *outcomes;
	double *values;
	int err = 0;

	if (!makes_sense(setup, sources, count))
		return -EINVAL;
	outcomes = calloc(PREDICT_TRIALS, sizeof(*outcomes));
	values = calloc(PREDICT_TRIALS, sizeof(*values));
	if (!outcomes || !values)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < PREDICT_TRIALS; i++) {
		draw_guess(&trial);
		if (i % (PREDICT_TRIALS / CURVES) == 0) {
			trial.guess.held = random__share(&trial.random);
			draw_curves(&trial);
		}
		played.overlap = 0.5 + random__share(&trial.random);
		played.last_bandwidth = draw_last_bandwidth(setup, &trial.random);
		precopy__run(&played, &writers, &outcomes[i]);
	}
	if (!err) {
		field__clear(&prediction_table, out);
		out->threshold_bytes = whole(precopy__threshold(setup));
		sum_up(out, outcomes, PREDICT_TRIALS, values);
	}
	free(outcomes);
	free(values);
	return err;
}
