// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening, writing, closing, and what to say when that fails. Not here: formats.
 */
#include "kept.h"
#include "commands.h"
#include "../lib/log.h"
#include "../lib/stream.h"

#include <errno.h>
#include <string.h>

static int explain_file(const struct kept *kept, int err)
{
	log__error("%s: cannot write %s (%s)", kept->command, kept->path, stream__error(err));
	return err;
}

int kept__check(const char *command, const char *path)
{
	if (!path || strcmp(path, "-"))
		return 0;
	log__error("%s: -o -: stdout has what this command shows; hwdbm record -o - writes the recording alone",
		   command);
	return -EINVAL;
}

int kept__open(struct kept *kept)
{
	if (!kept->path)
		return 0;
	kept->file = recording__create(kept->path);
	return kept->file ? 0 : explain_file(kept, -errno);
}

int kept__write(struct kept *kept, enum sample_kind kind, const union sample *sample)
{
	if (kept->file)
		kept->error = recording__write(kept->file, kind, sample);
	return kept->error;
}

void kept__explain(const struct kept *kept)
{
	if (kept->error)
		explain_file(kept, kept->error);
	else if (kept->output_error)
		log__error("%s: cannot write to stdout (%s)", kept->command,
			   stream__error(kept->output_error));
}

int kept__close(struct kept *kept, int err)
{
	FILE *file = kept->file;

	kept->file = NULL;
	return file && fclose(file) && !err ? explain_file(kept, -errno) : 0;
}

int kept__read(struct shown *shown, sample_handler handler, void *context)
{
	int err = recording__read(shown->path, handler, context, &shown->flaws);

	shown->damaged = err == -EINVAL && shown->has_header;
	return shown->damaged ? 0 : err;
}

int kept__shown(const struct kept *kept, const struct shown *shown, int err)
{
	const char *path = recording__label(shown->path);

	kept__explain(kept);
	if (err && err != -EINVAL && !kept->output_error)
		log__error("%s: cannot read %s (%s)", kept->command, path, strerror(-err));
	if (!err && !shown->has_header) {
		log__error("%s: %s is no recording (it has no header line); make one with -o, or with hwdbm record",
			   kept->command, path);
		err = -EINVAL;
	}
	if (err)
		return COMMAND_FAILED;
	if (shown->damaged)
		log__warn("%s: what is before that is shown of %s; %s", kept->command, path, shown->missing);
	else if (!shown->has_end)
		log__warn("%s: %s has no end, it was interrupted; %s", kept->command, path, shown->missing);
	return shown->damaged || !shown->has_end || recording__is_flawed(&shown->flaws) ?
		       COMMAND_UNSOUND : COMMAND_OK;
}
