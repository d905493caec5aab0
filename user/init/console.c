/* SPDX-License-Identifier: MIT */
/*
 * The output of all programs, on its way to the console driver.
 *
 * Output goes into a ring in memory shared with the driver, and a notification tells it.  init never
 * calls the driver, so a driver that hangs or dies cannot stop init, which is its exception handler
 * too.  A full ring is the writer's matter: it hears WOULD_BLOCK and tries again.  Before there is a
 * driver, and after its death, the kernel's debug object writes.
 */
#include <stdlib.h>
#include <string.h>

#include "user/driver/uart/uart.h"
#include "user/init/init.h"

#define PATIENCE 4000000 /* yields to wait for a driver that does not write */

static struct uart_output *ring; /* NULL: no driver is there */
static struct uart_output *prepared;
static cap_t bell;

void output_prepare(struct init *init)
{
    if (prepared)
        return;
    prepared = (struct uart_output *)need(map_memory(sizeof *prepared, &init->output_ring),
                                          "making the console's ring");
    memset(prepared, 0, sizeof *prepared); /* all pages of it are had from the beginning */
    bell = need(object_create(SLOT_BANK, OBJ_notification, 0, 0), "making the console's signal");
    init->output_signal = bell;
}

/* All of it or, where there is no room, nothing. */
static bool put(const char *text, size_t nbytes)
{
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE); /* partner: uart's write_out */

    if (nbytes > UART_OUTPUT_BYTES - (ring->head - tail))
        return false;
    for (size_t i = 0; i < nbytes; i++)
        ring->bytes[(ring->head + i) % UART_OUTPUT_BYTES] = text[i];
    __atomic_store_n(&ring->head, ring->head + (uint32_t)nbytes, __ATOMIC_RELEASE);
    q_notification_signal(bell, UART_BIT_OUTPUT);
    return true;
}

static bool is_written(void)
{
    return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == ring->head;
}

/* init's own text.  It cannot put a writer off, so it waits a while, and in the end writes as if
 * there were no driver. */
void console_write(const char *text, size_t nbytes)
{
    status_t status;

    for (unsigned i = 0; ring && i < PATIENCE; i++) {
        if (put(text, nbytes))
            return;
        sys_yield();
    }
    status = q_write(FIRST_DEBUG, text, nbytes);
    (void)status; /* there is nowhere to say so */
}

status_t output_serve(const struct message *m)
{
    char text[(MESSAGE_WORDS - 1) * sizeof(word_t)];
    unsigned nwords = message_nwords(m);

    if (nwords < 1 || m->words[0] > (nwords - 1) * sizeof(word_t))
        return ST_BAD_LENGTH;
    message_get_bytes(m, 1, text, m->words[0]);
    if (!ring)
        return q_write(FIRST_DEBUG, text, m->words[0]);
    return put(text, m->words[0]) ? ST_OK : ST_WOULD_BLOCK;
}

/* Before the end of the machine. */
static void output_drain(void)
{
    console_flush();
    for (unsigned i = 0; ring && i < PATIENCE && !is_written(); i++)
        sys_yield();
    output_stop();
}

void output_start(void)
{
    static bool once;

    ring = prepared;
    if (!once)
        atexit(output_drain);
    once = true;
}

void output_stop(void)
{
    status_t status = ST_OK;
    uint32_t tail;

    if (!ring)
        return;
    for (tail = ring->tail; tail != ring->head && status == ST_OK; tail++)
        status = q_write(FIRST_DEBUG, &ring->bytes[tail % UART_OUTPUT_BYTES], 1);
    ring->tail = tail;
    ring = NULL;
}
