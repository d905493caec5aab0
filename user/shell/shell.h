/* SPDX-License-Identifier: MIT */
/*
 * What the files of the shell share.
 *
 * main.c waits and serves, line.c edits the line, child.c starts and ends programs, commands.c has
 * what can be typed, show.c what is printed of the system.
 */
#ifndef QUIRE_SHELL_SHELL_H
#define QUIRE_SHELL_SHELL_H

#include "lib/rt/process.h"

/* ---- line.c -----------------------------------------------------------------------------------*/

#define LINE_MOST 8191 /* bytes of a line */

enum line_event {
    LINE_MORE, /* nothing to do yet */
    LINE_DONE, /* line_text() is a command */
    LINE_END,  /* ctrl-D on an empty line */
};

/* Show the prompt and begin a line. */
void line_begin(void);
/* One byte of input. */
enum line_event line_feed(char c);
/* Let what was echoed be seen; to be called when no byte is left. */
void line_flush(void);
/* The line, after LINE_DONE, until line_begin.  It may be written to. */
char *line_text(void);

/* ---- child.c ----------------------------------------------------------------------------------*/

#define CHILDREN 16

enum child_state {
    CHILD_FREE,
    CHILD_RUNNING,
    CHILD_STOPPED, /* a pager that is gone, whose objects its clients still map */
};

/* A program that the shell started.  Its badge on the shell's endpoint is its index + 1. */
struct child {
    enum child_state state;
    bool is_pager;        /* by `start`: its endpoint serves files */
    bool is_background;   /* its end is announced */
    struct child *server; /* the pager that it got as `files`; NULL: the file pager */
    struct process process;
};

extern struct child children[CHILDREN];

/* Start a program of the file pager under a name, with arguments; *server = whose files it gets
 * (NULL: the file pager's).  NULL: it could not be; a line says why. */
struct child *child_start(const char *program, const char *name, int argc, char **argv,
                          bool is_pager, struct child *server);
/* The child of that name that runs, or NULL. */
struct child *child_find(const char *name);
/* End it.  What it serves is taken away when no client of it runs any more. */
void child_end(struct child *child);
/* Serve messages until it has ended; returns its exit code.  Ctrl-C ends it. */
word_t child_wait(struct child *child);
/* A message with this badge; true: a reply with *status is due. */
bool child_message(struct message *m, status_t *status);
/* Ctrl-C was typed while a child is waited for. */
void child_interrupt(void);
bool child_is_waited_for(void);

/* ---- main.c -----------------------------------------------------------------------------------*/

/* What the system description gave; 0 = not given. */
extern struct given {
    cap_t files, manage, uart, debug, bank, bundle, initrd;
} given;

/* Receive one message and deal with it. */
void serve_one(void);
/* End the machine. */
void power_off(void) __attribute__((noreturn));

/* ---- commands.c, show.c -----------------------------------------------------------------------*/

void command_run(char *line);

void show_programs(void);
void show_maps(const char *program); /* NULL: of all */
void show_banks(void);
void show_waits(void);
/* End a program that init started; NOT_FOUND. */
status_t kill_program(const char *name);

#endif
