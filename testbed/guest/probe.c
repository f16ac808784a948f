// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs checks and says how they went. See probe.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "probe.h"
#include "runtime.h"

static char why[256];
static int counts[3];

enum outcome because(enum outcome outcome, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return outcome;
}

long table_pages(void)
{
	static const char name[] = "\nnr_iommu_pages ";
	char text[16384], *at;

	/* Counts of each CPU are folded in only now and then; this does it now. */
	write_text("/proc/sys/vm/stat_refresh", "1");
	if (read_text("/proc/vmstat", text, sizeof(text)))
		return -1;
	at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

bool has(const uint64_t *bitmap, uint64_t bit)
{
	return bitmap[bit / 64] >> bit % 64 & 1;
}

enum outcome kernel_log_clean(void)
{
	static const char * const signs[] = { "WARNING: ", "BUG: ", "Oops", "Unable to handle" };
	int size = klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
	__cleanup_free char *text = calloc(1, size > 0 ? size + 1 : 1);

	if (size <= 0 || !text)
		return because(SKIP, "the kernel log cannot be read");
	size = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, size);
	if (size < 0)
		return because(SKIP, "the kernel log cannot be read");
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		char *line = strstr(text, signs[i]);

		if (line)
			return because(FAIL, "%.*s", (int)strcspn(line, "\n"), line);
	}
	return PASS;
}

static void run_check(const struct check *check, unsigned int settle_ms)
{
	long before = table_pages(), after;
	enum outcome outcome;
	uint64_t end;

	why[0] = '\0';
	problem_clear();
	outcome = check->run();
	end = clock_ns() + settle_ms * NSEC_PER_MSEC;
	while ((after = table_pages()) != before && clock_ns() < end)
		usleep(20000);
	if (outcome == PASS && after != before)
		outcome = because(FAIL, "%ld pages were page tables before, %ld are after", before,
				  after);
	counts[outcome]++;
	if (outcome == PASS)
		printf("ok %s\n", check->name);
	else if (outcome == SKIP)
		printf("ok %s # SKIP %s\n", check->name, why);
	else
		printf("not ok %s: %s\n", check->name, why);
}

int probe_run(const struct probe *probe, int argc, char **argv)
{
	const struct check *checks = probe->checks;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; optind == argc && i < probe->n - probe->by_name; i++)
		run_check(&checks[i], probe->settle_ms);
	for (int arg = optind; arg < argc; arg++) {
		size_t i = 0;

		while (i < probe->n && strcmp(argv[arg], checks[i].name))
			i++;
		if (i == probe->n) {
			problem(EINVAL, "there is no check '%s'; see %s --help", argv[arg],
				probe->name);
			return 2;
		}
		run_check(&checks[i], probe->settle_ms);
	}
	printf("%d passed, %d failed, %d skipped\n", counts[PASS], counts[FAIL], counts[SKIP]);
	return counts[FAIL] ? 1 : 0;
}

void probe_list(const struct probe *probe)
{
	for (size_t i = 0; i < probe->n; i++)
		printf("  %s%s\n", probe->checks[i].name,
		       i < probe->n - probe->by_name ? "" : " (only when named)");
}
