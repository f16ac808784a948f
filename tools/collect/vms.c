// SPDX-License-Identifier: GPL-2.0-only
/*
 * All processes, one after the other; each is let go before the next. Not here: the
 * pieces that know about descriptors, devices, the kernel's structures and memory.
 */
#define _GNU_SOURCE
#include "vms.h"
#include "host.h"
#include "vms_backing.h"
#include "vms_device.h"
#include "vms_kernel.h"
#include "vms_process.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"
#include "../lib/strings.h"
#include "../model/vm_name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

static int by_number(const void *one, const void *other)
{
	const pid_t *a = one, *b = other;

	return (*a > *b) - (*a < *b);
}

/* Process ids in rising order, to be freed. */
static int list_processes(pid_t **out, size_t *count)
{
	DIR *dir = opendir("/proc");
	pid_t *pids = NULL;
	struct dirent *entry;

	if (!dir)
		return -errno;
	*count = 0;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (!(*count & (*count - 1))) {
			pid_t *grown = realloc(pids, (*count ? 2 * *count : 1) * sizeof(*pids));

			if (!grown) {
				free(pids);
				closedir(dir);
				return -ENOMEM;
			}
			pids = grown;
		}
		pids[(*count)++] = atoi(entry->d_name);
	}
	closedir(dir);
	qsort(pids, *count, sizeof(*pids), by_number);
	*out = pids;
	return 0;
}

/*
 * The same VM may be held by several processes: a child has what its parent opened. It is
 * shown once, with the process whose memory it has.
 */
static bool is_same_vm(const struct vm *a, const struct vm *b)
{
	if (a->fd < 0 || b->fd < 0)
		return false;
	if (a->identity && b->identity)
		return a->identity == b->identity;
	return !syscall(SYS_kcmp, (pid_t)a->pid, (pid_t)b->pid, KCMP_FILE, a->fd, b->fd);
}

static void drop(struct vm_list *list, size_t which)
{
	vm__release(&list->at[which]);
	memmove(&list->at[which], &list->at[which + 1],
		(--list->count - which) * sizeof(list->at[0]));
}

static void merge_shared(struct vm_list *list)
{
	for (size_t i = 1; i < list->count; i++)
		for (size_t j = 0; j < i; j++) {
			if (!is_same_vm(&list->at[j], &list->at[i]))
				continue;
			/* Nobody said whose it is: a parent has the lower number, as a rule. */
			drop(list, list->at[i].is_owner == TRI_TRUE ? j : i);
			i--;
			break;
		}
}

struct scan {
	struct vm_list *list;
	uint64_t budget;
	bool at_any_cost;
	bool no_kernel;			/* it was tried, and said why not */
	struct vms_kernel *kernel;
	size_t hidden;			/* processes whose descriptors are not ours to see */
	size_t hidden_vms;
	size_t too_large;
	size_t unreadable;		/* whose smaps is not */
	size_t untyped;			/* VMs the kernel's side knew nothing of */
};

/* One row per KVM descriptor, or one for a process without. Return: how many, or -errno. */
static int add_rows(struct scan *scan, const struct vms_process *process)
{
	size_t rows = process->kvms ? process->kvms : 1, next = 0;

	for (size_t row = 0; row < rows; row++) {
		struct vm *vm = vm_list__add(scan->list);

		if (!vm)
			return -ENOMEM;
		vm->fd = -1;
		vms_process__identify(process, vm);
		if (process->is_hidden)
			continue;
		vm->has_kvm = process->kvms ? TRI_TRUE : TRI_FALSE;
		for (; process->kvms; next++)
			if (process->descriptors[next].file == VMS_FILE_KVM) {
				vm->fd = process->descriptors[next++].fd;
				break;
			}
	}
	return rows;
}

static void ask_kernel(struct scan *scan, const struct vms_process *process, struct vm *vms,
		       size_t count)
{
	char why[VM_NOTE - 80];
	bool changing = false;
	int err;

	if (scan->no_kernel || process->is_hidden)
		return;
	if (!scan->kernel && vms_kernel__open(&scan->kernel, why, sizeof(why))) {
		scan->no_kernel = true;
		vm_list__note(scan->list, "memory, slots and tracking cannot be seen: %s", why);
		return;
	}
	err = vms_kernel__look(scan->kernel, process, vms, count, &changing);
	if (err && vms_process__is_alive(process))
		vm_list__note(scan->list, "process %d: slots and tracking cannot be seen (%s)",
			      process->pid, strerror(-err));
	else if (changing)
		vm_list__note(scan->list, "process %d: its slots could not be read whole, as when they come and go; some may be missing, or be there twice",
			      process->pid);
	/* Of one that has ended meanwhile there is nothing to tell. */
	for (size_t i = 0; !err && i < count && vms_process__is_alive(process); i++)
		scan->untyped += vms[i].fd >= 0 && vms[i].slot_count == UNKNOWN;
}

