// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the machine, from /proc and /sys. Not here: anything that changes it.
 */
#define _GNU_SOURCE
#include "host.h"
#include "../lib/cleanup.h"

#include <stdint.h>
#include <string.h>

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
