/* SPDX-License-Identifier: MIT */
// sources: lib/base/machine.c lib/base/fdt.c lib/base/fdt_walk.c lib/base/text.c
// dts: virt.dts sifive_u.dts visionfive2.dts visionfive2_2g.dts visionfive2_8g.dts visionfive2_vendor.dts odd.dts
/* Claim: from the trees of the boards, and from one with every oddity, machine_read takes exactly
 * the memory, reservations, harts, PLIC contexts, console, initrd and device ranges that are there,
 * and from a damaged tree nothing that would make the kernel leave memory. Fails if a disabled
 * hart, one without MMU or without a PLIC context is taken, if a context is computed instead of
 * read, or if a device range reaches into RAM or the PLIC. */
#include "test/unit/base/support.h"

#include "lib/base/machine.h"

static struct bytes blob;
static struct fdt fdt;
static struct machine machine;

static enum machine_error read_sample(const char *name)
{
    free(blob.data);
    blob = bytes_load(name);
    assert_int_equal(fdt_open(&fdt, blob.data, blob.size), FDT_OK);
    return machine_read(&machine, &fdt);
}

static int release(void **state)
{
    (void)state;
    free(blob.data);
    blob.data = NULL;
    return 0;
}

static void check_ranges(const struct machine_range *list, u32 count,
                         const struct machine_range *expected, size_t expected_count)
{
    assert_int_equal(count, expected_count);
    for (u32 i = 0; i < count; i++) {
        assert_int_equal(list[i].base, expected[i].base);
        assert_int_equal(list[i].size, expected[i].size);
    }
}

#define CHECK_RANGES(list, count, ...)                                     \
    check_ranges(list, count, (const struct machine_range[]){__VA_ARGS__}, \
                 ARRAY_SIZE(((const struct machine_range[]){__VA_ARGS__})))

static void check_reserved(u32 i, u64 base, u64 size, bool no_map)
{
    assert_true(i < machine.reserved_count);
    assert_int_equal(machine.reserved[i].base, base);
    assert_int_equal(machine.reserved[i].size, size);
    assert_int_equal(machine.reserved[i].no_map, no_map);
}

static void check_hart(u32 i, u64 id, u32 context, bool has_sstc)
{
    assert_true(i < machine.hart_count);
    assert_int_equal(machine.harts[i].id, id);
    assert_int_equal(machine.harts[i].plic_context, context);
    assert_int_equal(machine.harts[i].has_sstc, has_sstc);
    assert_ptr_equal(machine_find_hart(&machine, id), &machine.harts[i]);
}

static void check_uart(enum machine_uart_kind kind, u64 base, u64 size, u32 shift, u32 width,
                       u32 irq)
{
    assert_int_equal(machine.uart.kind, kind);
    assert_int_equal(machine.uart.base, base);
    assert_int_equal(machine.uart.size, size);
    assert_int_equal(machine.uart.reg_shift, shift);
    assert_int_equal(machine.uart.reg_io_width, width);
    assert_int_equal(machine.uart.irq, irq);
}

