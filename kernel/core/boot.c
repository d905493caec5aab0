/* SPDX-License-Identifier: MIT */
/*
 * boot.c: the stages of boot, in order, one function and one printed line each.
 *
 * What is on when this begins: the image is mapped, and the device tree at FDT_BASE (boot_map.c).
 * What is there when it ends: the console, all usable RAM in the direct map, a record for each page
 * frame, the free ones handed to the allocator, the interrupt controller, the tick.  All of it from
 * the device tree; there is no default address.
 *
 * Cost is measured (instructions from the first to the first program), so nothing large is cleared:
 * records of frames are written when they are first used, and the largest leaves are used.
 */
#include "kernel/core/boot.h"

#include "arch/address.h"
#include "arch/boot_map.h"
#include "arch/kmap.h"
#include "arch/mmu.h"
#include "arch/sbi.h"
#include "kernel/core/console.h"
#include "kernel/core/hart.h"
#include "kernel/core/panic.h"
#include "kernel/core/platform.h"
#include "kernel/core/ranges.h"
#include "kernel/object/frame.h"
#include "kernel/object/memory.h"
#include "lib/abi/version.h"
#include "lib/base/machine.h"
#include "lib/base/string.h"

#define LARGE_LEAF  0x200000ul /* 2 MiB */
#define FRAME_BLOCK 0x400000ul /* records are backed for whole blocks of the allocator: 4 MiB */

extern const u8 image_start[], image_data_start[], image_mapped_end[], image_end[], bundle_start[],
    bundle_end[];

/* All of it is used in boot only, but for what `machine` says of the board. */
static struct {
    struct fdt fdt;
    struct machine machine;
    struct ranges mapped; /* RAM that may be mapped */
    struct ranges frozen; /* part of it, never written again: code, constants, bundle, initrd */
    struct ranges free;   /* part of it, that nobody uses */
    struct range image, blob, initrd;
    u64 device_next; /* in the window of devices */
    unsigned stage;
} boot;

static void boot_stage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One more numbered line. */
static void boot_stage(const char *format, ...)
{
    va_list args;

    console_printf("[%u] ", ++boot.stage);
    va_start(args, format);
    console_vprintf(format, args);
    va_end(args);
    console_putc('\n');
}

static u64 range_bytes(struct range r)
{
    return r.end - r.base;
}

/* Whole pages around some bytes. */
static struct range pages_around(u64 base, u64 size)
{
    return (struct range){align_down(base, PAGE_SIZE), align_up(base + size, PAGE_SIZE)};
}

static u64 image_paddr(const u8 *symbol)
{
    return paddr_from_image(symbol).addr;
}

/* ---- 1, 2: who we are, where we are ----------------------------------------------------------- */

static void stage_banner(void)
{
    boot.image = (struct range){kernel_image_base, image_paddr(image_end)};
    boot_stage("Quire %u.%u.%u%s: image of %lu KiB at 0x%lx, hart %lu", QUIRE_VERSION_MAJOR,
               QUIRE_VERSION_MINOR, QUIRE_VERSION_PATCH, CONFIG_DEBUG ? " debug" : "",
               range_bytes(boot.image) >> 10, boot.image.base, boot_hart.id);
}

static void stage_machine(u64 fdt)
{
    const void *blob = (const void *)(FDT_BASE + (fdt & PAGE_MASK));
    const struct machine *m = &boot.machine;
    const struct machine_hart *hart;
    enum fdt_error fdt_error;
    enum machine_error error;

    if (boot_fdt_bytes == 0)
        panic("no device tree at 0x%lx", fdt);
    fdt_error = fdt_open(&boot.fdt, blob, boot_fdt_bytes);
    if (fdt_error)
        panic("the device tree at 0x%lx: %s", fdt, fdt_error_text(fdt_error));
    error = machine_read(&boot.machine, &boot.fdt);
    if (error)
        panic("the device tree: %s", machine_error_text(error));
    hart = machine_find_hart(m, boot_hart.id);
    if (!hart)
        panic("the device tree: hart %lu, which runs this, cannot be used", boot_hart.id);
    boot_hart.plic_context = hart->plic_context;
    boot_hart.has_sstc = hart->has_sstc;
    boot.blob = pages_around(fdt, boot.fdt.total_bytes);
    boot_stage("machine: %s, %u of %u harts used, time at %lu kHz", m->model, HARTS_MAX,
               m->harts_found, m->timebase_hz / 1000);
}

