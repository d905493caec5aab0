/* SPDX-License-Identifier: MIT */
/*
 * mapfile: reads a file that it never loaded.
 *
 * It opens a file at a pager, maps it, touches its pages in random order (each first touch is a
 * fault that the pager answers), compares every byte with what the file must hold, and unmaps it.
 * It believes nothing: the bytes are recomputed here (platform/tools/mkdata.py made them by the same
 * formula), and the checksum comes from another file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/random.h"
#include "lib/pager/file.h"

#define PAGE      4096ul
#define DATA_SEED 0x5175697265 /* as in mkdata.py */

static cap_t pager;
static struct pager_statistics before; /* what the pager had heard of the file when this began */
static bool verbose;

/* ---- Instructions ----------------------------------------------------------------------------*/

static inline word_t instructions(void)
{
    word_t n;

    __asm__ volatile("rdinstret %0" : "=r"(n)::"memory");
    return n;
}

/* Instructions that a loop of n rounds takes, two each. */
static word_t count_loop(word_t n)
{
    word_t before = instructions();

    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(n));
    return instructions() - before;
}

/* Does the counter count instructions?  Under QEMU's -icount it does, to the last one; without it
 * it is a clock, and no figure is printed.  A tick may spoil a round, so one good one is enough. */
static bool counter_counts(void)
{
    for (int i = 0; i < 8; i++)
        if (count_loop(1100) - count_loop(100) == 2000)
            return true;
    return false;
}

static int compare_words(const void *a, const void *b)
{
    word_t x = *(const word_t *)a, y = *(const word_t *)b;

    return (x > y) - (x < y);
}

/* ---- The file --------------------------------------------------------------------------------*/

static struct file open_at_pager(const char *name)
{
    struct file file;
    status_t status = file_open(pager, name, &file);

    if (status != ST_OK)
        fatal("opening '%s': %s: %s", name, status_name(status), status_text(status));
    return file;
}

/* The checksum in the other file: eight hexadecimal digits. */
static u32 read_checksum(const char *name)
{
    struct file file = open_at_pager(name);
    const char *text = (const char *)need(file_map(&file, MAP_READ), "mapping the checksum");
    char digits[9] = "";
    u32 sum;

    memcpy(digits, text, file.size < 8 ? file.size : 8);
    sum = (u32)strtoul(digits, NULL, 16);
    need(unmap((word_t)text, file.size), "unmapping the checksum");
    file_close(&file);
    return sum;
}

/* Touch every page once, in random order; costs[i] = instructions of the i-th touch. */
static void touch_pages(const volatile u8 *bytes, u32 npages, word_t *costs)
{
    u32 *order = malloc(npages * sizeof *order);
    struct random random = {env_seed()};
    word_t overhead;

    if (!order)
        fatal("no memory");
    random_order(&random, order, npages);
    overhead = -instructions();
    overhead += instructions();
    for (u32 i = 0; i < npages; i++) {
        const volatile u8 *at = bytes + order[i] * PAGE + random_below(&random, PAGE);
        word_t before = instructions();

        (void)*at;
        costs[i] = instructions() - before - overhead;
        if (verbose)
            printf("demo: touch %u: page %u at %p, %lu instructions\n", i, order[i],
                   (const void *)at, costs[i]);
    }
    free(order);
}

/* The offset of the first byte that is not what the formula says, or `size`. */
static word_t first_wrong_byte(const u8 *bytes, word_t size, u8 *expected, word_t *wrong)
{
    struct random data = {DATA_SEED};
    word_t first = size;

    *wrong = 0;
    for (word_t i = 0; i < size; i += 8) {
        u64 word = random_next(&data);

        for (word_t j = i; j < size && j < i + 8; j++, word >>= 8) {
            if (bytes[j] == (u8)word)
                continue;
            if (first == size) {
                first = j;
                *expected = (u8)word;
            }
            ++*wrong;
        }
    }
    return first;
}

/* ---- What is printed -------------------------------------------------------------------------*/

static struct pager_statistics ask(const char *name)
{
    struct pager_statistics s;
    status_t status = file_statistics(pager, name, &s);

    if (status != ST_OK)
        fatal("asking the pager for its statistics: %s", status_name(status));
    return s;
}

/* What the pager heard since this program opened the file. */
static struct pager_statistics heard(const char *name)
{
    struct pager_statistics s = ask(name);

    s.mapped -= before.mapped;
    s.mapped_bytes -= before.mapped_bytes;
    s.unmapped -= before.unmapped;
    s.unmapped_bytes -= before.unmapped_bytes;
    s.faults -= before.faults;
    s.pages -= before.pages;
    return s;
}

