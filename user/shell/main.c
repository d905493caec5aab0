/* SPDX-License-Identifier: MIT */
/*
 * shell: the prompt; README.md lists the commands.
 *
 * One thread with one receive, for input (a notification of the console driver) and for the programs
 * it started (their output, exits and exceptions).  It waits for nobody whom it does not trust: a
 * pager that was plugged in is only ever called by a program that can be ended.
 */
#include <stdio.h>
#include <string.h>

#include "user/driver/uart/uart.h"
#include "user/init/manage.h"
#include "user/shell/shell.h"

struct given given;

static bool reply_due;
static status_t reply_status;

/* What was typed and not looked at yet; the driver keeps more. */
static struct {
    unsigned head, tail;
    char bytes[16384];
} typed;

#define CTRL_C 3

/* Take what the driver has.  A ctrl-C while a program is waited for ends it, and what was typed
 * before it is forgotten. */
static void read_input(void)
{
    for (;;) {
        char bytes[UART_READ_MOST];
        struct message m = {.words = {0}};
        word_t n;

        if (sizeof typed.bytes - (typed.head - typed.tail) < sizeof bytes)
            return;
        message_prepare(&m, UART_READ, 0, 0);
        if (q_call(given.uart, &m) != ST_OK) {
            printf("shell: the console driver is gone, so nothing more can be typed\n");
            power_off();
        }
        n = m.words[0];
        if (n == 0 || n > sizeof bytes)
            return;
        message_get_bytes(&m, 1, bytes, n);
        for (word_t i = 0; i < n; i++) {
            if (bytes[i] == CTRL_C && child_is_waited_for()) {
                typed.tail = typed.head;
                child_interrupt();
                continue;
            }
            typed.bytes[typed.head++ % sizeof typed.bytes] = bytes[i];
        }
    }
}

void serve_one(void)
{
    struct message m = {.words = {0}};
    status_t status;

    console_flush();
    if (reply_due) {
        reply_due = false;
        message_prepare(&m, reply_status, 0, 0);
        status = q_reply_recv(&m);
    } else {
        status = q_recv(&m, 0);
    }
    if (status != ST_OK)
        return; /* the reply could not be given; what comes next is received next time */
    if (message_kind(&m) == MSG_NOTIFY)
        read_input();
    else
        reply_due = child_message(&m, &reply_status);
}

void power_off(void)
{
    struct message m = {.words = {0}};

    console_flush();
    message_prepare(&m, MANAGE_POWER_OFF, 0, 0);
    fatal("init does not end the machine: %s", status_name(q_call(given.manage, &m)));
}

/* Let the driver signal the notification that our receive hears. */
static status_t listen(void)
{
    cap_t bell = need(object_create(SLOT_BANK, OBJ_notification, 0, 0), "making a notification");
    struct message m = {.words = {0}};

    need(q_notification_bind(bell, SLOT_THREAD), "binding the notification");
    sys_buffer()->send[0] = need(cap_mint(bell, NOTIFICATION_SIGNAL, 0), "copying a capability");
    message_prepare(&m, UART_LISTEN, 0, 1);
    return q_call(given.uart, &m);
}

/* All pages of the ring are had from the beginning: what `mem` shows shall not grow with typing. */
static void start(void)
{
    memset(typed.bytes, 0, sizeof typed.bytes);
    given = (struct given){
        .files = env_cap("files"),
        .manage = env_cap("manage"),
        .uart = env_cap("uart"),
        .debug = env_cap("debug"),
        .bank = env_cap("root-bank"),
        .bundle = env_cap("bundle"),
        .initrd = env_cap("initrd"),
    };
    if (!given.files || !given.manage || !given.bundle)
        fatal("wants the capabilities 'files', 'manage' and 'bundle'");
    if (!given.uart || listen() != ST_OK) {
        printf("shell: the console of this board has no driver, so nothing can be typed\n");
        power_off();
    }
}

int main(void)
{
    start();
    printf("\nQuire: type `help` for the commands; Ctrl-D ends the machine.  QEMU itself ends by "
           "Ctrl-A X.\n");
    console_flush();
    line_begin();
    for (;;) {
        while (typed.tail != typed.head) {
            enum line_event event = line_feed(typed.bytes[typed.tail++ % sizeof typed.bytes]);

            if (event == LINE_END) {
                line_flush();
                printf("\n");
                power_off();
            }
            if (event == LINE_DONE) {
                command_run(line_text());
                console_flush();
                line_begin();
            }
        }
        line_flush();
        read_input();
        if (typed.tail == typed.head)
            serve_one();
    }
}
