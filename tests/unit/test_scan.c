// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fast reader of lines: what it understands, it understands as the JSON library does; and
 * it understands what recordings write.
 */
#include "unit.h"
#include "../../tools/model/random.h"
#include "../../tools/output/json.h"
#include "../../tools/output/scan.h"

#include <stdlib.h>
#include <string.h>

/* A sample with a value, or none, in each field. */
static void fill(struct random *random, const struct field_table *table, void *record)
{
	field__clear(table, record);
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		void *at = field__place(field, record);

		if (random__below(random, 4) == 0)
			continue;
		if (field->type == FIELD_U64)
			*(uint64_t *)at = random__next(random) >> (8 + random__below(random, 56));
		else if (field->type == FIELD_I64)
			*(int64_t *)at = -(int64_t)random__below(random, 200);
		else if (field->type == FIELD_BOOL)
			*(enum tristate *)at = random__below(random, 2) ? TRI_TRUE : TRI_FALSE;
		else if (field->type == FIELD_TEXT)
			strcpy(at, "iommufd");
		else if (field->type == FIELD_LEAVES)
			for (int k = 0; k < LEAF_SIZES; k++)
				((uint64_t *)at)[k] = random__below(random, 3);
	}
}

static char *line_of(const struct field_table *table, const void *record)
{
	char *text = NULL, *end;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out || json__write_line(out, table, record) || fclose(out))
		abort();
	end = strchr(text, '\n');
	*end = '\0';
	return text;
}

static const enum sample_kind kinds[] = { SAMPLE_SYNC, SAMPLE_CLEAR, SAMPLE_SPLIT,
					  SAMPLE_TRACKING };

static void what_recordings_write_is_understood(void)
{
	struct random random = { 3 };

	for (int i = 0; i < 400; i++) {
		enum sample_kind kind = kinds[i % 4], found = SAMPLE_KINDS;
		union sample wrote, read;
		char *line;
		bool good;

		memset(&wrote, 0, sizeof(wrote));
		memset(&read, 0, sizeof(read));
		fill(&random, sample__table(kind), &wrote);
		line = line_of(sample__table(kind), &wrote);
		good = scan__sample(line, strlen(line), &found, &read) && found == kind &&
		       !memcmp(&wrote, &read, sample__table(kind)->record_size);
		if (!good)
			snprintf(unit_reason, sizeof(unit_reason), "%.200s", line);
		free(line);
		if (!good)
			return;
	}
}

/* The library's reading of a line; false if it is no sample of these kinds. */
static bool read_slowly(const char *line, size_t length, enum sample_kind *kind,
			union sample *sample)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const char *type = json_string_value(json_object_get(object, "type")), *bad;
	bool good = false;

	if (type) {
		*kind = sample__kind(type);
		good = *kind != SAMPLE_KINDS &&
		       !json__read_record(object, sample__table(*kind), sample, &bad);
	}
	json_decref(object);
	return good;
}

/* Bytes that mean something, where others stood. */
static void a_damaged_line_is_read_as_the_library_does_or_not_at_all(void)
{
	static const char bytes[] = "{}[]\",:-0129.eEtfn\\ \t\x80\xff\1x";
	struct random random = { 5 };
	uint64_t understood = 0;

	for (int i = 0; i < 20000; i++) {
		enum sample_kind kind = kinds[i % 4], fast = SAMPLE_KINDS, slow = SAMPLE_KINDS;
		union sample sample, one, two;
		size_t length, changes = random__below(&random, 3);
		char *line;
		bool good = true;

		memset(&one, 0, sizeof(one));
		memset(&two, 0, sizeof(two));
		fill(&random, sample__table(kind), &sample);
		line = line_of(sample__table(kind), &sample);
		length = strlen(line);
		for (size_t k = 0; k < changes; k++)
			line[random__below(&random, length)] =
				bytes[random__below(&random, sizeof(bytes) - 1)];
		if (random__below(&random, 4) == 0)
			length = random__below(&random, length);
		if (scan__sample(line, length, &fast, &one)) {
			understood++;
			good = read_slowly(line, length, &slow, &two) && fast == slow &&
			       !memcmp(&one, &two, sample__table(fast)->record_size);
		}
		if (!good)
			snprintf(unit_reason, sizeof(unit_reason), "%.*s", (int)length, line);
		free(line);
		if (!good)
			return;
	}
	CHECK(understood > 3000);
}

static void the_rest_is_left_to_the_library(void)
{
	static const char *const lines[] = {
		"", "{", "{}", "{\"type\":\"sync\"", "{\"type\":\"sync\"} {}",
		"{\"type\":\"header\"}", "{\"type\":\"sync\",\"new_field\":1}",
		"{\"type\":\"sync\",\"t_ns\":1.5}", "{\"type\":\"sync\",\"t_ns\":01}",
		"{\"type\":\"sync\",\"t_ns\":-1}", "{\"type\":\"sync\",\"t_ns\":12345678901234567890}",
		"{\"type\":\"sync\",\"t_ns\":1,\"t_ns\":2}", "{\"t_ns\":1,\"type\":\"sync\"}",
		"{\"type\":\"sync\",\"source\":\"\\u0041\"}", "{\"type\":\"sync\",\"clear\":1}",
		"{\"type\":\"sync\",\"dirty_entries\":{\"4097\":1}}",
	};
	enum sample_kind kind;
	union sample sample;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (scan__sample(lines[i], strlen(lines[i]), &kind, &sample))
			FAIL("%s", lines[i]);
}

RUN_TESTS(TEST(what_recordings_write_is_understood),
	  TEST(a_damaged_line_is_read_as_the_library_does_or_not_at_all),
	  TEST(the_rest_is_left_to_the_library))
