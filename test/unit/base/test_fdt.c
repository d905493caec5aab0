/* SPDX-License-Identifier: MIT */
// sources: lib/base/fdt.c lib/base/fdt_walk.c lib/base/text.c
// dts: virt.dts sifive_u.dts visionfive2.dts odd.dts
/* Claim: the device-tree reader sees in every well-formed tree what libfdt sees, refuses every
 * truncated one, and survives every corrupted one without reading a byte outside. Fails if a bound
 * is checked too late or not at all, if a walk misses a node or leaves its subtree, or if an
 * address is translated through the wrong bus. SEED=n repeats a run of the random parts. */
#include "test/unit/base/support.h"

#include <libfdt.h>

#include "lib/base/fdt.h"

static const char *const samples[] = {"virt.dtb", "sifive_u.dtb", "visionfive2.dtb", "odd.dtb"};

/* ---- Making blobs ---------------------------------------------------------------------------- */

/* The three blocks, and which of them stands last, so that the heap block ends with it. */
enum last { LAST_STRUCTURE, LAST_STRINGS, LAST_RESERVATIONS, LAST_KINDS };

struct parts {
    const void *structure, *strings, *reservations;
    size_t structure_bytes, strings_bytes, reservations_bytes;
};

static struct parts split(const void *blob)
{
    const u8 *b = blob;

    return (struct parts){
        .structure = b + fdt_off_dt_struct(blob),
        .structure_bytes = fdt_size_dt_struct(blob),
        .strings = b + fdt_off_dt_strings(blob),
        .strings_bytes = fdt_size_dt_strings(blob),
        .reservations = b + fdt_off_mem_rsvmap(blob),
        .reservations_bytes = 16 * ((size_t)fdt_num_mem_rsv(blob) + 1),
    };
}

static size_t append(u8 *blob, size_t *at, const void *data, size_t size)
{
    size_t offset = (*at + 7) & ~7ul;

    memset(blob + *at, 0, offset - *at);
    memcpy(blob + offset, data, size);
    *at = offset + size;
    return offset;
}

static struct bytes join(const struct parts *p, enum last last)
{
    static u8 blob[1 << 17];
    size_t at = sizeof(struct fdt_header);

    memset(blob, 0, at);
    for (unsigned i = 0; i < LAST_KINDS; i++) {
        enum last block = (last + 1 + i) % LAST_KINDS;

        if (block == LAST_STRUCTURE)
            fdt_set_off_dt_struct(blob, append(blob, &at, p->structure, p->structure_bytes));
        else if (block == LAST_STRINGS)
            fdt_set_off_dt_strings(blob, append(blob, &at, p->strings, p->strings_bytes));
        else
            fdt_set_off_mem_rsvmap(blob, append(blob, &at, p->reservations, p->reservations_bytes));
    }
    fdt_set_magic(blob, FDT_MAGIC);
    fdt_set_version(blob, 17);
    fdt_set_last_comp_version(blob, 16);
    fdt_set_size_dt_struct(blob, p->structure_bytes);
    fdt_set_size_dt_strings(blob, p->strings_bytes);
    fdt_set_totalsize(blob, at);
    return bytes_copy(blob, at);
}

/* A tree of random shape, by libfdt. */
static void grow(void *blob, struct random *r, unsigned depth)
{
    static const char *const names[] = {"reg",     "status",         "compatible",  "x",
                                        "phandle", "#address-cells", "#size-cells", "long,name-x"};
    static const char *const words[] = {"okay", "a", "", "vendor,device", "disabled"};
    u8 value[24];

    for (u64 n = random_below(r, 6); n; n--) {
        const char *name = names[random_below(r, ARRAY_SIZE(names))];
        size_t size = random_below(r, sizeof value);

        switch (random_below(r, 3)) {
        case 0:
            assert_int_equal(fdt_property_u32(blob, name, (u32)random_below(r, 5)), 0);
            break;
        case 1: /* a list of strings */
            size = 0;
            for (u64 k = random_below(r, 3); k; k--) {
                const char *word = words[random_below(r, 3)];

                memcpy(value + size, word, strlen(word) + 1);
                size += strlen(word) + 1;
            }
            assert_int_equal(fdt_property(blob, name, value, (int)size), 0);
            break;
        default:
            for (size_t i = 0; i < size; i++)
                value[i] = (u8)random_next(r);
            assert_int_equal(fdt_property(blob, name, value, (int)size), 0);
        }
    }
    for (u64 n = depth < 8 ? random_below(r, 4) : 0; n; n--) {
        static const char *const nodes[] = {"a", "a@1", "b@1", "ab", "aliases", "node@12,3"};

        assert_int_equal(fdt_begin_node(blob, nodes[random_below(r, ARRAY_SIZE(nodes))]), 0);
        grow(blob, r, depth + 1);
        assert_int_equal(fdt_end_node(blob), 0);
    }
}

