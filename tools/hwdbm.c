// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwdbm: dirty tracking of DMA, measured. This file is the table of commands and picks
 * one of them. Not here: what any command does.
 */
#include "commands/commands.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command commands[] = {
	{ "doctor", doctor__main, "what can be measured on this host, and why not the rest" },
	{ "vms", vms__main, "the VMs of this host and what tracks their dirty memory" },
	{ "dirtysync", dirtysync__main, "every read of dirty state, live" },
	{ "converge", converge__main, "whether a migration gets anywhere, live" },
	{ "stat", stat__main, "the totals of a migration, at its end" },
	{ "splitlat", splitlat__main, "how long splitting takes, by sizes, mode and VM" },
	{ "tlbcost", tlbcost__main, "what TLB invalidations cost, for what and for whom" },
	{ "record", record__main, "follow a migration and write a recording" },
	{ "predict", predict__main, "whether a migration converges and how long the VM stands still" },
	{ "why", why__main, "why a migration does not switch over, and which lever would help" },
	{ "advise", advise__main, "by which granularity to track a VM, and which settings would help" },
	{ "tune", tune__main, "settings that bear on dirty tracking, and setting them for a time" },
	{ "estimate", estimate__main, "how dirty pages would be, from a sample of split blocks" },
	{ "blackout", blackout__main, "how long a VM stood still, from the recordings of both hosts" },
	{ "report", report__main, "tables, JSON and HTML from recordings" },
	{ "diff", diff__main, "what differs between runs, and whether that could be chance" },
	{ "convert", convert__main, "recordings as CSV, or as traces for Perfetto" },
#ifdef HWDBM_SERVE
	{ "serve", serve__main, "metrics and a page over HTTP" },
#endif
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	puts("hwdbm shows what dirty tracking by KVM, IOMMUs and devices does to live migrations:\n"
	     "what is dirty, what that costs, whether it converges, and what would change it.\n\n"
	     "Usage: hwdbm COMMAND [OPTIONS] ...\n\nCommands:");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	puts("  help       this text, or that of a command\n\n"
	     "A command may be shortened as long as it stays clear. hwdbm COMMAND --help says more;\n"
	     "hwdbm --version prints the version.");
	return COMMAND_OK;
}

/* The command of that name, or the only one that begins so. */
static const struct command *find(const char *word)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, word))
			return &commands[i];
		if (strncmp(commands[i].name, word, strlen(word)))
			continue;
		if (found) {
			log__error("\"%s\" could be %s or %s; see hwdbm help", word, found->name,
				   commands[i].name);
			return NULL;
		}
		found = &commands[i];
	}
	if (!found)
		log__error("there is no command \"%s\"; see hwdbm help", word);
	return found;
}

static int help_on(const char *word)
{
	const struct command *command = find(word);
	char help[] = "--help";
	char *argv[] = { (char *)word, help, NULL };

	return command ? command->main(2, argv) : COMMAND_USAGE;
}

/*
 * Of closed standard streams the next file that is opened would take the place, and a recording would get the messages.
 * What is written to one still fails: it is open for reading only.
 */
static int hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -errno;
	return 0;
}

/* What is still in the buffer may find a disk full; commands that have failed have said why. */
static int finish(int status)
{
	errno = 0;
	if (status || (!fflush(stdout) && !ferror(stdout)))
		return status;
	log__error("cannot write to stdout (%s)", strerror(errno ?: EIO));
	return COMMAND_FAILED;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *word = argc > 1 ? argv[1] : "";
	int err = hold_streams();

	/* A file that may not grow (ulimit -f) is an error of write(). */
	signal(SIGXFSZ, SIG_IGN);
	if (err) {
		log__error("a standard stream is closed, and /dev/null cannot be opened in its place (%s)",
			   strerror(-err));
		return COMMAND_FAILED;
	}

	if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
		puts("hwdbm " HWDBM_VERSION);
		return finish(COMMAND_OK);
	}
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return finish(argc > 2 && strcmp(argv[2], "help") ? help_on(argv[2]) : print_help());
	if (!*word) {
		log__error("which command? see hwdbm help");
		return COMMAND_USAGE;
	}
	command = find(word);
	return command ? finish(command->main(argc - 1, argv + 1)) : COMMAND_USAGE;
}
