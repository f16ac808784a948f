/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One declaration per field: name, unit, description, place. Text columns, JSON
 * keys, recordings and metric names are all made from these tables, so that they
 * cannot drift apart. Not here: how any of those outputs looks (tools/output/).
 */
#ifndef HWDBM_MODEL_FIELD_H
#define HWDBM_MODEL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number nobody measured; shown as "-", written as JSON null, not exported as a metric. */
#define UNKNOWN UINT64_MAX
#define UNKNOWN_I64 INT64_MIN

/* Leaf sizes are counted by log2(bytes) - 12, as the kernel's struct iommu_dirty_stats does. */
#define LEAF_SIZES 24
#define LEAF_SHIFT 12

/* Sizes at which dirty memory is counted: 4K, 64K, 2M, 1G. */
#define UNIT_SIZES 4
#define UNIT_SIZE_SHIFTS { 12, 16, 21, 30 }

/* Three-valued truth: what nobody measured is not "false". */
enum tristate { TRI_UNKNOWN = -1, TRI_FALSE = 0, TRI_TRUE = 1 };

struct pair {
	uint64_t key;
	uint64_t value;
};

/* A list of number pairs, owned by the record it is in (field__release() frees it). */
struct pairs {
	size_t count;
	struct pair *at;
};

/* A fixed list of named texts or numbers, for the few records that need one. */
#define NAMED_MAX 24
struct named {
	char name[32];
	char text[96];
	uint64_t number;
};

struct named_list {
	size_t count;
	struct named at[NAMED_MAX];
};

enum field_type {
	FIELD_U64,		/* uint64_t, UNKNOWN = null */
	FIELD_I64,		/* int64_t, an errno result */
	FIELD_BOOL,		/* enum tristate */
	FIELD_RATIO,		/* double, NaN = null */
	FIELD_TEXT,		/* char[size], "" = null */
	FIELD_LEAVES,		/* uint64_t[LEAF_SIZES]: {"4096": n, ...}; [0] UNKNOWN = null */
	FIELD_PAIRS,		/* struct pairs: [[key, value], ...] */
	FIELD_PROBES,		/* struct named_list: [{"measures": name, "probe": text}, ...] */
	FIELD_LOST,		/* struct named_list: {name: number, ...} */
};

enum field_unit {
	UNIT_NONE,
	UNIT_NS,
	UNIT_CLOCK,		/* nanoseconds: a moment, not a duration */
	UNIT_BYTES,
	UNIT_BYTES_PER_SECOND,
	UNIT_PAGES,
	UNIT_COUNT,
	UNIT_RATIO,
	UNIT_ID,		/* a number that is a name: no separators */
	UNIT_ADDRESS,		/* in hexadecimal for people */
};

/* Where a field is shown; a field without a group is in JSON only. */
enum field_group {
	GROUP_NONE,
	GROUP_GAIN,		/* what finer granularity buys */
	GROUP_PRICE,		/* what it costs */
	GROUP_ROW,		/* a row of its own record, such as one sync */
};

/* Metric type. A label is text that identifies the run and goes on every metric. */
enum field_metric {
	METRIC_NONE,
	METRIC_LABEL,
	METRIC_GAUGE,
	METRIC_COUNTER,
	METRIC_HISTOGRAM,	/* FIELD_PAIRS; "total_ns" of the same record is its sum */
};

struct field {
	const char *name;	/* JSON key; dots nest objects: "split.latency_ns.p50" */
	const char *heading;	/* text column; NULL: not a column */
	const char *description;
	enum field_type type;
	enum field_unit unit;
	enum field_group group;
	enum field_metric metric;
	size_t offset;
	size_t size;
};

/* All that there is to say of a member of a struct. */
#define FIELD_WITH(st, member, key, head, kind, u, shown, exported, text)		\
	{ .name = key, .heading = head, .description = text, .type = kind, .unit = u,	\
	  .group = shown, .metric = exported, .offset = offsetof(struct st, member),	\
	  .size = sizeof(((struct st *)0)->member) }

/* A member of a row: a column if it has a heading, and no metric. */
#define FIELD(st, member, key, head, kind, u, text)					\
	FIELD_WITH(st, member, key, head, kind, u, head ? GROUP_ROW : GROUP_NONE, METRIC_NONE, text)

struct field_table {
	const char *record;	/* name of the record, also the metric prefix: "hwdbm_<record>_" */
	const struct field *fields;
	size_t count;
	size_t record_size;
};

/* The table of a record that is a struct, of an array of its fields. */
#define FIELD_TABLE(name, st, array)							\
	{ .record = name, .fields = array, .count = sizeof(array) / sizeof(array[0]),	\
	  .record_size = sizeof(struct st) }

/**
 * field__u64() - read a FIELD_U64, or FIELD_BOOL as 0/1
 * Return: the value, UNKNOWN if it was not measured or the field has another type.
 */
uint64_t field__u64(const struct field *field, const void *record);

/** field__i64() - read a FIELD_I64 */
int64_t field__i64(const struct field *field, const void *record);

/** field__ratio() - read a FIELD_RATIO; NaN if undefined */
double field__ratio(const struct field *field, const void *record);

/** field__text() - read a FIELD_TEXT; "" if unknown. Valid as long as the record. */
const char *field__text(const struct field *field, const void *record);

/** field__place() - address of a field inside its record, for writers */
void *field__place(const struct field *field, void *record);

/** field__known() - whether the field holds a value */
bool field__known(const struct field *field, const void *record);

/**
 * field__find() - look a field up by its full (dotted) name
 * Return: the field, or NULL.
 */
const struct field *field__find(const struct field_table *table, const char *name);

/** field__clear() - make every field of a record unknown; frees nothing */
void field__clear(const struct field_table *table, void *record);

/** field__release() - free what the record owns and clear it */
void field__release(const struct field_table *table, void *record);

/**
 * field__metric_name() - the OpenMetrics name of a numeric field
 *
 * "hwdbm_" + record + name with dots as underscores; "_ns" becomes "_seconds",
 * counters end in "_total", a histogram is a "latency".
 *
 * Return: 0, or -ENOSPC if @size is too small (the buffer then holds "").
 */
int field__metric_name(const struct field_table *table, const struct field *field,
		       char *buffer, size_t size);

/**
 * field__metric_value() - the value in the metric's base unit (seconds, bytes, count)
 * Return: NaN if unknown or not numeric.
 */
double field__metric_value(const struct field *field, const void *record);

#endif
