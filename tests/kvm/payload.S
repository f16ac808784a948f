# SPDX-License-Identifier: GPL-2.0-only
#
# A guest without firmware: the whole of it is this ROM of 64 KiB. It writes one byte into each 4 KiB page from START
# to END, over and over, and the letter B to the first serial port before each pass.

	.code16
	.section .text
	.globl _start
	.org 0
_start:
	cli
	lgdtl %cs:(gdt_pointer - _start)
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $(0xf0000 + protected - _start)

	.code32
protected:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %ss
	mov %eax, %es
pass:
	mov $0x3f8, %edx
	mov $'B', %al
	out %al, %dx
	mov $START, %edi
page:
	incb (%edi)
	add $4096, %edi
	cmp $END, %edi
	jb page
	jmp pass

	.align 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long 0xf0000 + gdt - _start

	.code16
	.org 0xfff0
	ljmp $0xf000, $0
	.org 0x10000
