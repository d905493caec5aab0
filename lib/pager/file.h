/* SPDX-License-Identifier: MIT */
/*
 * The protocol of a file pager, and its client side.
 *
 * A file pager is a server whose endpoint takes two calls.  FILE_OPEN answers with a capability to
 * the served object of a file, which the client then maps as it likes; from there on the kernel and
 * the pager talk to each other.  FILE_STATISTICS tells what the pager heard of a file.
 */
#ifndef QUIRE_PAGER_FILE_H
#define QUIRE_PAGER_FILE_H

#include "lib/pager/pager.h"

/* Both: word 0 = bytes of the name, then the name.  Errors: NOT_FOUND, BAD_LENGTH, and for opening
 * NO_SPACE and LIMIT. */
#define FILE_OPEN       1 /* word 0 of the reply = size in bytes; capability 0 = the object */
#define FILE_STATISTICS 2 /* the reply is struct pager_statistics; NOT_FOUND: never opened */

#define FILE_NAME_BYTES 64 /* longest name */
#define FILE_MAPPINGS   64 /* mappings of one file at a time */

struct file {
    cap_t object; /* READ, perhaps WRITE and EXEC: what the pager gives */
    word_t size;  /* bytes */
};

/* Open a file at the pager behind `server`.  *file is written on ST_OK only; give its slot back by
 * file_close. */
status_t file_open(cap_t server, const char *name, struct file *file);
/* Delete the capability.  Mappings live on. */
void file_close(struct file *file);
/* What the pager heard of a file so far. */
status_t file_statistics(cap_t server, const char *name, struct pager_statistics *statistics);

/* Map the whole file; value = the address.  flags: MAP_*. */
struct result file_map(const struct file *file, word_t flags);

#endif
