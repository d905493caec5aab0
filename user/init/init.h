/* SPDX-License-Identifier: MIT */
/*
 * What the files of init share: the programs of the system, and the bundle they come from.
 *
 * main.c boots and serves, system.c turns the system description into running programs, console.c
 * hands their output on, manage.c answers whoever may look at programs and end them.
 */
#ifndef QUIRE_INIT_INIT_H
#define QUIRE_INIT_INIT_H

#include "lib/abi/first.h"
#include "lib/base/cpio.h"
#include "lib/base/fdt.h"
#include "lib/base/machine.h"
#include "lib/rt/process.h"
#include "user/init/manage.h"

#define MAX_PROGRAMS 64

/* A program of the system description.  Its badge on init's endpoint is its index + 1. */
struct program {
    struct process process;
    struct fdt_node node;
    const char *name;  /* node name */
    const char *after; /* property starts-after: program whose end it waits for, or NULL */
    enum manage_state state;
    bool ends_system;    /* property exit-ends-system */
    bool gives_status;   /* property exit-is-status */
    bool takes_verbose;  /* property verbose-argument */
    bool drives_console; /* property console-driver; such a program may be ABSENT */
};

struct init {
    cap_t endpoint; /* console, exits and exceptions of all programs arrive here */
    unsigned narchives;
    struct cpio archives[2]; /* where files are looked for, in this order: initrd, boot bundle */
    struct fdt description;  /* system.dtb */
    bool verbose;            /* v=1 on the kernel's command line */
    word_t seed;             /* seed=n there */
    struct machine machine;  /* the board; its strings are not to be read */
    cap_t output_ring;       /* console.c: for the console driver */
    cap_t output_signal;
    word_t status; /* exit code of the machine, when nothing else says one */
    unsigned nprograms;
    struct program programs[MAX_PROGRAMS];
};

/* Read the description (init->description), make every program, give each what it gets, start them
 * in order.  On bad input: a line that says what and where, and exit code 2. */
void system_start(struct init *init);

/* The program of that name, or NULL. */
struct program *program_find(struct init *init, const char *name);

/* Find a file in the initrd or else in the boot bundle. */
bool file_find(const struct init *init, const char *name, struct cpio_entry *entry);

/* Start what waits for the end of `ended`. */
void system_start_after(struct init *init, const struct program *ended);

/* A program is gone, with this exit code: does the system go on?  May not return. */
void program_ended(struct program *program, word_t code);
/* Wait until all output is on its way, then end the machine. */
void system_end(word_t code) __attribute__((noreturn));

/* ---- console.c --------------------------------------------------------------------------------*/

/* Make the ring and the notification that a console driver gets (user/driver/uart/uart.h). */
void output_prepare(struct init *init);
/* CONSOLE_WRITE: the reply's status.  WOULD_BLOCK: the ring is full, the program tries again. */
status_t output_serve(const struct message *m);
/* The driver is there: from now on output goes to it. */
void output_start(void);
/* The driver is gone: what it did not write, and all that follows, is written by the kernel. */
void output_stop(void);

/* ---- manage.c: user/init/manage.h -------------------------------------------------------------*/

/* Serve a message of a manager: make *m the reply. */
void manage_serve(struct init *init, struct message *m);

#endif
