/* SPDX-License-Identifier: MIT */
/*
 * A file pager for the files of cpio archives: what user/pager/filepager is, and what user/pager/flip
 * changes one thing of.
 *
 * One served object for each file that was opened.  A missing page is answered by a copy from the
 * archive's own memory object; the pager never touches the bytes.
 */
#ifndef QUIRE_PAGER_FILES_H
#define QUIRE_PAGER_FILES_H

#include "lib/base/cpio.h"
#include "lib/pager/file.h"

#define FILES_MAX 32 /* files open at a time */

/* Where files are looked for: the archive that ADD=file added, if any, then the boot bundle. */
struct files_archive {
    cap_t object;     /* memory object of the archive, right READ */
    struct cpio cpio; /* the archive, mapped */
};

/* A file that was opened. */
struct served_file {
    struct pager_object object; /* first, so that a member of the table finds the file */
    char name[FILE_NAME_BYTES + 1];
    const struct files_archive *archive;
    word_t start; /* of its bytes in the archive's memory object */
};

struct files {
    word_t ahead; /* pages to supply with each answer, 1 to 16 */
    bool verbose; /* print a line for each event */
    unsigned narchives;
    struct files_archive archives[2];
    unsigned nopened;
    struct served_file opened[FILES_MAX];
};

/* The one server of the program. */
extern struct files files;

/* Find the archives behind the capabilities called "initrd" (may be missing) and "bundle", map them
 * to read their headers, and take `verbose` and `ahead=n` from the arguments; ends the program where that cannot be done.  Returns
 * the number of arguments that are left, moved to the front of argv. */
int files_start(int argc, char **argv);

/* The file pager's table: files_ops.resolve_fault answers by copy. */
extern const struct pager_ops files_ops;

/* Serve every file with this table (files_ops, or one's own that calls into it). */
void files_serve(const struct pager_ops *ops) __attribute__((noreturn));

static inline struct served_file *served_file_of(struct pager_object *o)
{
    return (struct served_file *)o;
}

#endif
