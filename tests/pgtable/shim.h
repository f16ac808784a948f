/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of the kernel that drivers/iommu/io-pgtable-arm.c, iommufd's
 * iova_bitmap.c and include/linux/iommu.h need to compile and run in user
 * space. Every header they include resolves to this file (see the Makefile).
 * What software does to a live descriptor goes through shim_access(), where a
 * test lets the hardware act. Not for any other kernel file.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#define CONFIG_IOMMU_API		1
#define CONFIG_IOMMU_IO_PGTABLE_LPAE_SELFTEST 1
#define IS_ENABLED(option)		SHIM_##option
#define SHIM_CONFIG_IOMMUFD_DRIVER	1
#define SHIM_CONFIG_LOCKDEP		0
#define SHIM_CONFIG_IOMMU_API		1

/* ---- types --------------------------------------------------------------- */

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef int64_t s64;
typedef u64 dma_addr_t;
typedef u64 phys_addr_t;
typedef unsigned int gfp_t;
typedef struct { int value; } refcount_t;

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(list)		{ &(list), &(list) }
static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline void list_add(struct list_head *entry, struct list_head *list)
{
	entry->next = list->next;
	entry->prev = list;
	list->next->prev = entry;
	list->next = entry;
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

#define list_empty(list)		((list)->next == (list))
#define list_for_each_entry_safe(pos, following, list, member) \
	for (pos = container_of((list)->next, typeof(*pos), member), \
	     following = container_of(pos->member.next, typeof(*pos), member); \
	     &pos->member != (list); \
	     pos = following, following = container_of(pos->member.next, typeof(*pos), member))

struct mutex { int unused; };
struct work_struct { int unused; };
struct attribute_group;
struct fwnode_handle;
struct iommu_fwspec;
struct mm_struct;
struct module;
struct of_phandle_args;
struct scatterlist;
struct rw_semaphore;

/* Of a page table: the lists it can be on. Of user memory: its address, see below. */
struct page {
	struct list_head lru;
	void *address;
};

struct dev_iommu;
struct rcu_head { int unused; };

struct device {
	struct dev_iommu *iommu;
};

static inline void *dev_get_drvdata(struct device *dev)
{
	return dev->iommu;
}

struct sg_table {
	struct scatterlist *sgl;
	unsigned int orig_nents;
};

/* ---- compiler and arithmetic --------------------------------------------- */

#define __user
#define __rcu
#define __printf(format, first)
#define __init
#define __initdata
#define __initconst
#define noinline			__attribute__((noinline))
#define likely(x)			(x)
#define unlikely(x)			(x)
#define EXPORT_SYMBOL_GPL(symbol)
#define EXPORT_SYMBOL_NS_GPL(symbol, space)

#define BITS_PER_BYTE			8
#define BITS_PER_LONG			64
#define BITS_PER_TYPE(type)		(sizeof(type) * BITS_PER_BYTE)
#define BIT(n)				(1UL << (n))
#define GENMASK(h, l)			((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l)		GENMASK(h, l)
#define ARRAY_SIZE(array)		(sizeof(array) / sizeof((array)[0]))
#define DIV_ROUND_UP(a, b)		(((a) + (b) - 1) / (b))
#define ALIGN_DOWN(x, a)		((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a)		(((x) & ((typeof(x))(a) - 1)) == 0)
#define max(a, b)			({ typeof(a) a_ = (a); typeof(b) b_ = (b); \
					   (typeof(a_ + b_))a_ > (typeof(a_ + b_))b_ ? a_ : b_; })
#define min(a, b)			({ typeof(a) a_ = (a); typeof(b) b_ = (b); \
					   (typeof(a_ + b_))a_ < (typeof(a_ + b_))b_ ? a_ : b_; })
#define max_t(type, a, b)		((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min_t(type, a, b)		((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)		((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define clamp(x, lo, hi)		({ typeof(x) x_ = (x); x_ < (lo) ? (lo) : x_ > (hi) ? (hi) : x_; })
#define ilog2(x)			(63 - __builtin_clzl(x))
#define __fls(x)			((unsigned long)(63 - __builtin_clzl(x)))
#define __ffs(x)			((unsigned long)__builtin_ctzl(x))
#define offsetofend(type, member)	(offsetof(type, member) + sizeof(((type *)0)->member))
#define container_of(ptr, type, member)	((type *)((char *)(ptr) - offsetof(type, member)))
#define for_each_set_bit(bit, word, size) \
	for ((bit) = 0; (bit) < (size); (bit)++) if (*(word) & BIT(bit))

