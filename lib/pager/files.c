/* SPDX-License-Identifier: MIT */
/* A file pager for the files of a cpio archive; see files.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pager/files.h"

#define PAGE 4096ul

struct files files = {.ahead = 1};

static const struct pager_ops *file_ops; /* of every file; set by files_serve */

/* ---- The table --------------------------------------------------------------------------------*/

/* A file of the bundle can be read and executed; nobody writes to it. */
static status_t get_mapping_info(struct pager_object *o, word_t offset, word_t length,
                                 struct mapping_info *info)
{
    (void)o, (void)offset, (void)length;
    info->permissions = MAP_READ | MAP_EXEC;
    return ST_OK;
}

static void print_map(struct pager_object *o, const char *what, const struct pager_map *map)
{
    if (files.verbose)
        printf("%s: %s of '%s': mapping %lu of client %lu, %#lx + %#lx, offset %#lx\n", env_name(),
               what, o->name, map->id, map->badge, map->vaddr, map->length, map->offset);
}

static void on_mapped(struct pager_object *o, const struct pager_map *map)
{
    print_map(o, "on_mapped", map);
}

static void on_unmapped(struct pager_object *o, const struct pager_map *map)
{
    print_map(o, "on_unmapped", map);
}

/* The page, and with `ahead` those behind it that are missing too; the file's end cuts the last
 * one short, and the kernel zeroes the rest of that page. */
static void resolve_fault(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    static const char *const verbs[] = {"load", "store", "fetch", "?"};
    word_t nbytes = map->window_end - map->offset;

    if (nbytes > files.ahead * PAGE)
        nbytes = files.ahead * PAGE;
    if (nbytes < PAGE)
        nbytes = PAGE;
    if (nbytes > o->size - map->offset)
        nbytes = o->size - map->offset;
    answer_copy(answer, files.archive, served_file_of(o)->start + map->offset, nbytes);
    if (files.verbose)
        printf("%s: %s of '%s' at %#lx, client %lu, pc %#lx: %lu bytes\n", env_name(),
               verbs[access->op & 3], o->name, map->offset, map->badge, access->pc, nbytes);
}

const struct pager_ops files_ops = {
    .get_mapping_info = get_mapping_info,
    .on_mapped = on_mapped,
    .on_unmapped = on_unmapped,
    .resolve_fault = resolve_fault,
};

/* ---- Requests ---------------------------------------------------------------------------------*/

static struct served_file *find_opened(const char *name)
{
    for (unsigned i = 0; i < files.nopened; i++)
        if (strcmp(files.opened[i].name, name) == 0)
            return &files.opened[i];
    return NULL;
}

/* Look a file of the archive up and make its object. */
static status_t open_first(const char *name, struct served_file **out)
{
    struct served_file *file = &files.opened[files.nopened];
    struct cpio_entry entry;
    status_t status;

    if (cpio_find(&files.cpio, name, &entry) != CPIO_OK || !cpio_is_file(&entry) ||
        entry.size_bytes == 0)
        return ST_NOT_FOUND;
    if (files.nopened == FILES_MAX)
        return ST_LIMIT;
    memset(file, 0, sizeof *file);
    strcpy(file->name, name);
    file->start = entry.offset;
    file->object = (struct pager_object){.ops = file_ops,
                                         .size = entry.size_bytes,
                                         .name = file->name,
                                         .max_mappings = FILE_MAPPINGS};
    status = pager_object_create(&file->object);
    if (status == ST_OK) {
        files.nopened++;
        *out = file;
    }
    return status;
}

/*
 * FILE_OPEN: the reply carries a copy of the object's capability without OWN, badged with the
 * client's number, by which the pager later tells whose mapping it hears of.  The copy passes
 * through one slot of ours, emptied before its next use; the client's is a child of it and stays.
 */
static void serve_open(struct message *m, const char *name, word_t client)
{
    static cap_t passing;
    struct served_file *file = find_opened(name);
    status_t status = file ? ST_OK : open_first(name, &file);
    struct result copy;

    if (status == ST_OK) {
        slot_free(passing);
        copy = cap_mint(file->object.cap, MEMORY_READ | MEMORY_EXEC, client);
        passing = copy.status == ST_OK ? copy.value : 0;
        status = copy.status;
    }
    if (status != ST_OK) {
        message_prepare(m, status, 0, 0);
        return;
    }
    sys_buffer()->send[0] = passing;
    m->words[0] = file->object.size;
    message_prepare(m, ST_OK, 1, 1);
}

static void serve_statistics(struct message *m, const char *name)
{
    struct served_file *file = find_opened(name);
    struct pager_statistics *s;

    if (!file) {
        message_prepare(m, ST_NOT_FOUND, 0, 0);
        return;
    }
    s = &file->object.statistics;
    message_prepare(m, ST_OK, message_put_bytes(m, 0, s, sizeof *s), 0);
}

static void serve_message(struct message *m)
{
    char name[FILE_NAME_BYTES + 1] = "";
    unsigned nwords = message_nwords(m);

    if (nwords < 1 || m->words[0] > FILE_NAME_BYTES ||
        m->words[0] > (nwords - 1) * sizeof(word_t)) {
        message_prepare(m, ST_BAD_LENGTH, 0, 0);
        return;
    }
    message_get_bytes(m, 1, name, m->words[0]);
    if (message_label(m) == FILE_OPEN)
        serve_open(m, name, m->badge);
    else if (message_label(m) == FILE_STATISTICS)
        serve_statistics(m, name);
    else
        message_prepare(m, ST_BAD_OP, 0, 0);
}

/* ---- Start ------------------------------------------------------------------------------------*/

int files_start(int argc, char **argv)
{
    struct message m = {.words = {0}};
    enum cpio_error error;
    int left = 1;
    word_t nbytes;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "verbose") == 0)
            files.verbose = true;
        else if (strncmp(argv[i], "ahead=", 6) == 0)
            files.ahead = strtoul(argv[i] + 6, NULL, 10);
        else
            argv[left++] = argv[i];
    }
    if (files.ahead < 1 || files.ahead > ANSWER_MAX_COPY)
        fatal("ahead=%lu cannot be: 1 to %d pages", files.ahead, ANSWER_MAX_COPY);
    files.archive = env_cap("bundle");
    if (files.archive == 0)
        fatal("was given no capability called 'bundle'");
    if (q_operation(files.archive, OP_memory_query, 0, &m) != ST_OK)
        fatal("'bundle' is no memory object");
    nbytes = m.words[0];
    error = cpio_open(
        &files.cpio,
        (void *)need(map_anywhere(files.archive, 0, nbytes, MAP_READ), "mapping the bundle"),
        nbytes);
    if (error != CPIO_OK)
        fatal("the bundle: %s", cpio_error_text(error));
    return left;
}

void files_serve(const struct pager_ops *ops)
{
    static const struct pager_service service = {.message = serve_message};

    file_ops = ops;
    pager_serve(&service);
}
