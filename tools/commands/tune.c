// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm tune: shows the settings that bear on dirty tracking, and sets them for a time, for
 * the host or for one VM. Not here: holding and undoing (tune_hold.h), which setting is
 * right (advise.c).
 */
#define _GNU_SOURCE
#include "commands.h"
#include "tune_hold.h"
#include "../collect/host.h"
#include "../collect/memory_limit.h"
#include "../collect/vms.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/options.h"
#include "../lib/strings.h"
#include "../model/whatif.h"
#include "../output/json.h"
#include "../output/table.h"
#include "../output/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>

#define TUNE_SCHEMA "hwdbm.knobs/1"

/* Who wants a setting for longer has the host's configuration for that. */
#define FOR_MOST_NS (UINT64_C(24) * 3600 * 1000000000)

/* Blocks of page tables are no larger. */
#define LARGEST (UINT64_C(1) << 30)

#define ROWS_MOST (32 + KNOB_PLACES)

struct tune_options {
	const char *vm;
	const char *guard;
	uint64_t pid;
	uint64_t for_ns;
	bool dry_run;
	bool undo;
	bool json;
};

static const struct option_spec option_table[] = {
	{ "for", 0, OPTION_SECONDS, offsetof(struct tune_options, for_ns), "TIME",
	  "put everything back after this time, at most 24h: 10m, 90s" },
	{ "vm", 0, OPTION_TEXT, offsetof(struct tune_options, vm), "NAME|UUID",
	  "for this VM alone: dirty_split and dirty_granularity" },
	{ "pid", 'p', OPTION_PID, offsetof(struct tune_options, pid), "PID",
	  "the same, by the VMM's process" },
	{ "guard", 0, OPTION_TEXT, offsetof(struct tune_options, guard), "LIST",
	  "put everything back unless these hold, each second: cpu<80%,memory>2G,pressure<10%,sync<50ms" },
	{ "dry-run", 'n', OPTION_FLAG, offsetof(struct tune_options, dry_run), NULL,
	  "change nothing; say what would change, and what it would cost" },
	{ "undo", 0, OPTION_FLAG, offsetof(struct tune_options, undo), NULL,
	  "put back what tunes that were killed with their watchers have left" },
	{ "json", 'j', OPTION_FLAG, offsetof(struct tune_options, json), NULL,
	  "the list as one JSON document" },
};

static const struct command_spec spec = {
	.name = "tune",
	.usage = "[OPTIONS] [KNOB=VALUE... --for TIME]",
	.summary = "Shows the settings that bear on dirty tracking, what they are and what they change; with\n"
		   "KNOB=VALUE sets them for a time, for the host or for one VM, and puts them back.",
	.notes = "A watcher of its own puts everything back when the time is up, on Ctrl-C or another\n"
		 "signal, when hwdbm itself is killed, when a guard does not hold, and when the VM ends; the\n"
		 "VM's settings then end with it. If the watcher is killed, hwdbm does it. What somebody\n"
		 "else has changed meanwhile is left alone, and that is said. One tune holds a knob.\n\n"
		 "With --vm or -p the settings are those of the VM's own IOAS, through a copy of the VMM's\n"
		 "iommufd that is closed at once; it takes the kernel series (host/). They count from the\n"
		 "next start of dirty tracking on. No other VM is touched; an iommufd that two VMs share is\n"
		 "refused. Without dirty_granularity blocks are split to 4K.\n\n"
		 "The guard sync<TIME is on the longest call in the last second that started dirty tracking,\n"
		 "read or cleared dirty state: of the VM with --vm or -p, else of any. Calls that split blocks\n"
		 "hold locks for about as long. It needs what hwdbm dirtysync needs; memory> is the host's\n"
		 "available memory, pressure< the time in which somebody waits for memory.\n\n"
		 "Every change is on record in the journal (syslog, daemon.notice).\n\n"
		 "Requirements: root; of a VM's the right to trace it (CAP_SYS_PTRACE).\n"
		 "Exit status: 0 everything is as it was before; 1 it failed, and nothing is changed; 2 for\n"
		 "bad options; 3 a guard was breached, or somebody else has changed a setting meanwhile;\n"
		 "128 + signal if a signal ended it.",
	.options = option_table,
	.option_count = sizeof(option_table) / sizeof(option_table[0]),
};

/* ---- the list ---------------------------------------------------------------------- */

