/* SPDX-License-Identifier: MIT */
/*
 * flip: the file pager, but with one byte of one file altered.
 *
 * It shows that what a client reads comes from its pager and from nowhere else, and how to change
 * one thing of a pager: all members of the table but one are the file pager's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pager/files.h"

#define PAGE 4096ul

static const char *flip_file;
static word_t flip_offset;
static cap_t scratch;         /* anon object of one page: what is moved to the client */
static unsigned char *window; /* the same page, mapped here */

/* The page that holds the byte: copied into our own page, altered there, and moved to the client.
 * The move takes the page out of our mapping, so the next one begins as zeros again. */
static void resolve_fault(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    word_t in_page = flip_offset - map->offset;
    word_t nbytes = o->size - map->offset;

    if (strcmp(o->name, flip_file) != 0 || in_page >= PAGE || flip_offset >= o->size) {
        files_ops.resolve_fault(o, access, map, answer);
        return;
    }
    memcpy(window, served_file_of(o)->archive->cpio.base + served_file_of(o)->start + map->offset,
           nbytes < PAGE ? nbytes : PAGE);
    window[in_page] ^= 0xff;
    answer_move(answer, scratch, 0, 1);
}

int main(int argc, char **argv)
{
    struct pager_ops ops = files_ops;
    char *end;

    if (files_start(argc, argv) != 3)
        fatal("wants two arguments: the file and the offset of the byte to alter");
    flip_file = argv[1];
    flip_offset = strtoul(argv[2], &end, 0);
    if (*end || end == argv[2])
        fatal("'%s' is no offset", argv[2]);
    files.ahead = 1; /* else a neighbour's answer would supply the page unaltered */
    window = (unsigned char *)need(map_memory(PAGE, &scratch), "making a page");
    ops.resolve_fault = resolve_fault;
    files_serve(&ops);
}
