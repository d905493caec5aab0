/* SPDX-License-Identifier: MIT */
/*
 * bundle.S: the archive of programs that this kernel boots with, as bytes.
 *
 * BUNDLE_PATH comes from the build; each bundle makes one image of the same kernel objects.  An
 * initrd given by the boot loader takes its place (boot.c).
 */
    .section .bundle, "a", @progbits
    .balign 4096
    .global bundle_start, bundle_end
bundle_start:
    .incbin BUNDLE_PATH
bundle_end:
