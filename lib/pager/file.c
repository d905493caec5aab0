/* SPDX-License-Identifier: MIT */
/* The protocol of a file pager, both sides; see file.h. */
#include "lib/pager/file.h"

#include <string.h>

/* ---- Client -----------------------------------------------------------------------------------*/

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

status_t file_list(cap_t server, word_t index, char name[FILE_NAME_BYTES + 1], word_t *size)
{
    struct message m = {.words = {index}};
    status_t status;

    message_prepare(&m, FILE_LIST, 1, 0);
    status = q_call(server, &m);
    memset(name, 0, FILE_NAME_BYTES + 1);
    if (status != ST_OK)
        return status;
    if (m.words[1] > FILE_NAME_BYTES)
        return ST_BAD_LENGTH;
    *size = m.words[0];
    message_get_bytes(&m, 2, name, m.words[1]);
    return ST_OK;
}

struct result file_map(const struct file *file, word_t flags)
{
    return map_anywhere(file->object, 0, file->size, flags);
}

/* ---- Server -----------------------------------------------------------------------------------*/

status_t file_request(const struct message *m, char name[FILE_NAME_BYTES + 1])
{
    unsigned nwords = message_nwords(m);

    memset(name, 0, FILE_NAME_BYTES + 1);
    if (nwords < 1 || m->words[0] > FILE_NAME_BYTES || m->words[0] > (nwords - 1) * sizeof(word_t))
        return ST_BAD_LENGTH;
    message_get_bytes(m, 1, name, m->words[0]);
    return ST_OK;
}

/* The copy passes through one slot of ours, emptied before its next use; the client's is a child of
 * it and stays. */
void file_reply_open(struct message *m, const struct pager_object *o, word_t rights, word_t client)
{
    static cap_t passing;
    struct result copy;

    slot_free(passing);
    copy = cap_mint(o->cap, rights, client);
    passing = copy.status == ST_OK ? copy.value : 0;
    if (copy.status != ST_OK) {
        message_prepare(m, copy.status, 0, 0);
        return;
    }
    sys_buffer()->send[0] = passing;
    m->words[0] = o->size;
    message_prepare(m, ST_OK, 1, 1);
}

void file_reply_statistics(struct message *m, const struct pager_object *o)
{
    const struct pager_statistics *s = &o->statistics;

    message_prepare(m, ST_OK, message_put_bytes(m, 0, s, sizeof *s), 0);
}

void file_reply_list(struct message *m, const char *name, word_t size)
{
    size_t nbytes = strnlen(name, FILE_NAME_BYTES);

    m->words[0] = size;
    m->words[1] = nbytes;
    message_prepare(m, ST_OK, 2 + message_put_bytes(m, 2, name, nbytes), 0);
}

void file_serve_one(struct message *m, const struct pager_object *o, word_t rights)
{
    char name[FILE_NAME_BYTES + 1];
    word_t index = m->words[0], client = m->badge;

    if (message_label(m) == FILE_LIST && index == 0)
        file_reply_list(m, o->name, o->size);
    else if (message_label(m) == FILE_LIST || file_request(m, name) != ST_OK ||
             strcmp(name, o->name) != 0)
        message_prepare(m, ST_NOT_FOUND, 0, 0);
    else if (message_label(m) == FILE_OPEN)
        file_reply_open(m, o, rights, client);
    else if (message_label(m) == FILE_STATISTICS)
        file_reply_statistics(m, o);
    else
        message_prepare(m, ST_BAD_OP, 0, 0);
}
