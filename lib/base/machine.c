/* SPDX-License-Identifier: MIT */
/* machine.c: from a device tree to struct machine; machine.h has the rules.
 *
 * Each static function below reads one part and leaves it empty if the tree does not have it;
 * machine_read calls them in the order in which they need each other. */
#include "lib/base/machine.h"

#include "lib/base/bits.h"
#include "lib/base/string.h"

#define PHYSICAL_END        (1ul << 56) /* what an Sv39 page table entry can name */
#define SUPERVISOR_EXTERNAL 9           /* cause number of the supervisor external interrupt */

/* The PLIC specification v1.0.0: a page of registers for each context, behind all others. */
#define PLIC_CONTEXTS_OFFSET 0x200000u
#define PLIC_CONTEXT_BYTES   0x1000u
#define PLIC_MAX_SOURCES     1023u

/* [*base, *end) made of whole pages that hold [base, base + size); false if it is empty or goes
 * beyond what can be mapped. */
static bool round_outwards(u64 *base, u64 size, u64 *end)
{
    if (size == 0 || !range_inside(*base, size, 0, PHYSICAL_END))
        return false;
    *end = align_up(*base + size, PAGE_SIZE);
    *base = align_down(*base, PAGE_SIZE);
    return true;
}

/* Put [base, end) into an ascending list of ranges that do not touch, merging it with those that it
 * touches. False if it needed a place and there was none. */
static bool insert_range(struct machine_range *list, u32 *count, u32 max, u64 base, u64 end)
{
    u32 first = 0, last; /* list[first .. last) touch the new one */

    while (first < *count && list[first].base + list[first].size < base)
        first++;
    for (last = first; last < *count && list[last].base <= end; last++) {
        base = MIN(base, list[last].base);
        end = MAX(end, list[last].base + list[last].size);
    }
    if (first == last && *count == max)
        return false;
    memmove(&list[first + 1], &list[last], (*count - last) * sizeof list[0]);
    list[first] = (struct machine_range){.base = base, .size = end - base};
    *count = *count - (last - first) + 1;
    return true;
}

/* The first address range of a device that the kernel itself will map; false, and nothing changed,
 * if it has none or that cannot be mapped. */
static bool first_range(const struct fdt_walk *walk, u64 *base, u64 *size)
{
    u64 first, page, bytes, end;

    if (!fdt_walk_address(walk, 0, &first, &bytes))
        return false;
    page = first;
    if (!round_outwards(&page, bytes, &end))
        return false;
    *base = first;
    *size = bytes;
    return true;
}

/* Is the node compatible with one of a NULL-terminated list? */
static bool is_one_of(const struct fdt *fdt, struct fdt_node node, const char *const *names)
{
    for (; *names; names++)
        if (fdt_is_compatible(fdt, node, *names))
            return true;
    return false;
}

static bool is_device_type(const struct fdt *fdt, struct fdt_node node, const char *type)
{
    const char *own = fdt_first_string(fdt, node, "device_type");

    return own && strcmp(own, type) == 0;
}

/* ---- Memory ----------------------------------------------------------------------------------- */

static void read_memory_node(struct machine *m, const struct fdt_walk *walk)
{
    u64 base, size;

    for (u32 i = 0; fdt_walk_address(walk, i, &base, &size); i++) {
        size = MIN(size, base < PHYSICAL_END ? PHYSICAL_END - base : 0);
        u64 end = align_down(base + size, PAGE_SIZE);
        base = align_up(base, PAGE_SIZE);
        if (size && base < end)
            insert_range(m->memory, &m->memory_count, MACHINE_MEMORY_RANGES, base, end);
    }
}

static bool reserve(struct machine *m, u64 base, u64 size, bool no_map)
{
    u64 end;

    size = MIN(size, base < PHYSICAL_END ? PHYSICAL_END - base : 0);
    if (!round_outwards(&base, size, &end))
        return true; /* empty, or where no memory of ours can be */
    if (m->reserved_count == MACHINE_RESERVED_RANGES)
        return false;
    m->reserved[m->reserved_count++] = (struct machine_reserved){base, end - base, no_map};
    return true;
}