static void look_at_memory(struct scan *scan, const struct vms_process *process, struct vm *vm)
{
	int err;

	/* Others have the descriptor only; the addresses are not theirs. */
	if (!vm->slots_held || vm->is_owner == TRI_FALSE)
		return;
	err = vms_backing__read(process, vm, scan->at_any_cost ? NULL : &scan->budget);
	scan->too_large += err == -E2BIG;
	scan->unreadable += err && err != -E2BIG && vms_process__is_alive(process);
}

static int look_at(struct scan *scan, const struct vms_process *process)
{
	int rows = add_rows(scan, process), err = rows < 0 ? rows : 0;
	struct vm *vms;

	if (err)
		return err;
	vms = &scan->list->at[scan->list->count - rows];
	for (int i = 0; i < rows; i++) {
		if (rows == 1 && process->vcpu_descriptors)
			vms[i].vcpus = process->vcpu_descriptors;
		vms_process__threads(process, &vms[i]);
	}
	/* Devices are the process's; its first VM has them. */
	err = vms_device__list(process, vms);
	if (err)
		return err;
	ask_kernel(scan, process, vms, rows);
	err = vms_device__finish(process, vms);
	for (int i = 0; i < rows; i++)
		look_at_memory(scan, process, &vms[i]);
	scan->hidden_vms += process->is_hidden;
	if (!err && !vms_process__is_alive(process))
		for (; rows; rows--)
			drop(scan->list, scan->list->count - 1);
	return err;
}

static int look_at_process(struct scan *scan, pid_t pid)
{
	struct vms_process process = VMS_PROCESS_NONE;
	int err = vms_process__open(&process, pid);

	if (err)
		return err == -ENOMEM || err == -EMFILE ? err : 0;
	scan->hidden += process.is_hidden;
	if (vms_process__is_vm(&process))
		err = look_at(scan, &process);
	vms_process__close(&process);
	return err;
}

static void add_notes(struct scan *scan)
{
	struct vm_list *list = scan->list;

	if (scan->kernel)
		vms_kernel__lost(scan->kernel, &list->lost_records, &list->lost_reads);
	if (scan->untyped)
		vm_list__note(list, "VMs whose slots and tracking cannot be seen: %zu; this kernel's KVM has no type information, or it takes CAP_SYS_ADMIN to read that of a module",
			      scan->untyped);
	if (scan->hidden)
		vm_list__note(list, "processes whose descriptors cannot be seen: %zu, of which %zu look like VMs; it takes root, or CAP_SYS_PTRACE, and a policy that allows it",
			      scan->hidden, scan->hidden_vms);
	if (!host__sees_all_processes())
		vm_list__note(list, "VMs outside of this PID namespace cannot be seen from it");
	if (scan->too_large)
		vm_list__note(list, "VMs whose page sizes were not looked at, which takes 10 ms per GiB: %zu; --verbose does",
			      scan->too_large);
	if (scan->unreadable)
		vm_list__note(list, "VMs whose page sizes cannot be seen: %zu; run as root, or with CAP_SYS_PTRACE",
			      scan->unreadable);
	if (list->lost_records != UNKNOWN && list->lost_records + list->lost_reads)
		vm_list__note(list, "%zu records did not fit and %zu places could not be read: what is shown is not all",
			      (size_t)list->lost_records, (size_t)list->lost_reads);
}

int vms__scan(struct vm_list *list, pid_t only, bool at_any_cost)
{
	struct scan scan = {
		.list = list, .at_any_cost = at_any_cost, .budget = VMS_BACKING_BUDGET,
	};
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;
	int err = list_processes(&pids, &count);

	for (size_t i = 0; !err && i < count; i++)
		if (!only || pids[i] == only)
			err = look_at_process(&scan, pids[i]);
	merge_shared(list);
	for (size_t i = 0; i < list->count; i++)
		vm__conclude(&list->at[i]);
	if (!err)
		add_notes(&scan);
	vms_kernel__free(scan.kernel);
	return err;
}

int vms__name(pid_t pid, char name[VM_NAME])
{
	struct vms_process process = VMS_PROCESS_NONE;
	struct vm vm;
	int err = vms_process__open(&process, pid);

	if (err)
		return err == -ENOENT ? -ESRCH : err;
	vm__clear(&vm);
	vms_process__identify(&process, &vm);
	if (!vms_process__is_alive(&process))
		err = -ESRCH;
	else
		string__copy(name, VM_NAME, vm.name);
	vms_process__close(&process);
	return err;
}

/* How many processes a message names. */
#define NAMED_PROCESSES 4

struct search {
	const char *which;
	struct vm_list matches;
	struct vms_process first;	/* of the only match, as long as there is one */
	size_t hidden;
};

