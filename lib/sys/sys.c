/* SPDX-License-Identifier: MIT */
/* The parts of the system call library that are too long to be inline: byte packing, names. */
#include <string.h>

#include "lib/sys/sys.h"

__thread struct thread_buffer *sys_buffer_page;

unsigned message_put_bytes(struct message *m, unsigned first, const void *bytes, size_t nbytes)
{
    const char *from = bytes;
    unsigned nwords = 0;

    while (nbytes > 0) {
        word_t word = 0;
        size_t n = nbytes < sizeof word ? nbytes : sizeof word;

        memcpy(&word, from, n);
        message_set_word(m, first + nwords++, word);
        from += n;
        nbytes -= n;
    }
    return nwords;
}

void message_get_bytes(const struct message *m, unsigned first, void *bytes, size_t nbytes)
{
    char *to = bytes;

    while (nbytes > 0) {
        word_t word = message_word(m, first++);
        size_t n = nbytes < sizeof word ? nbytes : sizeof word;

        memcpy(to, &word, n);
        to += n;
        nbytes -= n;
    }
}

struct result q_served_declare_all(cap_t self, const struct declaration *d)
{
    struct message m = {.words = {d->flags, d->shared, d->private, d->wants, d->records}};
    char name[OWNER_NAME_BYTES] = "";
    status_t status;

    if (d->name)
        memcpy(name, d->name, strnlen(d->name, sizeof name));
    message_put_bytes(&m, 5, name, sizeof name);
    status = q_operation(self, OP_served_declare, 5 + sizeof name / sizeof(word_t), &m);
    return (struct result){status, m.words[0]};
}

/* An operation without arguments that yields `nwords` words. */
static struct result read_words(cap_t self, word_t operation, word_t *words, unsigned nwords)
{
    struct message m = {0};
    status_t status = q_operation(self, operation, 0, &m);

    if (status == ST_OK)
        message_get_bytes(&m, 0, words, nwords * sizeof(word_t));
    return (struct result){status, m.words[0]};
}

struct result q_thread_registers(cap_t self, struct thread_registers *r)
{
    return read_words(self, OP_thread_read_registers, &r->pc, THREAD_REGISTER_WORDS);
}

struct result q_thread_float(cap_t self, struct thread_float *f)
{
    return read_words(self, OP_thread_read_float, f->f, THREAD_FLOAT_WORDS);
}

struct result q_thread_set_registers(cap_t self, const struct thread_registers *r, bool run)
{
    struct message m = {.words = {run}};
    status_t status;

    message_put_bytes(&m, 1, &r->pc, 32 * sizeof(word_t));
    status = q_operation(self, OP_thread_write_registers, 33, &m);
    return (struct result){status, m.words[0]};
}

struct result q_thread_set_float(cap_t self, const struct thread_float *f)
{
    struct message m = {0};
    status_t status;

    message_put_bytes(&m, 0, f, sizeof *f);
    status = q_operation(self, OP_thread_write_float, THREAD_FLOAT_WORDS, &m);
    return (struct result){status, m.words[0]};
}

status_t q_write(cap_t console, const char *text, size_t nbytes)
{
    const size_t most = (MESSAGE_WORDS - 1) * sizeof(word_t);
    status_t status = ST_OK;

    while (nbytes > 0 && status == ST_OK) {
        struct message m;
        size_t n = nbytes < most ? nbytes : most;

        m.words[0] = n;
        message_prepare(&m, OP_debug_write, 1 + message_put_bytes(&m, 1, text, n), 0);
        status = q_call(console, &m);
        text += n;
        nbytes -= n;
    }
    return status;
}

word_t clock_ns(void)
{
    const word_t second = 1000000000, hz = sys_buffer()->clock_hz;
    word_t now;

    __asm__ volatile("rdtime %0" : "=r"(now));
    return now / hz * second + now % hz * second / hz;
}

static const struct {
    const char *name;
    const char *text;
} statuses[STATUS_LIMIT] = {
#define STATUS(number, name, text) [number] = {#name, text},
#include "lib/abi/status.def"
#undef STATUS
};

const char *status_name(status_t status)
{
    return status < STATUS_LIMIT && statuses[status].name ? statuses[status].name : "status ?";
}

const char *status_text(status_t status)
{
    return status < STATUS_LIMIT && statuses[status].text ? statuses[status].text
                                                          : "no status of that number";
}

const char *object_type_name(unsigned type)
{
    static const char *const names[OBJ_LIMIT] = {
#define OBJECT(number, name, text) [number] = #name,
#include "lib/abi/objects.def"
#undef OBJECT
    };

    return type < OBJ_LIMIT && names[type] ? names[type] : "nothing";
}