static struct bytes random_tree(struct random *r)
{
    static u8 blob[1 << 16];

    assert_int_equal(fdt_create(blob, sizeof blob), 0);
    for (u64 n = random_below(r, 4); n; n--)
        fdt_add_reservemap_entry(blob, random_next(r), random_next(r) | 1);
    assert_int_equal(fdt_finish_reservemap(blob), 0);
    fdt_begin_node(blob, "");
    grow(blob, r, 0);
    fdt_end_node(blob);
    assert_int_equal(fdt_finish(blob), 0);
    for (u64 n = random_below(r, 8); n; n--) { /* holes of NOPs */
        int node = 0, depth = 0;

        for (u64 steps = random_below(r, 20); steps && node >= 0; steps--)
            node = fdt_next_node(blob, node, &depth);
        if (node > 0 && random_below(r, 2))
            fdt_nop_node(blob, node);
        else if (node >= 0)
            fdt_nop_property(blob, node, "x");
    }
    struct parts parts = split(blob);
    return join(&parts, (enum last)random_below(r, LAST_KINDS));
}

/* ---- The oracle ------------------------------------------------------------------------------ */

/* Where libfdt finds the name of a node, which tells nodes apart; "" of mine for none. */
static const char *their_name(const void *blob, int node)
{
    return node < 0 ? NULL : fdt_get_name(blob, node, NULL);
}

static const char *my_name(const struct fdt *fdt, struct fdt_node node)
{
    return fdt_exists(node) ? fdt_name(fdt, node) : NULL;
}

static void compare_strings(const void *blob, int node, const struct fdt_prop *prop)
{
    int count = fdt_stringlist_count(blob, node, prop->name);
    const char *s = NULL;

    for (int i = 0; i < count; i++) {
        s = fdt_next_string(prop, s);
        assert_ptr_equal(s, fdt_stringlist_get(blob, node, prop->name, i, NULL));
    }
    if (count >= 0)
        assert_null(fdt_next_string(prop, s));
}

static void compare_props(const struct fdt *fdt, struct fdt_node mine, const void *blob, int theirs)
{
    struct fdt_prop prop, found;
    bool more = fdt_first_prop(fdt, mine, &prop);
    int at;

    fdt_for_each_property_offset(at, blob, theirs)
    {
        const char *name;
        int size;
        const void *data = fdt_getprop_by_offset(blob, at, &name, &size);

        assert_true(more);
        assert_ptr_equal(prop.name, name);
        assert_int_equal(prop.size_bytes, size);
        assert_ptr_equal(prop.data, data);
        assert_true(fdt_prop(fdt, mine, name, &found));
        assert_ptr_equal(found.data, fdt_getprop(blob, theirs, name, &size));
        assert_int_equal(found.size_bytes, size);
        compare_strings(blob, theirs, &found);
        more = fdt_next_prop(fdt, &prop);
    }
    assert_false(more);
    assert_int_equal(prop.size_bytes, 0);
    assert_false(fdt_next_prop(fdt, &prop));
    assert_false(fdt_has(fdt, mine, "no-such-property"));
}

static void compare_some_props(struct fdt_walk *walk, const void *blob, int node)
{
    static const char *const names[] = {"reg", "no-such-property", "compatible", "re"};
    struct fdt_prop props[ARRAY_SIZE(names)];

    fdt_walk_props(walk, names, props, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int size = 0;
        const void *data = fdt_getprop(blob, node, names[i], &size);

        assert_ptr_equal(props[i].data, data);
        assert_int_equal(props[i].size_bytes, data ? size : 0);
        assert_string_equal(props[i].name, data ? names[i] : "");
    }
}