/* Takes the process over if it is the first match. */
static int add_match(struct search *search, struct vms_process *process, const struct vm *vm)
{
	struct vm *match = vm_list__add(&search->matches);

	if (!match)
		return -ENOMEM;
	*match = *vm;
	for (size_t i = 0; i < process->count && match->fd < 0; i++)
		if (process->descriptors[i].file == VMS_FILE_KVM)
			match->fd = process->descriptors[i].fd;
	if (search->first.dir < 0) {
		search->first = *process;
		*process = (struct vms_process)VMS_PROCESS_NONE;
	}
	return 0;
}

static int try_process(struct search *search, pid_t pid)
{
	struct vms_process process = VMS_PROCESS_NONE;
	int err = vms_process__open(&process, pid);
	struct vm vm;

	if (err)
		return err == -ENOMEM || err == -EMFILE ? err : 0;
	search->hidden += process.is_hidden;
	vm__clear(&vm);
	vm.fd = -1;
	if (vms_process__is_vm(&process)) {
		vms_process__identify(&process, &vm);
		if (vm_name__is(&vm, search->which))
			err = add_match(search, &process, &vm);
	}
	vms_process__close(&process);
	return err;
}

static int complain(const char *command, const struct search *search)
{
	const struct vm_list *matches = &search->matches;
	char pids[128] = "";
	int length = 0;

	if (!matches->count && search->hidden)
		log__error("%s: no VM is called \"%s\" as far as can be seen (hidden processes: %zu, for which it takes root, or CAP_SYS_PTRACE, and a policy that allows it); hwdbm vms lists the others",
			   command, search->which, search->hidden);
	else if (!matches->count)
		log__error("%s: no VM is called \"%s\"; hwdbm vms lists those of this host",
			   command, search->which);
	if (!matches->count)
		return -ENOENT;
	for (size_t i = 0; i < matches->count && i < NAMED_PROCESSES; i++)
		length += snprintf(pids + length, sizeof(pids) - length, "%s%d", i ? ", " : "",
				   (pid_t)matches->at[i].pid);
	log__error("%s: %zu VMs are called \"%s\" (processes %s%s); take one by UUID, or with -p",
		   command, matches->count, search->which, pids,
		   matches->count > NAMED_PROCESSES ? ", ..." : "");
	return -ENOTUNIQ;
}

/* The number can only be given away once the process is gone: then its directory fails. */
static int hold(const char *command, const struct search *search, struct vm_target *target)
{
	const struct vm *match = &search->matches.at[0];
	int pidfd = syscall(SYS_pidfd_open, (pid_t)match->pid, 0);
	int err = pidfd < 0 ? -errno : 0;

	if (!err && !vms_process__is_alive(&search->first))
		err = -ESRCH;
	if (err) {
		log__error("%s: VM \"%s\" (process %d) cannot be followed (%s)", command,
			   search->which, (pid_t)match->pid,
			   err == -ESRCH ? "it has just ended" : strerror(-err));
		cleanup__close(&pidfd);
		return err;
	}
	target->pid = match->pid;
	target->pidfd = pidfd;
	STRING_COPY(target->name, match->name);
	return 0;
}

/* Return: the process that a thread belongs to; 0 if that cannot be seen. */
static pid_t process_of(pid_t thread)
{
	char path[32], line[256];
	_cleanup_fclose_ FILE *file = NULL;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	file = fopen(path, "re");
	while (file && !pid && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &pid) != 1)
			pid = 0;
	return pid;
}

int vms__check_process(const char *command, pid_t pid)
{
	pid_t process = process_of(pid);
	int err = host__check_proc(command);

	if (err)
		return err;
	if (kill(pid, 0) && errno == ESRCH) {
		log__error("%s: cannot look at process %d (there is none)", command, pid);
		return -ESRCH;
	}
	if (!process || process == pid)
		return 0;
	log__error("%s: %d is a thread of process %d; say -p %d", command, pid, process, process);
	return -EINVAL;
}

int vms__find(const char *command, const char *which, struct vm_target *target)
{
	struct search search = { .which = which, .first = VMS_PROCESS_NONE };
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0;
	int err = host__check_proc(command);

	if (err)
		return err;
	vm_list__init(&search.matches);
	err = list_processes(&pids, &count);
	for (size_t i = 0; !err && i < count; i++)
		err = try_process(&search, pids[i]);
	/* Without the kernel's word the first stays: the process that is held. */
	merge_shared(&search.matches);
	if (err)
		log__error("%s: cannot look for VM \"%s\" (%s)", command, which, strerror(-err));
	else if (search.matches.count != 1)
		err = complain(command, &search);
	else
		err = hold(command, &search, target);
	if (search.first.dir >= 0)
		vms_process__close(&search.first);
	vm_list__release(&search.matches);
	return err;
}
