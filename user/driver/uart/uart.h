/* SPDX-License-Identifier: MIT */
/*
 * What the console driver takes: output through a ring in shared memory, input by calls.
 *
 * Output: init writes into the ring and sets UART_BIT_OUTPUT of the notification that the driver's
 * thread is bound to.  One writer, one reader, so head and tail need no lock.
 *
 * Input: whoever holds the driver's endpoint names a notification once (UART_LISTEN); it is signalled
 * when bytes have come.  UART_READ takes them and never waits: with a wait on the notification that
 * makes a blocking read, and a program can wait for input and for messages in one receive.
 */
#ifndef QUIRE_DRIVER_UART_H
#define QUIRE_DRIVER_UART_H

#include "lib/abi/abi.h"

#define UART_BIT_INTERRUPT 1ul
#define UART_BIT_OUTPUT    2ul

/* Capability 0 = a notification with right SIGNAL, in place of the one before. */
#define UART_LISTEN 1
/* The reply: word 0 = bytes, then the bytes; 0 bytes: nothing is there.  At most 504. */
#define UART_READ 2
/* The reply: interrupts, bytes received, bytes sent, bytes that the chip lost, bytes waiting. */
#define UART_QUERY 3

#define UART_READ_MOST    ((MESSAGE_WORDS - 1) * 8)
#define UART_OUTPUT_BYTES 16384u
#define UART_INPUT_BYTES  16384u

/* The ring of output.  Positions count all bytes and wrap round with their type. */
struct uart_output {
    uint32_t head; /* written by init */
    uint32_t tail; /* written by the driver */
    char bytes[UART_OUTPUT_BYTES];
};

#endif