static void compare_relations(const struct fdt *fdt, struct fdt_node mine, const void *blob,
                              int theirs)
{
    char their_path[512], my_path[512];
    struct text text;
    struct fdt_node child = fdt_first_child(fdt, mine);
    int at;

    fdt_for_each_subnode(at, blob, theirs)
    {
        assert_ptr_equal(my_name(fdt, child), their_name(blob, at));
        assert_ptr_equal(my_name(fdt, fdt_child(fdt, mine, fdt_name(fdt, child))),
                         their_name(blob, fdt_subnode_offset(blob, theirs, fdt_name(fdt, child))));
        child = fdt_next_sibling(fdt, child);
    }
    assert_false(fdt_exists(child));
    assert_ptr_equal(my_name(fdt, fdt_parent(fdt, mine)),
                     their_name(blob, fdt_parent_offset(blob, theirs)));

    if (fdt_get_path(blob, theirs, their_path, sizeof their_path) == 0) {
        text_init(&text, my_path, sizeof my_path);
        fdt_put_path(fdt, mine, &text);
        assert_string_equal(my_path, their_path);
        assert_ptr_equal(my_name(fdt, fdt_find(fdt, my_path)),
                         their_name(blob, fdt_path_offset(blob, their_path)));
    }
    u32 phandle = fdt_get_phandle(blob, theirs);
    assert_ptr_equal(my_name(fdt, fdt_find_phandle(fdt, phandle)),
                     their_name(blob, fdt_node_offset_by_phandle(blob, phandle)));
    int cells = fdt_address_cells(blob, theirs);
    if (cells >= 0)
        assert_int_equal(fdt_cells(fdt, mine).address, cells);
    cells = fdt_size_cells(blob, theirs);
    if (cells >= 0)
        assert_int_equal(fdt_cells(fdt, mine).size, cells);
    assert_int_equal(fdt_is_compatible(fdt, mine, "a"),
                     fdt_stringlist_search(blob, theirs, "compatible", "a") >= 0);
}

static void compare_trees(const struct fdt *fdt, const void *blob)
{
    struct fdt_node mine = fdt_root(fdt);
    struct fdt_walk walk;
    int depth = 0;
    u64 base, size;

    fdt_walk_start(&walk, fdt);
    for (int node = 0; node >= 0 && depth >= 0; node = fdt_next_node(blob, node, &depth)) {
        assert_ptr_equal(my_name(fdt, mine), their_name(blob, node));
        assert_int_equal(mine.depth, depth);
        assert_int_equal(fdt_walk_node(&walk).body, mine.body);
        compare_props(fdt, mine, blob, node);
        compare_relations(fdt, mine, blob, node);
        if (depth % 2) /* the walk goes on behind them */
            compare_some_props(&walk, blob, node);
        mine = fdt_next(fdt, mine);
        assert_true(fdt_walk_next(&walk) == fdt_exists(mine));
    }
    assert_false(fdt_exists(mine));
    for (int i = 0; i < fdt_num_mem_rsv(blob); i++) {
        u64 their_base, their_size;

        assert_int_equal(fdt_get_mem_rsv(blob, i, &their_base, &their_size), 0);
        assert_true(fdt_reservation(fdt, (u32)i, &base, &size));
        assert_true(base == their_base && size == their_size);
    }
    /* libfdt stops at a size of 0, the specification where the base is 0 as well. */
    if (fdt_reservation(fdt, (u32)fdt_num_mem_rsv(blob), &base, &size))
        assert_true(size == 0 && base != 0);
}

static void samples_read_as_libfdt_reads_them(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct bytes blob = bytes_load(samples[i]);
        struct fdt fdt;

        assert_int_equal(fdt_peek_size(blob.data), fdt_totalsize(blob.data));
        assert_int_equal(fdt_open(&fdt, blob.data, blob.size), FDT_OK);
        compare_trees(&fdt, blob.data);
        free(blob.data);
    }
}

