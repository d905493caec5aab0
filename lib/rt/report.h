/* SPDX-License-Identifier: MIT */
/*
 * What an exception handler hears of a thread that stopped, read and printed.
 *
 * For whoever starts programs: init and the shell are the handlers of theirs.
 */
#ifndef QUIRE_RT_REPORT_H
#define QUIRE_RT_REPORT_H

#include "lib/rt/rt.h"

/* Take the message MSG_EXCEPTION apart; to be done before the next system call with a buffer. */
void exception_read(const struct message *m, struct exception_message *e);

/* Print what it says of `program`: what it did, whose memory it was, its registers. */
void report_exception(const char *program, status_t status, const struct exception_message *e);

#endif