/* ---- 3: devices that the kernel itself uses --------------------------------------------------- */

/* Map registers into the window; returns their kernel address. */
static void *device_map(u64 base, u64 size)
{
    struct range r = pages_around(base, size);
    bool large = is_aligned(r.base | range_bytes(r), LARGE_LEAF);
    u64 va = align_up(boot.device_next, large ? LARGE_LEAF : PAGE_SIZE);

    boot.device_next = va + range_bytes(r);
    kmap(va, paddr(r.base), range_bytes(r), PTE_KERNEL_RW);
    return (void *)(va + (base - r.base));
}

/* Small ones first: they share one table. */
static void stage_devices(void)
{
    const struct machine *m = &boot.machine;
    bool has_uart = m->uart.kind != MACHINE_UART_NONE;
    void *uart = NULL, *finisher = NULL, *plic;

    boot.device_next = DEVICE_BASE;
    if (has_uart)
        uart = device_map(m->uart.base, MIN(m->uart.size, (u64)PAGE_SIZE));
    if (m->finisher.size)
        finisher = device_map(m->finisher.base, PAGE_SIZE);
    plic = device_map(m->plic.base, m->plic.size);
    mmu_flush_all(); /* the new leaves may have been looked up before, and remembered as missing */

    if (finisher)
        platform_power_init(finisher);
    has_uart = has_uart && platform_console_init(m, uart);
    console_start();
    platform_irq_init(m, plic, boot_hart.plic_context);
    boot_stage("devices: console by %s, %u interrupt lines, PLIC context %u",
               has_uart ? "UART" : "firmware", platform_irq_lines(), boot_hart.plic_context);
}

/* ---- 4: what memory there is ------------------------------------------------------------------ */

/* The initrd, if it is one that can be used in place. */
static void find_initrd(void)
{
    const struct machine_range *r = &boot.machine.initrd;

    if (r->size == 0)
        return;
    for (u32 i = 0; i < boot.mapped.count; i++) {
        struct range m = boot.mapped.range[i];
        if (is_aligned(r->base, PAGE_SIZE) &&
            range_inside(r->base, r->size, m.base, m.end - m.base))
            boot.initrd = pages_around(r->base, r->size);
    }
    if (boot.initrd.end == 0)
        console_printf("initrd at 0x%lx left out: not page aligned, or not in memory\n", r->base);
}

static void stage_memory(void)
{
    const struct machine *m = &boot.machine;
    u64 ram;

    for (u32 i = 0; i < m->memory_count; i++)
        ranges_add(&boot.mapped, m->memory[i].base, m->memory[i].size);
    ranges_remove(&boot.mapped, PHYSICAL_LIMIT, ~0ul - PHYSICAL_LIMIT);
    ranges_trim(&boot.mapped, PAGE_SIZE);
    ram = ranges_total(&boot.mapped);

    boot.free = boot.mapped;
    for (u32 i = 0; i < m->reserved_count; i++) {
        const struct machine_reserved *r = &m->reserved[i];
        ranges_remove(&boot.free, r->base, r->size);
        if (r->no_map)
            ranges_remove(&boot.mapped, r->base, r->size);
    }
    ranges_add(&boot.mapped, boot.image.base, range_bytes(boot.image)); /* whatever the tree says */
    find_initrd();
    ranges_remove(&boot.free, boot.image.base, range_bytes(boot.image));
    ranges_remove(&boot.free, boot.blob.base, range_bytes(boot.blob));
    ranges_remove(&boot.free, boot.initrd.base, range_bytes(boot.initrd));

    ranges_add(&boot.frozen, boot.image.base, image_paddr(image_data_start) - boot.image.base);
    ranges_add(&boot.frozen, image_paddr(image_mapped_end),
               boot.image.end - image_paddr(image_mapped_end));
    ranges_add(&boot.frozen, boot.initrd.base, range_bytes(boot.initrd));
    if (boot.mapped.full || boot.free.full || boot.frozen.full)
        panic("the device tree: memory in too many pieces");
    boot_stage("memory: %lu of %lu KiB free in %u ranges, %u reserved",
               ranges_total(&boot.free) >> 10, ram >> 10, boot.free.count, m->reserved_count);
}

