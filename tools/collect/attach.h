/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is attached, and when: probes that others pay for follow the logs. They are attached
 * once a followed VM or IOMMU domain starts to log, and go when the last one has stopped; the one
 * for interrupts is there while a device arrives. Not here: which probes these are (probes.h), or
 * where VMs are found (look.h).
 */
#ifndef HWDBM_COLLECT_ATTACH_H
#define HWDBM_COLLECT_ATTACH_H

#include "look.h"
#include "probes.h"

struct hwdbm_bpf;

/* A log that was about to start when that was seen. */
struct foretold {
	uint64_t vm;			/* address of the struct kvm */
	uint64_t pid;
	uint64_t seen_ns;
	uint64_t length;
	uint32_t slot;
};

/* A device that loads a state from elsewhere, or has, and has not interrupted since. */
struct arriving {
	uint64_t device;		/* address of its open file */
	uint64_t pid;
	uint64_t until_ns;		/* it is waited for no longer; 0: it has not been let go yet */
};

/* Zero-initialised: nothing. */
struct attachments {
	struct hwdbm_bpf *skeleton;
	const struct probe_choice *choice;
	struct look *look;		/* NULL: everything is attached all the time */
	int epoll;			/* timer, and what look waits for */
	int timer;
	struct probe_links kvm;
	struct probe_links iommu;
	struct probe_links interrupts;
	struct arriving *arriving;
	size_t arriving_count;
	uint64_t later;			/* measurements that come and go */
	uint64_t calls;			/* of KVM and devices: those that are attached by us, at once */
	uint64_t iommu_since;		/* those of an IOMMU are attached; 0: they are not */
	uint64_t iommu_last;		/* an IOMMU's tracking was seen to go on */
	uint64_t *domains;		/* that track */
	size_t domain_count;
	struct foretold *foretold;	/* not known yet whether the probes came in time */
	size_t foretold_count;
	uint64_t late;			/* logs whose first reads may be missing */
	uint64_t since;			/* KVM's, or all if there is none of KVM, are attached; 0: not */
	uint64_t attached_ns;		/* for how long before */
	uint64_t vm_ns;			/* the same, times the VMs that logged meanwhile */
	uint64_t vms;			/* that log, as of the last look; at least 1 while attached */
	uint64_t next_look;
	uint64_t quiet_since;		/* no log was seen to be on; 0: one is */
	uint64_t period_start;
	uint64_t period_records;
	bool polled;			/* the ring is read by the timer */
	bool is_off;			/* for good */
	uint64_t reaction_ns;		/* of the last start, until the probes were attached */
};

/**
 * attachments__prepare() - between opening and loading the programs
 *
 * @follow: let costly probes follow the logs; else they are attached all the time
 */
void attachments__prepare(struct attachments *a, struct hwdbm_bpf *skeleton,
			  const struct probe_choice *choice, bool follow);

/**
 * attachments__open() - attach what is cheap, and the rest if a log is on or cannot be followed
 *
 * @pid: process to follow; 0: all
 *
 * Return: 0 or -errno. To be closed in any case.
 */
int attachments__open(struct attachments *a, pid_t pid);

/** attachments__detach() - detach everything for good; what was foretold until now is late */
void attachments__detach(struct attachments *a);

/** attachments__close() - detach everything, and free what is held */
void attachments__close(struct attachments *a);

/** attachments__fd() - becomes readable when attachments__work() is due */
int attachments__fd(const struct attachments *a);

/**
 * attachments__work() - look whether logs are on, attach or detach
 *
 * @records: how many were read since the last call
 *
 * Return: 0 or -errno.
 */
int attachments__work(struct attachments *a, uint64_t records);

/** attachments__foretell() - a log is about to start: attach. Return: 0 or -errno. */
int attachments__foretell(struct attachments *a, const struct hwdbm_start *start);

/** attachments__fulfil() - the start of a slot's log was seen whole */
void attachments__fulfil(struct attachments *a, uint64_t vm, uint32_t slot);

/**
 * attachments__take_late() - a start that was foretold, and whose end was not seen
 *
 * @vm: whose log was read, so that its starts are over; 0: take those that are old enough
 *
 * Return: whether there was one.
 */
bool attachments__take_late(struct attachments *a, uint64_t vm, struct foretold *late);

/**
 * attachments__domain() - an IOMMU domain was seen to track, or to stop
 * Return: 0 or -errno.
 */
int attachments__domain(struct attachments *a, uint64_t domain, bool tracks);

/**
 * attachments__device() - a VFIO device was asked for a state
 *
 * One that is about to load a state is waited for, until attachments__interrupted().
 *
 * Return: 0 or -errno.
 */
int attachments__device(struct attachments *a, const struct hwdbm_device_state *state);

/** attachments__interrupted() - a device that was waited for has sent its first interrupt */
void attachments__interrupted(struct attachments *a, uint64_t device);

/** attachments__sees_tlb() - whether TLB invalidations were counted all the time since then */
bool attachments__sees_tlb(const struct attachments *a, uint64_t since);

/** attachments__time() - how long KVM's probes were attached, and that times the VMs that logged */
void attachments__time(const struct attachments *a, uint64_t *ns, uint64_t *vm_ns);

#endif