/* Memory and what of it is reserved: the children of the root that say so. */
static bool read_memory(struct machine *m, const struct fdt *fdt)
{
    struct fdt_walk walk;
    u64 base, size;
    bool complete = true;

    for (u32 i = 0; fdt_reservation(fdt, i, &base, &size); i++)
        complete &= reserve(m, base, size, false);

    fdt_walk_start(&walk, fdt);
    bool more = fdt_walk_next(&walk);
    while (more) {
        struct fdt_node node = fdt_walk_node(&walk);

        if (walk.depth == 1 && strcmp(fdt_name(fdt, node), "reserved-memory") == 0) {
            more = fdt_walk_next(&walk); /* its children are next, if it has any */
            continue;
        }
        bool reserved = walk.depth == 2; /* nothing but /reserved-memory is entered */
        if (reserved && fdt_is_okay(fdt, node)) {
            for (u32 i = 0; fdt_walk_reg(&walk, i, &base, &size); i++)
                complete &= reserve(m, base, size, fdt_has(fdt, node, "no-map"));
        } else if (!reserved && is_device_type(fdt, node, "memory") && fdt_is_okay(fdt, node)) {
            read_memory_node(m, &walk);
        }
        more = fdt_walk_skip(&walk);
    }
    if (m->memory_count)
        complete &=
            reserve(m, m->memory[0].base, MIN(m->memory[0].size, MACHINE_FIRMWARE_BYTES), true);
    return complete;
}

/* ---- Devices ---------------------------------------------------------------------------------- */

static bool overlaps_memory(const struct machine *m, u64 base, u64 end)
{
    for (u32 i = 0; i < m->memory_count; i++)
        if (ranges_overlap(base, end - base, m->memory[i].base, m->memory[i].size))
            return true;
    return false;
}

static void read_device_ranges(struct machine *m, const struct fdt_walk *walk)
{
    u64 base, size, end;

    for (u32 i = 0; fdt_walk_address(walk, i, &base, &size); i++)
        if (round_outwards(&base, size, &end) && !overlaps_memory(m, base, end) &&
            !insert_range(m->devices, &m->device_count, MACHINE_DEVICE_RANGES, base, end))
            m->devices_dropped++;
}

/* Take out what shares a page with the PLIC, say a bus that claims all its devices' registers: who
 * can write to the PLIC owns every interrupt. */
static void drop_plic_ranges(struct machine *m)
{
    u64 base = m->plic.base, end;
    u32 kept = 0;

    if (!round_outwards(&base, m->plic.size, &end))
        return;
    for (u32 i = 0; i < m->device_count; i++)
        if (!ranges_overlap(base, end - base, m->devices[i].base, m->devices[i].size))
            m->devices[kept++] = m->devices[i];
    m->devices_dropped += m->device_count - kept;
    m->device_count = kept;
}

/* Every device with an address. Returns the PLIC's node. */
static struct fdt_node read_devices(struct machine *m, const struct fdt *fdt)
{
    static const char *const plics[] = {"sifive,plic-1.0.0", "riscv,plic0", NULL};
    static const char *const finishers[] = {"sifive,test0", "sifive,test1", NULL};
    struct fdt_node plic = {0};
    struct fdt_walk walk;

    fdt_walk_start(&walk, fdt);
    bool more = fdt_walk_next(&walk);
    while (more) {
        struct fdt_node node = fdt_walk_node(&walk);
        const char *name = fdt_name(fdt, node);

        if (!fdt_is_okay(fdt, node) || (walk.depth == 1 && (strcmp(name, "reserved-memory") == 0 ||
                                                            strcmp(name, "cpus") == 0 ||
                                                            is_device_type(fdt, node, "memory")))) {
            more = fdt_walk_skip(&walk);
            continue;
        }
        if (fdt_has(fdt, node, "reg")) {
            if (!is_one_of(fdt, node, plics))
                read_device_ranges(m, &walk);
            else if (!fdt_exists(plic) && first_range(&walk, &m->plic.base, &m->plic.size))
                plic = node;
            if (is_one_of(fdt, node, finishers) && m->finisher.size == 0)
                first_range(&walk, &m->finisher.base, &m->finisher.size);
        }
        more = fdt_walk_next(&walk);
    }
    fdt_get_u32(fdt, plic, "riscv,ndev", &m->plic.ndev);
    m->plic.ndev = MIN(m->plic.ndev, PLIC_MAX_SOURCES);
    drop_plic_ranges(m);
    return plic;
}

/* ---- Harts ------------------------------------------------------------------------------------ */

/* The PLIC context that is wired to cause 9 of an interrupt controller (a hart's, by phandle). Each
 * context is a pair of cells, since a hart's controller has one interrupt cell. */
static bool find_context(const struct fdt *fdt, struct fdt_node plic, u32 intc, u32 *context)
{
    struct fdt_prop wires;
    u64 phandle, cause;
    u32 offset = 0;

    fdt_prop(fdt, plic, "interrupts-extended", &wires);
    for (*context = 0;
         fdt_take(&wires, &offset, 1, &phandle) && fdt_take(&wires, &offset, 1, &cause); ++*context)
        if (phandle == intc && cause == SUPERVISOR_EXTERNAL)
            return true;
    return false;
}

