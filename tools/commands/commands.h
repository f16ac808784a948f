/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every command is: a main function over its own words. Not here: the table
 * (hwdbm.c).
 */
#ifndef HWDBM_COMMANDS_COMMANDS_H
#define HWDBM_COMMANDS_COMMANDS_H

/* Exit statuses; record passes its command's own on. */
enum command_status {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,	/* said why on stderr */
	COMMAND_USAGE = 2,	/* bad option or operand */
	COMMAND_UNSOUND = 3,	/* output was made, but a run in it cannot be trusted */
	COMMAND_REFUSED = 4,	/* of doctor: QEMU would refuse to migrate a VM */
};

struct command {
	const char *name;
	/* argv[0] is the command's name. Return: the exit status. */
	int (*main)(int argc, char **argv);
	const char *summary;
};

int advise__main(int argc, char **argv);
int blackout__main(int argc, char **argv);
int converge__main(int argc, char **argv);
int convert__main(int argc, char **argv);
int diff__main(int argc, char **argv);
int doctor__main(int argc, char **argv);
int dirtysync__main(int argc, char **argv);
int estimate__main(int argc, char **argv);
int predict__main(int argc, char **argv);
int why__main(int argc, char **argv);
int record__main(int argc, char **argv);
int report__main(int argc, char **argv);
int serve__main(int argc, char **argv);
int stat__main(int argc, char **argv);
int splitlat__main(int argc, char **argv);
int tlbcost__main(int argc, char **argv);
int tune__main(int argc, char **argv);
int vms__main(int argc, char **argv);

#endif