static void random_trees_read_as_libfdt_reads_them(void **state)
{
    (void)state;
    struct random random = seeded("random trees");

    for (unsigned i = 0; i < 150; i++) {
        struct bytes blob = random_tree(&random);
        struct fdt fdt;

        assert_int_equal(fdt_open(&fdt, blob.data, blob.size), FDT_OK);
        compare_trees(&fdt, blob.data);
        free(blob.data);
    }
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* Uses every function on a tree, for what the sanitizers and the clock have to say. */
static u64 exercise(const struct fdt *fdt)
{
    static const char *const paths[] = {"/", "/soc", "serial0", "/a/b@1", "aliases/x", "//cpus//"};
    static const char *const reg[] = {"reg"};
    char buffer[64];
    struct text text;
    struct fdt_walk walk;
    struct fdt_prop prop;
    u64 base = 0, size = 0, sum = 0;

    fdt_walk_start(&walk, fdt);
    do {
        struct fdt_node node = fdt_walk_node(&walk);
        u32 offset = 0;

        for (bool more = fdt_first_prop(fdt, node, &prop); more; more = fdt_next_prop(fdt, &prop)) {
            for (u32 i = 0; i < prop.size_bytes; i++)
                sum += prop.data[i];
            for (const char *s = NULL; (s = fdt_next_string(&prop, s));)
                sum += strlen(s);
            while (fdt_take(&prop, &offset, 2, &base))
                sum += base;
            sum += strlen(prop.name);
        }
        fdt_walk_props(&walk, reg, &prop, 1);
        for (u32 i = 0; fdt_walk_reg(&walk, &prop, i, &base, &size); i++)
            sum += base + size + fdt_walk_address(&walk, &prop, i, &base, &size);
        sum += strlen(fdt_name(fdt, node)) + fdt_is_okay(fdt, node);
        sum += fdt_has_string(fdt, node, "status", "okay");
    } while (fdt_walk_next(&walk));
    text_init(&text, buffer, sizeof buffer);
    fdt_put_path(fdt, fdt_walk_node(&walk), &text);
    sum += fdt_get_address(fdt, fdt_walk_node(&walk), 0, &base, &size);
    sum += fdt_parent(fdt, fdt_walk_node(&walk)).body;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        sum += fdt_find(fdt, paths[i]).body;
    for (u32 i = 0; i < 4; i++)
        sum += fdt_find_phandle(fdt, i).body + fdt_reservation(fdt, i, &base, &size);
    return sum;
}

static void blobs_truncated_anywhere_are_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct bytes blob = bytes_load(samples[i]);

        for (size_t size = 0; size < blob.size; size++) {
            struct bytes part = bytes_copy(blob.data, size);
            struct fdt fdt;

            assert_int_equal(fdt_open(&fdt, part.data, size), FDT_TRUNCATED);
            free(part.data);
        }
        free(blob.data);
    }
}

/* A header that tells the truth about blocks that were cut: the reader has to find out itself. */
static void blocks_truncated_anywhere_are_refused(void **state)
{
    (void)state;
    struct bytes blob = bytes_load("odd.dtb");
    struct parts whole = split(blob.data);

    for (enum last last = 0; last < LAST_KINDS; last++) {
        struct parts cut = whole;
        size_t *size = last == LAST_STRUCTURE ? &cut.structure_bytes
                       : last == LAST_STRINGS ? &cut.strings_bytes
                                              : &cut.reservations_bytes;

        for (size_t full = *size; *size > 0;) {
            struct fdt fdt;

            --*size;
            struct bytes part = join(&cut, last);
            enum fdt_error error = fdt_open(&fdt, part.data, part.size);
            assert_true(error == (last == LAST_STRUCTURE ? FDT_BAD_TOKEN
                                  : last == LAST_STRINGS ? FDT_BAD_NAME
                                                         : FDT_BAD_RESERVATIONS));
            free(part.data);
            assert_true(*size < full);
        }
    }
    free(blob.data);
}

#define CORRUPTED 20000

