/* SPDX-License-Identifier: MIT */
/*
 * What the files of init share: the programs of the system, and the bundle they come from.
 *
 * main.c boots and serves, system.c turns the system description into running programs, report.c
 * prints what stopped one.
 */
#ifndef QUIRE_INIT_INIT_H
#define QUIRE_INIT_INIT_H

#include "lib/abi/first.h"
#include "lib/base/cpio.h"
#include "lib/base/fdt.h"
#include "lib/rt/process.h"

#define MAX_PROGRAMS 64

/* A program of the system description.  Its badge on init's endpoint is its index + 1. */
struct program {
    struct process process;
    struct fdt_node node;
    const char *name;   /* node name */
    bool alive;         /* started, and its bank not yet destroyed */
    bool ends_system;   /* property exit-ends-system */
    bool takes_verbose; /* property verbose-argument */
};

struct init {
    cap_t endpoint; /* console, exits and exceptions of all programs arrive here */
    unsigned narchives;
    struct cpio archives[2]; /* where files are looked for, in this order: initrd, boot bundle */
    struct fdt description;  /* system.dtb */
    bool verbose;            /* v=1 on the kernel's command line */
    word_t seed;             /* seed=n there */
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

/* Print what an exception message says. */
void report_exception(const struct program *program, status_t status,
                      const struct exception_message *e);

#endif
