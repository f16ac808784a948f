// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of code addresses. Not here: call chains.
 */
#define _GNU_SOURCE
#include "symbols.h"
#include "../lib/cleanup.h"
#include "../lib/strings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#ifdef HWDBM_LIBDW
#include <elfutils/libdwfl.h>
#endif

#define UNKNOWN_NAME "[unknown]"

struct kernel_symbol {
	uint64_t address;
	size_t name;			/* offset into the names */
};

/* The code of one process. */
struct program {
	pid_t pid;
#ifdef HWDBM_LIBDW
	Dwfl *dwfl;
#endif
};

struct symbols {
	struct kernel_symbol *kernel;
	size_t kernel_count;
	char *names;
	size_t names_size;
	size_t names_room;
	bool kernel_read;
	struct program *programs;
	size_t program_count;
};

int symbols__open(struct symbols **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static int add_kernel(struct symbols *s, uint64_t address, const char *name)
{
	size_t length = strlen(name) + 1;

	/* In steps of powers of two: there are some 200,000. */
	if (!(s->kernel_count & (s->kernel_count - 1))) {
		size_t room = s->kernel_count ? 2 * s->kernel_count : 1;
		struct kernel_symbol *kernel = realloc(s->kernel, room * sizeof(*kernel));

		if (!kernel)
			return -ENOMEM;
		s->kernel = kernel;
	}
	if (s->names_size + length > s->names_room) {
		char *names = realloc(s->names, 2 * s->names_room + SYMBOL_TEXT);

		if (!names)
			return -ENOMEM;
		s->names = names;
		s->names_room = 2 * s->names_room + SYMBOL_TEXT;
	}
	memcpy(s->names + s->names_size, name, length);
	s->kernel[s->kernel_count++] = (struct kernel_symbol){ address, s->names_size };
	s->names_size += length;
	return 0;
}

static int by_address(const void *one, const void *other)
{
	const struct kernel_symbol *a = one, *b = other;

	return a->address < b->address ? -1 : a->address > b->address;
}

/* Addresses that the kernel hides are all 0. */
static int read_kernel(struct symbols *s)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int err = 0;

	s->kernel_read = true;
	if (!file)
		return -errno;
	while (!err && getline(&line, &size, file) > 0) {
		char type, name[SYMBOL_TEXT];
		uint64_t address;

		if (sscanf(line, "%" SCNx64 " %c %255s", &address, &type, name) == 3 && address &&
		    strchr("tTwW", type))
			err = add_kernel(s, address, name);
	}
	if (s->kernel_count)
		qsort(s->kernel, s->kernel_count, sizeof(*s->kernel), by_address);
	return err;
}

const char *symbols__kernel(struct symbols *s, uint64_t address, char text[SYMBOL_TEXT])
{
	size_t low = 0, high;

	if (!s->kernel_read)
		read_kernel(s);
	high = s->kernel_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->kernel[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	string__copy(text, SYMBOL_TEXT, low ? s->names + s->kernel[low - 1].name : UNKNOWN_NAME);
	return text;
}

static struct program *find_program(struct symbols *s, pid_t pid)
{
	for (size_t i = 0; i < s->program_count; i++)
		if (s->programs[i].pid == pid)
			return &s->programs[i];
	return NULL;
}

#ifdef HWDBM_LIBDW

/* The file behind the mapping that begins at an address. Return: a file descriptor, or -1. */
static int open_mapping(pid_t pid, uint64_t start)
{
	_cleanup_fclose_ FILE *maps = NULL;
	_cleanup_free_ char *line = NULL;
	uint64_t first, end;
	size_t size = 0;
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &size, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &end) != 2 || first != start)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, first, end);
		return open(path, O_RDONLY | O_CLOEXEC);
	}
	return -1;
}

/*
 * A path in a process's maps is one of its own mount namespace, and the file may have been
 * replaced since: the kernel's link to what is mapped goes first. That takes CAP_SYS_ADMIN.
 */
