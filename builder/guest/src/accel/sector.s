# The probe's guest: one boot sector that does in miniature what a stock kernel does, and
# ends QEMU with a status that nothing else gives. Its bytes are in sector.rs; the test
# there assembles this file and compares.
#
# Any fault ends in a triple fault: there are no handlers but the timer's.
#
#   as --64 sector.s -o sector.o && ld -m elf_x86_64 -Ttext 0x7c00 --oformat binary sector.o

.set EXIT_PORT, 0xf4            # isa-debug-exit: QEMU exits with 2 * value + 1
.set PROOF,     0x2a
.set TABLES,    0x1000          # PML4, PDPT and page directory, one page each
.set IDT,       0x4000
.set TIMER,     0x20            # vector that the interrupt controller is given for IRQ 0
.set TICKS,     10
.set ROUNDS,    1 << 26

.globl _start
.code16
_start:
    cli
    cld
    ljmp $0, $real              # some BIOSes enter at 07c0:0000
real:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp

    # Page tables and IDT, zeroed. Both 2 MiB pages show the first 2 MiB of memory.
    mov $TABLES, %di
    mov $0x4000, %cx
    rep stosb
    movw $TABLES + 0x1003, TABLES
    movw $TABLES + 0x2003, TABLES + 0x1000
    movw $0x83, TABLES + 0x2000
    movw $0x83, TABLES + 0x2008

    # Long mode, as kernels enter it: PAE and SSE on, EFER.LME, then paging.
    mov $TABLES, %eax
    mov %eax, %cr3
    mov $0x620, %eax            # PAE, OSFXSR, OSXMMEXCPT
    mov %eax, %cr4
    mov $0xc0000080, %ecx       # EFER
    rdmsr
    or $0x100, %ax
    wrmsr
    mov $0x80000013, %eax       # PG, ET, MP, PE
    mov %eax, %cr0
    lgdt gdtr
    ljmp $8, $long

.code64
long:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov $0x7c00, %esp

    cmpw $0xaa55, 0x200000 + 0x7dfe     # this sector's signature through the second page
    jne fail

    xor %eax, %eax
    cpuid
    test %eax, %eax
    jz fail

    # Floating point: the square of 5 is 25.
    mov $5, %eax
    cvtsi2sd %eax, %xmm0
    mulsd %xmm0, %xmm0
    cvttsd2si %xmm0, %eax
    cmp $25, %eax
    jne fail

    # A run of plain instructions, timed by the caller's limit: a processor needs well under
    # a second, a KVM that emulates instruction by instruction needs minutes.
    rdtsc
    shl $32, %rdx
    lea (%rdx, %rax), %rsi
    mov $ROUNDS, %ecx
spin:
    dec %ecx
    jnz spin
    rdtsc
    shl $32, %rdx
    add %rdx, %rax
    cmp %rsi, %rax
    jbe fail

    # Timer interrupts: an IDT with one gate, the 8259 pair moved to 0x20, the 8254 at 1 kHz.
    movw $tick, IDT + 16 * TIMER
    movl $0x8e000008, IDT + 16 * TIMER + 2      # code selector 8; present interrupt gate
    lidt idtr
    mov $pic, %esi
    mov $PIC_STEPS, %ecx
program:
    lodsw                       # port in %al, value in %ah
    movzx %al, %edx
    mov %ah, %al
    out %al, %dx
    loop program

    # Sleep until woken, as an idle kernel does.
    xor %ebx, %ebx
    sti
sleep:
    hlt
    cmp $TICKS, %ebx
    jb sleep

    mov $PROOF, %al
    out %al, $EXIT_PORT
fail:
    ud2                         # no handler: triple fault, QEMU ends with another status

tick:
    inc %ebx
    mov $0x20, %al              # end of interrupt
    out %al, $0x20
    iretq

pic:                            # port, value
    .byte 0x20, 0x11,  0xa0, 0x11       # both controllers: initialise, cascaded
    .byte 0x21, TIMER, 0xa1, TIMER + 8  # vectors
    .byte 0x21, 0x04,  0xa1, 0x02       # cascade line
    .byte 0x21, 0x01,  0xa1, 0x01       # 8086 mode
    .byte 0x21, 0xfe,  0xa1, 0xff       # only IRQ 0
    .byte 0x43, 0x34,  0x40, 0xa9,  0x40, 0x04  # channel 0, rate 1193180 / 1193
.set PIC_STEPS, (. - pic) / 2

.align 8
gdt:
    .quad 0
    .quad 0x00af9a000000ffff    # 64-bit code
    .quad 0x00cf92000000ffff    # data
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 16 * (TIMER + 1) - 1
    .quad IDT

.org 510
    .word 0xaa55
