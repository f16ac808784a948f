// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about the machine, from /proc and /sys. Not here: anything that changes it.
 */
#define _GNU_SOURCE
#include "host.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

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

/* include/linux/proc_ns.h: what the first namespaces of a kernel are called by */
#define FIRST_USER_NAMESPACE 0xeffffffdU
#define FIRST_PID_NAMESPACE 0xeffffffcU

/* Whether this process is in the first namespace of a kind, as far as can be told. */
static bool is_in_first(const char *link, ino_t number)
{
	struct stat info;

	return stat(link, &info) || info.st_ino == number;
}

bool host__is_namespace_root(void)
{
	return !is_in_first("/proc/self/ns/user", FIRST_USER_NAMESPACE);
}

bool host__sees_all_processes(void)
{
	return is_in_first("/proc/self/ns/pid", FIRST_PID_NAMESPACE);
}

bool host__capability(int number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (host__is_namespace_root() || syscall(SYS_capget, &header, caps))
		return false;
	return caps[CAP_TO_INDEX(number)].effective & CAP_TO_MASK(number);
}

int host__check_proc(const char *command)
{
	char self[16] = "";

	if (readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid())
		return 0;
	log__error(access("/proc/stat", F_OK) ?
			   "%s: /proc is not mounted, and without it no process can be seen; mount it (mount -t proc proc /proc)" :
			   "%s: /proc is that of another PID namespace; mount it for this one (mount -t proc proc /proc), or run outside",
		   command);
	return -ENOENT;
}

int host__check_sys(const char *command)
{
	if (!access("/sys/class", F_OK))
		return 0;
	log__error("%s: /sys is not mounted, and without it nothing is known of this host; mount it (mount -t sysfs sysfs /sys)",
		   command);
	return -ENOENT;
}

bool host__may_trace(void)
{
	return host__capability(CAP_SYS_ADMIN) ||
	       (host__capability(CAP_BPF) && host__capability(CAP_PERFMON));
}

const char *host__types(void)
{
	return host__capability(CAP_SYS_ADMIN) ? NULL : "/sys/kernel/btf/vmlinux";
}

int host__read(const char *path, char *text, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t length;

	*text = '\0';
	if (!file)
		return -errno;
	length = fread(text, 1, size - 1, file);
	if (ferror(file))
		return -EIO;
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return 0;
}

enum tristate host__configured(const char *path, const char *option)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	size_t length = strlen(option);
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, option, length) && line[length] == '=')
			return line[length + 1] == 'y' || line[length + 1] == 'm' ? TRI_TRUE :
										     TRI_FALSE;
	/* "# CONFIG_X is not set", or of a kernel that does not know it */
	return file ? TRI_FALSE : TRI_UNKNOWN;
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

/* Looks a module up in one of the lists beside the modules. */
static enum tristate is_listed(const char *list, const char *name)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct utsname kernel = { 0 };
	char line[4096];

	uname(&kernel);
	snprintf(line, sizeof(line), "/lib/modules/%s/%s", kernel.release, list);
	file = fopen(line, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":\n")] = '\0';
		if (is_module_file(line, name))
			return TRI_TRUE;
	}
	return file ? TRI_FALSE : TRI_UNKNOWN;
}

bool host__has_loaded(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

enum module_state host__module(const char *name)
{
	/* Built in, it may have no folder. */
	if (host__has_loaded(name) || is_listed("modules.builtin", name) == TRI_TRUE)
		return MODULE_LOADED;
	if (access("/proc/modules", F_OK) || is_listed("modules.dep", name) == TRI_FALSE)
		return MODULE_ABSENT;
	return MODULE_NOT_LOADED;
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
