/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel around io-pgtable-arm.c and iova_bitmap.c when their speed is
 * measured. It is the page table tests' shim without its hooks: atomics are
 * plain atomics, a branch on a static key is the nop that the kernel patches
 * in, and memory comes from the pool. What is not on a measured path stays as
 * it is there.
 */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

/* Functions of the shim that this file stands for */
#define shim_access			shim_access_hook
#define iommu_alloc_pages_node		shim_alloc_pages_node
#define page				shim_page
#include "../pgtable/shim.h"
#undef iommu_alloc_pages_node
#undef page
#undef page_address
#undef iommu_free_pages
#undef CONFIG_IOMMU_IO_PGTABLE_LPAE_SELFTEST

/* Compiled into every access and gone from it: nothing of it is left in the object */
extern inline __attribute__((gnu_inline, always_inline)) void
shim_access_hook(void *p, enum shim_op op, u64 seen)
{
}

#undef min
#define min(a, b)		({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ < b_ ? a_ : b_; })

#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))

#undef likely
#undef unlikely
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)

#ifndef noinline
#define noinline		__attribute__((__noinline__))
#endif
#ifndef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#endif

/* As on x86-64 */
#undef dma_wmb
#undef wmb
#define dma_wmb()		asm volatile("" ::: "memory")
#define wmb()			asm volatile("sfence" ::: "memory")

void bench_warn(const char *function, int line) __attribute__((cold, noreturn));
#undef WARN_ON
#define WARN_ON(condition) \
	({ bool warn_ = !!(condition); if (unlikely(warn_)) bench_warn(__func__, __LINE__); \
	   unlikely(warn_); })

#ifndef WARN_ON_ONCE
#define WARN_ON_ONCE(condition)	WARN_ON(condition)
#endif

/* ---- tracepoints: all off, a five byte nop each, as in a running kernel --- */

#define bench_static_false() \
	({ __label__ on_; bool ret_ = false; \
	   asm goto(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00" : : : : on_); \
	   if (0) { on_: __attribute__((cold)); ret_ = true; } ret_; })

#undef tracepoint_enabled
#undef trace_iommu_split_enabled
#ifdef COUNTING
/* The events of syncs are on: a jump in the nop's place */
#define tracepoint_enabled(name) \
	({ __label__ on_; bool ret_ = false; \
	   asm goto("jmp %l0" : : : : on_); \
	   if (0) { on_: __attribute__((cold)); ret_ = true; } ret_; })
#else
#define tracepoint_enabled(name)		bench_static_false()
#endif
#define trace_iommu_split_enabled()		bench_static_false()
#define trace_iommu_merge_enabled()		bench_static_false()
#define trace_iommu_dirty_sync_enabled()	bench_static_false()
#define trace_iommu_dirty_tracking_enabled()	bench_static_false()

void bench_trace(const void *first, ...) __attribute__((cold));
#define trace_iommu_split(...) \
	do { if (bench_static_false()) bench_trace(__VA_ARGS__); } while (0)
#define trace_iommu_merge(...) \
	do { if (bench_static_false()) bench_trace(__VA_ARGS__); } while (0)

/* ---- the task ------------------------------------------------------------ */

/* Thread flags, never set here */
extern volatile unsigned long bench_task_flags;
#undef fatal_signal_pending
#define fatal_signal_pending(task)	unlikely(bench_task_flags & BIT(2))
#undef need_resched
#define need_resched()			unlikely(bench_task_flags & BIT(3))
/* A call and a look, as with voluntary preemption */
void bench_cond_resched(void);
#undef cond_resched
#define cond_resched()			bench_cond_resched()

/* ---- memory -------------------------------------------------------------- */

#include "pool.h"

static inline void *iommu_alloc_pages_node(int node, gfp_t gfp, int order)
{
	(void)node;
	(void)gfp;
	WARN_ON(order);
	return pool_alloc();
}

static inline void iommu_free_pages(void *p, int order)
{
	(void)order;
	pool_free(p);
}

/* As vmemmap: a struct page of 64 bytes for each of the pool's pages */
struct page {
	unsigned long flags;
	struct list_head lru;
	unsigned long rest[5];
};

#define virt_to_page(p)			((struct page *)pool_page(p))
#define page_address(page)		pool_page_address(page)

/* ---- lists, alignment ------------------------------------------------------ */

#ifndef list_for_each_entry_safe
static inline void list_add(struct list_head *new, struct list_head *head)
{
	head->next->prev = new;
	new->next = head->next;
	new->prev = head;
	WRITE_ONCE(head->next, new);
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	WRITE_ONCE(entry->prev->next, entry->next);
}

#define list_for_each_entry_safe(pos, n, head, member) \
	for ((pos) = container_of((head)->next, typeof(*(pos)), member), \
	     (n) = container_of((pos)->member.next, typeof(*(pos)), member); \
	     &(pos)->member != (head); \
	     (pos) = (n), (n) = container_of((n)->member.next, typeof(*(n)), member))
#endif
#ifndef IS_ALIGNED
#define IS_ALIGNED(x, a)		(((x) & ((typeof(x))(a) - 1)) == 0)
#endif
#ifndef max
#define max(a, b)			({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ > b_ ? a_ : b_; })
#endif

/* lib/bitmap.c and include/linux/bitmap.h */
static __attribute__((__noinline__, unused)) void __bitmap_set(unsigned long *map, unsigned int start,
							   int len)
{
	unsigned long *p = map + start / BITS_PER_LONG;
	const unsigned int size = start + len;
	int bits_to_set = BITS_PER_LONG - (start % BITS_PER_LONG);
	unsigned long mask_to_set = ~0UL << (start & (BITS_PER_LONG - 1));

	while (len - bits_to_set >= 0) {
		*p |= mask_to_set;
		len -= bits_to_set;
		bits_to_set = BITS_PER_LONG;
		mask_to_set = ~0UL;
		p++;
	}
	if (len) {
		mask_to_set &= ~0UL >> (-size & (BITS_PER_LONG - 1));
		*p |= mask_to_set;
	}
}
#define bitmap_set(map, start, len)	__bitmap_set(map, start, len)

#endif
