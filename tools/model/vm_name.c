// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command lines of VMMs as a table. Not here: VMMs that say nothing of a name; their
 * process's name has to do.
 */
#include "vm_name.h"
#include "../lib/strings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How an option's value gives the name. */
enum value_kind {
	VALUE_PLAIN,		/* NAME */
	VALUE_KEY,		/* a list of KEY=VALUE, or the first alone */
	VALUE_KEY_ONLY,		/* a list of KEY=VALUE */
	VALUE_SOCKET,		/* the file name of a socket, without its ending */
};

struct name_option {
	const char *option;
	enum value_kind kind;
	const char *key;
	bool is_uuid;
};

struct vmm {
	const char *program;	/* its executable begins so, or is called so */
	bool exactly;
	const char *name;
	struct name_option options[4];
};

/* Options in falling order of worth: the first that is given counts. */
static const struct vmm vmms[] = {
	{ "qemu-system-", false, "qemu", { { "-name", VALUE_KEY, "guest", false },
					   { "-uuid", VALUE_PLAIN, NULL, true } } },
	{ "qemu-kvm", true, "qemu", { { "-name", VALUE_KEY, "guest", false },
				      { "-uuid", VALUE_PLAIN, NULL, true } } },
	{ "kvm", true, "qemu", { { "-name", VALUE_KEY, "guest", false },
				 { "-uuid", VALUE_PLAIN, NULL, true } } },
	{ "stratovirt", true, "stratovirt", { { "-name", VALUE_PLAIN, NULL, false },
					      { "-uuid", VALUE_PLAIN, NULL, true } } },
	{ "cloud-hypervisor", false, "cloud-hypervisor",
	  { { "--api-socket", VALUE_SOCKET, "path", false },
	    { "--platform", VALUE_KEY_ONLY, "uuid", true } } },
	{ "firecracker", false, "firecracker", { { "--id", VALUE_PLAIN, NULL, false },
						 { "--api-sock", VALUE_SOCKET, "path", false } } },
	{ "crosvm", true, "crosvm", { { "--name", VALUE_PLAIN, NULL, false },
				      { "--socket", VALUE_SOCKET, "path", false },
				      { "-s", VALUE_SOCKET, "path", false } } },
	{ "lkvm", false, "kvmtool", { { "--name", VALUE_PLAIN, NULL, false },
				      { "-n", VALUE_PLAIN, NULL, false } } },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct vmm *find_vmm(const char *program)
{
	for (size_t i = 0; i < sizeof(vmms) / sizeof(vmms[0]); i++) {
		size_t length = strlen(vmms[i].program);

		if (!strncmp(program, vmms[i].program, length + vmms[i].exactly))
			return &vmms[i];
	}
	return NULL;
}

/* Takes "--name" for "-name", as QEMU does, and "--name=VALUE" where a word holds both. */
static const char *value_of(const char *option, const char *word, const char *next)
{
	size_t length;

	if (option[1] != '-' && option[2] && word[0] == '-' && word[1] == '-')
		word++;
	length = strlen(option);
	if (strncmp(word, option, length))
		return NULL;
	if (!word[length])
		return next;
	return word[length] == '=' && option[1] == '-' ? word + length + 1 : NULL;
}

/* One item of a list; QEMU writes a comma inside as two. */
static const char *take_item(const char *list, char *item, size_t size)
{
	size_t length = 0;

	for (; *list; list++) {
		if (*list == ',' && *++list != ',')
			return list;
		if (length + 1 < size)
			item[length++] = *list;
		item[length] = '\0';
	}
	return NULL;
}

static bool take_key(const char *list, const char *key, bool first_alone, char *to, size_t size)
{
	bool first = true;

	while (list) {
		char item[2 * VM_NAME] = "";
		size_t length = strlen(key);

		list = take_item(list, item, sizeof(item));
		if (!strncmp(item, key, length) && item[length] == '=') {
			snprintf(to, size, "%s", item + length + 1);
			return to[0];
		}
		if (first && first_alone && !strchr(item, '=')) {
			snprintf(to, size, "%s", item);
			return to[0];
		}
		first = false;
	}
	return false;
}

static bool take_socket(const char *value, const char *key, char *to, size_t size)
{
	char path[2 * VM_NAME], *dot;

	/* A descriptor that was passed, "fd=3", says nothing. */
	if (!take_key(value, key, true, path, sizeof(path)))
		return false;
	dot = strrchr(path, '.');
	if (dot && (!strcmp(dot, ".sock") || !strcmp(dot, ".socket")))
		*dot = '\0';
	string__copy(to, size, base_name(path));
	return to[0];
}

static bool take_value(const struct name_option *option, const char *value, char *to, size_t size)
{
	switch (option->kind) {
	case VALUE_PLAIN:
		snprintf(to, size, "%s", value);
		return to[0];
	case VALUE_KEY:
	case VALUE_KEY_ONLY:
		return take_key(value, option->key, option->kind == VALUE_KEY, to, size);
	case VALUE_SOCKET:
		return take_socket(value, option->key, to, size);
	}
	return false;
}

static bool find_option(const struct name_option *option, const char *words, size_t size, char *to,
			size_t room)
{
	const char *end = words + size, *next;
	bool found = false;

	/* Of an option given twice, VMMs take the last. */
	for (const char *word = words; word < end; word = next) {
		const char *value;

		next = word + strnlen(word, end - word) + 1;
		value = value_of(option->option, word, next < end ? next : NULL);
		if (value)
			found = take_value(option, value, to, room);
	}
	return found;
}

/* enable-migration=on for every VFIO device, as a list of KEY=VALUE or as JSON. */
static bool insists(const char *words, size_t size)
{
	static const char * const forms[] = {
		"enable-migration=on", "\"enable-migration\":\"on\"", "\"enable-migration\": \"on\"",
	};
	const char *end = words + size;
	bool any = false;

	for (const char *word = words; word < end; word += strlen(word) + 1) {
		bool on = false;

		if (strncmp(word, "vfio-pci", 8) && !strstr(word, "\"driver\":\"vfio-pci") &&
		    !strstr(word, "\"driver\": \"vfio-pci"))
			continue;
		for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
			on |= strstr(word, forms[i]) != NULL;
		if (!on)
			return false;
		any = true;
	}
	return any;
}

bool vm_name__parse(const char *program, const char *words, size_t size, struct vm *vm)
{
	const struct vmm *vmm = find_vmm(base_name(program ? program : size ? words : ""));
	bool has_name = false, has_uuid = false;

	/* Without a last NUL a word could run on. */
	if (!vmm || (size && words[size - 1]))
		return vmm;
	snprintf(vm->vmm, sizeof(vm->vmm), "%s", vmm->name);
	vm->insists = !strcmp(vmm->name, "qemu") && insists(words, size);
	for (size_t i = 0; i < sizeof(vmm->options) / sizeof(vmm->options[0]); i++) {
		const struct name_option *option = &vmm->options[i];

		if (!option->option)
			break;
		if (option->is_uuid && !has_uuid)
			has_uuid = find_option(option, words, size, vm->uuid, sizeof(vm->uuid));
		else if (!option->is_uuid && !has_name)
			has_name = find_option(option, words, size, vm->name, sizeof(vm->name));
	}
	return true;
}

/* systemd writes "-" and other bytes of a unit's name as \xHH. */
static void unescape(const char *from, size_t length, char *to, size_t size)
{
	size_t out = 0;

	for (size_t i = 0; i < length && out + 1 < size; out++) {
		char hex[3] = "";

		if (i + 3 < length && from[i] == '\\' && from[i + 1] == 'x' &&
		    isxdigit((unsigned char)from[i + 2]) && isxdigit((unsigned char)from[i + 3])) {
			memcpy(hex, from + i + 2, 2);
			to[out] = (char)strtoul(hex, NULL, 16);
			i += 4;
		} else {
			to[out] = from[i++];
		}
	}
	to[out] = '\0';
}

/* "qemu-3-NAME" */
static bool take_machine(const char *machine, char name[VM_NAME])
{
	static const char *const drivers[] = { "qemu-", "ch-" };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		size_t length = strlen(drivers[i]);
		const char *number = machine + length;
		size_t digits;

		if (strncmp(machine, drivers[i], length))
			continue;
		digits = strspn(number, "0123456789");
		if (!digits || number[digits] != '-' || !number[digits + 1])
			continue;
		snprintf(name, VM_NAME, "%s", number + digits + 1);
		return true;
	}
	return false;
}

