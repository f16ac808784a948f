// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of VMs in both forms, by its field tables. Not here: why something is
 * missing; the notes come with the list.
 */
#include "vms.h"
#include "json.h"
#include "table.h"
#include "units.h"

#include <errno.h>
#include <string.h>

#define INDENT 2

/* "4K 1.5 GiB, 2M 30 GiB" */
static void put_leaves(FILE *out, const char *label, const uint64_t *leaves)
{
	char leaf[UNITS_TEXT], bytes[UNITS_TEXT];
	bool any = false;

	if (leaves[0] == UNKNOWN)
		return;
	fprintf(out, "%*s%s: ", INDENT, "", label);
	for (int i = 0; i < LEAF_SIZES; i++) {
		if (!leaves[i])
			continue;
		fprintf(out, "%s%s %s", any ? ", " : "",
			units__leaf(UINT64_C(1) << (i + LEAF_SHIFT), leaf),
			units__bytes(leaves[i], bytes));
		any = true;
	}
	fputs(any ? "\n" : "nothing\n", out);
}

static const char *truth(enum tristate value)
{
	return value == TRI_UNKNOWN ? "unknown" : value ? "yes" : "no";
}

static void put_facts(FILE *out, const struct vm *vm)
{
	char flushes[UNITS_TEXT], requests[UNITS_TEXT];

	table__text(out, vm->name);
	fprintf(out, " (process %llu", (unsigned long long)vm->pid);
	if (vm->vmm[0])
		fprintf(out, ", %s", vm->vmm);
	if (vm->uuid[0]) {
		fputs(", ", out);
		table__text(out, vm->uuid);
	}
	fputs(")\n", out);
	put_leaves(out, "backing", vm->backing);
	put_leaves(out, "mapped by KVM", vm->kvm_mapped);
	if (vm->tlb_flush_requests != UNKNOWN)
		fprintf(out, "%*sremote TLB flushes: %s of %s requests\n", INDENT, "",
			units__count(vm->tlb_flushes, flushes),
			units__count(vm->tlb_flush_requests, requests));
	fprintf(out, "%*smigrating: %s (", INDENT, "", truth(vm->migrating));
	table__text(out, vm->migrating_because);
	fputs(")\n", out);
}

static int put_part(FILE *out, const struct field_table *table, const void *records, size_t count,
		    enum table_columns columns)
{
	if (!count)
		return 0;
	fputc('\n', out);
	return table__print(out, table, records, count, columns, INDENT);
}

static int put_details(FILE *out, const struct vm *vm)
{
	int err;

	fputc('\n', out);
	put_facts(out, vm);
	err = put_part(out, &vm_tracker_table, vm->trackers, vm->tracker_count, TABLE_ALL);
	err = err ?: put_part(out, &vm_device_table, vm->devices, vm->device_count, TABLE_KNOWN);
	return err ?: put_part(out, &vm_slot_table, vm->slots, vm->slots_held, TABLE_ALL);
}

int vms_text__write(FILE *out, const struct vm_list *list, bool details)
{
	int err = 0;

	if (list->count)
		err = table__print(out, &vm_table, list->at, list->count, TABLE_ALL, 0);
	for (size_t i = 0; details && !err && i < list->count; i++)
		err = put_details(out, &list->at[i]);
	return err ?: fflush(out) || ferror(out) ? -EIO : 0;
}

static int add_list(json_t *object, const char *name, const struct field_table *table,
		    const void *records, size_t count)
{
	/* A NULL value is refused. */
	return json_object_set_new(object, name, json__records(table, records, count)) ? -ENOMEM : 0;
}

static int add_vm(json_t *vms, const struct vm *vm)
{
	json_t *object = json__record(&vm_table, vm);
	int err = object ? 0 : -ENOMEM;

	err = err ?: add_list(object, "trackers", &vm_tracker_table, vm->trackers,
			      vm->tracker_count);
	err = err ?: add_list(object, "devices", &vm_device_table, vm->devices, vm->device_count);
	err = err ?: add_list(object, "slots", &vm_slot_table, vm->slots, vm->slots_held);
	if (err) {
		json_decref(object);
		return err;
	}
	return json_array_append_new(vms, object) ? -ENOMEM : 0;
}

static json_t *from_count(uint64_t count)
{
	return count == UNKNOWN ? json_null() : json_integer((json_int_t)count);
}

static json_t *make_document(const struct vm_list *list)
{
	json_t *vms = json_array(), *notes = json_array();
	int err = vms && notes ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < list->count; i++)
		err = add_vm(vms, &list->at[i]);
	for (size_t i = 0; !err && i < list->note_count; i++)
		err = json_array_append_new(notes, json_string(list->notes[i]));
	if (err) {
		json_decref(vms);
		json_decref(notes);
		return NULL;
	}
	return json_pack("{s:s,s:o,s:o,s:{s:o,s:o}}", "schema", VMS_SCHEMA, "vms", vms, "notes",
			 notes, "lost", "records", from_count(list->lost_records), "reads",
			 from_count(list->lost_reads));
}

int vms_json__write(FILE *out, const struct vm_list *list)
{
	return json__write_document(out, make_document(list));
}
