/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of code addresses. The kernel's come from /proc/kallsyms; those of processes from
 * elfutils, which finds separate debug files by build-id or debuglink, or asks debuginfod
 * (DEBUGINFOD_URLS). A build without elfutils knows no names of processes. Not here: where
 * addresses come from.
 */
#ifndef HWDBM_COLLECT_SYMBOLS_H
#define HWDBM_COLLECT_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct symbols;

#define SYMBOL_TEXT 256

/** symbols__open() - nothing is read yet. Return: 0 or -ENOMEM. */
int symbols__open(struct symbols **out);

/** symbols__free() - NULL is fine */
void symbols__free(struct symbols *symbols);

/**
 * symbols__kernel() - the function that an address of the kernel is in
 * Return: its name; "[unknown]" if there is none, or if the kernel hides its addresses.
 */
const char *symbols__kernel(struct symbols *symbols, uint64_t address, char text[SYMBOL_TEXT]);

/**
 * symbols__meet() - hold on to the files that these addresses of a process are in
 *
 * What was met can be named after the process has ended and its files are gone. Asks nobody and
 * reads no debug information.
 *
 * Return: 0, -ESRCH if there is no such process, or another -errno.
 */
int symbols__meet(struct symbols *symbols, pid_t pid, const uint64_t *addresses, size_t count);

/**
 * symbols__user() - the function that an address of a process is in
 *
 * May take as long as debuginfod does (DEBUGINFOD_TIMEOUT).
 *
 * Return: its name; "[file+0x12]" if only the file is known, else "[unknown]".
 */
const char *symbols__user(struct symbols *symbols, pid_t pid, uint64_t address,
			  char text[SYMBOL_TEXT]);

#endif
