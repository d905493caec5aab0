/* SPDX-License-Identifier: MIT */
/*
 * uart: the console driver, for the 16550 and its descendants; README.md has how it is started.
 *
 * One thread hears everything in one receive: the interrupt, init's bell for output, and calls.  It
 * never waits for the chip: what the transmitter does not take at once goes out at its interrupt, so
 * the receiver's 16 bytes are emptied in time also while much is printed.  Speed and format are the
 * firmware's: a DesignWare chip loses writes to its line control while it is busy.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/ns16550.h"
#include "lib/rt/rt.h"
#include "user/driver/uart/uart.h"

static struct ns16550 chip;
static cap_t irq, listener;
static u8 enabled;          /* NS16550_IER as last written */
static unsigned fifo_bytes; /* what an empty transmitter takes */

static struct uart_output *output;
static bool at_line_end; /* a \r was sent for the \n that comes next */

static struct {
    u32 head, tail;
    char bytes[UART_INPUT_BYTES];
} input;

static struct {
    word_t interrupts, received, sent, lost;
} count;

static void enable(u8 bits)
{
    if (bits != enabled)
        ns16550_write(&chip, NS16550_IER, bits);
    enabled = bits;
}

/* Reading it clears the flag of a lost byte, so it is read nowhere else. */
static u8 line_status(void)
{
    u8 status = ns16550_read(&chip, NS16550_LSR);

    if (status & NS16550_LSR_OVERRUN)
        count.lost++;
    return status;
}

static u32 input_used(void)
{
    return input.head - input.tail;
}

/* Empty the chip's FIFO.  With the ring full the rest stays there, and the interrupt is off until a
 * reader made room. */
static void read_in(void)
{
    bool any = false;

    while (input_used() < UART_INPUT_BYTES) {
        if (!(line_status() & NS16550_LSR_RECEIVED))
            break;
        input.bytes[input.head++ % UART_INPUT_BYTES] = (char)ns16550_read(&chip, NS16550_DATA);
        count.received++;
        any = true;
    }
    if (input_used() < UART_INPUT_BYTES)
        enable(enabled | NS16550_IER_RECEIVE);
    else
        enable((u8)(enabled & ~NS16550_IER_RECEIVE));
    if (any && listener)
        q_notification_signal(listener, 1);
}

/* The next byte to send, or -1: a \r comes before each \n. */
static int next_byte(void)
{
    u32 head = __atomic_load_n(&output->head, __ATOMIC_ACQUIRE); /* partner: init's put */
    char c = output->bytes[output->tail % UART_OUTPUT_BYTES];

    if (output->tail == head)
        return -1;
    if (c == '\n' && !at_line_end) {
        at_line_end = true;
        return '\r';
    }
    at_line_end = false;
    __atomic_store_n(&output->tail, output->tail + 1, __ATOMIC_RELEASE);
    return (unsigned char)c;
}

/* Send while the chip takes bytes: its FIFO's worth whenever the transmit register is empty. */
static void write_out(void)
{
    while (line_status() & NS16550_LSR_SEND_ROOM) {
        for (unsigned i = 0; i < fifo_bytes; i++) {
            int c = next_byte();

            if (c < 0) {
                enable((u8)(enabled & ~NS16550_IER_TRANSMIT));
                return;
            }
            ns16550_write(&chip, NS16550_DATA, (u8)c);
            count.sent++;
        }
        read_in();
    }
    enable(enabled | NS16550_IER_TRANSMIT);
}

/* The line is level triggered: the chip is quiet before it is acknowledged. */
static void interrupt(void)
{
    if ((ns16550_read(&chip, NS16550_IIR) & NS16550_IIR_WHY) == NS16550_IIR_BUSY)
        (void)ns16550_read(&chip, NS16550_USR);
    read_in();
    write_out();
    count.interrupts = q_irq_acknowledge(irq).value;
}

/* ---- Calls ------------------------------------------------------------------------------------*/

/* Take the notification that came with a message, and name the slot for the next. */
static status_t listen(const struct message *m)
{
    cap_t received = sys_buffer()->receive[0];

    if (tag_ncaps(m->tag) == 0)
        return ST_BAD_CAP;
    slot_free(listener);
    listener = received;
    sys_buffer()->receive[0] = slot_alloc();
    if (input_used() > 0)
        q_notification_signal(listener, 1);
    return ST_OK;
}

