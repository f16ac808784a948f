/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scope-bound release: a variable marked with one of these frees what it holds when it
 * goes out of scope. Not here: types of other rooms; they declare their own.
 */
#ifndef HWDBM_LIB_CLEANUP_H
#define HWDBM_LIB_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup__free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup__fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup__close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ _cleanup_(cleanup__free)
#define _cleanup_fclose_ _cleanup_(cleanup__fclose)
#define _cleanup_close_ _cleanup_(cleanup__close)

/* Hands a pointer on: the variable no longer owns it. */
#define TAKE_PTR(pointer)					\
	({							\
		__typeof__(pointer) taken_ = (pointer);		\
		(pointer) = NULL;				\
		taken_;						\
	})

#endif
