/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts a caller's dirty bitmap: how many units of 4K, 64K, 2M and 1G hold a dirty page. The
 * bitmap is read from user memory in pieces, into a buffer of the task's own: a program that
 * is preempted must not find another's bits when it goes on. Not here: where bitmaps are.
 */
#ifndef HWDBM_BPF_BITMAP_BPF_H
#define HWDBM_BPF_BITMAP_BPF_H

#include "sampled.bpf.h"

/*
 * Count every how-manieth sync of a range; 0: none. A bit stands for a page in KVM's bitmaps, and
 * in those of VMMs for devices; others are not counted.
 */
__weak const volatile __u32 count_every = 1;

/*
 * Count only while it takes no more of a core for each VM, or IOMMU domain, than this many
 * millionths; 0: however long it takes.
 */
__weak const volatile __u64 count_share = 0;

/*
 * Linux 7.3 has no more than 8 KiB for what a task stores. Who counts bitmaps of which a part may not
 * be in memory takes smaller pieces: one that is read in two parts takes room for both.
 */
#define WORDS_ROOM 512
#ifndef WORDS_PER_PIECE
#define WORDS_PER_PIECE WORDS_ROOM
#endif
#define BYTES_PER_PIECE (WORDS_PER_PIECE * 8)
#define BITS_PER_PIECE (WORDS_PER_PIECE * 64)
#define WORDS_PER_GROUP 8
#define GROUPS_PER_PIECE (WORDS_PER_PIECE / WORDS_PER_GROUP)

/* 64 TiB of 4K pages, far more than a KVM slot can be. */
#define PIECES_MAX (1 << 19)

/*
 * Too large for the stack; and what is in a map the verifier takes as it comes, which spares it to
 * follow each of many thousand ways through a bitmap.
 */
struct bitmap_walk {
	__u64 words[WORDS_ROOM];	/* a piece of the bitmap */
	struct sampled_walk sampled;
	__u64 user;			/* address of the next one */
	__u64 bits;			/* that are left from there */
	/*
	 * Bits are moved so that a word is a window of 64 pages that is aligned in guest memory, as
	 * the units are: by this many, with what did not fit carried into the next window.
	 */
	__u64 shift;
	__u64 carry;
	__u64 window;			/* number of the window that the next word begins in */
	__u64 pages;
	__u64 units[HWDBM_UNITS];
	__u64 latest[HWDBM_UNITS];	/* number of the dirty unit met last, plus one */
	__u64 first_window;
	__u64 first_bits;
	__u64 last_window;
	__u64 last_bits;
	__u64 is_fresh;			/* what is not there was not written to yet */
	__u64 skip;			/* bits of the next piece that are before the range */
};

_Static_assert(sizeof(struct bitmap_walk) < 8000, "more than Linux 7.3 stores for a task");

__weak struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct bitmap_walk);
} walks SEC(".maps");

struct walk_context {
	struct bitmap_walk *walk;
};

/* Whose turn it is, where not every sync is counted. */
struct turn_key {
	__u64 object;
	__u64 place;
};

__weak struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct turn_key);
	__type(value, __u32);
} turns SEC(".maps");

/*
 * What counting may still take, of one VM or domain. It fills up with time. All ranges of a VM are
 * counted, or none, as the first of them is: a part of an iteration is no use.
 */
struct count_budget {
	__u64 t_ns;
	__s64 left_ns;
	__u64 place;			/* the range that decided */
	__u64 decided_ns;
	__u32 counts;
	__u32 reserved;
};

/* What may be left over for later: enough for some GiB at once. */
#define BUDGET_MAX_NS 2000000

/* The ranges of one iteration are read in less. */
#define DECISION_NS 100000000

/* Not more than that can be counting; the rest was somebody else's time. */
#define NS_PER_WORD 100
#define NS_PER_COUNT 20000

__weak struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct count_budget);
} budgets SEC(".maps");

/* How many groups of 2^order neighbouring bits, less than a word and more than one, have one set. */
static __always_inline __u32 count_groups(__u64 bits, __u32 order)
{
	static const __u64 lowest[] = { 0, 0x5555555555555555, 0x1111111111111111,
					0x0101010101010101, 0x0001000100010001,
					0x0000000100000001 };

	bits |= bits >> 1;
	if (order > 1)
		bits |= bits >> 2;
	if (order > 2)
		bits |= bits >> 4;
	if (order > 3)
		bits |= bits >> 8;
	if (order > 4)
		bits |= bits >> 16;
	return __builtin_popcountll(bits & lowest[order]);
}

