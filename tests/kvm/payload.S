# SPDX-License-Identifier: GPL-2.0-only
#
# A guest without firmware: the whole of it is this ROM of 64 KiB. It writes one byte into each 4 KiB page from START
# to END, over and over, and the letter B to the first serial port before each pass. With NIC it also receives packets, by
# a virtio network card of the older kind at 00:05.0, into BUFFERS pages behind its rings.

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

	.ifdef NIC
	.set PORT, 0xc000
	.set BUFFERS, 32
	.set DESCRIPTORS, NIC
	.set AVAILABLE, NIC + 0x1000
	.set USED, NIC + 0x2000
	.set SENDING, NIC + 0x4000
	.set FIRST_BUFFER, NIC + 0x100000

	.macro configure register, value
	mov $(0x80002800 + \register), %eax
	mov $0xcf8, %edx
	out %eax, %dx
	mov $\value, %eax
	mov $0xcfc, %edx
	out %eax, %dx
	.endm
	.macro tell8 register, value
	mov $(PORT + \register), %edx
	mov $\value, %al
	out %al, %dx
	.endm
	.macro tell16 register, value
	mov $(PORT + \register), %edx
	mov $\value, %ax
	out %ax, %dx
	.endm
	.macro tell32 register, value
	mov $(PORT + \register), %edx
	mov $\value, %eax
	out %eax, %dx
	.endm

	configure 0x10, PORT		# its ports
	configure 0x04, 5		# it may use them, and memory
	tell8 0x12, 3			# there is a driver
	tell32 0x04, 0			# that knows no features
	xor %ecx, %ecx
descriptor:
	mov %ecx, %eax
	shl $12, %eax
	add $FIRST_BUFFER, %eax
	mov %ecx, %ebx
	shl $4, %ebx
	mov %eax, DESCRIPTORS(%ebx)
	movl $2048, DESCRIPTORS + 8(%ebx)
	movl $2, DESCRIPTORS + 12(%ebx)
	inc %ecx
	cmp $BUFFERS, %ecx
	jb descriptor
	xor %ecx, %ecx
available:
	mov %ecx, %eax
	and $(BUFFERS - 1), %eax
	mov %ax, AVAILABLE + 4(, %ecx, 2)
	inc %ecx
	cmp $256, %ecx
	jb available
	movw $1, AVAILABLE		# no interrupts
	movw $BUFFERS, AVAILABLE + 2
	tell16 0x0e, 0
	tell32 0x08, NIC / 4096
	tell16 0x0e, 1
	tell32 0x08, SENDING / 4096
	tell8 0x12, 7			# which is ready
	.endif
pass:
	.ifdef NIC
	mov USED + 2, %ax		# what was used may be used again
	add $BUFFERS, %ax
	cmp %ax, AVAILABLE + 2
	je write
	mov %ax, AVAILABLE + 2
	tell16 0x10, 0
write:
	.endif
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
