/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the lines that recordings have most of, as recordings write them: flat objects of
 * whole numbers, truth values, plain text and leaves. Much faster than a JSON library,
 * and it never has to be right: a line with anything else in it is left to the
 * library. Not here: messages.
 */
#ifndef HWDBM_OUTPUT_SCAN_H
#define HWDBM_OUTPUT_SCAN_H

#include "../model/sample.h"

/**
 * scan__sample() - fill a sample from a line, as json__read_record() would
 *
 * @length: without the line's end
 * @kind: set to the sample's kind if the line was understood
 *
 * Return: whether it was. The sample never holds anything to free.
 */
bool scan__sample(const char *line, size_t length, enum sample_kind *kind, union sample *sample);

#endif