bool vm_name__from_slice(const char *cgroup, char name[VM_NAME])
{
	static const struct {
		const char *before, *after;
	} forms[] = { { "/machine-", ".scope" }, { "/", ".libvirt-qemu" } };
	char machine[2 * VM_NAME];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const char *end = strstr(cgroup, forms[i].after), *start = NULL;

		for (const char *at = cgroup; end && (at = strstr(at, forms[i].before)) && at < end;)
			start = at += strlen(forms[i].before);
		if (!start || start > end)
			continue;
		unescape(start, end - start, machine, sizeof(machine));
		if (take_machine(machine, name))
			return true;
	}
	return false;
}

bool vm_name__is(const struct vm *vm, const char *which)
{
	return !strcmp(vm->name, which) || (vm->uuid[0] && !strcasecmp(vm->uuid, which));
}

bool vm_name__migration(const char *thread)
{
	/* QEMU from 9.1; the others until then */
	static const char *const names[] = { "mig/", "live_migration", "multifdsend_",
					     "multifdrecv_", "bg_snapshot", "get_dirtyrate" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(thread, names[i], strlen(names[i])))
			return true;
	return false;
}

bool vm_name__vcpu(const char *thread)
{
	unsigned int number;
	int length = 0;

	/* QEMU; cloud-hypervisor and others; Firecracker */
	return (sscanf(thread, "CPU %u/KVM%n", &number, &length) == 1 && length) ||
	       sscanf(thread, "vcpu%u", &number) == 1 || sscanf(thread, "fc_vcpu %u", &number) == 1;
}