/* ---- 5: the direct map ------------------------------------------------------------------------ */

static void map_direct(const struct ranges *r, u64 template)
{
    for (u32 i = 0; i < r->count; i++)
        kmap(DIRECT_MAP_BASE + r->range[i].base, paddr(r->range[i].base), range_bytes(r->range[i]),
             template);
}

/* The first piece is mapped with tables from the image and then holds the tables for the rest. */
static void stage_direct_map(void)
{
    struct ranges writable = boot.mapped;
    u64 tables;

    if (!ranges_take(&boot.free, LARGE_LEAF, LARGE_LEAF, &tables))
        panic("no 2 MiB of memory free for page tables");
    kmap(DIRECT_MAP_BASE + tables, paddr(tables), LARGE_LEAF, PTE_KERNEL_RW);
    mmu_flush_all(); /* tables are written through it next */
    kmap_give_tables(paddr(tables), LARGE_LEAF);
    ranges_remove(&writable, tables, LARGE_LEAF);

    for (u32 i = 0; i < boot.frozen.count; i++)
        ranges_remove(&writable, boot.frozen.range[i].base, range_bytes(boot.frozen.range[i]));
    if (writable.full)
        panic("the device tree: memory in too many pieces");
    map_direct(&writable, PTE_KERNEL_RW);
    map_direct(&boot.frozen, PTE_KERNEL_R);
    boot_stage("direct map: %lu KiB, %lu KiB of it read-only", ranges_total(&boot.mapped) >> 10,
               ranges_total(&boot.frozen) >> 10);
}

/* ---- 6: page frames --------------------------------------------------------------------------- */

/* Memory behind the records of the frames of a range, which are left as they are. */
static void back_records(struct range r)
{
    u64 start = (r.base >> PAGE_SHIFT) * sizeof(struct frame);
    u64 end = (r.end >> PAGE_SHIFT) * sizeof(struct frame);
    u64 size = end - start, backing;
    u64 align = size >= LARGE_LEAF && is_aligned(start, LARGE_LEAF) ? LARGE_LEAF : PAGE_SIZE;

    if (!ranges_take(&boot.free, size, align, &backing) &&
        !ranges_take(&boot.free, size, PAGE_SIZE, &backing))
        panic("no memory for the records of %lu frames", size / sizeof(struct frame));
    kmap(FRAMES_BASE + start, paddr(backing), size, PTE_KERNEL_RW);
}

static void stage_frames(void)
{
    struct ranges blocks = {0};
    paddr_t rest;
    u64 rest_bytes, npages = 0;

    for (u32 i = 0; i < boot.machine.memory_count; i++) {
        u64 base = align_down(boot.machine.memory[i].base, FRAME_BLOCK);
        u64 end = boot.machine.memory[i].base + boot.machine.memory[i].size;
        ranges_add(&blocks, base, align_up(end, FRAME_BLOCK) - base);
    }
    ranges_remove(&blocks, PHYSICAL_LIMIT, ~0ul - PHYSICAL_LIMIT);
    for (u32 i = 0; i < blocks.count; i++)
        back_records(blocks.range[i]);

    rest_bytes = kmap_tables_left(&rest);
    ranges_add(&boot.free, rest.addr, rest_bytes);
    kmap_give_tables(paddr(0), 0); /* no more tables: the kernel's half is done */
    mmu_flush_all();               /* direct map and records are used from here on */

    for (u32 i = 0; i < boot.free.count; i++) {
        frame_boot_add(paddr(boot.free.range[i].base),
                       range_bytes(boot.free.range[i]) >> PAGE_SHIFT);
        npages += range_bytes(boot.free.range[i]) >> PAGE_SHIFT;
    }
    boot_stage("frames: %lu free, %lu KiB of records", npages,
               ranges_total(&blocks) / PAGE_SIZE * sizeof(struct frame) >> 10);
}