static void corrupted_blobs_never_lead_outside(void **state)
{
    (void)state;
    struct random random = seeded("corrupted trees");
    unsigned opened = 0, compared = 0;
    u64 sum = 0;

    for (unsigned i = 0; i < CORRUPTED;) {
        struct bytes origin = random_below(&random, 8)
                                  ? random_tree(&random)
                                  : bytes_load(samples[random_below(&random, ARRAY_SIZE(samples))]);

        for (unsigned k = 0; k < 50; k++, i++) {
            struct bytes blob = bytes_copy(origin.data, origin.size);
            struct fdt fdt;

            for (u64 flips = 1 + random_below(&random, 4); flips; flips--) {
                u64 at = random_below(&random, random_below(&random, 8) ? blob.size : 40);
                u8 small = (u8)random_below(&random, 10);

                blob.data[at] = random_below(&random, 2) ? small : (u8)random_next(&random);
            }
            if (fdt_open(&fdt, blob.data, blob.size) == FDT_OK) {
                opened++;
                sum += exercise(&fdt);
                if (k % 10 == 0 && fdt_check_full(blob.data, blob.size) == 0) {
                    compared++;
                    compare_trees(&fdt, blob.data);
                }
            }
            free(blob.data);
        }
        free(origin.data);
    }
    printf("# %u of %u opened, %u compared, sum %lx\n", opened, CORRUPTED, compared, sum);
    assert_true(opened > CORRUPTED / 20 && opened < CORRUPTED);
}

/* ---- Each error ------------------------------------------------------------------------------ */

/* Opens a tree made of these big-endian words, with "p" as the only property name. */
static enum fdt_error open_words(const u32 *words, size_t count)
{
    u32 structure[256];
    u64 no_reservations[2] = {0};
    struct fdt fdt;

    for (size_t i = 0; i < count; i++)
        structure[i] = cpu_to_fdt32(words[i]);
    struct parts parts = {structure, "p", no_reservations, 4 * count, 2, 16};
    struct bytes blob = join(&parts, LAST_STRUCTURE);
    enum fdt_error error = fdt_open(&fdt, blob.data, blob.size);
    free(blob.data);
    return error;
}

#define OPEN(...) open_words((const u32[]){__VA_ARGS__}, sizeof((u32[]){__VA_ARGS__}) / 4)

enum { BEGIN = 1, END = 2, PROP = 3, NOP = 4, LAST = 9, NAME_N = 0x6e000000 };

