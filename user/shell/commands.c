/* SPDX-License-Identifier: MIT */
/* What can be typed at the prompt: a table of names, and a function for each. */
#include <stdio.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "user/shell/shell.h"

#define WORDS 18 /* of a line */

struct command {
    const char *name;
    const char *usage;
    int least, most; /* arguments */
    const char *help;
    void (*run)(int argc, char **argv);
};

/* Start a program of the shell's own and wait for its end. */
static word_t tool(const char *program, int argc, char **argv, struct child *server)
{
    struct child *child = child_start(program, program, argc, argv, false, server);

    return child ? child_wait(child) : 1;
}

/* NAME:FILE names a pager that was started; *file = what is behind the colon.  False: there is no
 * such pager, a line says so. */
static bool split(char *text, struct child **server, char **file)
{
    char *colon = strchr(text, ':');

    *server = NULL;
    *file = text;
    if (!colon)
        return true;
    *colon = '\0';
    *file = colon + 1;
    *server = child_find(text);
    if (*server && (*server)->is_pager)
        return true;
    printf("%s: no pager of that name was started\n", text);
    return false;
}

static void command_ls(int argc, char **argv)
{
    struct child *server = NULL;
    char *arguments[2] = {"ls", argc > 1 ? argv[1] : "files"}, *file;

    if (argc > 1 && !strchr(argv[1], ':'))
        printf("ls: %s: a pager is written NAME:\n", argv[1]);
    else if (argc == 1 || split(argv[1], &server, &file))
        tool("fileinfo", 2, arguments, server);
}

static void command_cat(int argc, char **argv)
{
    struct child *server;
    char *file;

    if (!split(argv[argc - 1], &server, &file))
        return;
    argv[argc - 1] = file;
    tool("cat", argc - 1, argv + 1, server);
}

/* A name for a program that none that runs has: NAME, NAME-2, ... */
static void choose_name(char name[STARTUP_NAME], const char *program)
{
    snprintf(name, STARTUP_NAME, "%.15s", program);
    for (unsigned n = 2; child_find(name); n++)
        snprintf(name, STARTUP_NAME, "%.11s-%u", program, n);
}

static void command_run_program(int argc, char **argv)
{
    bool background = strcmp(argv[argc - 1], "&") == 0;
    struct child *server = NULL, *child;
    char name[STARTUP_NAME], *file;

    argc -= background;
    if (argc < 2) {
        printf("run: which program?\n");
        return;
    }
    /* The first argument NAME:FILE gives the program that pager in place of the file pager. */
    if (argc > 2 && strchr(argv[2], ':')) {
        if (!split(argv[2], &server, &file))
            return;
        argv[2] = file;
    }
    choose_name(name, argv[1]);
    child = child_start(argv[1], name, argc - 2, argv + 2, false, server);
    if (!child)
        return;
    child->is_background = background;
    if (background)
        printf("[%s runs]\n", name);
    else
        child_wait(child);
}

static void command_start(int argc, char **argv)
{
    const char *name = argv[2];
    struct child *child;

    if (child_find(name) || strlen(name) > 15 || strchr(name, ':')) {
        printf("start: '%s' is taken, too long, or has a colon\n", name);
        return;
    }
    child = child_start(argv[1], name, argc - 3, argv + 3, true, NULL);
    if (!child)
        return;
    child->is_background = true;
    printf("[%s serves as %s]\n", argv[1], name);
}

static void command_stop(int argc, char **argv)
{
    struct child *child = child_find(argv[1]);

    (void)argc;
    if (!child || !child->is_pager) {
        printf("stop: no pager called '%s' was started\n", argv[1]);
        return;
    }
    child_end(child);
    printf("[%s is stopped%s]\n", argv[1],
           child->state == CHILD_STOPPED ? "; its memory goes with its last client" : "");
}

static void command_kill(int argc, char **argv)
{
    struct child *child = child_find(argv[1]);

    (void)argc;
    if (child)
        child_end(child);
    else if (strcmp(argv[1], env_name()) == 0)
        printf("kill: that is this program; `poweroff` ends the machine\n");
    else if (kill_program(argv[1]) != ST_OK)
        printf("kill: no program called '%s' runs\n", argv[1]);
    else
        printf("[%s is killed]\n", argv[1]);
    if (child)
        printf("[%s is killed]\n", argv[1]);
}

