/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a switch-over is made of, as samples: VFIO devices that change their state and
 * interrupt after that, vCPUs that run first and last. Not here: the ring the records come through.
 */
#ifndef HWDBM_COLLECT_HANDOVER_H
#define HWDBM_COLLECT_HANDOVER_H

#include "../../bpf/records.h"
#include "../model/sample.h"

/* Kernel addresses stay here: a recording has device 1, 2, ... Zero-initialised: none. */
struct device_list {
	uint64_t *at;
	size_t count;
};

/** handover__device() - a device was asked for a state. Return: 0 or -ENOMEM. */
int handover__device(struct device_list *devices, const struct hwdbm_device_state *in,
		     struct device_state_sample *out);

/** handover__interrupt() - one that has arrived has interrupted. Return: 0 or -ENOMEM. */
int handover__interrupt(struct device_list *devices, const struct hwdbm_interrupt *in,
			struct interrupt_sample *out);

/**
 * handover__vcpus() - one sample for each process whose vCPUs ran
 * Return: 0 or the handler's error.
 */
int handover__vcpus(int map_fd, sample_handler handler, void *context);

/** handover__release() - free the list's memory and zero it */
void handover__release(struct device_list *devices);

#endif
