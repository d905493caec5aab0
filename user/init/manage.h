/* SPDX-License-Identifier: MIT */
/*
 * The protocol by which a program that was given `manage` looks at the programs that init started,
 * ends one of them, and ends the machine.
 *
 * The capability is init's own endpoint with a badge of its kind, so init tells these calls from
 * console messages by the badge, which nobody can forge.
 */
#ifndef QUIRE_INIT_MANAGE_H
#define QUIRE_INIT_MANAGE_H

#define MANAGE_BADGE (1ul << 32) /* added to the number of the program that manages */

/* Word 0 = index from 0.  The reply: state, then the name in three words.  Capabilities, of a program
 * that runs: address space, bank, and service bank if it has one, without any right, which is enough
 * to ask them.  NOT_FOUND: there are fewer programs. */
#define MANAGE_PROGRAM 16
/* Word 0 = index: end that program and take both its banks away.  NOT_FOUND: none that runs. */
#define MANAGE_KILL 17
/* End the machine, with the exit code of the program marked exit-is-status.  No reply. */
#define MANAGE_POWER_OFF 18

enum manage_state {
    MANAGE_ABSENT,  /* the board has not what it drives */
    MANAGE_WAITING, /* for the end of another program */
    MANAGE_RUNNING,
    MANAGE_ENDED,
};

#define MANAGE_NAME_WORDS 3
#define MANAGE_CAPS       3

#endif