static void command_ps(int argc, char **argv)
{
    (void)argc, (void)argv;
    show_programs();
}

static void command_maps(int argc, char **argv)
{
    show_maps(argc > 1 ? argv[1] : NULL);
}

static void command_mem(int argc, char **argv)
{
    (void)argc, (void)argv;
    show_banks();
}

static void command_faults(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("%-12s %-16s %7s %7s %8s %8s %8s\n", "pager", "object", "faults", "pages", "mappings",
           "now", "refused");
    tool("fileinfo", 2, (char *[]){"faults", "files"}, NULL);
    for (unsigned i = 0; i < CHILDREN; i++)
        if (children[i].state == CHILD_RUNNING && children[i].is_pager)
            tool("fileinfo", 2, (char *[]){"faults", children[i].process.name}, &children[i]);
    show_waits();
}

static void command_sum(int argc, char **argv)
{
    (void)argc;
    printf("%lu bytes, checksum %08x\n", (unsigned long)strlen(argv[1]),
           crc32c(0, argv[1], strlen(argv[1])));
}

static void command_poweroff(int argc, char **argv)
{
    (void)argc, (void)argv;
    power_off();
}

static void command_help(int argc, char **argv);

static const struct command commands[] = {
    {"ls", "ls [NAME:]", 0, 1, "the files of the boot bundle, or of a pager", command_ls},
    {"cat", "cat [-s] [NAME:]FILE", 1, 2, "print a file by mapping it; -s: size and checksum",
     command_cat},
    {"run", "run PROGRAM [ARGUMENT ...] [&]", 1, WORDS,
     "run a program, its pages mapped from its file", command_run_program},
    {"start", "start PROGRAM NAME [ARGUMENT ...]", 2, WORDS,
     "plug a pager in, as NAME:", command_start},
    {"stop", "stop NAME", 1, 1, "take a pager away", command_stop},
    {"ps", "ps", 0, 0, "programs, threads, interrupts of the console", command_ps},
    {"maps", "maps [PROGRAM]", 0, 1, "what is mapped where", command_maps},
    {"faults", "faults", 0, 0, "page faults by object, and who waits now", command_faults},
    {"mem", "mem", 0, 0, "each bank in pages: limit, used, peak, by kind", command_mem},
    {"kill", "kill PROGRAM", 1, 1, "end a program", command_kill},
    {"sum", "sum TEXT", 1, 1, "length and checksum of a line", command_sum},
    {"poweroff", "poweroff", 0, 0, "end the machine (as Ctrl-D does)", command_poweroff},
    {"help", "help", 0, 0, "this list", command_help},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

static void command_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (unsigned i = 0; i < NCOMMANDS; i++)
        printf("  %-34s %s\n", commands[i].usage, commands[i].help);
    printf("Keys: Ctrl-C stops a program or leaves the line; Ctrl-U, Ctrl-W, arrows edit it.\n");
}

/* Cut the line into words, in place. */
static int cut(char *line, char *words[WORDS + 1])
{
    int n = 0;

    for (char *at = line; n < WORDS;) {
        at += strspn(at, " ");
        if (!*at)
            break;
        words[n++] = at;
        at += strcspn(at, " ");
        if (!*at)
            break;
        *at++ = '\0';
    }
    words[n] = NULL;
    return n;
}

void command_run(char *line)
{
    char *words[WORDS + 1];
    int argc = cut(line, words);

    if (argc == 0 || words[0][0] == '#')
        return;
    for (unsigned i = 0; i < NCOMMANDS; i++) {
        if (strcmp(words[0], commands[i].name) != 0)
            continue;
        if (argc - 1 < commands[i].least || argc - 1 > commands[i].most)
            printf("usage: %s\n", commands[i].usage);
        else
            commands[i].run(argc, words);
        return;
    }
    printf("%s: there is no such command; `help` lists them\n", words[0]);
}
