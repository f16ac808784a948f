// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs inside a VM of the test bed's guest: switches the passed-through devices and their
 * interrupts on, as a driver would, and dirties pages at a chosen rate. Bare metal, the MMU off, every access 64 bits
 * or less and aligned. See payload.h for what it is told.
 */
#include <stdint.h>

#include "payload.h"

#define ECAM		0x3f000000
#define BAR0		0x10000000	/* of the first; the second's are SLOT_BARS after it */
#define BAR2		0x10100000
#define SLOT_BARS	0x200000
#define COMMAND		0x04
#define MEMORY_MASTER	6
#define CAPABILITIES	0x34
#define MSI		5	/* the capability, of 64 bits */

#define V2M		0x08020000	/* takes MSIs, as interrupts that the GIC was never told to enable */
#define V2M_TYPE	0x08
#define V2M_SEND	0x40

#define GICD		0x08000000
#define GICC		0x08010000
#define TIMER_IRQ	27	/* of the virtual timer */

#define STRING(x)	STRING_OF(x)
#define STRING_OF(x)	#x

static volatile uint64_t *const page = (volatile uint64_t *)PAYLOAD_PAGE;

static void write32(uint64_t at, uint32_t value)
{
	*(volatile uint32_t *)at = value;
}

static uint32_t read32(uint64_t at)
{
	return *(volatile uint32_t *)at;
}

/* For whoever hosts the VM to see: the CPU takes none. */
static void interrupt_on(uint64_t config)
{
	uint64_t at = config + (read32(config + CAPABILITIES) & 0xfc);

	while (at != config && (read32(at) & 0xff) != MSI)
		at = config + (read32(at) >> 8 & 0xfc);
	if (at == config)
		return;
	write32(at + 4, V2M + V2M_SEND);
	write32(at + 8, 0);
	*(volatile uint16_t *)(at + 12) = read32(V2M + V2M_TYPE) >> 16 & 0x3ff;
	*(volatile uint16_t *)(at + 2) = 1;
}

static void device_on(unsigned int n)
{
	uint64_t config = ECAM + ((PAYLOAD_SLOT + n) << 15);

	if (read32(config) == UINT32_MAX)
		return;
	write32(config + 0x10, BAR0 + n * SLOT_BARS);
	write32(config + 0x18, BAR2 + n * SLOT_BARS);
	write32(config + 0x1c, 0);
	*(volatile uint16_t *)(config + COMMAND) = MEMORY_MASTER;
	interrupt_on(config);
	if (!n)
		page[PAYLOAD_DEVICE] = read32(config);
}

/* The timer's interrupt wakes the CPU and is never taken. */
static void timer_on(void)
{
	write32(GICD, 1);
	write32(GICD + 0x100, 1 << TIMER_IRQ);
	write32(GICC + 4, 0xff);
	write32(GICC, 1);
}

static void sleep_us(uint64_t us)
{
	uint64_t frequency;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	__asm__ volatile("msr cntv_tval_el0, %0" : : "r"(frequency / 1000000 * us));
	__asm__ volatile("msr cntv_ctl_el0, %0; isb; wfi" : : "r"(1ul));
}

void payload_main(void)
{
	uint64_t next = 0, tick = 0;

	for (unsigned int n = 0; n < PAYLOAD_SLOTS; n++)
		device_on(n);
	timer_on();
	for (;;) {
		for (uint64_t i = 0; i < page[PAYLOAD_PER_TICK]; i++) {
			*(volatile uint64_t *)(page[PAYLOAD_DIRTY_BASE] + next * 4096) = ++tick;
			if (++next >= page[PAYLOAD_DIRTY_PAGES])
				next = 0;
		}
		page[PAYLOAD_HEARTBEAT]++;
		sleep_us(page[PAYLOAD_TICK_US]);
	}
}

__asm__(
".pushsection .text\n"
".globl _start\n"
"_start:\n"
"	ldr	x0, =" STRING(PAYLOAD_STACK) "\n"
"	mov	sp, x0\n"
"	b	payload_main\n"
".popsection\n");
