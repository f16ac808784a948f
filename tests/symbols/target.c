// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says where one of its static functions is, and waits: only debug information has its name.
 */
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) static int hidden_function(int number)
{
	printf("%p\n", (void *)((char *)__builtin_return_address(0) - 1));
	fflush(stdout);
	pause();
	return number + 1;
}

__attribute__((noinline)) static int hidden_caller(int number)
{
	return hidden_function(number) * 2;
}

int main(int argc, char **argv)
{
	(void)argv;
	return hidden_caller(argc);
}
