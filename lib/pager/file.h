/* SPDX-License-Identifier: MIT */
/*
 * The protocol of a file pager, its client side, and what helps to serve it.
 *
 * A file pager is a server whose endpoint takes three calls.  FILE_OPEN answers with a capability to
 * the served object of a file, which the client then maps as it likes; from there on the kernel and
 * the pager talk to each other.  FILE_STATISTICS tells what the pager heard of a file, FILE_LIST
 * which files there are.  Whatever speaks it can be plugged in at the shell's prompt.
 */
#ifndef QUIRE_PAGER_FILE_H
#define QUIRE_PAGER_FILE_H

#include "lib/pager/pager.h"

/* The first two: word 0 = bytes of the name, then the name.  Errors: NOT_FOUND, BAD_LENGTH, and for
 * opening NO_SPACE and LIMIT. */
#define FILE_OPEN       1 /* word 0 of the reply = size in bytes; capability 0 = the object */
#define FILE_STATISTICS 2 /* the reply is struct pager_statistics; NOT_FOUND: never opened */
/* Word 0 = index from 0; the reply: size in bytes, bytes of the name, then the name.  NOT_FOUND:
 * there are fewer files. */
#define FILE_LIST 3

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

/* The name and size of the index-th file; the name is "" on an error. */
status_t file_list(cap_t server, word_t index, char name[FILE_NAME_BYTES + 1], word_t *size);

/* Map the whole file; value = the address.  flags: MAP_*. */
struct result file_map(const struct file *file, word_t flags);

/* ---- For servers: inside pager_service.message ------------------------------------------------ */

/* The name that FILE_OPEN or FILE_STATISTICS asks for, NUL terminated; BAD_LENGTH. */
status_t file_request(const struct message *m, char name[FILE_NAME_BYTES + 1]);
/* Make *m the reply: a copy of the object's capability with these rights, badged with the client's
 * number (m->badge), by which the pager later tells whose mapping it hears of. */
void file_reply_open(struct message *m, const struct pager_object *o, word_t rights, word_t client);
void file_reply_statistics(struct message *m, const struct pager_object *o);
void file_reply_list(struct message *m, const char *name, word_t size);
/* All three calls of a pager that has just one file, which is called o->name. */
void file_serve_one(struct message *m, const struct pager_object *o, word_t rights);

#endif
