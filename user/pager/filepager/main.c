/* SPDX-License-Identifier: MIT */
/*
 * filepager: serves the files of the boot bundle; see README.md.
 *
 * The whole pager is lib/pager/files.c, which the pager `flip` shares.
 */
#include "lib/pager/files.h"

int main(int argc, char **argv)
{
    if (files_start(argc, argv) > 1)
        fatal("unknown argument '%s': verbose and ahead=n are known", argv[1]);
    files_serve(&files_ops);
}
