// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two forms of a diagnosis. JSON has every field; the text is for a screen of 80
 * columns, most important first. Not here: reasons.
 */
#include "diagnosis.h"
#include "json.h"
#include "table.h"
#include "../lib/strings.h"
#include "../model/outlook.h"

#include <errno.h>
#include <inttypes.h>

#define CELLS 4
#define CELL 480

/* Names that take more room than this are no column. */
#define NAMES_COLUMN 30

/* Lines of which all but the last cell stand in columns. */
struct grid {
	size_t count;
	char (*at)[CELLS][CELL];
};

static void grid_add(struct grid *grid, const char *a, const char *b, const char *c, const char *d)
{
	char (*at)[CELLS][CELL] = realloc(grid->at, (grid->count + 1) * sizeof(*at));
	const char *cells[CELLS] = { a, b, c, d };

	if (!at)
		return;
	grid->at = at;
	for (size_t i = 0; i < CELLS; i++) {
		STRING_COPY(at[grid->count][i], cells[i]);
		table__clean(at[grid->count][i]);
	}
	grid->count++;
}

static void grid_put(FILE *out, struct grid *grid, const char *title)
{
	size_t widths[CELLS] = { 0 };

	/* What stands alone in its line is no column. */
	for (size_t r = 0; r < grid->count; r++)
		for (size_t c = 0; c + 1 < CELLS && *grid->at[r][1]; c++)
			if (strlen(grid->at[r][c]) > widths[c])
				widths[c] = strlen(grid->at[r][c]);
	if (grid->count && title)
		fprintf(out, "\n%s\n", title);
	for (size_t r = 0; r < grid->count; r++) {
		size_t last = CELLS - 1, indent = 0;

		while (last && !*grid->at[r][last])
			last--;
		for (size_t c = 0; c < last; c++)
			if (widths[c]) {
				fprintf(out, "  %-*s", (int)widths[c], grid->at[r][c]);
				indent += 2 + widths[c];
			}
		fputs("  ", out);
		table__wrapped(out, grid->at[r][last], indent + 2);
		fputc('\n', out);
	}
	free(grid->at);
	*grid = (struct grid){ 0 };
}

static const char *yes_no(enum tristate truth)
{
	return truth == TRI_TRUE ? "yes" : truth == TRI_FALSE ? "no" : "?";
}

static const char *lockdown_of(const struct diagnosis *d)
{
	const struct kind_facts *event = d->kinds.count ? facts__at(&d->kinds, 0) : NULL;

	if (d->host.lockdown[0])
		return d->host.lockdown;
	/* Under confidentiality the test could not have read kernel memory. */
	return event && event->works == TRI_TRUE ? "none or integrity (securityfs is not mounted)" :
						   "not known (securityfs is not mounted)";
}

static const char *privilege_of(const struct host_facts *host)
{
	if (host->cap_sys_admin == TRI_TRUE)
		return "complete";
	if (host->cap_bpf == TRI_TRUE && host->cap_perfmon == TRI_TRUE)
		return "enough, but for modules (CAP_SYS_ADMIN)";
	return "none to trace (it takes root, or CAP_BPF and CAP_PERFMON, and not of a user namespace)";
}

static void put_host(FILE *out, const struct diagnosis *d)
{
	const struct host_facts *host = &d->host;

	fprintf(out, "Linux %s on %s", host->release, host->machine);
	if (host->types == TRI_TRUE)
		fprintf(out, ", type information of the kernel and %" PRIu64 " modules",
			host->typed_modules);
	else
		fputs(", no type information", out);
	fprintf(out, ",\nlockdown %s, privilege %s\n", lockdown_of(d), privilege_of(host));
}

/* Measurements that fail for the same reason share a line. */
static void put_failures(FILE *out, const struct diagnosis *d, enum tristate served,
			 const char *title)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < d->measures.count; i++) {
		const struct measure_facts *m = facts__at(&d->measures, i);
		char names[CELL - REASON_TEXT - 8] = "", line[CELL];
		bool first = m->served == served;

		for (size_t j = 0; j < d->measures.count && first; j++) {
			const struct measure_facts *other = facts__at(&d->measures, j);
			size_t length = strlen(names);

			if (other->served != served || strcmp(other->reason, m->reason))
				continue;
			first = j >= i;
			snprintf(names + length, sizeof(names) - length, "%s%s", length ? ", " : "",
				 other->name);
		}
		if (!first)
			continue;
		if (strlen(names) <= NAMES_COLUMN) {
			grid_add(&grid, names, m->reason, "", "");
		} else {
			snprintf(line, sizeof(line), "%s: %s", names, m->reason);
			grid_add(&grid, line, "", "", "");
		}
	}
	grid_put(out, &grid, title);
}

static void put_measures(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < d->measures.count; i++) {
		const struct measure_facts *m = facts__at(&d->measures, i);

		char by[CELL];

		snprintf(by, sizeof(by), "%s%s%s%s", m->probe, m->unproven[0] ? " (never run: " : "",
			 m->unproven, m->unproven[0] ? ")" : "");
		if (m->served == TRI_TRUE)
			grid_add(&grid, m->name, m->about, by, "");
	}
	grid_put(out, &grid, "Can be measured");
	put_failures(out, d, TRI_UNKNOWN, "Not known");
	put_failures(out, d, TRI_FALSE, "Cannot be measured");
}

static void put_kinds(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < d->kinds.count; i++) {
		const struct kind_facts *kind = facts__at(&d->kinds, i);

		grid_add(&grid, yes_no(kind->works), kind->kind, kind->reason, "");
	}
	grid_put(out, &grid, "Kinds of probe this host allows");
}

