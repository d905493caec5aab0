/* SPDX-License-Identifier: MIT */
/*
 * leaver: a client that maps a file three times, touches some of it, and then does not tidy up.
 *
 * What it does last is its argument: `exit`, `crash` (a store where nothing is mapped), or `hang`
 * (until it is killed).  test/system/real.c starts it and asks the pager what it heard.
 */
#include <string.h>

#include "lib/pager/file.h"

#define PAGE 4096ul

int main(int argc, char **argv)
{
    struct file file;
    char *volatile nowhere = (char *)8;
    volatile const char *v;

    if (argc != 2)
        fatal("wants one argument");
    if (file_open(env_cap("files"), "data.bin", &file) != ST_OK)
        fatal("cannot open data.bin");
    v = (const char *)need(file_map(&file, MAP_READ), "mapping");
    (void)v[5 * PAGE];
    v = (const char *)need(map_anywhere(file.object, 3 * PAGE, 7 * PAGE, MAP_READ), "mapping");
    (void)v[0];
    need(map_anywhere(file.object, PAGE, PAGE, MAP_READ), "mapping");

    if (strcmp(argv[1], "crash") == 0)
        *nowhere = 1;
    while (strcmp(argv[1], "hang") == 0)
        sys_yield();
    return 3;
}