static void virt_is_read(void **state)
{
    (void)state;

    assert_int_equal(read_sample("virt.dtb"), MACHINE_OK);
    assert_string_equal(machine.model, "riscv-virtio,qemu");
    CHECK_RANGES(machine.memory, machine.memory_count, {0x80000000, 0x10000000});
    assert_int_equal(machine.reserved_count, 1);
    check_reserved(0, 0x80000000, MACHINE_FIRMWARE_BYTES, true);
    assert_int_equal(machine.hart_count, 4);
    for (u32 i = 0; i < 4; i++)
        check_hart(i, i, 2 * i + 1, true);
    assert_int_equal(machine.harts_found, 4);
    assert_int_equal(machine.timebase_hz, 10000000);
    assert_int_equal(machine.plic.base, 0xc000000);
    assert_int_equal(machine.plic.size, 0x600000);
    assert_int_equal(machine.plic.ndev, 96);
    check_uart(MACHINE_UART_NS16550, 0x10000000, 0x100, 0, 1, 10);
    assert_int_equal(machine.finisher.base, 0x100000);
    assert_int_equal(machine.finisher.size, 0x1000);
    assert_int_equal(machine.initrd.base, 0x84200000);
    assert_int_equal(machine.initrd.size, 0x112345);
    assert_string_equal(machine.bootargs, "loglevel=2");
    assert_int_equal(machine.bootargs_bytes, 10);
    /* RTC and finisher; CLINT; UART and virtio; fw-cfg; flash; PCI configuration space */
    CHECK_RANGES(machine.devices, machine.device_count, {0x100000, 0x2000}, {0x2000000, 0x10000},
                 {0x10000000, 0x9000}, {0x10100000, 0x1000}, {0x20000000, 0x4000000},
                 {0x30000000, 0x10000000});
    assert_int_equal(machine.devices_dropped, 0);
}

static void sifive_u_leaves_out_its_monitor_hart(void **state)
{
    (void)state;

    assert_int_equal(read_sample("sifive_u.dtb"), MACHINE_OK);
    assert_int_equal(machine.hart_count, 4);
    for (u32 i = 0; i < 4; i++)
        check_hart(i, i + 1, 2 * (i + 1), false);
    assert_null(machine_find_hart(&machine, 0));
    assert_int_equal(machine.timebase_hz, 1000000);
    assert_int_equal(machine.plic.ndev, 53);
    check_uart(MACHINE_UART_SIFIVE, 0x10010000, 0x1000, 0, 1, 4);
    assert_int_equal(machine.finisher.size, 0);
    assert_int_equal(machine.initrd.size, 0);
    assert_string_equal(machine.bootargs, "");
}

static void check_visionfive2(u64 memory_bytes)
{
    assert_string_equal(machine.model, "StarFive VisionFive 2 v1.3B");
    CHECK_RANGES(machine.memory, machine.memory_count, {0x40000000, memory_bytes});
    assert_int_equal(machine.hart_count, 4);
    assert_int_equal(machine.harts_found, 4);
    for (u32 i = 0; i < 4; i++)
        check_hart(i, i + 1, 2 * (i + 1), false);
    assert_null(machine_find_hart(&machine, 0));
    assert_int_equal(machine.timebase_hz, 4000000);
    assert_int_equal(machine.plic.base, 0xc000000);
    assert_int_equal(machine.plic.size, 0x4000000);
    assert_int_equal(machine.plic.ndev, 136);
    check_uart(MACHINE_UART_NS16550, 0x10000000, 0x10000, 2, 4, 32); /* by alias, with options */
    assert_int_equal(machine.bootargs_bytes, 48);
    CHECK_RANGES(machine.devices, machine.device_count, {0x2000000, 0x14000}, {0x10000000, 0x10000},
                 {0x13030000, 0x1000}, {0x13040000, 0x10000}, {0x13070000, 0x10000},
                 {0x1600c000, 0x34000}, {0x17030000, 0x10000}); /* no disabled UART, no PLIC */
    assert_true(machine_is_device(&machine, 0x16020000, 0x10000));
    assert_false(machine_is_device(&machine, 0x16020000, 0x30000));
    assert_false(machine_is_device(&machine, 0xc000000, 0x1000));
    assert_false(machine_is_device(&machine, 0x40000000, 0x1000));
    assert_false(machine_is_device(&machine, 0x2000000, ~0ul));
}