/* Pages of the file that earlier clients left in its object: they cause no fault any more. */
static word_t pages_there(const struct file *file)
{
    struct message m = {.words = {0}};

    return q_operation(file->object, OP_memory_query, 0, &m) == ST_OK ? m.words[1] : 0;
}

static void print_costs(word_t *costs, u32 npages)
{
    qsort(costs, npages, sizeof *costs, compare_words);
    if (counter_counts())
        printf("demo: instructions a fault: median %lu, min %lu, max %lu (%u first touches)\n",
               costs[npages / 2], costs[0], costs[npages - 1], npages);
    else
        printf(
            "demo: instructions a fault: median -, min -, max - (the counter is a clock here)\n");
}

/* Say so and end the program. */
static void __attribute__((noreturn)) failed(const char *what)
{
    printf("demo: FAILED: %s\n", what);
    exit(1);
}

/* ---- The steps -------------------------------------------------------------------------------*/

/* Map the file; prints where, and what the pager heard of that. */
static const u8 *map_file(const struct file *file, const char *name)
{
    struct pager_statistics s;
    word_t vaddr, id;

    vaddr = need(map_anywhere_id(file->object, 0, file->size, MAP_READ, &id), "mapping the file");
    s = heard(name);
    printf("demo: mapped to read and shared at %#lx, mapping %lu\n", vaddr, id);
    printf("demo: the pager heard on_mapped: mapping %lu, %#lx + %#lx, offset %#lx; faults %lu\n",
           s.last_mapping, s.last_vaddr, s.last_length, s.last_offset, s.faults);
    if (s.mapped != 1 || s.last_mapping != id || s.last_vaddr != vaddr || s.last_offset != 0 ||
        s.faults != 0)
        failed("that is not what was mapped");
    return (const u8 *)vaddr;
}

/* Touch all pages; prints what the pager heard and what a fault cost. */
static void fault_in(const struct file *file, const char *name, const u8 *bytes)
{
    u32 npages = (u32)((file->size + PAGE - 1) / PAGE);
    word_t *costs = calloc(npages, sizeof *costs);
    word_t there = pages_there(file);
    struct pager_statistics s;

    if (!costs)
        fatal("no memory");
    touch_pages(bytes, npages, costs);
    s = heard(name);
    printf(
        "demo: touched %u pages in random order: the pager heard %lu faults, supplied %lu pages\n",
        npages, s.faults, s.pages);
    print_costs(costs, npages);
    free(costs);
    if (there > 0)
        printf("demo: %lu pages were there from earlier\n", there);
    if (s.pages != npages - there || (s.faults == 0 && s.pages > 0))
        failed("the pages did not come from the pager");
}

/* Compare every byte with the formula, and all of them with the checksum. */
static void check_bytes(const u8 *bytes, word_t size, u32 expected_sum)
{
    u32 sum = crc32c(0, bytes, size);
    u8 expected = 0;
    word_t wrong, offset = first_wrong_byte(bytes, size, &expected, &wrong);

    printf("demo: read every byte: checksum %08x, %lu bytes wrong\n", sum, wrong);
    if (offset < size) {
        printf("demo: FAILED: byte at offset %lu is 0x%02x, expected 0x%02x\n", offset,
               bytes[offset], expected);
        exit(1);
    }
    if (sum != expected_sum)
        failed("the checksum is not the file's");
}

/* Unmap the file; prints what the pager heard of that. */
static void unmap_file(const struct file *file, const char *name, const u8 *bytes)
{
    struct pager_statistics s;

    need(unmap((word_t)bytes, file->size), "unmapping the file");
    s = heard(name);
    printf("demo: unmapped: the pager heard on_unmapped %lu times, %lu bytes in all\n", s.unmapped,
           s.unmapped_bytes);
    if (s.unmapped == 0 || s.mapped_bytes != s.unmapped_bytes)
        failed("that is not what was mapped");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "data.bin";
    const char *sum_name = argc > 2 ? argv[2] : "data.crc";
    struct file file;
    const u8 *bytes;
    u32 sum;

    verbose = argc > 3 && strcmp(argv[3], "verbose") == 0;
    pager = env_cap("files");
    if (pager == 0)
        fatal("was given no capability called 'files'");
    sum = read_checksum(sum_name);
    file = open_at_pager(name);
    before = ask(name);
    printf("demo: opened '%s': %lu bytes, %lu pages; checksum %08x\n", name, file.size,
           (file.size + PAGE - 1) / PAGE, sum);

    bytes = map_file(&file, name);
    fault_in(&file, name, bytes);
    check_bytes(bytes, file.size, sum);
    unmap_file(&file, name, bytes);
    printf("demo: passed\n");
    return 0;
}
