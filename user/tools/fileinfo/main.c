/* SPDX-License-Identifier: MIT */
/*
 * fileinfo: the files of a pager (`ls`), or what it heard of those that were opened (`faults`).
 *
 * A program of its own and not part of the shell, because a pager that does not answer would stop
 * the shell; this one can be ended by ctrl-C.
 */
#include <stdio.h>
#include <string.h>

#include "lib/pager/file.h"

static void list(const char *name, word_t size)
{
    printf("%10lu  %s\n", size, name);
}

static void faults(const char *server, const char *name)
{
    struct pager_statistics s;

    if (file_statistics(env_cap("files"), name, &s) != ST_OK)
        return;
    printf("%-12s %-16s %7lu %7lu %8lu %8lu %8lu\n", server, name, s.faults, s.pages, s.mapped,
           s.mapped - s.unmapped, s.refused);
}

int main(int argc, char **argv)
{
    bool is_list = argc > 1 && strcmp(argv[1], "ls") == 0;
    const char *server = argc > 2 ? argv[2] : "files";
    char name[FILE_NAME_BYTES + 1];
    status_t status;
    word_t size;

    for (word_t i = 0; (status = file_list(env_cap("files"), i, name, &size)) == ST_OK; i++) {
        if (is_list)
            list(name, size);
        else
            faults(server, name);
    }
    if (status == ST_NOT_FOUND)
        return 0;
    printf("%s: %s: %s\n", server, status_name(status), status_text(status));
    return 1;
}
