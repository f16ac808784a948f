/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs as people and as programs read them. Not here: the list.
 */
#ifndef HWDBM_OUTPUT_VMS_H
#define HWDBM_OUTPUT_VMS_H

#include "../model/vm.h"

#include <stdio.h>

/* Format of the JSON document and its version. */
#define VMS_SCHEMA "hwdbm.vms/1"

/**
 * vms_text__write() - one line per VM; below, with @details, each VM's parts
 * Return: 0, -ENOMEM, or -EIO if @out refused something.
 */
int vms_text__write(FILE *out, const struct vm_list *list, bool details);

/**
 * vms_json__write() - the whole list as one document
 * Return: 0, -ENOMEM, or -EIO if @out refused something.
 */
int vms_json__write(FILE *out, const struct vm_list *list);

#endif
