// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names an address of a process, as hwdbm does: met at once, named when a line comes in, or at the
 * end of the input. With "kernel" for a process, an address of the kernel.
 */
#include "../../tools/collect/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	char text[SYMBOL_TEXT], line[16];
	struct symbols *symbols;
	uint64_t address;
	int err;

	if (argc != 3 || symbols__open(&symbols))
		return 2;
	address = strtoull(argv[2], NULL, 16);
	if (!strcmp(argv[1], "kernel")) {
		puts(symbols__kernel(symbols, address, text));
	} else {
		err = symbols__meet(symbols, atoi(argv[1]), &address, 1);
		if (err)
			printf("error %d\n", err);
		else
			puts("met");
		fflush(stdout);
		(void)!fgets(line, sizeof(line), stdin);
		puts(symbols__user(symbols, atoi(argv[1]), address, text));
	}
	symbols__free(symbols);
	return 0;
}
