// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of a switch-over as samples. See handover.h.
 */
#include "handover.h"
#include "summary.h"
#include "../lib/strings.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* enum vfio_device_mig_state, by the names that its documentation gives them */
static const char * const states[] = {
	"error", "stop", "running", "stop-copy", "resuming", "running-p2p", "pre-copy", "pre-copy-p2p",
};

static int number_of(struct device_list *devices, uint64_t address, uint64_t *number)
{
	size_t i = 0;

	while (i < devices->count && devices->at[i] != address)
		i++;
	if (i == devices->count) {
		uint64_t *at = realloc(devices->at, (i + 1) * sizeof(*at));

		if (!at)
			return -ENOMEM;
		devices->at = at;
		devices->at[devices->count++] = address;
	}
	*number = i + 1;
	return 0;
}

int handover__device(struct device_list *devices, const struct hwdbm_device_state *in,
		     struct device_state_sample *out)
{
	if (number_of(devices, in->record.domain, &out->device))
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	out->ret = in->record.ret;
	out->total_ns = in->total_ns;
	if (in->asks_size && !in->record.ret)
		out->size_bytes = in->bytes;
	/* A state that this tool does not know is unknown. */
	if (!in->asks_size && in->state < sizeof(states) / sizeof(states[0]))
		STRING_COPY(out->state, states[in->state]);
	return 0;
}

int handover__interrupt(struct device_list *devices, const struct hwdbm_interrupt *in,
			struct interrupt_sample *out)
{
	if (number_of(devices, in->record.domain, &out->device))
		return -ENOMEM;
	out->t_ns = in->record.t_ns;
	out->pid = in->record.pid;
	STRING_COPY(out->name, in->name);
	return 0;
}

int handover__vcpus(int map_fd, sample_handler handler, void *context)
{
	__u32 key, *previous = NULL;
	int err = 0;

	for (; !err && !bpf_map_get_next_key(map_fd, previous, &key); previous = &key) {
		struct hwdbm_vcpus vcpus;
		union sample sample;

		if (bpf_map_lookup_elem(map_fd, &key, &vcpus))
			continue;
		field__clear(sample__table(SAMPLE_VCPUS), &sample);
		sample.vcpus.t_ns = summary__now();
		sample.vcpus.pid = vcpus.pid;
		sample.vcpus.first_ns = vcpus.first_ns;
		sample.vcpus.last_ns = vcpus.last_ns;
		err = summary__hand_on(SAMPLE_VCPUS, &sample, handler, context);
	}
	return err;
}

void handover__release(struct device_list *devices)
{
	free(devices->at);
	*devices = (struct device_list){ 0 };
}