static int find_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	int fd = *data && *name == '/' ? open_mapping((pid_t)(intptr_t)*data, base) : -1;

	if (fd < 0)
		return dwfl_linux_proc_find_elf(module, data, name, base, file_name, elf);
	*file_name = strdup(name);
	return fd;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

static int report(struct program *program)
{
	int err;

	dwfl_report_begin(program->dwfl);
	err = dwfl_linux_proc_report(program->dwfl, program->pid);
	dwfl_report_end(program->dwfl, NULL, NULL);
	if (!err)
		return 0;
	return err == ENOENT ? -ESRCH : err > 0 ? -err : -EIO;
}

static struct program *add_program(struct symbols *s, pid_t pid, int *err)
{
	struct program *programs, program = { .pid = pid, .dwfl = dwfl_begin(&callbacks) };

	*err = program.dwfl ? report(&program) : -ENOMEM;
	programs = *err ? NULL : realloc(s->programs, (s->program_count + 1) * sizeof(*programs));
	if (!programs) {
		*err = *err ?: -ENOMEM;
		dwfl_end(program.dwfl);
		return NULL;
	}
	s->programs = programs;
	s->programs[s->program_count++] = program;
	return &s->programs[s->program_count - 1];
}

/* Opens the file that an address is in, once. Return: whether there is one. */
static bool meet_address(struct program *program, uint64_t address)
{
	Dwfl_Module *module = dwfl_addrmodule(program->dwfl, address);
	GElf_Addr bias;
	void **data;

	if (!module)
		return false;
	dwfl_module_info(module, &data, NULL, NULL, NULL, NULL, NULL, NULL);
	*data = (void *)(intptr_t)program->pid;
	dwfl_module_getelf(module, &bias);
	return true;
}

int symbols__meet(struct symbols *s, pid_t pid, const uint64_t *addresses, size_t count)
{
	struct program *program = find_program(s, pid);
	bool is_new = !program;
	int err = 0;

	program = program ?: add_program(s, pid, &err);
	for (size_t i = 0; program && i < count; i++) {
		if (meet_address(program, addresses[i]) || is_new)
			continue;
		/* Loaded since. What was loaded before and is gone is forgotten. */
		is_new = true;
		if (!report(program))
			meet_address(program, addresses[i]);
	}
	return err;
}

static const char *name_in(Dwfl_Module *module, uint64_t address, char text[SYMBOL_TEXT])
{
	const char *name = dwfl_module_addrname(module, address), *file, *slash;
	Dwarf_Addr start;

	if (name) {
		string__copy(text, SYMBOL_TEXT, name);
		return text;
	}
	file = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	slash = file ? strrchr(file, '/') : NULL;
	snprintf(text, SYMBOL_TEXT, "[%.200s+0x%" PRIx64 "]", slash ? slash + 1 : file ?: "?",
		 address - start);
	return text;
}

const char *symbols__user(struct symbols *s, pid_t pid, uint64_t address, char text[SYMBOL_TEXT])
{
	struct program *program = find_program(s, pid);
	Dwfl_Module *module = program ? dwfl_addrmodule(program->dwfl, address) : NULL;

	if (module)
		return name_in(module, address, text);
	string__copy(text, SYMBOL_TEXT, UNKNOWN_NAME);
	return text;
}

static void release(struct program *program)
{
	dwfl_end(program->dwfl);
}

#else

int symbols__meet(struct symbols *s, pid_t pid, const uint64_t *addresses, size_t count)
{
	(void)addresses;
	(void)count;
	return find_program(s, pid) ? 0 : -EOPNOTSUPP;
}

const char *symbols__user(struct symbols *s, pid_t pid, uint64_t address, char text[SYMBOL_TEXT])
{
	(void)s;
	(void)pid;
	snprintf(text, SYMBOL_TEXT, "[0x%" PRIx64 "]", address);
	return text;
}

static void release(struct program *program)
{
	(void)program;
}

#endif

void symbols__free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->program_count; i++)
		release(&s->programs[i]);
	free(s->programs);
	free(s->kernel);
	free(s->names);
	free(s);
}