static __always_inline void count_window(struct bitmap_walk *walk, __u64 window, __u64 bits)
{
	static const __u32 shifts[HWDBM_UNITS] = HWDBM_UNIT_SHIFTS;

	if (!walk->first_bits) {
		walk->first_window = window;
		walk->first_bits = bits;
	}
	walk->pages += __builtin_popcountll(bits);
#pragma unroll
	for (int i = 0; i < HWDBM_UNITS; i++) {
		__u32 order = shifts[i] - page_shift;
		__u64 unit;

		if (shifts[i] <= page_shift)
			continue;
		if (order < 6) {
			walk->units[i] += count_groups(bits, order);
			continue;
		}
		unit = (window >> (order - 6)) + 1;
		walk->units[i] += unit != walk->latest[i];
		walk->latest[i] = unit;
	}
#ifdef COUNTS_SAMPLED
	if (walk->sampled.result.block_shift)
		count_sampled(&walk->sampled, window, __builtin_popcountll(bits),
			      page_shift < 16 ? count_groups(bits, 16 - page_shift) : 0);
#endif
	walk->last_window = window;
	walk->last_bits = bits;
}

/* A group of words at a time: most of a sparse bitmap is passed over with one comparison. */
static long count_group(__u32 index, struct walk_context *context)
{
	struct bitmap_walk *walk = context->walk;
	__u32 first = index % GROUPS_PER_PIECE * WORDS_PER_GROUP;
	__u64 any = walk->carry;

	for (int i = 0; i < WORDS_PER_GROUP; i++)
		any |= walk->words[first + i];
	if (!any)
		return 0;
	for (int i = 0; i < WORDS_PER_GROUP; i++) {
		__u64 word = walk->words[first + i], window = word << walk->shift | walk->carry;

		walk->carry = word >> 1 >> (63 - walk->shift);
		if (window)
			count_window(walk, walk->window + first + i, window);
	}
	return 0;
}

#define USER_PAGE 4096

/*
 * A piece of which a part is not there, which reads as zeroes: so does what an earlier, failed read
 * has left behind.
 */
static __always_inline void read_parts(struct bitmap_walk *walk, __u32 bytes)
{
	__u32 head = USER_PAGE - (walk->user & (USER_PAGE - 1)), tail;

	barrier_var(head);
	if (head > BYTES_PER_PIECE || head >= bytes)
		return;
	bpf_probe_read_user(walk->words, head, (void *)walk->user);
	tail = bytes - head;
	barrier_var(tail);
	if (tail <= BYTES_PER_PIECE)
		bpf_probe_read_user((void *)walk->words + head, tail, (void *)walk->user + head);
}

/* Returns the number of groups that were read, 0 if that failed. */
static __always_inline __u32 read_piece(struct bitmap_walk *walk)
{
	__u64 bits = walk->bits < BITS_PER_PIECE ? walk->bits : BITS_PER_PIECE;
	__u64 bytes = (bits + 7) / 8, last = (bits - 1) / 64 % WORDS_PER_PIECE;

	/* The compiler knows this already, the verifier of Linux 6.1 does not. */
	barrier_var(bytes);
	if (!bytes || bytes > BYTES_PER_PIECE)
		return 0;
	/* The last word may be there in part only, and what is behind the last bit is not ours. */
	for (int i = 0; i < WORDS_PER_GROUP; i++)
		walk->words[last / WORDS_PER_GROUP * WORDS_PER_GROUP + i] = 0;
	if (bpf_probe_read_user(walk->words, bytes, (void *)walk->user)) {
		if (2 * WORDS_PER_PIECE > WORDS_ROOM || !walk->is_fresh)
			return 0;
		read_parts(walk, bytes);
	}
	if (bits % 64)
		walk->words[last] &= (1ULL << bits % 64) - 1;
	walk->words[0] &= ~0ULL << (walk->skip & 63);
	walk->skip = 0;
	walk->user += bytes;
	walk->bits -= bits;
	return last / WORDS_PER_GROUP + 1;
}

static long count_piece(__u32 index, struct walk_context *context)
{
	struct bitmap_walk *walk = context->walk;
	__u32 groups = read_piece(walk);

	if (!groups)
		return 1;
	bpf_loop(groups, count_group, context, 0);
	walk->window += groups * WORDS_PER_GROUP;
	if (walk->bits)
		return 0;
	if (walk->carry)
		count_window(walk, walk->window, walk->carry);
	return 1;
}

static __always_inline void give_units(struct hwdbm_count *count, const struct bitmap_walk *walk)
{
	static const __u32 shifts[HWDBM_UNITS] = HWDBM_UNIT_SHIFTS;

	count->pages = walk->pages;
#pragma unroll
	for (int i = 0; i < HWDBM_UNITS; i++)
		if (shifts[i] >= page_shift)
			count->units[i] = shifts[i] == page_shift ? walk->pages : walk->units[i];
	if (!walk->last_bits)
		return;
	count->first = walk->first_window * 64 + hwdbm_log2(walk->first_bits & -walk->first_bits);
	count->first <<= page_shift;
	count->last = (walk->last_window * 64 + hwdbm_log2(walk->last_bits)) << page_shift;
}

