// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coroutines; see fiber.h. A context of the C library gives each its stack, the
 * compiler's jumps take turns without a system call. The address sanitizer is
 * told of every switch, or it would take one stack for another.
 */
#include "fiber.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size)	do { } while (0)
#define __sanitizer_finish_switch_fiber(save, bottom, size)	do { } while (0)
#endif

#define STACK_SIZE	(256 << 10)

enum state { UNUSED, RUNNABLE, ENDED };

static struct fiber {
	ucontext_t context;
	void *jump[5];			/* __builtin_setjmp() */
	bool begun;
	void *stack, *fake_stack;
	void (*body)(void *argument);
	void *argument;
	enum state state;
} fibers[FIBERS_MAX];

static void *outside[5];
static void *outside_fake_stack;
static const void *outside_bottom;
static size_t outside_size;
static unsigned int current_fiber, fiber_count;
static uint64_t dice;

unsigned int fiber_self(void)
{
	return fiber_count ? current_fiber : 0;
}

unsigned int fibers_others(void)
{
	unsigned int others = 0;

	for (unsigned int i = 0; i < fiber_count; i++)
		others += i != current_fiber && fibers[i].state == RUNNABLE;
	return others;
}

bool fiber_leader_ended(void)
{
	return fibers[0].state == ENDED;
}

/*
 * What does not return makes the sanitizer clean the whole stack, unless it does
 * not look; and the compiler wants a jump in another function than its target.
 */
#define SWITCHES __attribute__((noinline, no_sanitize_address))

SWITCHES static void jump(void **target)
{
	__builtin_longjmp(target, 1);
}

SWITCHES static void enter(struct fiber *fiber)
{
	__sanitizer_start_switch_fiber(&fibers[current_fiber].fake_stack, fiber->stack, STACK_SIZE);
	current_fiber = fiber - fibers;
	if (fiber->begun)
		jump(fiber->jump);
	fiber->begun = true;
	setcontext(&fiber->context);
}

SWITCHES static void switch_to(unsigned int next)
{
	struct fiber *from = &fibers[current_fiber];

	if (!__builtin_setjmp(from->jump))
		enter(&fibers[next]);
	__sanitizer_finish_switch_fiber(fibers[current_fiber].fake_stack, NULL, NULL);
}

/* One of the others that can run, at random; the caller's own number without one */
static unsigned int choose_other(void)
{
	unsigned int start = random_next(&dice) % fiber_count;

	for (unsigned int i = 0; i < fiber_count; i++) {
		unsigned int other = (start + i) % fiber_count;

		if (other != current_fiber && fibers[other].state == RUNNABLE)
			return other;
	}
	return current_fiber;
}

void fiber_yield(void)
{
	if (!fiber_count || random_next(&dice) % 2)
		return;

	unsigned int next = choose_other();

	if (next != current_fiber)
		switch_to(next);
}

SWITCHES static void fiber_main(void)
{
	struct fiber *self = &fibers[current_fiber];
	unsigned int next;

	/* The first one comes from outside, the others from a fiber */
	if (self == fibers)
		__sanitizer_finish_switch_fiber(NULL, &outside_bottom, &outside_size);
	else
		__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	self->body(self->argument);
	self->state = ENDED;

	next = choose_other();
	if (next != current_fiber)
		enter(&fibers[next]);
	__sanitizer_start_switch_fiber(NULL, outside_bottom, outside_size);
	jump(outside);
}

static void prepare(struct fiber *fiber, void (*body)(void *), void *argument)
{
	if (!fiber->stack)
		fiber->stack = malloc(STACK_SIZE);
	fiber->body = body;
	fiber->argument = argument;
	fiber->state = RUNNABLE;
	fiber->begun = false;
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = STACK_SIZE;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, fiber_main, 0);
}

/* Returns when the last fiber has ended */
SWITCHES static void run_all(void)
{
	if (!__builtin_setjmp(outside)) {
		__sanitizer_start_switch_fiber(&outside_fake_stack, fibers[0].stack, STACK_SIZE);
		fibers[0].begun = true;
		setcontext(&fibers[0].context);
	}
	__sanitizer_finish_switch_fiber(outside_fake_stack, NULL, NULL);
}

void fibers_run(uint64_t seed, unsigned int count, void (*const *bodies)(void *), void **arguments)
{
	dice = seed * 0x9e3779b97f4a7c15 | 1;
	for (unsigned int i = 0; i < count; i++)
		prepare(&fibers[i], bodies[i], arguments[i]);
	fiber_count = count;
	current_fiber = 0;
	run_all();
	fiber_count = 0;
}

/* Lets another go on, for this one cannot */
static void let_others(void)
{
	unsigned int next = fiber_count ? choose_other() : current_fiber;

	if (next == current_fiber) {
		fprintf(stderr, "pgtable: everybody waits for a lock\n");
		abort();
	}
	switch_to(next);
}

void fiber_down_read(struct fiber_rwsem *lock)
{
	lock->waits += lock->holders < 0;
	while (lock->holders < 0)
		let_others();
	lock->holders++;
}

void fiber_up_read(struct fiber_rwsem *lock)
{
	lock->holders--;
	fiber_yield();
}

void fiber_down_write(struct fiber_rwsem *lock)
{
	lock->waits += lock->holders != 0;
	while (lock->holders)
		let_others();
	lock->holders = -1;
}

void fiber_up_write(struct fiber_rwsem *lock)
{
	lock->holders = 0;
	fiber_yield();
}
