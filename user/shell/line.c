/* SPDX-License-Identifier: MIT */
/*
 * The line that is being typed: editing, history, echo.
 *
 * Made for a terminal that knows \b and nothing else.  Echo is gathered and sent at once for all
 * bytes that came together, so that a paste of kilobytes costs a few messages.
 */
#include <string.h>

#include "user/shell/shell.h"

#define PROMPT  "quire> "
#define HISTORY 32

#define CTRL(c) ((c)&0x1f)

static struct {
    char text[LINE_MOST + 1];
    unsigned length, cursor;
    unsigned escape; /* 0; 1 after ESC; 2 after ESC [ */
    bool was_return; /* the last byte was \r: a \n that follows belongs to it */
    unsigned shown;  /* history: 0 = the line itself, n = the n-th last */
    char kept[256];  /* the line as it was before the history was shown */
} line;

static struct {
    unsigned count; /* lines ever kept */
    char text[HISTORY][256];
} history;

static struct {
    unsigned used;
    char bytes[512];
} echo;

void line_flush(void)
{
    if (echo.used > 0)
        console_write(echo.bytes, echo.used);
    echo.used = 0;
}

static void show(const char *text, unsigned nbytes)
{
    for (unsigned i = 0; i < nbytes; i++) {
        if (echo.used == sizeof echo.bytes)
            line_flush();
        echo.bytes[echo.used++] = text[i];
    }
}

static void repeat(char c, unsigned times)
{
    while (times-- > 0)
        show(&c, 1);
}

void line_begin(void)
{
    line.length = line.cursor = line.escape = line.shown = 0;
    line.text[0] = '\0';
    show(PROMPT, strlen(PROMPT));
}

char *line_text(void)
{
    return line.text;
}

static void insert(char c)
{
    unsigned behind = line.length - line.cursor;

    if (line.length == LINE_MOST) {
        show("\a", 1);
        return;
    }
    memmove(&line.text[line.cursor + 1], &line.text[line.cursor], behind + 1);
    line.text[line.cursor] = c;
    line.length++;
    show(&line.text[line.cursor++], behind + 1);
    repeat('\b', behind);
}

/* Take n bytes before the cursor away. */
static void erase(unsigned n)
{
    unsigned behind = line.length - line.cursor;

    memmove(&line.text[line.cursor - n], &line.text[line.cursor], behind + 1);
    line.cursor -= n;
    line.length -= n;
    repeat('\b', n);
    show(&line.text[line.cursor], behind);
    repeat(' ', n);
    repeat('\b', behind + n);
}

static void move_to(unsigned cursor)
{
    if (cursor < line.cursor)
        repeat('\b', line.cursor - cursor);
    else
        show(&line.text[line.cursor], cursor - line.cursor);
    line.cursor = cursor;
}

static void replace(const char *text)
{
    move_to(line.length);
    erase(line.length);
    while (*text)
        insert(*text++);
}

/* Bytes from the cursor back to the start of the word before it. */
static unsigned word_before(void)
{
    unsigned at = line.cursor;

    while (at > 0 && line.text[at - 1] == ' ')
        at--;
    while (at > 0 && line.text[at - 1] != ' ')
        at--;
    return line.cursor - at;
}

static void history_add(void)
{
    unsigned last = (history.count - 1) % HISTORY;

    if (line.length == 0 || line.length >= sizeof history.text[0] ||
        (history.count > 0 && strcmp(history.text[last], line.text) == 0))
        return;
    strcpy(history.text[history.count++ % HISTORY], line.text);
}

/* Show the n-th last line; 0 = the one that was being typed. */
static void history_show(unsigned n)
{
    if (n > history.count || n > HISTORY || line.length >= sizeof line.kept)
        return;
    if (line.shown == 0)
        strcpy(line.kept, line.text);
    line.shown = n;
    replace(n == 0 ? line.kept : history.text[(history.count - n) % HISTORY]);
}

/* The last byte of an escape sequence. */
static void escape_end(char c)
{
    if (c == 'A')
        history_show(line.shown + 1);
    else if (c == 'B' && line.shown > 0)
        history_show(line.shown - 1);
    else if (c == 'C' && line.cursor < line.length)
        move_to(line.cursor + 1);
    else if (c == 'D' && line.cursor > 0)
        move_to(line.cursor - 1);
    else if (c == 'H')
        move_to(0);
    else if (c == 'F')
        move_to(line.length);
}

/* Is the byte part of an escape sequence? */
static bool escape_feed(char c)
{
    if (c == 27) {
        line.escape = 1;
        return true;
    }
    if (line.escape == 1 && (c == '[' || c == 'O')) {
        line.escape = 2;
        return true;
    }
    if (line.escape == 2) {
        if (c >= '@' && c <= '~') {
            line.escape = 0;
            escape_end(c);
        }
        return true;
    }
    line.escape = 0;
    return false;
}

static void edit(char c)
{
    if (c == '\b' || c == 127) {
        if (line.cursor > 0)
            erase(1);
    } else if (c == CTRL('U')) {
        erase(line.cursor);
    } else if (c == CTRL('W')) {
        erase(word_before());
    } else if (c == CTRL('A')) {
        move_to(0);
    } else if (c == CTRL('E')) {
        move_to(line.length);
    } else if (c == CTRL('P')) {
        history_show(line.shown + 1);
    } else if (c == CTRL('N') && line.shown > 0) {
        history_show(line.shown - 1);
    } else if (c == '\t') {
        insert(' ');
    } else if ((unsigned char)c >= ' ') {
        insert(c);
    }
}

enum line_event line_feed(char c)
{
    bool after_return = line.was_return;

    line.was_return = c == '\r';
    if ((c == '\n' && after_return) || escape_feed(c))
        return LINE_MORE;
    if (c == '\r' || c == '\n') {
        move_to(line.length);
        show("\n", 1);
        line_flush();
        history_add();
        return LINE_DONE;
    }
    if (c == CTRL('C')) {
        show("^C\n", 3);
        line_begin();
    } else if (c == CTRL('D')) {
        if (line.length == 0)
            return LINE_END;
    } else {
        edit(c);
    }
    return LINE_MORE;
}