static void fill_host_row(const struct knob *knob, struct knob_row *row)
{
	const struct knob_place place = { .knob = knob };

	field__clear(&knob_table, row);
	STRING_COPY(row->name, knob->name);
	STRING_COPY(row->scope, knob->path ? "host" : "VMM");
	if (knob->path)
		knobs__read(&place, row->value);
	row->settable = knobs__settable(knob, row->reason) ? TRI_TRUE : TRI_FALSE;
	STRING_COPY(row->values, knob->values);
	STRING_COPY(row->changes, knob->changes);
}

static const char *why_not(int err, pid_t other, char text[KNOB_REASON])
{
	switch (err) {
	case -ENODEV:
		return "the process holds no iommufd: no device of it is passed through by one";
	case -EOPNOTSUPP:
		return "this kernel's iommufd has no IOMMU_OPTION_DIRTY_SPLIT (kernel-patches/, host/)";
	case -ENOENT:
		return "its iommufd has no IOAS";
	case -EBUSY:
		snprintf(text, KNOB_REASON, "process %d, another VM, uses the same iommufd: what is set counts for both",
			 other);
		return text;
	case -EPERM:
		return "its descriptors may not be copied: it takes root, or CAP_SYS_PTRACE";
	default:
		return strerror(-err);
	}
}

static size_t fill_vm_rows(pid_t pid, int pidfd, struct knob_row *rows)
{
	struct knob_place places[KNOB_PLACES];
	pid_t other = 0;
	int count = knobs__of_vm(pid, pidfd, places, &other);
	char value[KNOB_TEXT], reason[KNOB_REASON];

	for (int i = 0; i < (count > 0 ? count : 1); i++) {
		struct knob_row *row = &rows[i];

		field__clear(&knob_table, row);
		STRING_COPY(row->scope, "VM");
		STRING_COPY(row->name, "dirty_split, dirty_granularity");
		STRING_COPY(row->values, "default, off, eager, lazy, sample=PERCENT%,SEED; 4K, 2M, 1G");
		STRING_COPY(row->changes, "how this VM's dirty tracking splits, whatever the host or the VMM says; from its next start on");
		row->settable = count > 0 ? TRI_TRUE : TRI_FALSE;
		if (count <= 0) {
			STRING_COPY(row->reason, why_not(count, other, reason));
		} else if (!knobs__read(&places[i], value)) {
			char words[KNOB_TEXT];

			knobs__words(&places[i], value, words);
			STRING_COPY(row->value, words);
		}
	}
	return count > 0 ? count : 1;
}

static int write_json(const struct knob_row *rows, size_t count)
{
	json_t *object = json_object();

	if (!object || json_object_set_new(object, "schema", json_string(TUNE_SCHEMA)) ||
	    json_object_set_new(object, "knobs", json__records(&knob_table, rows, count))) {
		json_decref(object);
		return -ENOMEM;
	}
	return json__write_document(stdout, object);
}

static int list(const struct tune_options *o, const struct vm_target *target)
{
	struct knob_row rows[ROWS_MOST];
	size_t count = 0;
	int err;

	tune__warn_left();
	if (target->pid)
		count = fill_vm_rows(target->pid, target->pidfd, rows);
	for (size_t i = 0; i < knob__count(); i++)
		fill_host_row(knob__at(i), &rows[count++]);
	errno = 0;
	if (o->json) {
		err = write_json(rows, count);
	} else {
		err = table__print(stdout, &knob_table, rows, count, TABLE_ALL, 0);
		err = err ?: fflush(stdout) || ferror(stdout) ? -EIO : 0;
	}
	if (err)
		log__error("tune: cannot write the list (%s)", strerror(err == -EIO && errno ? errno : -err));
	return err;
}

/* ---- what is asked for ------------------------------------------------------------- */

static const struct knob *find_knob(const char *word, const char *equals)
{
	char name[KNOB_TEXT], reason[KNOB_REASON];
	const struct knob *knob;

	string__copy(name, sizeof(name), word);
	if ((size_t)(equals - word) < sizeof(name))
		name[equals - word] = '\0';
	knob = knob__find(name);
	if (!knob)
		log__error("tune: there is no knob \"%s\"; hwdbm tune lists them", name);
	else if (!knobs__settable(knob, reason)) {
		log__error("tune: %s cannot be set: %s", knob->name, reason);
		knob = NULL;
	}
	return knob;
}

