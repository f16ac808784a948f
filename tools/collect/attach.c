// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes that come and go. The start of KVM's log wakes through the ring; a look at the VMs now
 * and then finds what nobody told, and that all is over. An IOMMU's own events tell of it.
 */
#define _GNU_SOURCE
#include "attach.h"
#include "hwdbm.skel.h"
#include "../lib/cleanup.h"
#include "../lib/log.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* How often to look at the VMs: if the start of a log wakes us, and if nothing else tells (and at least). */
#define LOOK_NS (1000 * NS_PER_MS)
#define LOOK_ALONE_NS (20 * NS_PER_MS)
#define LOOK_ALONE_MOST_NS (500 * NS_PER_MS)

/* And not so often that it takes more than this part of a core, one in so many. */
#define LOOK_REST 2000

/*
 * Where so many records come in this time they are read by the clock, since to be woken for each costs
 * those who write them more; a few a second are cheaper to be woken for.
 */
#define POLL_NS (50 * NS_PER_MS)
#define MANY_RECORDS 8

/* Stay for so long after the last log: the kernel may be merging, or a VMM about to start again. */
#define LINGER_NS (2 * NS_PER_SECOND)

/* An IOMMU's domain that nobody syncs is gone, with a VMM that did not stop its tracking. */
#define DOMAIN_REST_NS (60 * NS_PER_SECOND)

/* The call that starts a log takes less. */
#define START_NS NS_PER_SECOND

/* A device that has not interrupted for so long may never do so where the host sees it. */
#define ARRIVING_NS (10 * NS_PER_SECOND)

/* enum vfio_device_mig_state */
#define STATE_RUNNING 2
#define STATE_RESUMING 4

#define KVM BIT_OF(HWDBM_MEASURE_KVM_SYNC)
#define DEVICE BIT_OF(HWDBM_MEASURE_DEVICE_SYNC)
#define IOMMU BIT_OF(HWDBM_MEASURE_TLB)
#define INTERRUPT BIT_OF(HWDBM_MEASURE_INTERRUPT)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* Those of these measurements that libbpf cannot attach. */
static uint64_t by_event(const struct probe_choice *choice, uint64_t measure)
{
	const struct probe *probe = choice->chosen[__builtin_ctzll(measure)];

	return probe && probe->kind == PROBE_SYSCALL ? measure : 0;
}

void attachments__prepare(struct attachments *a, struct hwdbm_bpf *skeleton,
			  const struct probe_choice *choice, bool follow)
{
	a->skeleton = skeleton;
	a->choice = choice;
	a->epoll = a->timer = -1;
	a->later = follow ? probes__costly(choice) : 0;
	a->calls = by_event(choice, KVM) | by_event(choice, DEVICE) | (a->later & (KVM | DEVICE));
	probes__apply(choice, skeleton->obj, a->later | a->calls | INTERRUPT);
	bpf_program__set_autoattach(skeleton->progs.look_at_vms, false);
	bpf_program__set_autoload(skeleton->progs.look_at_vms, a->later & KVM);
	if (!(a->later & KVM))
		bpf_program__set_autoload(skeleton->progs.on_vmalloc, false);
}

static int set_timer(const struct attachments *a, uint64_t ns)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND },
	};

	return timerfd_settime(a->timer, 0, &when, NULL) ? -errno : 0;
}

static uint64_t look_interval(const struct attachments *a)
{
	bool alone = !a->choice->chosen[HWDBM_MEASURE_KVM_START] && !a->since;
	uint64_t least = alone ? LOOK_ALONE_NS : LOOK_NS;
	uint64_t rest = look__cost_ns(a->look) * LOOK_REST;

	/* What is missed is worse than a look that takes long. */
	if (alone && rest > LOOK_ALONE_MOST_NS)
		return LOOK_ALONE_MOST_NS;
	return rest > least ? rest : least;
}

/*
 * Whoever starts a log goes on while we attach: until then nothing may come between, and there is
 * little else to do. Without the privilege it just takes longer.
 */