#define SZ_4K				0x1000UL
#define SZ_16K				0x4000UL
#define SZ_64K				0x10000UL
#define SZ_1M				0x100000UL
#define SZ_2M				0x200000UL
#define SZ_32M				0x2000000UL
#define SZ_512M				0x20000000UL
#define SZ_1G				0x40000000UL
#define SZ_2G				0x80000000UL
#define PAGE_SHIFT			12
#define PAGE_SIZE			(1UL << PAGE_SHIFT)
#define PAGE_MASK			(~(PAGE_SIZE - 1))
#define BITS_PER_PAGE			(PAGE_SIZE * BITS_PER_BYTE)
#define offset_in_page(p)		((unsigned long)(p) & ~PAGE_MASK)

#define ERR_PTR(error)			((void *)(long)(error))
#define PTR_ERR(ptr)			((long)(ptr))
#define IS_ERR(ptr)			((unsigned long)(ptr) >= (unsigned long)-4095)

/* A WARN is a failure of the test that runs */
void shim_warn(const char *function, int line);
#define WARN_ON(condition) \
	({ bool warn_ = !!(condition); if (warn_) shim_warn(__func__, __LINE__); warn_; })
#define WARN(condition, ...)		WARN_ON(condition)
#define WARN_ON_ONCE(condition)		WARN_ON(condition)
#define VM_BUG_ON(condition)		WARN_ON(condition)
#define pr_info(...)			do { } while (0)
#define pr_err(...)			do { } while (0)
#define dev_err(dev, ...)		do { (void)(dev); } while (0)

/* ---- accesses to descriptors --------------------------------------------- */

enum shim_op {
	SHIM_READ,	/* software has just read it */
	SHIM_STORE,	/* software is about to store over it without a compare */
	SHIM_ATOMIC,	/* software is about to change it with one atomic */
	SHIM_DONE,	/* the change was made */
	SHIM_BARRIER,	/* software orders what it has stored; @p is NULL */
};

/*
 * Called around every access of the driver to shared memory: @p is what it
 * accesses, @seen what a read returned.
 */
void shim_access(void *p, enum shim_op op, u64 seen);

#define READ_ONCE(x) \
	({ typeof(x) seen_ = __atomic_load_n(&(x), __ATOMIC_RELAXED); \
	   shim_access((void *)&(x), SHIM_READ, (u64)seen_); seen_; })
#define WRITE_ONCE(x, value) \
	do { \
		typeof(x) value_ = (value); \
		shim_access((void *)&(x), SHIM_STORE, 0); \
		__atomic_store_n(&(x), value_, __ATOMIC_RELAXED); \
		shim_access((void *)&(x), SHIM_DONE, 0); \
	} while (0)

static inline u64 cmpxchg64_relaxed(u64 *p, u64 old, u64 new)
{
	shim_access(p, SHIM_ATOMIC, 0);
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	shim_access(p, SHIM_DONE, 0);
	return old;
}

static inline bool try_cmpxchg64(u64 *p, u64 *old, u64 new)
{
	bool done;

	shim_access(p, SHIM_ATOMIC, 0);
	done = __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
	shim_access(p, SHIM_DONE, 0);
	return done;
}

static inline void set_bit(int bit, unsigned long *p)
{
	shim_access(p, SHIM_ATOMIC, 0);
	__atomic_fetch_or(p, BIT(bit), __ATOMIC_RELAXED);
	shim_access(p, SHIM_DONE, 0);
}

static inline void clear_bit(int bit, unsigned long *p)
{
	shim_access(p, SHIM_ATOMIC, 0);
	__atomic_fetch_and(p, ~BIT(bit), __ATOMIC_RELAXED);
	shim_access(p, SHIM_DONE, 0);
}

#define dma_wmb() \
	do { __atomic_thread_fence(__ATOMIC_RELEASE); shim_access(NULL, SHIM_BARRIER, 0); } while (0)
#define wmb() \
	do { __atomic_thread_fence(__ATOMIC_SEQ_CST); shim_access(NULL, SHIM_BARRIER, 0); } while (0)

static inline u64 xchg_relaxed_u64(u64 *p, u64 new)
{
	u64 old;

	shim_access(p, SHIM_ATOMIC, 0);
	old = __atomic_exchange_n(p, new, __ATOMIC_RELAXED);
	shim_access(p, SHIM_DONE, 0);
	return old;
}
#define xchg(p, new)			xchg_relaxed_u64(p, new)
#define xchg_relaxed(p, new)		xchg_relaxed_u64(p, new)

/* ---- memory -------------------------------------------------------------- */

