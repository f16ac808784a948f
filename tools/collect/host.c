// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the machine, from /proc and /sys. Not here: anything that changes it.
 */
#define _GNU_SOURCE
#include "host.h"
#include "../lib/cleanup.h"

#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#define CAP_SYS_ADMIN 21
#define CAP_PERFMON 38
#define CAP_BPF 39

/* Whether a file holds a text; its lines may be separated by NUL, as in the device tree. */
static bool file_holds(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char buffer[16384];
	size_t length;

	if (!file)
		return false;
	length = fread(buffer, 1, sizeof(buffer), file);
	return memmem(buffer, length, text, strlen(text));
}

const char *host__time_basis(void)
{
	/* The "virt" machine of QEMU; no hardware calls itself that. */
	if (file_holds("/sys/firmware/devicetree/base/compatible", "linux,dummy-virt") ||
	    file_holds("/sys/class/dmi/id/sys_vendor", "QEMU"))
		return "emulated";
	if (file_holds("/proc/cpuinfo", " hypervisor"))
		return "native";
	return "hardware";
}

bool host__may_trace(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	unsigned long long caps = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	return caps >> CAP_SYS_ADMIN & 1 || (caps >> CAP_BPF & 1 && caps >> CAP_PERFMON & 1);
}

bool host__is_confidential(void)
{
	return file_holds("/sys/kernel/security/lockdown", "[confidentiality]");
}

/* Names in files have - where the kernel has _, or not. */
static bool is_module_file(const char *path, const char *name)
{
	const char *file = strrchr(path, '/');

	for (file = file ? file + 1 : path; *name; name++, file++)
		if (*file != *name && !(*file == '-' && *name == '_'))
			return false;
	return !strncmp(file, ".ko", 3);
}

enum module_state host__module(const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct utsname kernel = { 0 };
	char line[4096];

	snprintf(line, sizeof(line), "/sys/module/%s", name);
	if (!access(line, F_OK))
		return MODULE_LOADED;
	if (access("/proc/modules", F_OK))
		return MODULE_ABSENT;
	uname(&kernel);
	snprintf(line, sizeof(line), "/lib/modules/%s/modules.dep", kernel.release);
	file = fopen(line, "re");
	if (!file)
		return MODULE_NOT_LOADED;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":")] = '\0';
		if (is_module_file(line, name))
			return MODULE_NOT_LOADED;
	}
	return MODULE_ABSENT;
}

const char *host__tracefs(void)
{
	static const char * const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[64];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, sizeof(path), "%s/events", places[i]);
		if (!access(path, F_OK))
			return places[i];
	}
	return NULL;
}