/* The phandle of the child of a cpu that is its interrupt controller; 0 if there is none. */
static u32 find_intc(const struct fdt *fdt, struct fdt_node cpu)
{
    u32 phandle = 0;

    for (struct fdt_node child = fdt_first_child(fdt, cpu); fdt_exists(child);
         child = fdt_next_sibling(fdt, child)) {
        if (fdt_has(fdt, child, "interrupt-controller") &&
            fdt_get_u32(fdt, child, "phandle", &phandle))
            break;
    }
    return phandle;
}

/* Does the node have an extension of several letters, by either of the two properties that list
 * them ("rv64imac_zicsr_sstc", or a string list)? */
static bool has_extension(const struct fdt *fdt, struct fdt_node cpu, const char *name)
{
    size_t bytes = strlen(name);
    const char *isa = fdt_first_string(fdt, cpu, "riscv,isa");

    if (fdt_has_string(fdt, cpu, "riscv,isa-extensions", name))
        return true;
    for (; isa && *isa; isa++)
        if (*isa == '_' && strncmp(isa + 1, name, bytes) == 0 &&
            (isa[1 + bytes] == '_' || isa[1 + bytes] == '\0'))
            return true;
    return false;
}

static void read_hart(struct machine *m, const struct fdt *fdt, struct fdt_node cpu,
                      unsigned address_cells, struct fdt_node plic)
{
    struct machine_hart hart;
    struct fdt_prop reg;
    u32 offset = 0;
    u32 intc = find_intc(fdt, cpu);

    if (!fdt_is_okay(fdt, cpu) || !intc || !find_context(fdt, plic, intc, &hart.plic_context) ||
        !range_inside(PLIC_CONTEXTS_OFFSET + (u64)hart.plic_context * PLIC_CONTEXT_BYTES,
                      PLIC_CONTEXT_BYTES, 0, m->plic.size))
        return;
    if (!fdt_has_string(fdt, cpu, "mmu-type", "riscv,sv39") &&
        !fdt_has_string(fdt, cpu, "mmu-type", "riscv,sv48") &&
        !fdt_has_string(fdt, cpu, "mmu-type", "riscv,sv57"))
        return;
    if (!fdt_prop(fdt, cpu, "reg", &reg) || !fdt_take(&reg, &offset, address_cells, &hart.id))
        return;
    m->harts_found++;
    if (m->hart_count == MACHINE_HARTS)
        return;
    hart.has_sstc = has_extension(fdt, cpu, "sstc");
    m->harts[m->hart_count++] = hart;
}

static void read_harts(struct machine *m, const struct fdt *fdt, struct fdt_node plic)
{
    struct fdt_node cpus = fdt_child(fdt, fdt_root(fdt), "cpus");
    unsigned address_cells = fdt_cells(fdt, cpus).address;

    fdt_get_number(fdt, cpus, "timebase-frequency", &m->timebase_hz);
    for (struct fdt_node cpu = fdt_first_child(fdt, cpus); fdt_exists(cpu);
         cpu = fdt_next_sibling(fdt, cpu)) {
        if (!is_device_type(fdt, cpu, "cpu"))
            continue;
        if (m->timebase_hz == 0) /* older trees say it for each hart */
            fdt_get_number(fdt, cpu, "timebase-frequency", &m->timebase_hz);
        read_hart(m, fdt, cpu, address_cells, plic);
    }
}

/* ---- /chosen ---------------------------------------------------------------------------------- */

/* The first interrupt of the node at the end of the walk, if it goes to the PLIC; else 0. */
static u32 find_irq(const struct machine *m, const struct fdt_walk *walk, struct fdt_node plic)
{
    const struct fdt *fdt = walk->fdt;
    struct fdt_prop prop;
    u64 parent = 0, irq = 0;
    u32 plic_phandle = 0, offset = 0;

    if (!fdt_get_u32(fdt, plic, "phandle", &plic_phandle))
        return 0;
    if (fdt_prop(fdt, fdt_walk_node(walk), "interrupts-extended", &prop)) {
        fdt_take(&prop, &offset, 1, &parent);
    } else {
        fdt_prop(fdt, fdt_walk_node(walk), "interrupts", &prop);
        for (u32 up = walk->depth + 1; up-- && parent == 0;) /* inherited from above */
            fdt_get_number(fdt, walk->path[up], "interrupt-parent", &parent);
    }
    if (parent != plic_phandle || !fdt_take(&prop, &offset, 1, &irq) || irq > m->plic.ndev)
        return 0;
    return (u32)irq;
}

