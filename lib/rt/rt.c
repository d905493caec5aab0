/* SPDX-License-Identifier: MIT */
/*
 * From the entry point to main, and the end of a program.
 */
#include <picolibc.h> /* says whether picotls.h declares anything */
#include <picotls.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/rt/internal.h"
#include "lib/rt/recover.h"
#include "lib/rt/rt.h"

extern char __main_tls[];
extern void __libc_init_array(void);
extern int main(int argc, char **argv);

static const struct startup *startup;

__attribute__((weak)) const struct startup *rt_find_startup(word_t argument)
{
    const struct startup *page = (const struct startup *)argument;

    return page && page->magic == STARTUP_MAGIC ? page : NULL;
}

/* Called by start.S, with tp = __main_tls, which is not yet initialised. */
void rt_start(word_t argument, struct thread_buffer *buffer)
{
    static char *argv[STARTUP_ARGS + 1];
    int argc = 0;

    _init_tls(__main_tls);
    sys_buffer_page = buffer;
    recover_arm();
    startup = rt_find_startup(argument);
    if (!startup)
        _exit(2);
    slot_init(startup->cspace_bits, startup->first_free_slot);
    for (; argc < (int)startup->nargs && argc < STARTUP_ARGS; argc++)
        argv[argc] = (char *)startup + startup->argument[argc];
    __libc_init_array();
    exit(main(argc, argv));
}

cap_t env_cap(const char *name)
{
    for (unsigned i = 0; i < startup->ncaps && i < STARTUP_CAPS; i++)
        if (strncmp(startup->caps[i].name, name, STARTUP_NAME) == 0)
            return startup->caps[i].slot;
    return 0;
}

const char *env_name(void)
{
    return startup->name;
}

bool env_verbose(void)
{
    return startup->verbose;
}

word_t env_seed(void)
{
    return startup->seed;
}

__attribute__((weak)) cap_t env_console(void)
{
    return SLOT_CONSOLE;
}

/* The end: whoever started the program hears of it and takes it away.  Where nobody listens the
 * thread stops. */
void _exit(int code)
{
    struct message m = {.words = {(word_t)code}};

    console_flush();
    message_prepare(&m, CONSOLE_EXIT, 1, 0);
    (void)q_call(env_console(), &m);
    for (;;)
        q_thread_stop(SLOT_THREAD);
}

/* picolibc's raise, and abort through it, end here: a signal that nobody handles ends the program. */
pid_t getpid(void)
{
    return 1;
}

int kill(pid_t pid, int signal)
{
    (void)pid;
    _exit(128 + signal);
}

void fatal(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%s: ", env_name());
    vprintf(format, args);
    printf("\n");
    va_end(args);
    exit(2);
}

word_t need(struct result r, const char *what)
{
    if (r.status != ST_OK)
        fatal("%s: %s: %s (%#lx)", what, status_name(r.status), status_text(r.status), r.value);
    return r.value;
}
