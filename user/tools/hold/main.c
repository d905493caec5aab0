/* SPDX-License-Identifier: MIT */
/*
 * hold: map a file, and touch one more page of it every now and then, for ever.
 *
 * usage: hold FILE [TURNS].  A client to try things on: stop its pager, and see what becomes of it.
 * After its last page it begins again with the first.  TURNS: how often it lets others run between
 * two pages.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/pager/file.h"

int main(int argc, char **argv)
{
    word_t turns = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
    struct file file;
    volatile const char *text;
    status_t status;

    if (argc < 2)
        fatal("usage: hold FILE [TURNS]");
    status = file_open(env_cap("files"), argv[1], &file);
    if (status != ST_OK)
        fatal("'%s': %s: %s", argv[1], status_name(status), status_text(status));
    text = (const char *)need(file_map(&file, MAP_READ), "mapping the file");
    printf("hold: '%s' is mapped, %lu bytes\n", argv[1], file.size);
    for (;;)
        for (word_t offset = 0; offset < file.size; offset += 4096) {
            (void)text[offset];
            for (word_t i = 0; i < turns; i++)
                sys_yield();
        }
}