/* The node of /chosen's stdout-path: a path or an alias, with options behind a colon. */
static struct fdt_node find_stdout(const struct fdt *fdt, struct fdt_node chosen)
{
    const char *path = fdt_first_string(fdt, chosen, "stdout-path");
    size_t bytes = 0;

    if (!path)
        path = fdt_first_string(fdt, chosen, "linux,stdout-path");
    if (!path)
        return (struct fdt_node){0};
    while (path[bytes] && path[bytes] != ':')
        bytes++;
    return fdt_find_bytes(fdt, path, bytes);
}

static void read_uart(struct machine *m, const struct fdt *fdt, struct fdt_node chosen,
                      struct fdt_node plic)
{
    static const char *const ns16550s[] = {"ns16550a", "ns16550", "snps,dw-apb-uart",
                                           "starfive,jh7110-uart", NULL};
    struct fdt_node node = find_stdout(fdt, chosen);
    struct fdt_walk walk;
    u32 shift = 0, width = 1;

    if (!fdt_is_okay(fdt, node) || !fdt_walk_to(&walk, fdt, node) ||
        !first_range(&walk, &m->uart.base, &m->uart.size))
        return;
    fdt_get_u32(fdt, node, "reg-shift", &shift);
    fdt_get_u32(fdt, node, "reg-io-width", &width);
    m->uart.reg_shift = shift;
    m->uart.reg_io_width = width;
    m->uart.irq = find_irq(m, &walk, plic);
    if (fdt_is_compatible(fdt, node, "sifive,uart0"))
        m->uart.kind = MACHINE_UART_SIFIVE;
    else if (is_one_of(fdt, node, ns16550s) && shift <= 4 && (8ul << shift) <= m->uart.size &&
             (width == 1 || width == 2 || width == 4))
        m->uart.kind = MACHINE_UART_NS16550;
}

static void read_chosen(struct machine *m, const struct fdt *fdt, struct fdt_node plic)
{
    struct fdt_node chosen = fdt_child(fdt, fdt_root(fdt), "chosen");
    u64 start = 0, end = 0;

    if (fdt_get_number(fdt, chosen, "linux,initrd-start", &start) &&
        fdt_get_number(fdt, chosen, "linux,initrd-end", &end) && start < end)
        m->initrd = (struct machine_range){.base = start, .size = end - start};
    const char *bootargs = fdt_first_string(fdt, chosen, "bootargs");
    if (bootargs) {
        m->bootargs = bootargs;
        m->bootargs_bytes = strlen(bootargs);
    }
    read_uart(m, fdt, chosen, plic);
}

/* ---- The whole -------------------------------------------------------------------------------- */

enum machine_error machine_read(struct machine *m, const struct fdt *fdt)
{
    const char *model = fdt_first_string(fdt, fdt_root(fdt), "model");

    *m = (struct machine){.model = model ? model : "", .bootargs = ""};
    bool reserved_complete = read_memory(m, fdt);
    struct fdt_node plic = read_devices(m, fdt);
    read_harts(m, fdt, plic);
    read_chosen(m, fdt, plic);

    if (m->memory_count == 0)
        return MACHINE_NO_MEMORY;
    if (!reserved_complete)
        return MACHINE_TOO_MANY_RESERVED;
    if (m->timebase_hz == 0)
        return MACHINE_NO_TIMEBASE;
    if (!fdt_exists(plic))
        return MACHINE_NO_PLIC;
    return m->hart_count ? MACHINE_OK : MACHINE_NO_HART;
}

const char *machine_error_text(enum machine_error error)
{
    static const char *const texts[] = {
        [MACHINE_OK] = "complete",
        [MACHINE_NO_MEMORY] = "no memory",
        [MACHINE_TOO_MANY_RESERVED] = "too many reserved ranges",
        [MACHINE_NO_TIMEBASE] = "no timebase frequency",
        [MACHINE_NO_PLIC] = "no PLIC",
        [MACHINE_NO_HART] = "no usable hart",
    };

    return (size_t)error < ARRAY_SIZE(texts) ? texts[error] : "unknown error";
}

const struct machine_hart *machine_find_hart(const struct machine *m, u64 id)
{
    for (u32 i = 0; i < m->hart_count; i++)
        if (m->harts[i].id == id)
            return &m->harts[i];
    return NULL;
}

bool machine_is_device(const struct machine *m, u64 base, u64 size)
{
    for (u32 i = 0; i < m->device_count; i++)
        if (range_inside(base, size, m->devices[i].base, m->devices[i].size))
            return true;
    return false;
}
