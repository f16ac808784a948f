/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing settings: files in sysfs, and options of the iommufd that a VMM holds,
 * through a copy of its descriptor (pidfd_getfd(2)). Not here: for how long, and putting them
 * back (commands/tune_hold.h).
 *
 * The copy of a descriptor is closed at once: kept, it would keep the VM's memory pinned
 * when the VM ends.
 */
#ifndef HWDBM_COLLECT_KNOBS_H
#define HWDBM_COLLECT_KNOBS_H

#include "../model/knob.h"

#include <stdbool.h>
#include <sys/types.h>

/* One place that a value can be written to. */
struct knob_place {
	const struct knob *knob;	/* of the host; NULL: an IOAS */
	pid_t pid;			/* whose iommufd */
	int pidfd;			/* the caller's; stays that process's */
	int fd;				/* number of the descriptor in that process */
	uint32_t ioas;
	char name[64];			/* for people */
};

/** knobs__read() - the present value. Return: 0 or -errno; -ESRCH if the process has ended. */
int knobs__read(const struct knob_place *place, char text[KNOB_TEXT]);

/** knobs__write() - set it. Return: 0 or -errno, as knobs__read(). */
int knobs__write(const struct knob_place *place, const char *text);

/** knobs__words() - a value for people: options of an IOAS are numbers in those texts */
void knobs__words(const struct knob_place *place, const char *text, char words[KNOB_TEXT]);

/**
 * knobs__settable() - whether a knob of the host can be set here
 * @reason: why not
 */
bool knobs__settable(const struct knob *knob, char reason[KNOB_REASON]);

#define KNOB_PLACES 16

/**
 * knobs__of_vm() - every IOAS of a process's iommufds
 *
 * Return: how many there are, up to KNOB_PLACES; -ENODEV if it holds no iommufd, -EOPNOTSUPP
 * if this kernel has no such option, -EBUSY if another VM uses the same iommufd (its process
 * id in @other), -ENOENT if there is no IOAS; another -errno.
 */
int knobs__of_vm(pid_t pid, int pidfd, struct knob_place places[KNOB_PLACES], pid_t *other);

/* hwdbm tune keeps a file of each setting here while it is not what it was before. */
#define KNOBS_HELD_DIR "/run/hwdbm/tune"

/** knobs__held() - what hwdbm tune has changed at present, for people; "" if nothing, or not known */
void knobs__held(char *names, size_t size);

/** knobs__start_time() - when a process began, in clock ticks after boot; 0 if there is none */
uint64_t knobs__start_time(pid_t pid);

#endif
