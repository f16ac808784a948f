// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and calibrating. A foreign call is one that this process makes itself, in several short
 * series of which the fastest counts: others' interrupts are not the probe's.
 */
#include "meter.h"
#include "summary.h"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

#define SERIES 12
#define CALLS 100

/* The share of a shorter time says little: one sync may be all there was. */
#define PERIOD_NS NS_PER_SECOND

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* The fastest series of such a call, for one of them. */
static double time_call(enum probe_kind kind)
{
	uint64_t best = UINT64_MAX;
	int pipes[2], bytes;

	if (pipe(pipes))
		return 0;
	for (int i = 0; i < SERIES; i++) {
		uint64_t start = thread_ns(), took;

		for (int j = 0; j < CALLS; j++)
			if (kind == PROBE_SYSCALL)
				ioctl(pipes[0], FIONREAD, &bytes);
			else
				syscall(SYS_getppid);
		took = thread_ns() - start;
		best = took < best ? took : best;
	}
	close(pipes[0]);
	close(pipes[1]);
	return (double)best / CALLS;
}

void meter__open(struct meter *meter, int map, const struct probe *probe, uint64_t limit)
{
	meter->map = map;
	meter->limit = limit;
	if (!probe || (probe->kind != PROBE_SYSCALL && probe->kind != PROBE_SYSCALLS))
		return;
	meter->kind = probe->kind;
	meter->is_foreign = true;
	meter->base_ns = time_call(meter->kind);
}

void meter__calibrate(struct meter *meter)
{
	double ns;

	if (!meter->is_foreign || meter->run_ns > 0)
		return;
	ns = time_call(meter->kind) - meter->base_ns;
	meter->run_ns = ns > 1 ? ns : 1;
}

/* Those of all CPUs as one. One may see a call begin that ends on another. */
static struct hwdbm_meter read_all(const struct meter *meter)
{
	struct hwdbm_meter sum = { 0 };
	__u32 only = 0;

	summary__sum(meter->map, &only, &sum, sizeof(sum));
	return sum;
}

uint64_t meter__lost_calls(const struct meter *meter)
{
	struct hwdbm_meter sum = read_all(meter);

	return sum.begun > sum.ended ? sum.begun - sum.ended : 0;
}

void meter__read(const struct meter *meter, struct collect_overhead *overhead)
{
	struct hwdbm_meter sum = read_all(meter);
	struct rusage usage;

	*overhead = (struct collect_overhead){
		.foreign_runs = sum.runs, .foreign_ns = (uint64_t)(meter->run_ns + 0.5),
		.probe_ns = sum.ns + (uint64_t)((double)sum.runs * meter->run_ns),
	};
	getrusage(RUSAGE_SELF, &usage);
	overhead->process_ns = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_SECOND +
			       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

bool meter__exceeds(struct meter *meter, uint64_t probe_ns, uint64_t vm_ns)
{
	if (!meter->limit || vm_ns - meter->last_vm_ns < PERIOD_NS)
		return false;
	meter->recent_share = (probe_ns - meter->last_probe_ns) * 1000000 /
			      (vm_ns - meter->last_vm_ns);
	meter->last_probe_ns = probe_ns;
	meter->last_vm_ns = vm_ns;
	return meter->recent_share > meter->limit;
}
