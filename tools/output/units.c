// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounding and unit prefixes. Not here: which unit a number has (the field tables say).
 */
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *unknown(char text[UNITS_TEXT])
{
	snprintf(text, UNITS_TEXT, "-");
	return text;
}

/* Three significant digits, but never fewer than before the point; none after it if exact. */
static const char *scaled(double value, const char *unit, char text[UNITS_TEXT])
{
	int digits = value >= 99.95 || value == floor(value) ? 0 : value >= 9.995 ? 1 : 2;

	snprintf(text, UNITS_TEXT, "%.*f %s", digits, value, unit);
	return text;
}

const char *units__bytes(uint64_t bytes, char text[UNITS_TEXT])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes == UNKNOWN)
		return unknown(text);
	if (bytes < 1024) {
		snprintf(text, UNITS_TEXT, "%" PRIu64 " B", bytes);
		return text;
	}
	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	return scaled(value, units[unit], text);
}

const char *units__leaf(uint64_t bytes, char text[UNITS_TEXT])
{
	static const char units[] = "KMGTPE";
	uint64_t value = bytes >> 10;
	size_t unit = 0;

	if (bytes == UNKNOWN)
		return unknown(text);
	if (!bytes || bytes & 1023) {
		snprintf(text, UNITS_TEXT, "%" PRIu64, bytes);
		return text;
	}
	for (; !(value & 1023) && unit < 5; unit++)
		value >>= 10;
	snprintf(text, UNITS_TEXT, "%" PRIu64 "%c", value, units[unit]);
	return text;
}

const char *units__duration(uint64_t ns, char text[UNITS_TEXT])
{
	if (ns == UNKNOWN)
		return unknown(text);
	if (ns < 1000) {
		snprintf(text, UNITS_TEXT, "%" PRIu64 " ns", ns);
		return text;
	}
	if (ns < 1000000)
		return scaled((double)ns / 1e3, "µs", text);
	if (ns < 1000000000)
		return scaled((double)ns / 1e6, "ms", text);
	return scaled((double)ns / 1e9, "s", text);
}

const char *units__clock(uint64_t ns, char text[UNITS_TEXT])
{
	if (ns == UNKNOWN)
		return unknown(text);
	snprintf(text, UNITS_TEXT, "%" PRIu64 ".%06" PRIu64, ns / 1000000000,
		 ns % 1000000000 / 1000);
	return text;
}

/* Puts a comma before every third digit of the whole part. */
static const char *grouped(const char *digits, char text[UNITS_TEXT])
{
	size_t whole = strcspn(digits, "."), length = 0;

	for (size_t i = 0; digits[i] && length + 2 < UNITS_TEXT; i++) {
		if (i && i < whole && (whole - i) % 3 == 0)
			text[length++] = ',';
		text[length++] = digits[i];
	}
	text[length] = '\0';
	return text;
}

const char *units__count(uint64_t count, char text[UNITS_TEXT])
{
	char digits[24];

	if (count == UNKNOWN)
		return unknown(text);
	snprintf(digits, sizeof(digits), "%" PRIu64, count);
	return grouped(digits, text);
}

const char *units__ratio(double ratio, char text[UNITS_TEXT])
{
	char digits[32];

	if (isnan(ratio))
		return unknown(text);
	if (!isfinite(ratio) || ratio >= 1e18 || ratio < 0) {
		snprintf(text, UNITS_TEXT, "%g", ratio);
		return text;
	}
	if (ratio == floor(ratio) || ratio >= 99.95)
		snprintf(digits, sizeof(digits), "%.0f", ratio);
	else
		snprintf(digits, sizeof(digits), "%.3g", ratio);
	return grouped(digits, text);
}

const char *units__field(const struct field *field, const void *record, char text[UNITS_TEXT])
{
	uint64_t value = field__u64(field, record);

	if (!field__known(field, record))
		return unknown(text);
	switch (field->type) {
	case FIELD_RATIO:
		return units__ratio(field__ratio(field, record), text);
	case FIELD_BOOL:
		snprintf(text, UNITS_TEXT, "%s", value ? "yes" : "no");
		return text;
	case FIELD_I64:
		snprintf(text, UNITS_TEXT, "%" PRId64, field__i64(field, record));
		return text;
	case FIELD_TEXT:
		snprintf(text, UNITS_TEXT, "%s", field__text(field, record));
		return text;
	case FIELD_U64:
		break;
	default:
		return unknown(text);
	}
	switch (field->unit) {
	case UNIT_NS:
		return units__duration(value, text);
	case UNIT_CLOCK:
		return units__clock(value, text);
	case UNIT_BYTES:
		return units__bytes(value, text);
	case UNIT_BYTES_PER_SECOND:
		units__bytes(value, text);
		strncat(text, "/s", UNITS_TEXT - strlen(text) - 1);
		return text;
	case UNIT_ID:
		snprintf(text, UNITS_TEXT, "%" PRIu64, value);
		return text;
	case UNIT_ADDRESS:
		snprintf(text, UNITS_TEXT, "0x%" PRIx64, value);
		return text;
	default:
		return units__count(value, text);
	}
}