#define GFP_KERNEL			0x1u
#define GFP_ATOMIC			0x2u
#define GFP_KERNEL_ACCOUNT		0x4u
#define __GFP_HIGHMEM			0x100u
#define __GFP_NORETRY			0x200u
#define __GFP_NOWARN			0x400u
#define __va(x)				((void *)(uintptr_t)(x))
#define __pa(x)				((u64)(uintptr_t)(x))
#define virt_to_phys(x)			__pa(x)
struct page *virt_to_page(const void *table);
#define page_address(page)		((page)->address)
#define kmalloc(size, gfp)		malloc(size)
#define kzalloc(size, gfp)		calloc(1, size)
#define kfree(p)			free(p)
#define __get_free_page(gfp)		((unsigned long)aligned_alloc(PAGE_SIZE, PAGE_SIZE))
#define free_page(p)			free((void *)(p))

static inline int get_order(size_t size)
{
	int order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	return order;
}

/* Stands for the kernel's iommu-pages.h; only its own selftest comes here */
#define __IOMMU_PAGES_H
static inline void *iommu_alloc_pages_node(int node, gfp_t gfp, int order)
{
	void *p = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);

	(void)node;
	(void)gfp;
	return p ? memset(p, 0, PAGE_SIZE << order) : NULL;
}
#define iommu_free_pages(p, order)	((void)(order), free(p))
#define NUMA_NO_NODE			(-1)
#define dev_to_node(dev)		((void)(dev), NUMA_NO_NODE)
#define set_dev_node(dev, node)		((dev)->iommu = NULL)

/* The walker is coherent wherever dirty state is kept */
#define DMA_TO_DEVICE			0
#define dma_map_single(dev, p, size, dir)	((void)(dev), virt_to_phys(p))
#define dma_mapping_error(dev, dma)	((void)(dma), 0)
#define dma_unmap_single(dev, dma, size, dir)	((void)(dma))
#define dma_sync_single_for_device(dev, dma, size, dir)	((void)(dma))

/* User pages of a bitmap: a struct page is its address */
#define FOLL_WRITE			1
int pin_user_pages_fast(unsigned long start, int count, unsigned int flags, struct page **pages);
#define unpin_user_pages(pages, count)	do { } while (0)
#define kmap_local_page(page)		((void *)(page))
#define kunmap_local(p)			((void)(p))

static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int count)
{
	while (count--) {
		map[start / BITS_PER_LONG] |= BIT(start % BITS_PER_LONG);
		start++;
	}
}

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long size,
					  unsigned long bit)
{
	while (bit < size && !(map[bit / BITS_PER_LONG] & BIT(bit % BITS_PER_LONG)))
		bit++;
	return bit;
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size,
					       unsigned long bit)
{
	while (bit < size && map[bit / BITS_PER_LONG] & BIT(bit % BITS_PER_LONG))
		bit++;
	return bit;
}

/* The first bit of that value from @start on, @size without one; a word at a time */
static inline unsigned long shim_find_bit(const unsigned long *map, unsigned long size,
					  unsigned long start, unsigned long invert)
{
	while (start < size) {
		unsigned long word = (map[start / BITS_PER_LONG] ^ invert) >>
				     (start % BITS_PER_LONG);

		if (word) {
			start += __builtin_ctzl(word);
			break;
		}
		start = (start / BITS_PER_LONG + 1) * BITS_PER_LONG;
	}
	return start < size ? start : size;
}
#define find_next_bit(map, size, start)		shim_find_bit(map, size, start, 0)
#define find_next_zero_bit(map, size, start)	shim_find_bit(map, size, start, ~0ul)

static inline int copy_struct_from_user(void *dst, size_t size, const void *src, size_t len)
{
	memcpy(dst, src, min(size, len));
	return 0;
}
#define copy_from_user(dst, src, size)	(memcpy(dst, src, size), 0)

/* ---- tasks, time, tracing ------------------------------------------------ */

#define current				NULL
bool shim_fatal_signal(void);
#define fatal_signal_pending(task)	shim_fatal_signal()
void shim_resched(void);
#define cond_resched()			shim_resched()

static inline u64 ktime_get_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

#define subsys_initcall(function)	int (*const shim_##function)(void) = function

#define DECLARE_TRACEPOINT(name)
#define tracepoint_enabled(name)	true
#define trace_iommu_split_enabled()	true
#define trace_iommu_merge_enabled()	true
struct iommu_domain;
void trace_iommu_split(struct iommu_domain *domain, unsigned long iova, size_t from, size_t to,
		       u64 ns, int ret);
void trace_iommu_merge(struct iommu_domain *domain, unsigned long iova, size_t from, size_t to,
		       u64 ns, int ret);

#endif