static void visionfive2_is_read_in_all_its_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        u64 memory_bytes;
    } boards[] = {{"visionfive2_2g.dtb", 2ul << 30},
                  {"visionfive2.dtb", 4ul << 30},
                  {"visionfive2_8g.dtb", 8ul << 30}};

    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        assert_int_equal(read_sample(boards[i].name), MACHINE_OK);
        check_visionfive2(boards[i].memory_bytes);
        assert_int_equal(machine.reserved_count, 4);
        check_reserved(0, 0x40000000, 0x80000, false);
        check_reserved(1, 0x40000000, 0x40000, true);
        check_reserved(2, 0x40040000, 0x20000, true);
        check_reserved(3, 0x40000000, MACHINE_FIRMWARE_BYTES, true);
    }
}

static void vendor_tree_neither_starts_hart_0_nor_gives_away_the_firmware(void **state)
{
    (void)state;

    assert_int_equal(read_sample("visionfive2_vendor.dtb"), MACHINE_OK);
    assert_true(fdt_is_okay(&fdt, fdt_find(&fdt, "/cpus/cpu@0")));
    assert_true(fdt_has(&fdt, fdt_find(&fdt, "/cpus/cpu@0"), "mmu-type"));
    check_visionfive2(4ul << 30);
    check_reserved(machine.reserved_count - 1, 0x40000000, MACHINE_FIRMWARE_BYTES, true);
}

static void oddities_are_read_as_the_bindings_say(void **state)
{
    (void)state;

    assert_int_equal(read_sample("odd.dtb"), MACHINE_OK);
    assert_string_equal(machine.model, "");
    CHECK_RANGES(machine.memory, machine.memory_count, {0x80001000, 0x1fff000},
                 {0xa0000000, 0x10000000}, {0xc0000000, 0x1000});
    assert_int_equal(machine.reserved_count, 6);
    check_reserved(0, 0x10000000, 0x1000, false);
    check_reserved(1, 0x90000000, 0x1000, false);
    check_reserved(2, 0xa0000000, 0x2000, true);
    check_reserved(3, 0xa8000000, 0x1000, true);
    check_reserved(4, 0xa2000000, 0x1000, false);
    check_reserved(5, 0x80001000, MACHINE_FIRMWARE_BYTES, true);

    assert_int_equal(machine.hart_count, MACHINE_HARTS);
    assert_int_equal(machine.harts_found, 9);
    check_hart(0, 0x100000001, 1, true);
    check_hart(1, 2, 2, false);
    check_hart(2, 7, 7, true);
    check_hart(7, 0xc, 12, false);
    assert_null(machine_find_hart(&machine, 0xd));
    assert_int_equal(machine.timebase_hz, 1ul << 32);

    check_uart(MACHINE_UART_NS16550, 0x30010010, 0x100, 2, 2, 31);
    assert_int_equal(machine.initrd.base, 0x81000000);
    assert_int_equal(machine.initrd.size, 1);
    CHECK_RANGES(machine.devices, machine.device_count, {0x20200000, 0x1000}, {0x20fff000, 0x1000},
                 {0x30010000, 0x1000});
    assert_int_equal(machine.devices_dropped,
                     2); /* the claim to the PLIC, and two, merged, to RAM */
}

/* Overwrites a property's name in the strings block, so that nobody finds it any more. */
static void hide(const char *name)
{
    size_t bytes = strlen(name) + 1;

    for (u32 i = 0; i + bytes <= fdt.strings_bytes; i++)
        if (memcmp(blob.data + fdt.strings + i, name, bytes) == 0)
            blob.data[fdt.strings + i] = '?';
}

static void trees_that_lack_something_say_so(void **state)
{
    (void)state;
    static const struct {
        const char *property;
        enum machine_error error;
    } cases[] = {{"reg", MACHINE_NO_MEMORY},
                 {"timebase-frequency", MACHINE_NO_TIMEBASE},
                 {"compatible", MACHINE_NO_PLIC},
                 {"interrupts-extended", MACHINE_NO_HART},
                 {"mmu-type", MACHINE_NO_HART}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        read_sample("virt.dtb");
        hide(cases[i].property);
        assert_int_equal(machine_read(&machine, &fdt), cases[i].error);
        assert_true(strcmp(machine_error_text(cases[i].error), "unknown error") != 0);
        if (cases[i].error == MACHINE_NO_HART) /* the rest is filled in all the same */
            check_uart(MACHINE_UART_NS16550, 0x10000000, 0x100, 0, 1, 10);
    }
}

