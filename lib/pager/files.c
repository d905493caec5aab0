/* SPDX-License-Identifier: MIT */
/* A file pager for the files of cpio archives; see files.h. */
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
    answer_copy(answer, served_file_of(o)->archive->object, served_file_of(o)->start + map->offset,
                nbytes);
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

/* The first archive that has a file of that name, or NULL. */
static const struct files_archive *find_file(const char *name, struct cpio_entry *entry)
{
    for (unsigned i = 0; i < files.narchives; i++)
        if (cpio_find(&files.archives[i].cpio, name, entry) == CPIO_OK && cpio_is_file(entry))
            return &files.archives[i];
    return NULL;
}

/* Look a file up and make its object. */
static status_t open_first(const char *name, struct served_file **out)
{
    struct served_file *file = &files.opened[files.nopened];
    const struct files_archive *archive;
    struct cpio_entry entry;
    status_t status;

    archive = find_file(name, &entry);
    if (!archive || entry.size_bytes == 0)
        return ST_NOT_FOUND;
    if (files.nopened == FILES_MAX)
        return ST_LIMIT;
    memset(file, 0, sizeof *file);
    strcpy(file->name, name);
    file->archive = archive;
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

/* FILE_OPEN: the client gets the object without OWN. */
static void serve_open(struct message *m, const char *name, word_t client)
{
    struct served_file *file = find_opened(name);
    status_t status = file ? ST_OK : open_first(name, &file);

    if (status == ST_OK)
        file_reply_open(m, &file->object, MEMORY_READ | MEMORY_EXEC, client);
    else
        message_prepare(m, status, 0, 0);
}

/* Is the file shown already, from an archive before this one? */
static bool is_replaced(const struct files_archive *archive, const char *name)
{
    struct cpio_entry entry;

    return find_file(name, &entry) != archive;
}

/* FILE_LIST: the files of all archives, each name once. */
static void serve_list(struct message *m, word_t index)
{
    struct cpio_entry entry;

    for (unsigned i = 0; i < files.narchives; i++) {
        const struct files_archive *archive = &files.archives[i];

        entry = (struct cpio_entry){0};
        while (cpio_next(&archive->cpio, &entry) == CPIO_OK) {
            if (!cpio_is_file(&entry) || is_replaced(archive, entry.name))
                continue;
            if (index-- > 0)
                continue;
            file_reply_list(m, entry.name, entry.size_bytes);
            return;
        }
    }
    message_prepare(m, ST_NOT_FOUND, 0, 0);
}

static void serve_statistics(struct message *m, const char *name)
{
    struct served_file *file = find_opened(name);

    if (file)
        file_reply_statistics(m, &file->object);
    else
        message_prepare(m, ST_NOT_FOUND, 0, 0);
}

static void serve_message(struct message *m)
{
    char name[FILE_NAME_BYTES + 1];

    if (message_label(m) == FILE_LIST)
        serve_list(m, message_nwords(m) ? m->words[0] : 0);
    else if (file_request(m, name) != ST_OK)
        message_prepare(m, ST_BAD_LENGTH, 0, 0);
    else if (message_label(m) == FILE_OPEN)
        serve_open(m, name, m->badge);
    else if (message_label(m) == FILE_STATISTICS)
        serve_statistics(m, name);
    else
        message_prepare(m, ST_BAD_OP, 0, 0);
}

/* ---- Start ------------------------------------------------------------------------------------*/

static void add_archive(cap_t object, const char *what)
{
    struct files_archive *archive = &files.archives[files.narchives++];
    struct message m = {.words = {0}};
    enum cpio_error error;
    word_t nbytes;

    archive->object = object;
    if (q_operation(object, OP_memory_query, 0, &m) != ST_OK)
        fatal("'%s' is no memory object", what);
    nbytes = m.words[0];
    error = cpio_open(&archive->cpio,
                      (void *)need(map_anywhere(object, 0, nbytes, MAP_READ), "mapping an archive"),
                      nbytes);
    if (error != CPIO_OK)
        fatal("'%s': %s", what, cpio_error_text(error));
}

int files_start(int argc, char **argv)
{
    int left = 1;

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
    if (env_cap("bundle") == 0)
        fatal("was given no capability called 'bundle'");
    if (env_cap("initrd"))
        add_archive(env_cap("initrd"), "initrd");
    add_archive(env_cap("bundle"), "bundle");
    return left;
}

void files_serve(const struct pager_ops *ops)
{
    static const struct pager_service service = {.message = serve_message};

    file_ops = ops;
    pager_serve(&service);
}
