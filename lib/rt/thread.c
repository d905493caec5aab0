/* SPDX-License-Identifier: MIT */
/* Threads of a program beside its first: stack, thread-local storage, buffer page, start and end. */
#include <picolibc.h> /* says whether picotls.h declares anything */
#include <picotls.h>
#include <string.h>

#include "lib/rt/recover.h"
#include "lib/rt/rt.h"

#define PAGE 4096ul

/* What a new thread finds on top of its stack; a0 of rt_thread_entry points here. */
struct thread_start {
    void (*entry)(void *);
    void *argument;
    cap_t thread;
};

extern void rt_thread_entry(void);

/* Called by rt_thread_entry in start.S; never returns. */
void rt_thread_main(struct thread_start *start, struct thread_buffer *buffer)
{
    sys_buffer_page = buffer;
    recover_arm();
    start->entry(start->argument);
    console_flush();
    for (;;)
        q_thread_stop(start->thread);
}

void thread_set_name(cap_t thread, const char *name)
{
    word_t words[2] = {0, 0};

    memcpy(words, name, strnlen(name, sizeof words));
    q_thread_name(thread, words[0], words[1]);
}

/* Make the objects; what could be made is in *t even on an error. */
static struct result thread_objects(struct rt_thread *t, unsigned priority)
{
    struct result r = object_create(SLOT_BANK, OBJ_thread, 0, 0);

    if (r.status != ST_OK)
        return r;
    t->thread = r.value;
    r = object_create(SLOT_BANK, OBJ_sched, priority, 0);
    if (r.status != ST_OK)
        return r;
    t->sched = r.value;
    r = map_memory(t->stack_length, &t->stack);
    if (r.status != ST_OK)
        return r;
    t->stack_base = r.value;
    return q_thread_configure(t->thread, SLOT_CSPACE, SLOT_ASPACE, env_console(), t->sched);
}

status_t thread_create(struct rt_thread *t, const char *name, void (*entry)(void *), void *argument,
                       unsigned priority, size_t stack_length)
{
    struct thread_start *start;
    struct result r;
    word_t tls;

    memset(t, 0, sizeof *t);
    t->stack_length = (stack_length + _tls_size() + PAGE - 1) & ~(PAGE - 1);
    r = thread_objects(t, priority);
    if (r.status != ST_OK)
        goto fail;
    t->buffer = r.value;
    thread_set_name(t->thread, name);

    tls = (t->stack_base + t->stack_length - _tls_size()) & ~(_tls_align() - 1);
    start = (struct thread_start *)((tls - sizeof *start) & ~15ul);
    _init_tls((void *)tls);
    *start = (struct thread_start){entry, argument, t->thread};
    r = q_thread_start(t->thread, (word_t)rt_thread_entry, (word_t)start, (word_t)start, tls);
    if (r.status == ST_OK)
        return ST_OK;
fail:
    thread_destroy(t);
    return r.status;
}

void thread_destroy(struct rt_thread *t)
{
    slot_free(t->thread);
    slot_free(t->sched);
    if (t->stack_base)
        unmap(t->stack_base, t->stack_length);
    slot_free(t->stack);
    memset(t, 0, sizeof *t);
}

bool thread_is_stopped(const struct rt_thread *t)
{
    return q_thread_query(t->thread).value == THREAD_STOPPED;
}