/* Sets the last byte of a property of virt's UART. */
static void patch_uart(const char *name, u8 value)
{
    struct fdt_prop prop;

    read_sample("virt.dtb");
    assert_true(fdt_prop(&fdt, fdt_find(&fdt, "/soc/serial"), name, &prop));
    blob.data[prop.data + prop.size_bytes - 1 - blob.data] = value;
    assert_int_equal(machine_read(&machine, &fdt), MACHINE_OK);
}

static void uart_interrupt_is_known_only_at_the_plic(void **state)
{
    (void)state;

    patch_uart("interrupts", 96);
    assert_int_equal(machine.uart.irq, 96);
    patch_uart("interrupts", 97);
    assert_int_equal(machine.uart.irq, 0);
    patch_uart("interrupt-parent", 1); /* a hart */
    assert_int_equal(machine.uart.irq, 0);
}

static void reservations_beyond_the_limit_are_an_error(void **state)
{
    (void)state;
    static const u8 header[40] = {0xd0, 0x0d, 0xfe, 0xed, [23] = 17, [27] = 16};

    for (u32 count = MACHINE_RESERVED_RANGES - 1; count <= MACHINE_RESERVED_RANGES; count++) {
        /* virt's tree with a longer reservation block in front */
        read_sample("virt.dtb");
        u32 reservations_bytes = 16 * (count + 1);
        u32 words[10], at = 40 + reservations_bytes;
        struct bytes longer = {calloc(1, blob.size + at), blob.size + at};

        memcpy(words, header, 40);
        memcpy(longer.data + at, blob.data, blob.size);
        words[1] = __builtin_bswap32((u32)longer.size);
        words[2] = __builtin_bswap32(fdt.structure + at);
        words[3] = __builtin_bswap32(fdt.strings + at);
        words[4] = __builtin_bswap32(40);
        words[8] = __builtin_bswap32(fdt.strings_bytes);
        words[9] = __builtin_bswap32(fdt.structure_bytes);
        memcpy(longer.data, words, 40);
        for (u32 i = 0; i < count; i++) {
            longer.data[40 + 16 * i + 4] = 0x90;      /* base 0x90000000 */
            longer.data[40 + 16 * i + 12 + 2] = 0x10; /* size 0x1000 */
        }
        free(blob.data);
        blob = longer;
        assert_int_equal(fdt_open(&fdt, blob.data, blob.size), FDT_OK);
        /* one more is the firmware's own */
        assert_int_equal(machine_read(&machine, &fdt),
                         count == MACHINE_RESERVED_RANGES ? MACHINE_TOO_MANY_RESERVED : MACHINE_OK);
        assert_int_equal(machine.reserved_count, MACHINE_RESERVED_RANGES);
        check_reserved(0, 0x90000000, 0x1000, false);
    }
}

static void check_ascending(const struct machine_range *list, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        assert_true(list[i].size > 0);
        assert_true(is_aligned(list[i].base | list[i].size, PAGE_SIZE));
        assert_true(range_inside(list[i].base, list[i].size, 0, 1ul << 56));
        if (i)
            assert_true(list[i - 1].base + list[i - 1].size < list[i].base);
    }
}