static __always_inline bool is_affordable(__u64 object, __u64 place, __u64 now)
{
	struct count_budget *budget = bpf_map_lookup_elem(&budgets, &object);
	struct count_budget fresh = {
		.t_ns = now, .left_ns = BUDGET_MAX_NS, .place = place, .decided_ns = now,
		.counts = 1,
	};

	if (!budget) {
		bpf_map_update_elem(&budgets, &object, &fresh, BPF_ANY);
		return true;
	}
	/* Another CPU may be a little ahead. */
	if (now > budget->t_ns)
		budget->left_ns += (now - budget->t_ns) * count_share / 1000000;
	if (budget->left_ns > BUDGET_MAX_NS)
		budget->left_ns = BUDGET_MAX_NS;
	budget->t_ns = now;
	if (place == budget->place || now - budget->decided_ns > DECISION_NS) {
		budget->place = place;
		budget->decided_ns = now;
		budget->counts = budget->left_ns > 0;
	}
	return budget->counts;
}

static __always_inline void charge(__u64 object, __u64 ns, __u64 pages)
{
	struct count_budget *budget = bpf_map_lookup_elem(&budgets, &object);
	__u64 most = NS_PER_COUNT + pages / 64 * NS_PER_WORD;

	if (budget)
		budget->left_ns -= ns < most ? ns : most;
}

static __always_inline bool is_turn(__u64 object, __u64 place)
{
	struct turn_key key = { object, place };
	__u32 *turn, one = 1;

	if (!count_every)
		return false;
	if (count_every == 1)
		return !count_share || is_affordable(object, place, bpf_ktime_get_ns());
	turn = bpf_map_lookup_elem(&turns, &key);
	if (!turn) {
		bpf_map_update_elem(&turns, &key, &one, BPF_ANY);
		return true;
	}
	return (*turn)++ % count_every == 0;
}

static __always_inline void clear_count(struct hwdbm_count *count)
{
	__builtin_memset(count, 0, sizeof(*count));
	for (int i = 0; i < HWDBM_UNITS; i++)
		count->units[i] = HWDBM_UNKNOWN;
}

/* What is known of a number of pages, without where they are. */
static __always_inline void count_pages(struct hwdbm_count *count, __u64 pages)
{
	static const __u32 shifts[HWDBM_UNITS] = HWDBM_UNIT_SHIFTS;

	count->state = HWDBM_COUNT_DONE;
	count->pages = pages;
#pragma unroll
	for (int i = 0; i < HWDBM_UNITS; i++)
		if (shifts[i] == page_shift)
			count->units[i] = pages;
}

/* Returns whether the whole bitmap could be read. */
static __always_inline bool walk_bitmap(struct bitmap_walk *walk, __u64 user, __u64 base, __u64 pages,
					__u64 skip, bool is_fresh)
{
	struct walk_context context = { walk };

	__builtin_memset(&walk->user, 0, sizeof(*walk) - offsetof(struct bitmap_walk, user));
	walk->user = user;
	walk->is_fresh = is_fresh;
	walk->skip = skip;
	walk->bits = pages;
	walk->shift = base >> page_shift & 63;
	walk->window = base >> page_shift >> 6;
	if (pages)
		bpf_loop(PIECES_MAX, count_piece, &context, 0);
	return !walk->bits;
}

/*
 * Whoever's turn it is. @skip: so many bits, less than a word, are not the range's. @is_fresh: no loss if the bitmap,
 * or a part, is not in memory; it is clear.
 */
static __always_inline void count_range(struct hwdbm_count *count, __u64 object, __u64 user, __u64 base,
					__u64 pages, __u64 skip, bool is_fresh)
{
	__u64 start = bpf_ktime_get_ns();
	struct bitmap_walk *walk;

	count->state = HWDBM_COUNT_FAILED;
	walk = bpf_task_storage_get(&walks, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!walk) {
		lose(HWDBM_LOSS_TASK);
		return;
	}
	if (walk_bitmap(walk, user, base, pages, skip, is_fresh)) {
		count->state = HWDBM_COUNT_DONE;
		give_units(count, walk);
	} else {
		lose(HWDBM_LOSS_BITMAP);
	}
	count->ns = bpf_ktime_get_ns() - start;
	if (count_share)
		charge(object, count->ns, pages);
}

static __always_inline void count_now(struct hwdbm_count *count, __u64 object, __u64 user, __u64 base,
				      __u64 pages, bool is_fresh)
{
	count_range(count, object, user, base, pages, 0, is_fresh);
}

static __always_inline bool may_count(struct hwdbm_count *count, __u64 object, __u64 place)
{
	clear_count(count);
	if (is_turn(object, place))
		return true;
	count->state = count_every ? HWDBM_COUNT_SKIPPED : HWDBM_COUNT_OFF;
	return false;
}

/*
 * Counts the bitmap of one sync: @pages bits at @user, the first of which stands for the page at
 * @base. @object and @place tell the syncs of one range from another's.
 */
static __always_inline void count_bitmap(struct hwdbm_count *count, __u64 object, __u64 place,
					 __u64 user, __u64 base, __u64 pages)
{
	if (may_count(count, object, place))
		count_now(count, object, user, base, pages, false);
}

/* The same before the call that writes to it: whether it is counted is decided here for both. */
static __always_inline void count_before(struct hwdbm_count *count, __u64 object, __u64 place,
					 __u64 user, __u64 base, __u64 pages)
{
	if (may_count(count, object, place))
		count_now(count, object, user, base, pages, true);
}

#endif