static int add_host_setting(struct tune *tune, const char *word)
{
	const char *equals = strchr(word, '=');
	struct tune_setting *s = &tune->settings[tune->count];
	const struct knob *knob;

	if (!equals) {
		log__error("tune: \"%s\": say KNOB=VALUE; hwdbm tune lists them", word);
		return -EINVAL;
	}
	knob = find_knob(word, equals);
	if (!knob)
		return -EINVAL;
	if (knob__check(knob, equals + 1, s->wanted)) {
		log__error("tune: %s=%s: it takes %s", knob->name, equals + 1, knob->values);
		return -EINVAL;
	}
	for (size_t i = 0; i < tune->count; i++)
		if (tune->settings[i].place.knob == knob) {
			log__error("tune: %s is given twice", knob->name);
			return -EINVAL;
		}
	s->place.knob = knob;
	STRING_COPY(s->place.name, knob->name);
	tune->count++;
	return 0;
}

static bool is_named(const char *word, const char *name, const char **value)
{
	size_t length = strlen(name);

	if (!strncmp(word, "iommu.", 6))
		word += 6;
	if (strncmp(word, name, length) || word[length] != '=')
		return false;
	*value = word + length + 1;
	return true;
}

/* Both words make one value of the option. */
static int parse_vm_words(int count, char **words, uint64_t *value)
{
	const char *mode = NULL, *size = "4K", *text;
	uint64_t bytes;

	for (int i = 0; i < count; i++) {
		if (is_named(words[i], "dirty_split", &text)) {
			mode = text;
		} else if (is_named(words[i], "dirty_granularity", &text)) {
			size = text;
		} else {
			log__error("tune: %s: of one VM only dirty_split and dirty_granularity can be set", words[i]);
			return -EINVAL;
		}
	}
	if (!mode) {
		log__error("tune: dirty_granularity of one VM counts together with dirty_split=eager, lazy or sample only");
		return -EINVAL;
	}
	if (options__bytes(size, &bytes) || (bytes != 4096 && bytes != 65536 &&
	    bytes != UINT64_C(2) << 20 && bytes != UINT64_C(1) << 30)) {
		log__error("tune: dirty_granularity=%s: it takes 4K, 64K, 2M or 1G", size);
		return -EINVAL;
	}
	if (knob__pack(mode, bytes, value)) {
		log__error("tune: dirty_split=%s: it takes default, off, eager, lazy or sample=PERCENT%%,SEED", mode);
		return -EINVAL;
	}
	return 0;
}

static int add_vm_settings(struct tune *tune, const struct vm_target *target, uint64_t value)
{
	struct knob_place places[KNOB_PLACES];
	char text[KNOB_REASON];
	pid_t other = 0;
	int count = knobs__of_vm(target->pid, target->pidfd, places, &other);

	if (count <= 0) {
		log__error("tune: process %d: %s", target->pid, why_not(count, other, text));
		return count ?: -ENOENT;
	}
	for (int i = 0; i < count; i++) {
		struct tune_setting *s = &tune->settings[tune->count++];

		s->place = places[i];
		snprintf(s->wanted, sizeof(s->wanted), "0x%" PRIx64, value);
	}
	tune->pidfd = target->pidfd;
	tune->pid = target->pid;
	return 0;
}

static int parse_guards(struct tune *tune, const char *text)
{
	char list[256];

	if (text && strlen(text) >= sizeof(list)) {
		log__error("tune: --guard: no more than %zu characters", sizeof(list) - 1);
		return -EINVAL;
	}
	string__copy(list, sizeof(list), text ?: "");
	for (char *save, *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (tune->guard_count == TUNE_GUARDS) {
			log__error("tune: --guard: no more than %d", TUNE_GUARDS);
			return -EINVAL;
		}
		if (tune__parse_guard(word, &tune->guards[tune->guard_count++]))
			return -EINVAL;
		for (size_t i = 0; i + 1 < tune->guard_count; i++)
			if (tune->guards[i].kind == tune->guards[tune->guard_count - 1].kind) {
				log__error("tune: --guard %s: there is one on the same already", word);
				return -EINVAL;
			}
	}
	if (text && !tune->guard_count)
		return tune__parse_guard(text, &tune->guards[0]);
	return 0;
}

/* ---- what it would cost ------------------------------------------------------------ */