static void put_alternatives(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };
	const char *last = "";

	for (size_t i = 0; i < d->alternatives.count; i++) {
		const struct alternative_facts *a = facts__at(&d->alternatives, i);
		const char *never = a->unproven[0] ? "; never run: " : "";
		char text[CELL];

		if (a->chosen == TRI_TRUE)
			snprintf(text, sizeof(text), "chosen; costs %s%s%s%s%s", a->cost,
				 a->blind[0] ? "; blind to " : "", a->blind, never, a->unproven);
		else
			snprintf(text, sizeof(text), "%s%s%s", a->reason, never, a->unproven);
		grid_add(&grid, strcmp(last, a->measures) ? a->measures : "", a->probe, text, "");
		last = a->measures;
	}
	grid_put(out, &grid, "Alternatives, in order of choice");
}

/* "web (4711)", "vCPUs: manual; DMA: iommu", and why */
static void put_outlooks(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < d->outlooks.count; i++) {
		const struct outlook_facts *o = facts__at(&d->outlooks, i);
		char vm[CELL], trackers[CELL] = "";
		const struct {
			const char *name;
			const char *tracker;
		} parts[] = { { "KVM", o->vcpus }, { "DMA", o->dma }, { "log of", o->vhost } };

		for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
			size_t length = strlen(trackers);

			if (*parts[p].tracker)
				snprintf(trackers + length, sizeof(trackers) - length, "%s%s %s",
					 length ? ", " : "", parts[p].name, parts[p].tracker);
		}
		snprintf(vm, sizeof(vm), "%s (%" PRIu64 ")", o->vm, o->pid);
		grid_add(&grid, vm, trackers, o->reason, "");
	}
	grid_put(out, &grid, "VMs, and what a migration by QEMU would use");
}

static void put_hardware(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };
	char text[CELL] = "";

	for (size_t i = 0; i < d->iommus.count; i++) {
		const struct iommu_facts *iommu = facts__at(&d->iommus, i);

		grid_add(&grid, yes_no(iommu->tracks), iommu->name, iommu->type, iommu->reason);
	}
	if (!d->iommus.count)
		grid_add(&grid, "no", "this host has no IOMMU, or it is off", "", "");
	grid_put(out, &grid, "IOMMUs that track dirty pages");

	for (size_t i = 0; i < d->devices.count; i++) {
		const struct device_facts *device = facts__at(&d->devices, i);

		grid_add(&grid, device->name, device->driver, device->tracker, device->reason);
	}
	grid_put(out, &grid, "Devices for VMs, and what would track them in a migration");
	put_outlooks(out, d);

	for (size_t i = 0; i < d->facilities.count; i++) {
		const struct facility_facts *facility = facts__at(&d->facilities, i);
		size_t length = strlen(text);

		snprintf(text + length, sizeof(text) - length, "%s%s %s", length ? ", " : "",
			 facility->name, facility->state);
	}
	for (size_t i = 0; i < d->parameters.count; i++) {
		const struct parameter_facts *p = facts__at(&d->parameters, i);

		grid_add(&grid, p->name, p->value, "", "");
	}
	fprintf(out, "\nModules: %s\n", text);
	grid_put(out, &grid, "Parameters");
}

static const char * const safety_sentences[] = {
	[SAFETY_SAFE] = "No known way to lose dirty pages is open on this host.",
	[SAFETY_UNKNOWN] = "It is not known whether dirty pages can get lost on this host.",
	[SAFETY_UNSAFE] = "Dirty pages can get lost on this host.",
};

int diagnosis__safety_text(FILE *out, const struct diagnosis *d)
{
	struct grid grid = { 0 };

	for (size_t i = 0; i < d->findings.count; i++) {
		const struct finding_facts *finding = facts__at(&d->findings, i);

		grid_add(&grid, finding->verdict, finding->name, finding->reason, "");
	}
	fprintf(out, "%s\n", safety_sentences[d->safety]);
	grid_put(out, &grid, NULL);
	fputs("Not looked at: VMMs, logs of devices, KVM's log.\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int diagnosis__text(FILE *out, const struct diagnosis *d, bool verbose)
{
	bool whole = d->host.release[0];

	if (whole)
		put_host(out, d);
	else
		fputs("What that kernel has; whether its host lets anybody use it is not known.\n", out);
	put_measures(out, d);
	put_kinds(out, d);
	if (verbose)
		put_alternatives(out, d);
	if (whole) {
		put_hardware(out, d);
		fprintf(out, "\n%s hwdbm doctor --safety says why.\n",
			safety_sentences[d->safety]);
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static json_t *from_list(const struct fact_list *list)
{
	return json__records(list->table, list->at, list->count);
}

static json_t *from_truth(enum tristate truth)
{
	return truth == TRI_UNKNOWN ? json_null() : json_boolean(truth == TRI_TRUE);
}

static json_t *from_diagnosis(const struct diagnosis *d)
{
	json_t *host = json__record(&host_table, &d->host), *document;

	if (!host)
		return NULL;
	document = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:{s:s,s:o}}",
			     "schema", DIAGNOSIS_SCHEMA, "complete", from_truth(diagnosis__is_complete(d)),
			     "host", host, "kinds", from_list(&d->kinds),
			     "measures", from_list(&d->measures),
			     "alternatives", from_list(&d->alternatives),
			     "iommus", from_list(&d->iommus),
			     "facilities", from_list(&d->facilities),
			     "parameters", from_list(&d->parameters),
			     "devices", from_list(&d->devices),
			     "vms", from_list(&d->outlooks),
			     "safety", "verdict", safety__name(d->safety),
			     "findings", from_list(&d->findings));
	return document;
}

int diagnosis__json(FILE *out, const struct diagnosis *d)
{
	return json__write_document(out, from_diagnosis(d));
}