static void hurry(bool on)
{
	const struct sched_param least = { .sched_priority = 1 }, none = { 0 };

	sched_setscheduler(0, (on ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, on ? &least : &none);
}

/* To attach to an event again, the kernel waits until nobody can be in what was detached. */
static void settle(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static int attach_kvm(struct attachments *a)
{
	int err;

	if (a->since)
		return 0;
	a->skeleton->bss->is_awake = 1;
	err = probes__attach(a->choice, a->skeleton->obj, a->calls, &a->kvm);
	a->skeleton->bss->is_listening = a->skeleton->bss->is_complete = 1;
	a->since = now_ns();
	a->quiet_since = 0;
	a->vms = 1;
	if (a->look)
		hurry(false);
	return err;
}

static void count_time(struct attachments *a, uint64_t now)
{
	a->attached_ns += now - a->since;
	a->vm_ns += (now - a->since) * a->vms;
	a->since = now;
}

static void detach_kvm(struct attachments *a)
{
	if (!a->since)
		return;
	/* What is woken by now attaches again. */
	a->skeleton->bss->is_complete = a->skeleton->bss->is_listening = 0;
	a->skeleton->bss->is_awake = 0;
	probes__detach(&a->kvm);
	count_time(a, now_ns());
	a->since = 0;
	settle();
	hurry(true);
	log__debug("no log is on: the probes for KVM's calls are detached");
}

/* What is on now that was not expected to be is late, but at the very beginning. */
static int look(struct attachments *a, bool first)
{
	uint64_t now = now_ns();
	unsigned int logging = 0;
	int err = look__now(a->look, &logging);

	a->next_look = now + look_interval(a);
	log__debug("a look at the VMs: %u log, in %lu us", logging, look__cost_ns(a->look) / 1000);
	/* VMs come and go: nothing changes until it can be told. */
	if (err)
		return err == -EAGAIN ? 0 : err;
	if (a->since) {
		count_time(a, now);
		a->vms = logging ?: 1;
	}
	/* Unless the word of it is in the ring. */
	if (logging && !a->since && !a->skeleton->bss->is_awake) {
		a->late += first ? 0 : logging;
		log__debug("%u logs are on: probes for KVM's calls are attached", logging);
		err = attach_kvm(a);
		a->vms = logging;
	}
	if (logging)
		a->quiet_since = 0;
	else if (a->since && !a->quiet_since)
		a->quiet_since = now;
	return err;
}

static int add_fd(const struct attachments *a, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return fd >= 0 && epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_clock(struct attachments *a)
{
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->epoll < 0 || a->timer < 0)
		return -errno;
	return add_fd(a, a->timer);
}

static int open_look(struct attachments *a, pid_t pid)
{
	struct hwdbm_bpf *skeleton = a->skeleton;
	int err = look__open(&a->look, skeleton->progs.look_at_vms, &skeleton->bss->look, pid);

	if (err == -EOPNOTSUPP) {
		log__warn("this kernel cannot be asked which VMs log (before Linux 6.1): probes stay attached all the time");
		a->later &= ~KVM;
		return attach_kvm(a);
	}
	err = err ?: add_fd(a, look__fd(a->look));
	settle();
	hurry(true);
	err = err ?: look(a, true);
	if (!err && !a->choice->chosen[HWDBM_MEASURE_KVM_START])
		log__warn("the start of KVM's log cannot be seen here before KVM's calls are: VMs are looked at every %llu ms, and a log that is on for less may go unseen; --always attaches at once",
			  (unsigned long long)(look_interval(a) / NS_PER_MS));
	/* While we looked, one may have started that the first look has passed. */
	return err ?: set_timer(a, look_interval(a));
}

int attachments__open(struct attachments *a, pid_t pid)
{
	int err = open_clock(a);

	if (!(a->later & KVM))
		a->skeleton->bss->is_awake = a->skeleton->bss->is_listening = 1;
	probes__look_up(a->choice, a->calls, &a->kvm);
	err = err ?: hwdbm_bpf__attach(a->skeleton);
	if (!err && a->later & KVM)
		return open_look(a, pid);
	a->since = now_ns();
	a->vms = 1;
	if (!err)
		err = probes__attach(a->choice, a->skeleton->obj, a->calls, &a->kvm);
	a->skeleton->bss->is_complete = 1;
	return err;
}

void attachments__detach(struct attachments *a)
{
	if (a->skeleton)
		a->skeleton->bss->is_complete = 0;
	if (a->look && !a->is_off && !a->since)
		hurry(false);
	if (a->since)
		count_time(a, now_ns());
	a->since = 0;
	a->is_off = true;
	probes__detach(&a->kvm);
	probes__detach(&a->iommu);
	probes__detach(&a->interrupts);
	if (a->skeleton)
		hwdbm_bpf__detach(a->skeleton);
}

void attachments__close(struct attachments *a)
{
	attachments__detach(a);
	look__free(a->look);
	a->look = NULL;
	cleanup__close(&a->epoll);
	cleanup__close(&a->timer);
	free(a->domains);
	free(a->foretold);
	free(a->arriving);
	a->domains = NULL;
	a->foretold = NULL;
	a->arriving = NULL;
	a->domain_count = a->foretold_count = a->arriving_count = 0;
}

int attachments__fd(const struct attachments *a)
{
	return a->epoll;
}

/* The last log is over for good: not only for the moment between two migrations. */
static int let_go(struct attachments *a, uint64_t now)
{
	if (!a->since || !a->quiet_since || now - a->quiet_since < LINGER_NS)
		return 0;
	detach_kvm(a);
	/* One that started since the last look has told nobody: the probes were still there. */
	return look(a, false);
}

static void let_go_iommu(struct attachments *a, uint64_t now)
{
	uint64_t rest = a->domain_count ? DOMAIN_REST_NS : LINGER_NS;

	if (!a->iommu_since || !(a->later & IOMMU) || now - a->iommu_last < rest)
		return;
	probes__detach(&a->iommu);
	a->iommu_since = 0;
	a->domain_count = 0;
	log__debug("no domain tracks: the probe for TLB invalidations is detached");
}

static void no_longer_arrives(struct attachments *a, size_t which)
{
	a->arriving[which] = a->arriving[--a->arriving_count];
	if (a->arriving_count)
		return;
	a->skeleton->bss->is_awaiting = 0;
	probes__detach(&a->interrupts);
	log__debug("no device arrives: the probe for interrupts is detached");
}

/* Those that have ended, or are silent. */
static void let_go_arriving(struct attachments *a, uint64_t now)
{
	for (size_t i = a->arriving_count; i-- > 0;) {
		const struct arriving *device = &a->arriving[i];

		if (device->until_ns ? now > device->until_ns :
				       kill((pid_t)device->pid, 0) && errno == ESRCH)
			no_longer_arrives(a, i);
	}
}

/* When there is something to do next; 0: when we are woken. */
static uint64_t rest(const struct attachments *a, uint64_t now)
{
	if (a->polled)
		return POLL_NS;
	if (!a->look && (a->arriving_count || (a->iommu_since && a->later & IOMMU)))
		return LINGER_NS;
	if (!a->look)
		return 0;
	return a->next_look > now ? a->next_look - now : 1;
}

int attachments__work(struct attachments *a, uint64_t records)
{
	uint64_t now = now_ns(), ticks;
	bool was_polled;
	int err = 0;

	if (a->is_off)
		return 0;
	if (read(a->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		return -errno;
	was_polled = a->polled;
	if (now - a->period_start >= POLL_NS) {
		a->polled = a->period_records >= MANY_RECORDS;
		a->period_start = now;
		a->period_records = 0;
	}
	a->period_records += records;
	a->polled |= a->period_records >= MANY_RECORDS;
	a->skeleton->bss->is_polled = a->polled;
	if (a->look) {
		if (look__hear(a->look) && !a->since)
			a->next_look = now + 2 * LOOK_ALONE_NS;
		if (now >= a->next_look)
			err = look(a, false);
		err = err ?: let_go(a, now);
	}
	let_go_iommu(a, now);
	let_go_arriving(a, now);
	/* What came before the programs were told to wake us is still to be read. */
	return err ?: set_timer(a, was_polled && !a->polled ? POLL_NS : rest(a, now));
}

int attachments__foretell(struct attachments *a, const struct hwdbm_start *start)
{
	struct foretold *foretold;
	uint64_t woken = now_ns();
	bool was_attached = a->since;
	int err = attach_kvm(a);

	a->quiet_since = 0;
	if (!was_attached) {
		a->reaction_ns = a->since - start->record.t_ns;
		log__debug("a log starts: the probes for KVM's calls were attached %llu us later, %llu us after we were woken",
			   (unsigned long long)a->reaction_ns / 1000,
			   (unsigned long long)(a->since - woken) / 1000);
	}
	/* Give the log time to show up in a look. */
	a->next_look = a->since + LOOK_NS;
	if (err || start->slot == HWDBM_NO_SLOT)
		return err;
	foretold = realloc(a->foretold, (a->foretold_count + 1) * sizeof(*foretold));
	if (!foretold)
		return -ENOMEM;
	a->foretold = foretold;
	foretold[a->foretold_count++] = (struct foretold){
		.vm = start->record.domain, .pid = start->record.pid,
		.seen_ns = woken, .length = start->length, .slot = start->slot,
	};
	return 0;
}

static void forget(struct attachments *a, size_t which)
{
	a->foretold[which] = a->foretold[--a->foretold_count];
}

void attachments__fulfil(struct attachments *a, uint64_t vm, uint32_t slot)
{
	for (size_t i = a->foretold_count; i-- > 0;)
		if (a->foretold[i].vm == vm && a->foretold[i].slot == slot)
			forget(a, i);
}

bool attachments__take_late(struct attachments *a, uint64_t vm, struct foretold *late)
{
	uint64_t now = vm ? 0 : now_ns();

	for (size_t i = 0; i < a->foretold_count; i++) {
		if (vm ? a->foretold[i].vm != vm : now - a->foretold[i].seen_ns < START_NS && !a->is_off)
			continue;
		*late = a->foretold[i];
		forget(a, i);
		a->late++;
		return true;
	}
	return false;
}

static int add_domain(struct attachments *a, uint64_t domain)
{
	uint64_t *domains;

	for (size_t i = 0; i < a->domain_count; i++)
		if (a->domains[i] == domain)
			return 0;
	domains = realloc(a->domains, (a->domain_count + 1) * sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	a->domains = domains;
	domains[a->domain_count++] = domain;
	return 0;
}

int attachments__domain(struct attachments *a, uint64_t domain, bool tracks)
{
	int err;

	a->iommu_last = now_ns();
	if (!(a->later & IOMMU))
		return 0;
	if (!tracks) {
		for (size_t i = a->domain_count; i-- > 0;)
			if (a->domains[i] == domain)
				a->domains[i] = a->domains[--a->domain_count];
		return 0;
	}
	err = add_domain(a, domain);
	if (err || a->iommu_since)
		return err;
	err = probes__attach(a->choice, a->skeleton->obj, IOMMU, &a->iommu);
	a->iommu_since = now_ns();
	log__debug("a domain tracks: the probe for TLB invalidations is attached");
	return err;
}

static struct arriving *find_arriving(struct attachments *a, uint64_t device)
{
	for (size_t i = 0; i < a->arriving_count; i++)
		if (a->arriving[i].device == device)
			return &a->arriving[i];
	return NULL;
}

static int add_arriving(struct attachments *a, const struct hwdbm_record *record)
{
	struct arriving *arriving;
	int err = 0;

	arriving = realloc(a->arriving, (a->arriving_count + 1) * sizeof(*arriving));
	if (!arriving)
		return -ENOMEM;
	a->arriving = arriving;
	if (!a->arriving_count) {
		err = probes__attach(a->choice, a->skeleton->obj, INTERRUPT, &a->interrupts);
		log__debug("a device loads a state: the probe for interrupts is attached");
	}
	arriving[a->arriving_count++] = (struct arriving){ record->domain, record->pid, 0 };
	return err ?: set_timer(a, LINGER_NS);
}

int attachments__device(struct attachments *a, const struct hwdbm_device_state *state)
{
	struct arriving *device = find_arriving(a, state->record.domain);

	if (a->is_off || state->asks_size || state->record.ret ||
	    !a->choice->chosen[HWDBM_MEASURE_INTERRUPT])
		return 0;
	if (state->state == STATE_RESUMING && !device)
		return add_arriving(a, &state->record);
	if (state->state == STATE_RESUMING)
		device->until_ns = 0;
	else if (state->state == STATE_RUNNING && device)
		device->until_ns = now_ns() + ARRIVING_NS;
	return 0;
}

void attachments__interrupted(struct attachments *a, uint64_t device)
{
	struct arriving *found = find_arriving(a, device);

	if (found)
		no_longer_arrives(a, found - a->arriving);
}

bool attachments__sees_tlb(const struct attachments *a, uint64_t since)
{
	return !(a->later & IOMMU) || (a->iommu_since && a->iommu_since <= since);
}

void attachments__time(const struct attachments *a, uint64_t *ns, uint64_t *vm_ns)
{
	uint64_t running = a->since ? now_ns() - a->since : 0;

	*ns = a->attached_ns + running;
	*vm_ns = a->vm_ns + running * a->vms;
}
