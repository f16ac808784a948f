/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a migration of a VM would really use to track dirty memory, by the rules of QEMU,
 * and why it would be refused. Pure. Not here: how the VM and the host were looked at.
 */
#ifndef HWDBM_MODEL_OUTLOOK_H
#define HWDBM_MODEL_OUTLOOK_H

#include "diagnosis.h"
#include "vm.h"

struct outlook_facts {
	uint64_t pid;
	char vm[VM_NAME];
	char vcpus[48];			/* "bitmap by PML", "ring", ...; "" without KVM */
	char dma[32];			/* as device_facts.tracker; "" without VFIO devices */
	char vhost[64];			/* devices that log for themselves; "" without */
	enum tristate splits;		/* splitting can change what is found dirty */
	enum tristate refused;		/* QEMU would refuse */
	char reason[REASON_TEXT];
};

/**
 * outlook__judge() - what follows for one VM
 *
 * QEMU takes the logs of devices if every device of the VM has one; else the IOMMU's, if
 * every page table has one; else all memory is dirty in every pass (hw/vfio/, 8.1 and
 * later). One device that cannot be moved blocks the migration. It takes an IOMMU's log for
 * granted with iommufd only: with type1 it wants to be told by enable-migration=on.
 *
 * @diagnosis: of the host, for what devices and KVM can do
 */
void outlook__judge(const struct vm *vm, const struct diagnosis *diagnosis,
		    struct outlook_facts *outlook);

#endif
