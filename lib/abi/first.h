/* SPDX-License-Identifier: MIT */
/*
 * What the first program, `init`, finds when it begins: slots of its cspace.
 *
 * a0 = bytes of the boot bundle, a1 = address of its buffer page, sp = FIRST_STACK_TOP.
 */
#ifndef QUIRE_ABI_FIRST_H
#define QUIRE_ABI_FIRST_H

#define FIRST_CSPACE      1
#define FIRST_THREAD      2
#define FIRST_ASPACE      3
#define FIRST_BANK        4  /* the first bank, all rights */
#define FIRST_SCHED       8  /* its scheduling context */
#define FIRST_DEBUG       9  /* all rights */
#define FIRST_BUNDLE      10 /* phys: the boot archive (cpio, newc) */
#define FIRST_DEVICE_TREE 11 /* anon: a copy of the device-tree blob */
#define FIRST_INITRD      12 /* phys: a further archive, if the boot loader gave one */

#define FIRST_CSPACE_BITS 10
#define FIRST_PRIORITY    20
#define FIRST_STACK_TOP   0x3f00000000
#define FIRST_STACK_BYTES 0x10000

#endif
