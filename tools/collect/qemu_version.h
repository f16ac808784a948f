/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which QEMU a process runs, without asking it. Not here: what follows from that (model/outlook.c).
 */
#ifndef HWDBM_COLLECT_QEMU_VERSION_H
#define HWDBM_COLLECT_QEMU_VERSION_H

#include <stdint.h>
#include <sys/types.h>

/**
 * qemu_version__of() - 702 for QEMU 7.2, from the text in its executable that --version prints
 *
 * Reads that file as far as it has to.
 *
 * Return: the number; UNKNOWN if it has no such text or cannot be read.
 */
uint64_t qemu_version__of(pid_t pid);

#endif