/* The granularity that would be in force for new tracking; 0: nothing is split */
static uint64_t wanted_granularity(const struct tune *tune)
{
	char mode[KNOB_TEXT] = "off", size[KNOB_TEXT] = "0";
	const struct knob_place places[] = {
		{ .knob = knob__find("iommu.dirty_split") },
		{ .knob = knob__find("iommu.dirty_granularity") },
	};
	uint64_t bytes = 0;

	if (!tune->settings[0].place.knob) {
		uint64_t value = strtoull(tune->settings[0].wanted, NULL, 16);

		return (value & 0xff) > 1 ? UINT64_C(1) << (value >> 8 & 0x3f) : 0;
	}
	knobs__read(&places[0], mode);
	knobs__read(&places[1], size);
	for (size_t i = 0; i < tune->count; i++) {
		if (tune->settings[i].place.knob == places[0].knob)
			STRING_COPY(mode, tune->settings[i].wanted);
		if (tune->settings[i].place.knob == places[1].knob)
			STRING_COPY(size, tune->settings[i].wanted);
	}
	if (!strcmp(mode, "off") || options__bytes(size, &bytes))
		return 0;
	return bytes;
}

static uint64_t largest_leaf(const struct vm *vm)
{
	uint64_t largest = 0;

	for (unsigned int i = 0; i < LEAF_SIZES && vm->backing[0] != UNKNOWN; i++)
		if (vm->backing[i])
			largest = UINT64_C(1) << (i + LEAF_SHIFT);
	return largest;
}

static void print_cost(const struct vm *vm, uint64_t granularity)
{
	uint64_t block = largest_leaf(vm), left = UNKNOWN;
	char name[VM_NAME], one[UNITS_TEXT], two[UNITS_TEXT], three[UNITS_TEXT];

	STRING_COPY(name, *vm->name ? vm->name : vm->vmm);
	table__clean(name);
	memory_limit__left((pid_t)vm->pid, &left);
	if (vm->memory_bytes == UNKNOWN) {
		printf("  %" PRIu64 " %s: how much memory it has is not known, and so not what tables it would take\n",
		       vm->pid, name);
		return;
	}
	if (!block) {
		printf("  %" PRIu64 " %s: up to %s of tables for %s of memory if its pages are large, which is not known\n",
		       vm->pid, name, units__bytes(whatif__tables(vm->memory_bytes, LARGEST, granularity), one),
		       units__bytes(vm->memory_bytes, two));
		return;
	}
	if (block <= granularity) {
		printf("  %" PRIu64 " %s: nothing; its largest pages are of %s\n", vm->pid, name,
		       units__leaf(block, one));
		return;
	}
	printf("  %" PRIu64 " %s: up to %s of tables for %s of memory on pages of up to %s; its memory limit leaves %s\n",
	       vm->pid, name, units__bytes(whatif__tables(vm->memory_bytes, block, granularity), one),
	       units__bytes(vm->memory_bytes, two), units__leaf(block, three),
	       left == UNKNOWN ? "(none is known)" : units__bytes(left, name));
}

static bool has_iommu(const struct vm *vm)
{
	for (size_t i = 0; i < vm->tracker_count; i++)
		if (!strcmp(vm->trackers[i].kind, "iommufd") || !strcmp(vm->trackers[i].kind, "type1"))
			return true;
	return false;
}

static int print_costs(const struct tune *tune, pid_t only)
{
	_cleanup_(vm_list__release) struct vm_list list;
	uint64_t granularity = wanted_granularity(tune);
	size_t count = 0;
	int err;

	vm_list__init(&list);
	err = vms__scan(&list, only, true);
	if (err) {
		log__warn("tune: cannot look through the processes (%s): what it would cost is not known",
			  strerror(-err));
		return 0;
	}
	if (!granularity)
		puts("Cost: nothing would be split.");
	else
		puts("Cost, once tracking starts (lazy: as far as blocks are written), besides IOTLB misses,\nwhich nobody can tell before:");
	for (size_t i = 0; granularity && i < list.count; i++) {
		if (!has_iommu(&list.at[i]))
			continue;
		print_cost(&list.at[i], granularity);
		count++;
	}
	if (granularity && !count)
		puts("  no VM here has memory that an IOMMU maps");
	for (size_t i = 0; i < list.note_count; i++)
		log__warn("tune: %s", list.notes[i]);
	return 0;
}