static void serve_read(struct message *m)
{
    char bytes[UART_READ_MOST];
    u32 n = 0;

    while (n < sizeof bytes && input_used() > 0)
        bytes[n++] = input.bytes[input.tail++ % UART_INPUT_BYTES];
    read_in(); /* room was made */
    m->words[0] = n;
    message_prepare(m, ST_OK, 1 + message_put_bytes(m, 1, bytes, n), 0);
}

static void serve_call(struct message *m)
{
    switch (message_label(m)) {
    case UART_LISTEN:
        message_prepare(m, listen(m), 0, 0);
        return;
    case UART_READ:
        serve_read(m);
        break;
    case UART_QUERY:
        m->words[0] = count.interrupts;
        m->words[1] = count.received;
        m->words[2] = count.sent;
        m->words[3] = count.lost;
        m->words[4] = input_used();
        message_prepare(m, ST_OK, 5, 0);
        break;
    default:
        message_prepare(m, ST_BAD_OP, 0, 0);
    }
    /* A capability that nobody asked for. */
    if (q_cspace_query(SLOT_CSPACE, sys_buffer()->receive[0]).value)
        q_cspace_delete(SLOT_CSPACE, sys_buffer()->receive[0]);
}

/* ---- Start ------------------------------------------------------------------------------------*/

static cap_t given(const char *name)
{
    cap_t cap = env_cap(name);

    if (cap == 0)
        fatal("was given no capability called '%s'", name);
    return cap;
}

static word_t size_of(cap_t object)
{
    return need(q_memory_query(object), "asking for a size");
}

static void start(char **argv)
{
    cap_t registers = given("registers"), ring = given("output"), signal = given("signal");
    word_t at = need(map_anywhere(registers, 0, size_of(registers), MAP_READ | MAP_WRITE),
                     "mapping the registers");
    struct message m = {.words = {0}};

    chip.base = (volatile u8 *)at + strtoul(argv[0], NULL, 10);
    chip.shift = (u32)strtoul(argv[1], NULL, 10);
    chip.width = (u32)strtoul(argv[2], NULL, 10);
    output = (struct uart_output *)need(map_anywhere(ring, 0, size_of(ring), MAP_READ | MAP_WRITE),
                                        "mapping the ring");
    irq = given("irq");
    need(q_notification_bind(signal, SLOT_THREAD), "binding the notification");
    need(q_irq_bind(irq, signal, UART_BIT_INTERRUPT), "binding the interrupt");
    sys_buffer()->receive[0] = slot_alloc();
    memset(input.bytes, 0, sizeof input.bytes); /* all pages of it are had from the beginning */

    /* The FIFOs are on after any firmware; switched on again they keep what they hold. */
    ns16550_write(&chip, NS16550_FCR, NS16550_FCR_ENABLE);
    fifo_bytes =
        (ns16550_read(&chip, NS16550_IIR) & NS16550_IIR_FIFOS) == NS16550_IIR_FIFOS ? 16 : 1;
    ns16550_write(&chip, NS16550_MCR, ns16550_read(&chip, NS16550_MCR) | NS16550_MCR_OUT2);
    ns16550_write(&chip, NS16550_IER, 0);
    read_in();
    message_prepare(&m, CONSOLE_READY, 0, 0);
    need((struct result){q_call(SLOT_CONSOLE, &m), 0}, "telling init");
}

int main(int argc, char **argv)
{
    struct message m = {.words = {0}};
    status_t status;

    if (argc < 4)
        fatal("wants three arguments: offset of the registers, log2 of their distance, and width");
    start(argv + argc - 3);
    status = q_recv(&m, 0);
    for (;;) {
        if (status != ST_OK) {
            status = q_recv(&m, 0);
            if (status != ST_OK)
                fatal("receiving: %s: %s", status_name(status), status_text(status));
            continue;
        }
        if (message_kind(&m) == MSG_CALL) {
            serve_call(&m);
            status = q_reply_recv(&m);
            continue;
        }
        if (message_kind(&m) == MSG_NOTIFY && m.words[0] & UART_BIT_INTERRUPT)
            interrupt();
        else if (message_kind(&m) == MSG_NOTIFY)
            write_out();
        status = q_recv(&m, 0);
    }
}