/* What the kernel relies on without looking, whatever the tree said. */
static void check_promises(void)
{
    assert_true(machine.memory_count <= MACHINE_MEMORY_RANGES);
    assert_true(machine.reserved_count <= MACHINE_RESERVED_RANGES);
    assert_true(machine.hart_count <= MACHINE_HARTS && machine.hart_count <= machine.harts_found);
    assert_true(machine.device_count <= MACHINE_DEVICE_RANGES);
    check_ascending(machine.memory, machine.memory_count);
    check_ascending(machine.devices, machine.device_count);
    for (u32 i = 0; i < machine.device_count; i++) {
        const struct machine_range *d = &machine.devices[i];

        for (u32 k = 0; k < machine.memory_count; k++)
            assert_false(
                ranges_overlap(d->base, d->size, machine.memory[k].base, machine.memory[k].size));
        assert_false(ranges_overlap(d->base, d->size, machine.plic.base, machine.plic.size));
    }
    assert_int_equal(strlen(machine.bootargs), machine.bootargs_bytes);
    assert_true(machine.uart.kind != MACHINE_UART_NS16550 ||
                (8ul << machine.uart.reg_shift) <= machine.uart.size);
    assert_true(machine.uart.irq <= machine.plic.ndev && machine.plic.ndev <= 1023);
    for (u32 i = 0; i < machine.hart_count; i++)
        assert_true(0x201000 + 0x1000ul * machine.harts[i].plic_context <= machine.plic.size);
}

/* Offsets of all bytes of property values, where damage leaves a tree that opens. */
static u32 value_bytes(const struct bytes *origin, u32 *offsets, u32 max)
{
    struct fdt_prop prop;
    u32 count = 0;

    assert_int_equal(fdt_open(&fdt, origin->data, origin->size), FDT_OK);
    for (struct fdt_node n = fdt_root(&fdt); fdt_exists(n); n = fdt_next(&fdt, n))
        for (bool more = fdt_first_prop(&fdt, n, &prop); more; more = fdt_next_prop(&fdt, &prop))
            for (u32 i = 0; i < prop.size_bytes && count < max; i++)
                offsets[count++] = (u32)(prop.data - origin->data) + i;
    return count;
}

#define CORRUPTED 6000

static void corrupted_trees_keep_the_promises(void **state)
{
    (void)state;
    static const char *const samples[] = {"virt.dtb", "visionfive2.dtb", "odd.dtb"};
    struct random random = seeded("corrupted machines");
    unsigned opened = 0;

    for (size_t s = 0; s < ARRAY_SIZE(samples); s++) {
        struct bytes origin = bytes_load(samples[s]);
        u32 offsets[8192], count = value_bytes(&origin, offsets, ARRAY_SIZE(offsets));

        for (unsigned i = 0; i < CORRUPTED / ARRAY_SIZE(samples); i++) {
            struct bytes copy = bytes_copy(origin.data, origin.size);

            for (u64 flips = 1 + random_below(&random, 12); flips; flips--)
                copy.data[random_below(&random, 50) ? offsets[random_below(&random, count)]
                                                    : random_below(&random, copy.size)] =
                    (u8)(random_below(&random, 2) ? random_next(&random)
                                                  : random_below(&random, 4));
            if (fdt_open(&fdt, copy.data, copy.size) == FDT_OK) {
                opened++;
                (void)machine_read(&machine, &fdt);
                check_promises();
            }
            free(copy.data);
        }
        free(origin.data);
    }
    printf("# %u of %u opened\n", opened, CORRUPTED);
    assert_true(opened > CORRUPTED / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(virt_is_read, release),
        cmocka_unit_test_teardown(sifive_u_leaves_out_its_monitor_hart, release),
        cmocka_unit_test_teardown(visionfive2_is_read_in_all_its_sizes, release),
        cmocka_unit_test_teardown(vendor_tree_neither_starts_hart_0_nor_gives_away_the_firmware,
                                  release),
        cmocka_unit_test_teardown(oddities_are_read_as_the_bindings_say, release),
        cmocka_unit_test_teardown(trees_that_lack_something_say_so, release),
        cmocka_unit_test_teardown(uart_interrupt_is_known_only_at_the_plic, release),
        cmocka_unit_test_teardown(reservations_beyond_the_limit_are_an_error, release),
        cmocka_unit_test(corrupted_trees_keep_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