static int print_plan(const struct tune *tune, const struct tune_options *o, pid_t only)
{
	char from[KNOB_TEXT], to[KNOB_TEXT], now[KNOB_TEXT], text[UNITS_TEXT];
	bool splits = false;

	printf("For %s, nothing is changed now:\n", units__duration(o->for_ns, text));
	for (size_t i = 0; i < tune->count; i++) {
		const struct tune_setting *s = &tune->settings[i];
		int err = knobs__read(&s->place, now);

		if (err) {
			log__error("tune: cannot read %s (%s)", s->place.name, strerror(-err));
			return err;
		}
		knobs__words(&s->place, now, from);
		knobs__words(&s->place, s->wanted, to);
		printf("  %s: %s instead of %s; %s\n", s->place.name, to, from,
		       s->place.knob ? s->place.knob->changes :
				       "from this VM's next start of tracking on; what is split then stays so until that stops");
		splits |= !s->place.knob || !strncmp(s->place.knob->name, "iommu.", 6);
	}
	if (splits)
		print_costs(tune, only);
	else
		puts("Cost: as said; hwdbm has no figures for it.");
	return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

/* ---- the command ------------------------------------------------------------------- */

static int check_options(const struct tune_options *o, bool has_settings)
{
	if (o->vm && o->pid)
		log__error("tune: --vm and -p exclude each other; choose by one of them");
	else if (has_settings && o->undo)
		log__error("tune: --undo takes no KNOB=VALUE");
	else if (has_settings && o->json)
		log__error("tune: --json is for the list");
	else if (has_settings && !o->for_ns)
		log__error("tune: for how long? give --for, such as 10m: nothing is changed without a time limit");
	else if (o->for_ns > FOR_MOST_NS)
		log__error("tune: --for: 24 hours at most; what is wanted for longer belongs into the host's configuration");
	else if (!has_settings && (o->for_ns || o->dry_run || o->guard))
		log__error("tune: what is to be set? give KNOB=VALUE; hwdbm tune lists them");
	else
		return 0;
	return -EINVAL;
}

static int find_vm(const struct tune_options *o, struct vm_target *target)
{
	if (o->vm)
		return vms__find("tune", o->vm, target);
	if (!o->pid)
		return 0;
	if (vms__check_process("tune", (pid_t)o->pid))
		return -ESRCH;
	target->pid = (pid_t)o->pid;
	target->pidfd = (int)syscall(SYS_pidfd_open, target->pid, 0);
	if (target->pidfd >= 0)
		return 0;
	log__error("tune: cannot hold process %d (%s)", target->pid, strerror(errno));
	return -ESRCH;
}

static int run(struct tune *tune, const struct tune_options *o, const struct vm_target *target)
{
	int err;

	tune->for_ns = o->for_ns;
	if (o->dry_run)
		return print_plan(tune, o, target->pid) ? COMMAND_FAILED : COMMAND_OK;
	if (tune__lock(tune))
		return COMMAND_FAILED;
	err = tune__hold(tune);
	if (err == -ESTALE || err == -ECANCELED)
		return COMMAND_UNSOUND;
	if (err)
		return COMMAND_FAILED;
	return tune->end == TUNE_SIGNAL && tune->signal ? 128 + tune->signal : COMMAND_OK;
}

static int tune(struct tune *tune, const struct tune_options *o, int count, char **words)
{
	struct vm_target target = VM_TARGET_NONE;
	_cleanup_close_ int pidfd = -1;
	const bool of_vm = o->vm || o->pid;
	uint64_t value = 0;

	if (of_vm && count && parse_vm_words(count, words, &value))
		return COMMAND_USAGE;
	if (count > TUNE_MOST) {
		log__error("tune: no more than %d settings at once", TUNE_MOST);
		return COMMAND_USAGE;
	}
	for (int i = 0; !of_vm && i < count; i++)
		if (add_host_setting(tune, words[i]))
			return COMMAND_USAGE;
	if (parse_guards(tune, o->guard))
		return COMMAND_USAGE;
	if (find_vm(o, &target))
		return COMMAND_FAILED;
	pidfd = target.pidfd;
	if (!count)
		return list(o, &target) ? COMMAND_FAILED : COMMAND_OK;
	if (of_vm && add_vm_settings(tune, &target, value))
		return COMMAND_FAILED;
	return run(tune, o, &target);
}

int tune__main(int argc, char **argv)
{
	struct tune_options options = { 0 };
	struct tune *state = tune__new();
	int first = options__parse(&spec, &options, argc, argv);

	if (first == -ECANCELED)
		return COMMAND_OK;
	if (first < 0 || check_options(&options, first < argc))
		return COMMAND_USAGE;
	if (!state) {
		log__error("tune: no memory");
		return COMMAND_FAILED;
	}
	if (host__check_sys("tune"))
		return COMMAND_FAILED;
	if (options.undo)
		return tune__undo_left() ? COMMAND_UNSOUND : COMMAND_OK;
	return tune(state, &options, argc - first, argv + first);
}
