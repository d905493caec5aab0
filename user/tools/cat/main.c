/* SPDX-License-Identifier: MIT */
/*
 * cat: print a file by mapping it.
 *
 * usage: cat [-s] FILE.  The file is opened at the pager given as `files`; every page of it is a
 * fault that the pager answers.  -s prints its size, checksum and number of zero bytes instead.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/pager/file.h"

static void summarise(const char *name, const u8 *bytes, word_t size)
{
    word_t zeros = 0;

    for (word_t i = 0; i < size; i++)
        zeros += bytes[i] == 0;
    printf("%s: %lu bytes, checksum %08x, %lu of them zero\n", name, size, crc32c(0, bytes, size),
           zeros);
}

int main(int argc, char **argv)
{
    bool summary = argc == 3 && strcmp(argv[1], "-s") == 0;
    const char *name = argv[argc - 1];
    struct file file;
    const char *text;
    status_t status;

    if (argc != 2 + summary)
        fatal("usage: cat [-s] FILE");
    status = file_open(env_cap("files"), name, &file);
    if (status != ST_OK)
        fatal("'%s': %s: %s", name, status_name(status), status_text(status));
    text = (const char *)need(file_map(&file, MAP_READ), "mapping the file");
    if (summary)
        summarise(name, (const u8 *)text, file.size);
    else
        console_write(text, file.size);
    need(unmap((word_t)text, file.size), "unmapping the file");
    file_close(&file);
    return 0;
}
