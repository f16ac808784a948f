/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What runs inside a VM of the test bed's guest, and what it shares with whoever started it: where
 * things are on QEMU's arm64 "virt" machine without high memory, and a page of its RAM.
 */
#ifndef GUEST_PAYLOAD_H
#define GUEST_PAYLOAD_H

#define PAYLOAD_RAM		0x40000000
#define PAYLOAD_RESERVED	0x1000000	/* bytes from there that no one else uses */
#define PAYLOAD_CODE		0x40200000
#define PAYLOAD_STACK		0x40300000
#define PAYLOAD_PAGE		0x40400000
#define PAYLOAD_SLOT		4		/* of the device on PCI bus 0; a second comes after it */
#define PAYLOAD_SLOTS		2

/* 64-bit words of the page; the first four are set before it starts. */
#define PAYLOAD_DIRTY_BASE	0	/* address of what it dirties itself */
#define PAYLOAD_DIRTY_PAGES	1	/* 4K pages of it */
#define PAYLOAD_PER_TICK	2	/* pages that it dirties in a tick */
#define PAYLOAD_TICK_US		3
#define PAYLOAD_HEARTBEAT	4	/* ticks so far */
#define PAYLOAD_DEVICE		5	/* vendor and device id it found there, when ready */

#endif