static void structures_that_do_not_nest_are_refused(void **state)
{
    (void)state;

    assert_int_equal(OPEN(BEGIN, 0, END, LAST), FDT_OK);
    assert_int_equal(OPEN(NOP, BEGIN, 0, NOP, PROP, 1, 0, 0xff000000, NOP, END, NOP, LAST), FDT_OK);
    assert_int_equal(OPEN(BEGIN, 0, PROP, 0, 0, BEGIN, NAME_N, END, END, LAST), FDT_OK);
    assert_int_equal(OPEN(LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(END, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(PROP, 0, 0, BEGIN, 0, END, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(BEGIN, 0, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(BEGIN, 0, END, END, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(BEGIN, 0, END, BEGIN, 0, END, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(BEGIN, 0, BEGIN, NAME_N, END, PROP, 0, 0, END, LAST), FDT_BAD_NESTING);
    assert_int_equal(OPEN(BEGIN, 0, PROP, 0, 1, END, LAST), FDT_OK); /* the name "" of "p\0" */
    assert_int_equal(OPEN(BEGIN, 0, PROP, 0, 2, END, LAST), FDT_BAD_NAME);
    assert_int_equal(OPEN(BEGIN, 0, PROP, 0, ~0u, END, LAST), FDT_BAD_NAME);
    assert_int_equal(OPEN(BEGIN, 0, PROP, 9, 0, END, LAST), FDT_BAD_TOKEN);
    assert_int_equal(OPEN(BEGIN, 0, PROP, ~0u, 0, END, LAST), FDT_BAD_TOKEN);
    assert_int_equal(OPEN(BEGIN, 0, PROP, ~0u - 7, 0, END, LAST), FDT_BAD_TOKEN);
    assert_int_equal(OPEN(BEGIN, 0, 5, END, LAST), FDT_BAD_TOKEN);
    assert_int_equal(OPEN(BEGIN, 0x6e6e6e6e), FDT_BAD_TOKEN); /* a name without end */
    assert_int_equal(OPEN(NOP, NOP, NOP), FDT_BAD_TOKEN);
}

static void trees_deeper_than_the_limit_are_refused(void **state)
{
    (void)state;

    for (u32 depth = FDT_MAX_DEPTH; depth <= FDT_MAX_DEPTH + 1; depth++) {
        u32 words[256], n = 0;

        for (u32 i = 0; i < depth; i++) {
            words[n++] = BEGIN;
            words[n++] = i ? NAME_N : 0;
        }
        for (u32 i = 0; i < depth; i++)
            words[n++] = END;
        words[n++] = LAST;
        assert_int_equal(open_words(words, n), depth > FDT_MAX_DEPTH ? FDT_TOO_DEEP : FDT_OK);
    }
}

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        u32 word, value;
        enum fdt_error error;
    } lies[] = {
        {0, 0xedfe0dd0, FDT_BAD_MAGIC}, {1, 39, FDT_TRUNCATED},         {1, ~0u, FDT_TRUNCATED},
        {2, ~0u & ~3u, FDT_BAD_LAYOUT}, {2, 42, FDT_BAD_LAYOUT},        {3, ~0u, FDT_BAD_LAYOUT},
        {4, 44, FDT_BAD_LAYOUT},        {4, ~7u, FDT_BAD_RESERVATIONS}, {5, 16, FDT_BAD_VERSION},
        {6, 18, FDT_BAD_VERSION},       {8, ~0u, FDT_BAD_LAYOUT},       {9, ~0u, FDT_BAD_LAYOUT},
        {8, 0, FDT_BAD_NAME},           {9, 0, FDT_BAD_TOKEN},
    };
    struct bytes blob = bytes_load("virt.dtb");
    struct fdt fdt;

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        u32 lie = cpu_to_fdt32(lies[i].value), truth;

        memcpy(&truth, blob.data + 4 * lies[i].word, 4);
        memcpy(blob.data + 4 * lies[i].word, &lie, 4);
        assert_int_equal(fdt_open(&fdt, blob.data, blob.size), lies[i].error);
        assert_true(strcmp(fdt_error_text(lies[i].error), "unknown error") != 0);
        memcpy(blob.data + 4 * lies[i].word, &truth, 4);
    }
    assert_int_equal(fdt_open(&fdt, blob.data, blob.size), FDT_OK);
    blob.data[0] = 0;
    assert_int_equal(fdt_peek_size(blob.data), 0);
    free(blob.data);
}

static void blob_at_any_address_reads_the_same(void **state)
{
    (void)state;
    struct bytes blob = bytes_load("odd.dtb");
    u8 *room = malloc(blob.size + 8);

    for (unsigned shift = 0; shift < 8; shift++) {
        struct fdt fdt;
        u64 base, size;

        memcpy(room + shift, blob.data, blob.size);
        assert_int_equal(fdt_open(&fdt, room + shift, blob.size), FDT_OK);
        assert_true(fdt_get_address(&fdt, fdt_find(&fdt, "console"), 0, &base, &size));
        assert_true(base == 0x30010010 && size == 0x100);
    }
    free(room);
    free(blob.data);
}

/* ---- Finding and reading --------------------------------------------------------------------- */

static struct bytes odd_blob;
static struct fdt odd;

static int open_odd(void **state)
{
    (void)state;
    odd_blob = bytes_load("odd.dtb");
    return fdt_open(&odd, odd_blob.data, odd_blob.size) != FDT_OK;
}

static int close_odd(void **state)
{
    (void)state;
    free(odd_blob.data);
    return 0;
}

static const char *found(const char *path)
{
    return fdt_name(&odd, fdt_find(&odd, path));
}

static void find_takes_paths_and_aliases(void **state)
{
    (void)state;
    const char *options = "console:115200n8";

    assert_string_equal(found("/bus/inner/serial@10"), "serial@10");
    assert_string_equal(found("/bus/inner/serial"), "serial@10");
    assert_string_equal(found("//bus///inner/"), "inner");
    assert_int_equal(fdt_find(&odd, "/").depth, 0);
    assert_true(fdt_exists(fdt_find(&odd, "/")));
    assert_string_equal(found("console"), "serial@10");
    assert_string_equal(fdt_name(&odd, fdt_find_bytes(&odd, options, strcspn(options, ":"))),
                        "serial@10");
    static const char *const nowhere[] = {"",
                                          "nothing",
                                          "/bus/inner/serial@1",
                                          "/bus/inner/serial@100",
                                          "/bus/inn",
                                          "loop",
                                          "empty",
                                          "bare",
                                          "relative",
                                          "console/below",
                                          "/serial",
                                          "bus/inner",
                                          "cons",
                                          "consoles"};
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++)
        assert_false(fdt_exists(fdt_find(&odd, nowhere[i])));
    assert_false(fdt_exists(fdt_find_bytes(&odd, "/bus\0/inner", 11)) &&
                 strcmp(fdt_name(&odd, fdt_find_bytes(&odd, "/bus\0/inner", 11)), "inner") == 0);
    assert_false(fdt_exists(fdt_find_phandle(&odd, 0)));
    assert_false(fdt_exists(fdt_find_phandle(&odd, ~0u)));
}

static void no_node_has_nothing(void **state)
{
    (void)state;
    struct fdt_node none = {0};
    struct fdt_prop prop;
    struct fdt_walk walk;

    assert_string_equal(fdt_name(&odd, none), "");
    assert_false(fdt_exists(fdt_next(&odd, none)));
    assert_false(fdt_exists(fdt_first_child(&odd, none)));
    assert_false(fdt_exists(fdt_next_sibling(&odd, none)));
    assert_false(fdt_exists(fdt_parent(&odd, none)));
    assert_false(fdt_exists(fdt_parent(&odd, fdt_root(&odd))));
    assert_false(fdt_exists(fdt_next_sibling(&odd, fdt_root(&odd))));
    assert_false(fdt_first_prop(&odd, none, &prop));
    assert_false(fdt_next_prop(&odd, &prop));
    assert_false(fdt_is_okay(&odd, none));
    assert_null(fdt_first_string(&odd, none, "status"));
    assert_false(fdt_walk_to(&walk, &odd, none));
}

static void addresses_go_through_every_bus(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        u32 index;
        u64 base, size; /* size 0: no address */
    } expected[] = {
        {"/bus/inner/serial@10", 0, 0x30010010, 0x100},
        {"/bus/inner/serial@10", 1, 0, 0},
        {"/bus/inner/inside@80000000", 0, 0x20ffff00, 0x100},
        {"/bus/inner/inside@80000000", 1, 0x30010100, 8},
        {"/bus/inner/across@fff8", 0, 0, 0},
        {"/bus/inner/across@80000080", 0, 0, 0},
        {"/bus/inner/i2c@200", 0, 0x30010200, 0x10},
        {"/bus/inner/i2c@200/sensor@48", 0, 0, 0},
        {"/bus/off/device@0", 0, 0x20100000, 0x1000},
        {"/bus/wide/plain@100", 0, 0x20200100, 0x100},
        {"/bus/wide/function@200", 0, 0, 0},
        {"/no-cells/device", 0, 0, 0},
        {"/short@1", 0, 0, 0},
        {"/huge@f0000000", 0, 0, 0},
        {"/beyond@f0000000", 0, 0xf0000000, 1ul << 56},
        {"/memory@80000000", 2, 0x81000000, 0x1000000},
        {"/chosen", 0, 0, 0},
        {"/", 0, 0, 0},
        {"/bus/inner/serial@10", ~0u, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        u64 base = 0, size = 0;
        bool ok = fdt_get_address(&odd, fdt_find(&odd, expected[i].path), expected[i].index, &base,
                                  &size);

        assert_int_equal(ok, expected[i].size != 0);
        assert_true(base == expected[i].base && size == expected[i].size);
    }
}

static void walk_skip_passes_over_descendants(void **state)
{
    (void)state;
    struct fdt_walk walk;

    assert_true(fdt_walk_to(&walk, &odd, fdt_find(&odd, "/bus/inner")));
    assert_true(fdt_walk_skip(&walk));
    assert_string_equal(fdt_name(&odd, fdt_walk_node(&walk)), "off");
    assert_true(fdt_walk_to(&walk, &odd, fdt_find(&odd, "/bus/wide/function")));
    assert_true(fdt_walk_skip(&walk)); /* up two levels */
    assert_int_equal(walk.depth, 1);
    assert_true(fdt_walk_to(&walk, &odd, fdt_find(&odd, "/plic")));
    assert_false(fdt_walk_skip(&walk));
}

static void take_refuses_short_and_large_numbers(void **state)
{
    (void)state;
    static const u8 cells[] = {0, 0, 0, 0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0xff, 0xff};
    struct fdt_prop prop = {.name = "x", .data = cells, .size_bytes = sizeof cells};
    u32 offset = 0;
    u64 value = 77;

    assert_true(fdt_take(&prop, &offset, 0, &value) && value == 0 && offset == 0);
    assert_true(fdt_take(&prop, &offset, 3, &value) && value == 0x180000000 && offset == 12);
    assert_false(fdt_take(&prop, &offset, 1, &value)); /* two bytes are left */
    offset = 4;
    assert_false(fdt_take(&prop, &offset, ~0u, &value));
    assert_true(offset == 4 && value == 0x180000000);
    static const u8 large[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    prop = (struct fdt_prop){.name = "x", .data = large, .size_bytes = sizeof large};
    offset = 0;
    assert_false(fdt_take(&prop, &offset, 3, &value));
    assert_true(fdt_take(&prop, &offset, 2, &value) && value == 1ul << 32);
}

static void getters_want_the_exact_form(void **state)
{
    (void)state;
    struct fdt_node chosen = fdt_find(&odd, "/chosen"), cpu = fdt_find(&odd, "/cpus/cpu@2");
    u32 word = 5;
    u64 number = 5;

    assert_true(fdt_get_number(&odd, chosen, "linux,initrd-end", &number) && number == 0x81000001);
    assert_false(fdt_get_u32(&odd, chosen, "linux,initrd-end", &word) || word != 5);
    assert_true(fdt_get_u32(&odd, fdt_find(&odd, "/plic"), "riscv,ndev", &word) && word == 31);
    assert_false(fdt_get_number(&odd, chosen, "bootargs", &number));
    assert_string_equal(fdt_first_string(&odd, chosen, "bootargs"), "");
    assert_null(fdt_first_string(&odd, fdt_find(&odd, "/aliases"), "bare"));
    assert_true(fdt_has_string(&odd, fdt_find(&odd, "/cpus/cpu@100000001"), "riscv,isa-extensions",
                               "sstc"));
    assert_false(
        fdt_has_string(&odd, fdt_find(&odd, "/cpus/cpu@100000001"), "riscv,isa-extensions", "ss"));
    assert_true(fdt_is_okay(&odd, cpu) && fdt_is_okay(&odd, chosen));
    assert_false(fdt_is_okay(&odd, fdt_find(&odd, "/cpus/cpu@4")));
    assert_false(fdt_is_okay(&odd, fdt_find(&odd, "/bus/off")));
}

static void next_string_ignores_what_has_no_end(void **state)
{
    (void)state;
    struct bytes data = bytes_copy("one\0\0two", 8);
    struct fdt_prop prop = {.name = "x", .data = data.data, .size_bytes = 8};
    const char *s = fdt_next_string(&prop, NULL);

    assert_string_equal(s, "one");
    s = fdt_next_string(&prop, s);
    assert_string_equal(s, "");
    assert_null(fdt_next_string(&prop, s));
    free(data.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_read_as_libfdt_reads_them),
        cmocka_unit_test(random_trees_read_as_libfdt_reads_them),
        cmocka_unit_test(blobs_truncated_anywhere_are_refused),
        cmocka_unit_test(blocks_truncated_anywhere_are_refused),
        cmocka_unit_test(corrupted_blobs_never_lead_outside),
        cmocka_unit_test(structures_that_do_not_nest_are_refused),
        cmocka_unit_test(trees_deeper_than_the_limit_are_refused),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(blob_at_any_address_reads_the_same),
        cmocka_unit_test_setup_teardown(find_takes_paths_and_aliases, open_odd, close_odd),
        cmocka_unit_test_setup_teardown(no_node_has_nothing, open_odd, close_odd),
        cmocka_unit_test_setup_teardown(addresses_go_through_every_bus, open_odd, close_odd),
        cmocka_unit_test_setup_teardown(walk_skip_passes_over_descendants, open_odd, close_odd),
        cmocka_unit_test(take_refuses_short_and_large_numbers),
        cmocka_unit_test_setup_teardown(getters_want_the_exact_form, open_odd, close_odd),
        cmocka_unit_test(next_string_ignores_what_has_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
