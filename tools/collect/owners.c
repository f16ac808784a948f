// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners by global process id. Not here: how a VM is called (vms.h).
 */
#include "owners.h"
#include "vms.h"
#include "../../bpf/records.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <sys/stat.h>

/* include/linux/proc_ns.h: of the first pid namespace, whose numbers are the global ones */
#define PROC_PID_INIT_INO 0xeffffffcU

static bool is_numbered_globally(void)
{
	struct stat ns;

	/* A kernel may be built without such namespaces. */
	return stat("/proc/self/ns/pid", &ns) || ns.st_ino == PROC_PID_INIT_INO;
}

static void look_up(struct owner *owner, int map_fd)
{
	struct hwdbm_owner noted;
	bool is_noted = !bpf_map_lookup_elem(map_fd, &owner->tgid, &noted);
	char name[VM_NAME];

	if (is_noted && noted.pid)
		owner->pid = noted.pid;
	else if (owner->tgid && is_numbered_globally())
		owner->pid = owner->tgid;
	if (owner->pid != UNKNOWN && !vms__name(owner->pid, name))
		STRING_COPY(owner->name, name);
	else if (is_noted)
		STRING_COPY(owner->name, noted.command);
}

const struct owner *owners__find(struct owner_list *list, int map_fd, uint32_t tgid)
{
	struct owner *at;

	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].tgid == tgid)
			return &list->at[i];
	at = realloc(list->at, (list->count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	list->at = at;
	at = &list->at[list->count++];
	*at = (struct owner){ .tgid = tgid, .pid = UNKNOWN };
	look_up(at, map_fd);
	return at;
}

void owners__release(struct owner_list *list)
{
	free(list->at);
	*list = (struct owner_list){ 0 };
}
