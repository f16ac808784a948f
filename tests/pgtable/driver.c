// SPDX-License-Identifier: GPL-2.0-only
/*
 * The code under test: the page table driver and the user bitmap of the
 * kernel tree, as they are. Nothing of the harness belongs here but the place
 * where a record can be made to fail, and what io-pgtable.c does for stage 1
 * and 2 of the 64-bit format.
 */
#include "shim.h"
#include <linux/io-pgtable.h>
#include <linux/iova_bitmap.h>

#include IO_PGTABLE_ARM_C

#define iova_bitmap_set kernel_iova_bitmap_set
#include IOVA_BITMAP_C
#undef iova_bitmap_set

/* Returns an error to inject, or 0 to let the record take place */
int shim_record(unsigned long iova, size_t length);
/* It has taken place */
void shim_recorded(void);

int iova_bitmap_set(struct iova_bitmap *bitmap, unsigned long iova, size_t length)
{
	int ret = shim_record(iova, length);

	if (!ret)
		ret = kernel_iova_bitmap_set(bitmap, iova, length);
	shim_recorded();
	return ret;
}

struct io_pgtable_ops *alloc_io_pgtable_ops(enum io_pgtable_fmt fmt, struct io_pgtable_cfg *cfg,
					    void *cookie)
{
	struct io_pgtable *iop;

	iop = fmt == ARM_64_LPAE_S1 ? io_pgtable_arm_64_lpae_s1_init_fns.alloc(cfg, cookie) :
				      io_pgtable_arm_64_lpae_s2_init_fns.alloc(cfg, cookie);
	if (!iop)
		return NULL;
	iop->fmt = fmt;
	iop->cookie = cookie;
	iop->cfg = *cfg;
	return &iop->ops;
}

void free_io_pgtable_ops(struct io_pgtable_ops *ops)
{
	struct io_pgtable *iop = io_pgtable_ops_to_pgtable(ops);

	io_pgtable_tlb_flush_all(iop);
	io_pgtable_arm_64_lpae_s1_init_fns.free(iop);
}
