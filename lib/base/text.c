/* SPDX-License-Identifier: MIT */
/* text.c: bounded text writer and the small printf; see text.h for what it promises. */
#include "lib/base/text.h"

#include "lib/base/string.h"

void text_init(struct text *t, char *buffer, size_t size_bytes)
{
    t->at = buffer;
    t->end = buffer + size_bytes;
    t->cut = false;
    *t->at = '\0';
}

void text_putc(struct text *t, char c)
{
    if (t->cut || t->end - t->at < 2) {
        t->cut = true;
        return;
    }
    *t->at++ = c;
    *t->at = '\0';
}

/* As text_putc for each of n bytes. */
static void put_run(struct text *t, const char *s, size_t n)
{
    size_t room = t->cut ? 0 : (size_t)(t->end - t->at) - 1;

    if (n > room) {
        t->cut = true;
        n = room;
    }
    memcpy(t->at, s, n);
    t->at += n;
    *t->at = '\0';
}

void text_puts(struct text *t, const char *s)
{
    put_run(t, s, strlen(s));
}

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";

/* What stands between the % and the conversion letter. */
struct spec {
    bool left, zero, prefix, is_long;
    unsigned width;
    size_t precision; /* SIZE_MAX: none given */
};

static void put_padding(struct text *t, char c, size_t used, unsigned width)
{
    for (; used < width && !t->cut; used++)
        text_putc(t, c);
}

static void put_string(struct text *t, const struct spec *spec, const char *s)
{
    if (!s)
        s = "(null)";
    size_t length = strnlen(s, spec->precision);

    if (!spec->left)
        put_padding(t, ' ', length, spec->width);
    put_run(t, s, length);
    if (spec->left)
        put_padding(t, ' ', length, spec->width);
}

/* `sign` is what precedes the digits: "", "-" or "0x". */
static void put_number(struct text *t, const struct spec *spec, u64 value, unsigned base,
                       const char *sign, const char *digit_set)
{
    char digits[20]; /* 2^64 has 20 decimal digits; the last ones are used */
    size_t n = 0;

    do {
        digits[sizeof digits - ++n] = digit_set[value % base];
        value /= base;
    } while (value);

    size_t used = n + strlen(sign);
    if (!spec->left && !spec->zero)
        put_padding(t, ' ', used, spec->width);
    text_puts(t, sign);
    if (!spec->left && spec->zero)
        put_padding(t, '0', used, spec->width);
    put_run(t, digits + sizeof digits - n, n);
    if (spec->left)
        put_padding(t, ' ', used, spec->width);
}

/* A va_list in a struct, so that helpers can take from it (where va_list is an array type, a
 * parameter of that type cannot be passed on by address). */
struct args {
    va_list list;
};

/* Reads a decimal number at *f. Absurd values end the number rather than overflow. */
static unsigned parse_number(const char **f)
{
    unsigned n = 0;

    while (**f >= '0' && **f <= '9' && n < 100000)
        n = n * 10 + (unsigned)(*(*f)++ - '0');
    return n;
}

/* A number in the format, or the next argument for *; negative only from an argument. */
static int parse_amount(const char **f, struct args *args)
{
    if (**f != '*')
        return (int)parse_number(f);
    ++*f;
    return va_arg(args->list, int);
}

/* Reads flags, width, precision and length after a %; returns where the conversion letter is. */
static const char *parse_spec(const char *f, struct spec *spec, struct args *args)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    for (;; f++) {
        if (*f == '-')
            spec->left = true;
        else if (*f == '0')
            spec->zero = true;
        else if (*f == '#')
            spec->prefix = true;
        else
            break;
    }
    int width = parse_amount(&f, args);
    spec->left |= width < 0;
    spec->width = width < 0 ? 0u - (unsigned)width : (unsigned)width;
    if (*f == '.') {
        f++;
        int precision = parse_amount(&f, args);
        spec->precision = precision < 0 ? SIZE_MAX : (size_t)precision;
    }
    for (; *f == 'l' || *f == 'z'; f++) /* long, long long and size_t are all 64 bits */
        spec->is_long = true;
    return f;
}

static void put_signed(struct text *t, const struct spec *spec, i64 value)
{
    u64 magnitude = value < 0 ? 0 - (u64)value : (u64)value;

    put_number(t, spec, magnitude, 10, value < 0 ? "-" : "", lower_digits);
}

/* Writes one conversion; false if the letter is not known, and then no argument was taken. */
static bool put_conversion(struct text *t, const struct spec *spec, char letter, struct args *args)
{
    switch (letter) {
    case 's':
        put_string(t, spec, va_arg(args->list, const char *));
        return true;
    case 'c': {
        char c[2] = {(char)va_arg(args->list, int), '\0'};
        put_string(t, spec, c);
        return true;
    }
    case 'd':
    case 'i':
        put_signed(t, spec, spec->is_long ? va_arg(args->list, long) : va_arg(args->list, int));
        return true;
    case 'u':
    case 'x':
    case 'X': {
        u64 value =
            spec->is_long ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned);
        put_number(t, spec, value, letter == 'u' ? 10 : 16,
                   letter != 'u' && spec->prefix ? "0x" : "",
                   letter == 'X' ? upper_digits : lower_digits);
        return true;
    }
    case 'p':
        put_number(t, spec, (uintptr_t)va_arg(args->list, void *), 16, "0x", lower_digits);
        return true;
    case '%':
        text_putc(t, '%');
        return true;
    default:
        return false;
    }
}

void text_vprintf(struct text *t, const char *format, va_list args)
{
    struct args mine;

    va_copy(mine.list, args);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            const char *run = f;

            while (f[1] && f[1] != '%')
                f++;
            put_run(t, run, (size_t)(f + 1 - run));
            continue;
        }
        struct spec spec;
        const char *letter = parse_spec(f + 1, &spec, &mine);

        if (*letter == '\0' || !put_conversion(t, &spec, *letter, &mine)) {
            text_putc(t, '%'); /* not known: show it, and go on behind the % */
            continue;
        }
        f = letter;
    }
    va_end(mine.list);
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vprintf(t, format, args);
    va_end(args);
}

void text_escape(struct text *t, const char *s, size_t max_bytes)
{
    for (size_t i = 0; i < max_bytes && s[i]; i++) {
        u8 c = (u8)s[i];

        if (c >= 0x20 && c < 0x7f && c != '\\') {
            text_putc(t, (char)c);
        } else if (t->end - t->at < 5) { /* the escape and the NUL */
            t->cut = true;
            return;
        } else {
            text_putc(t, '\\');
            text_putc(t, 'x');
            text_putc(t, lower_digits[c >> 4]);
            text_putc(t, lower_digits[c & 15]);
        }
    }
}