/* ---- 7: what programs may have of the machine ------------------------------------------------- */

/* May programs map this reservation?  Not where another one forbids it, and not the kernel. */
static bool is_open(const struct machine_reserved *r)
{
    const struct machine *m = &boot.machine;

    for (u32 i = 0; i < m->reserved_count; i++)
        if (m->reserved[i].no_map &&
            ranges_overlap(r->base, r->size, m->reserved[i].base, m->reserved[i].size))
            return false;
    return !ranges_overlap(r->base, r->size, boot.image.base, range_bytes(boot.image));
}

/* Devices, and RAM that the tree reserves but allows to map. */
static void stage_gifts(void)
{
    const struct machine *m = &boot.machine;
    u32 devices = 0, reserved = 0;

    for (u32 i = 0; i < m->device_count; i++)
        devices += phys_give(paddr(m->devices[i].base), m->devices[i].size, MEMORY_DEVICE);
    for (u32 i = 0; i < m->reserved_count; i++) {
        const struct machine_reserved *r = &m->reserved[i];
        if (is_open(r))
            reserved += phys_give(paddr(r->base), r->size, MEMORY_NORMAL);
    }
    boot_stage("for programs: %u device ranges, %u reserved ranges, bundle of %lu KiB%s", devices,
               reserved, (u64)(bundle_end - bundle_start) >> 10, boot.initrd.end ? ", initrd" : "");
}

/* ---- 8: identifiers and the tick -------------------------------------------------------------- */

/* Is `word` one of the words of the boot arguments? */
static bool has_argument(const char *word)
{
    const char *args = boot.machine.bootargs, *end = args + boot.machine.bootargs_bytes;
    size_t bytes = strlen(word);

    while (args < end) {
        const char *space = args;
        while (space < end && *space != ' ')
            space++;
        if ((size_t)(space - args) == bytes && memcmp(args, word, bytes) == 0)
            return true;
        args = space + 1;
    }
    return false;
}

static void stage_hart(void)
{
    mmu_init(!has_argument("asid=off"));
    clock_init(&boot_hart, boot.machine.timebase_hz);
    boot_stage("hart: %u address space identifiers, tick of %u ms by %s", mmu_asid_limit() - 1,
               TICK_MS, boot_hart.has_sstc ? "stimecmp" : "firmware");
}

void boot_run(u64 hart_id, u64 fdt, struct first_boot *first)
{
    (void)hart_id;
    stage_banner();
    stage_machine(fdt);
    stage_devices();
    stage_memory();
    stage_direct_map();
    stage_frames();
    stage_gifts();
    stage_hart();

    first->bundle = paddr_from_image(bundle_start);
    first->bundle_bytes = (u64)(bundle_end - bundle_start);
    first->fdt = boot.fdt.blob;
    first->fdt_bytes = boot.fdt.total_bytes;
    if (boot.initrd.end) {
        first->initrd = paddr(boot.initrd.base);
        first->initrd_bytes = boot.machine.initrd.size;
    }
}

/* Only a machine with one hart counts instructions (QEMU with -icount); elsewhere the counter holds
 * something else, and nothing is said. The line itself is not counted. */
void boot_report(u64 instructions)
{
    if (boot.machine.harts_found > 1)
        boot_stage("first program: - instructions so far");
    else
        boot_stage("first program: %lu instructions so far", instructions);
}
