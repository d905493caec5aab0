/* SPDX-License-Identifier: MIT */
/* The client side of a file pager. */
#include <string.h>

#include "lib/pager/file.h"

static status_t file_call(cap_t server, word_t label, const char *name, struct message *m)
{
    size_t nbytes = strlen(name);

    if (nbytes > FILE_NAME_BYTES)
        return ST_BAD_LENGTH;
    m->words[0] = nbytes;
    message_prepare(m, label, 1 + message_put_bytes(m, 1, name, nbytes), 0);
    return q_call(server, m);
}

status_t file_open(cap_t server, const char *name, struct file *file)
{
    cap_t slot = slot_alloc();
    struct message m;
    status_t status;

    if (slot == 0)
        return ST_LIMIT;
    sys_buffer()->receive[0] = slot;
    status = file_call(server, FILE_OPEN, name, &m);
    sys_buffer()->receive[0] = 0;
    if (status == ST_OK && tag_ncaps(m.tag) == 0)
        status = ST_BAD_CAP;
    if (status != ST_OK) {
        slot_free(slot);
        return status;
    }
    *file = (struct file){slot, m.words[0]};
    return ST_OK;
}

void file_close(struct file *file)
{
    slot_free(file->object);
    *file = (struct file){0, 0};
}

status_t file_statistics(cap_t server, const char *name, struct pager_statistics *statistics)
{
    struct message m;
    status_t status = file_call(server, FILE_STATISTICS, name, &m);

    if (status == ST_OK)
        message_get_bytes(&m, 0, statistics, sizeof *statistics);
    return status;
}

struct result file_map(const struct file *file, word_t flags)
{
    return map_anywhere(file->object, 0, file->size, flags);
}
