/* SPDX-License-Identifier: MIT */
/* machine.c: from a device tree to struct machine; machine.h has the rules.
 *
 * Reading the tree is a good part of booting, so all but the harts is taken from one walk over it
 * in which each property is read once. What a node means may depend on one that comes later (the
 * PLIC, memory): those things are set right after the walk. */
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

/* What is passed around while a tree is read. */
struct reader {
    struct machine *m;
    const struct fdt *fdt;
    struct fdt_walk walk;
    struct fdt_node plic, cpus, output; /* output: of stdout-path */
    u32 output_irq_parent, output_irq;  /* as the UART says */
    bool reservations_dropped;
};

/* The properties that say what a node is. */
enum { STATUS, COMPATIBLE, REG, DEVICE_TYPE, NODE_PROPS };
static const char *const node_props[NODE_PROPS] = {"status", "compatible", "reg", "device_type"};

/* The devices that are more to the kernel than a range of registers. */
enum device_kind { DEVICE_OTHER, DEVICE_PLIC, DEVICE_FINISHER, DEVICE_NS16550, DEVICE_SIFIVE_UART };

static const struct {
    char compatible[24];
    enum device_kind kind;
} known_devices[] = {
    {"sifive,plic-1.0.0", DEVICE_PLIC},   {"riscv,plic0", DEVICE_PLIC},
    {"sifive,test0", DEVICE_FINISHER},    {"sifive,test1", DEVICE_FINISHER},
    {"ns16550a", DEVICE_NS16550},         {"ns16550", DEVICE_NS16550},
    {"snps,dw-apb-uart", DEVICE_NS16550}, {"starfive,jh7110-uart", DEVICE_NS16550},
    {"sifive,uart0", DEVICE_SIFIVE_UART},
};

/* The first of a node's compatible strings that says something to us decides. */
static enum device_kind device_kind(const struct fdt_prop *compatible)
{
    for (const char *s = NULL; (s = fdt_next_string(compatible, s));)
        for (u32 i = 0; i < ARRAY_SIZE(known_devices); i++)
            if (s[0] == known_devices[i].compatible[0] &&
                strcmp(s, known_devices[i].compatible) == 0)
                return known_devices[i].kind;
    return DEVICE_OTHER;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void read_memory(struct reader *r, const struct fdt_prop *reg)
{
    struct machine *m = r->m;
    u64 base, size;

    for (u32 i = 0; fdt_walk_address(&r->walk, reg, i, &base, &size); i++) {
        size = MIN(size, base < PHYSICAL_END ? PHYSICAL_END - base : 0);
        u64 end = align_down(base + size, PAGE_SIZE);
        base = align_up(base, PAGE_SIZE);
        if (size && base < end)
            insert_range(m->memory, &m->memory_count, MACHINE_MEMORY_RANGES, base, end);
    }
}

static void reserve(struct reader *r, u64 base, u64 size, bool no_map)
{
    struct machine *m = r->m;
    u64 end;

    size = MIN(size, base < PHYSICAL_END ? PHYSICAL_END - base : 0);
    if (!round_outwards(&base, size, &end))
        return; /* empty, or where no memory of ours can be */
    if (m->reserved_count == MACHINE_RESERVED_RANGES)
        r->reservations_dropped = true;
    else
        m->reserved[m->reserved_count++] = (struct machine_reserved){base, end - base, no_map};
}

/* A child of /reserved-memory. Those without a `reg` are wishes, not reservations. */
static void read_reserved(struct reader *r, const struct fdt_prop *reg)
{
    bool no_map = fdt_has(r->fdt, fdt_walk_node(&r->walk), "no-map");
    u64 base, size;

    for (u32 i = 0; fdt_walk_reg(&r->walk, reg, i, &base, &size); i++)
        reserve(r, base, size, no_map);
}

/* ---- Devices --------------------------------------------------------------------------------- */

/* The first address range of a device that the kernel itself will map; false, and nothing changed,
 * if it has none or that cannot be mapped. */
static bool first_range(struct reader *r, const struct fdt_prop *reg, u64 *base, u64 *size)
{
    u64 first, page, bytes, end;

    if (!fdt_walk_address(&r->walk, reg, 0, &first, &bytes))
        return false;
    page = first;
    if (!round_outwards(&page, bytes, &end))
        return false;
    *base = first;
    *size = bytes;
    return true;
}

/* The UART that messages go to. Its interrupt is resolved when the PLIC is known. */
static void read_uart(struct reader *r, const struct fdt_prop *reg, enum device_kind kind)
{
    static const char *const names[] = {"reg-shift", "reg-io-width", "interrupts",
                                        "interrupts-extended"};
    struct fdt_prop own[ARRAY_SIZE(names)];
    struct machine *m = r->m;
    u32 shift = 0, width = 1, offset = 0;
    u64 parent = 0, irq = 0;

    if (!first_range(r, reg, &m->uart.base, &m->uart.size))
        return;
    fdt_walk_props(&r->walk, names, own, ARRAY_SIZE(names));
    fdt_prop_u32(&own[0], &shift);
    fdt_prop_u32(&own[1], &width);
    m->uart.reg_shift = shift;
    m->uart.reg_io_width = width;
    if (kind == DEVICE_SIFIVE_UART)
        m->uart.kind = MACHINE_UART_SIFIVE;
    else if (kind == DEVICE_NS16550 && shift <= 4 && (8ul << shift) <= m->uart.size &&
             (width == 1 || width == 2 || width == 4))
        m->uart.kind = MACHINE_UART_NS16550;

    if (own[3].data) {
        fdt_take(&own[3], &offset, 1, &parent);
        fdt_take(&own[3], &offset, 1, &irq);
    } else if (fdt_take(&own[2], &offset, 1, &irq)) { /* the parent may be inherited from above */
        for (u32 up = r->walk.depth + 1; up-- && parent == 0;)
            fdt_get_number(r->fdt, r->walk.path[up], "interrupt-parent", &parent);
    }
    r->output_irq_parent = (u32)parent;
    r->output_irq = (u32)irq;
}

/* A node with registers. */
static void read_device(struct reader *r, const struct fdt_prop *reg, enum device_kind kind)
{
    struct machine *m = r->m;
    u64 base, size, end;

    if (kind == DEVICE_PLIC) {
        if (!fdt_exists(r->plic) && first_range(r, reg, &m->plic.base, &m->plic.size))
            r->plic = fdt_walk_node(&r->walk);
        return;
    }
    for (u32 i = 0; fdt_walk_address(&r->walk, reg, i, &base, &size); i++)
        if (round_outwards(&base, size, &end) &&
            !insert_range(m->devices, &m->device_count, MACHINE_DEVICE_RANGES, base, end))
            m->devices_dropped++;
    if (kind == DEVICE_FINISHER && m->finisher.size == 0)
        first_range(r, reg, &m->finisher.base, &m->finisher.size);
    if (fdt_walk_node(&r->walk).body == r->output.body)
        read_uart(r, reg, kind);
}

/* Take out the device ranges that share a page with [base, base + size). */
static void drop_devices(struct machine *m, u64 base, u64 size)
{
    u64 end;
    u32 kept = 0;

    if (!round_outwards(&base, size, &end))
        return;
    for (u32 i = 0; i < m->device_count; i++)
        if (!ranges_overlap(base, end - base, m->devices[i].base, m->devices[i].size))
            m->devices[kept++] = m->devices[i];
    m->devices_dropped += m->device_count - kept;
    m->device_count = kept;
}

/* ---- The walk -------------------------------------------------------------------------------- */

/* Reads the node at which the walk is; false if what is inside it is not to be looked at. */
static bool read_node(struct reader *r)
{
    struct fdt_node node = fdt_walk_node(&r->walk);
    const char *name = fdt_name(r->fdt, node);
    bool at_top = r->walk.depth == 1;
    struct fdt_prop props[NODE_PROPS];

    if (at_top && strcmp(name, "cpus") == 0) { /* needs the PLIC: later */
        r->cpus = node;
        return false;
    }
    if (at_top && strcmp(name, "reserved-memory") == 0)
        return true;
    fdt_walk_props(&r->walk, node_props, props, NODE_PROPS);
    if (!fdt_prop_is_okay(&props[STATUS]))
        return false;
    if (at_top && fdt_prop_lists(&props[DEVICE_TYPE], "memory")) {
        read_memory(r, &props[REG]);
        return false;
    }
    if (strcmp(fdt_name(r->fdt, r->walk.path[1]), "reserved-memory") == 0) {
        read_reserved(r, &props[REG]);
        return false;
    }
    if (props[REG].data)
        read_device(r, &props[REG], device_kind(&props[COMPATIBLE]));
    return true;
}

static void read_tree(struct reader *r)
{
    struct machine *m = r->m;
    u64 base, size;

    for (u32 i = 0; fdt_reservation(r->fdt, i, &base, &size); i++)
        reserve(r, base, size, false);
    fdt_walk_start(&r->walk, r->fdt);
    for (bool more = fdt_walk_next(&r->walk); more;)
        more = read_node(r) ? fdt_walk_next(&r->walk) : fdt_walk_skip(&r->walk);
    if (m->memory_count)
        reserve(r, m->memory[0].base, MIN(m->memory[0].size, MACHINE_FIRMWARE_BYTES), true);

    /* Who can write to the PLIC owns every interrupt, and who can write to RAM owns everything: a
     * range that claims either, say of a bus that claims all that is on it, is not given out. */
    drop_devices(m, m->plic.base, m->plic.size);
    for (u32 i = 0; i < m->memory_count; i++)
        drop_devices(m, m->memory[i].base, m->memory[i].size);
}

/* What the PLIC's own node says of interrupts. */
static void read_plic(struct reader *r)
{
    struct machine *m = r->m;
    u32 phandle = 0;

    fdt_get_u32(r->fdt, r->plic, "riscv,ndev", &m->plic.ndev);
    m->plic.ndev = MIN(m->plic.ndev, PLIC_MAX_SOURCES);
    if (fdt_get_u32(r->fdt, r->plic, "phandle", &phandle) && phandle == r->output_irq_parent &&
        r->output_irq <= m->plic.ndev)
        m->uart.irq = r->output_irq;
}

/* ---- Harts ----------------------------------------------------------------------------------- */

/* The PLIC context that is wired to cause 9 of an interrupt controller (a hart's, by phandle). Each
 * context is a pair of cells, since a hart's controller has one interrupt cell. */
static bool find_context(const struct fdt_prop *wires, u32 intc, u32 *context)
{
    u64 phandle, cause;
    u32 offset = 0;

    for (*context = 0; fdt_take(wires, &offset, 1, &phandle) && fdt_take(wires, &offset, 1, &cause);
         ++*context)
        if (phandle == intc && cause == SUPERVISOR_EXTERNAL)
            return true;
    return false;
}

/* The phandle of the child of a cpu that is its interrupt controller; 0 if there is none. */
static u32 find_intc(const struct fdt *fdt, struct fdt_node cpu)
{
    static const char *const names[] = {"interrupt-controller", "phandle"};
    struct fdt_prop props[ARRAY_SIZE(names)];
    u32 phandle = 0;

    for (struct fdt_node child = fdt_first_child(fdt, cpu); fdt_exists(child);
         child = fdt_next_sibling(fdt, child)) {
        fdt_props(fdt, child, names, props, ARRAY_SIZE(names));
        if (props[0].data && fdt_prop_u32(&props[1], &phandle))
            break;
    }
    return phandle;
}

/* Is an extension of several letters in one of the two properties that list them: a string like
 * "rv64imac_zicsr_sstc", or a list of strings? */
static bool has_extension(const struct fdt_prop *isa, const struct fdt_prop *extensions,
                          const char *name)
{
    const char *at = fdt_next_string(isa, NULL);
    size_t bytes = strlen(name);

    if (fdt_prop_lists(extensions, name))
        return true;
    for (; at && *at; at++)
        if (*at == '_' && strncmp(at + 1, name, bytes) == 0 &&
            (at[1 + bytes] == '_' || at[1 + bytes] == '\0'))
            return true;
    return false;
}

enum { CPU_STATUS, CPU_TYPE, CPU_REG, CPU_MMU, CPU_ISA, CPU_EXTENSIONS, CPU_TIMEBASE, CPU_PROPS };
static const char *const cpu_props[CPU_PROPS] = {"status",
                                                 "device_type",
                                                 "reg",
                                                 "mmu-type",
                                                 "riscv,isa",
                                                 "riscv,isa-extensions",
                                                 "timebase-frequency"};

/* Sv39, which the larger ones contain. */
static bool has_mmu(const struct fdt_prop *mmu_type)
{
    return fdt_prop_lists(mmu_type, "riscv,sv39") || fdt_prop_lists(mmu_type, "riscv,sv48") ||
           fdt_prop_lists(mmu_type, "riscv,sv57");
}

static void read_hart(struct reader *r, struct fdt_node cpu, unsigned address_cells,
                      const struct fdt_prop *wires)
{
    struct machine *m = r->m;
    struct machine_hart hart;
    struct fdt_prop props[CPU_PROPS];
    u32 offset = 0;

    fdt_props(r->fdt, cpu, cpu_props, props, CPU_PROPS);
    if (!fdt_prop_lists(&props[CPU_TYPE], "cpu"))
        return;
    if (m->timebase_hz == 0) /* older trees say it for each hart */
        fdt_prop_number(&props[CPU_TIMEBASE], &m->timebase_hz);
    if (!fdt_prop_is_okay(&props[CPU_STATUS]) || !has_mmu(&props[CPU_MMU]) ||
        !fdt_take(&props[CPU_REG], &offset, address_cells, &hart.id))
        return;

    u32 intc = find_intc(r->fdt, cpu);
    if (!intc || !find_context(wires, intc, &hart.plic_context) ||
        !range_inside(PLIC_CONTEXTS_OFFSET + (u64)hart.plic_context * PLIC_CONTEXT_BYTES,
                      PLIC_CONTEXT_BYTES, 0, m->plic.size))
        return;
    m->harts_found++;
    if (m->hart_count == MACHINE_HARTS)
        return;
    hart.has_sstc = has_extension(&props[CPU_ISA], &props[CPU_EXTENSIONS], "sstc");
    m->harts[m->hart_count++] = hart;
}

static void read_harts(struct reader *r)
{
    unsigned address_cells = fdt_cells(r->fdt, r->cpus).address;
    struct fdt_prop wires;

    fdt_prop(r->fdt, r->plic, "interrupts-extended", &wires);
    fdt_get_number(r->fdt, r->cpus, "timebase-frequency", &r->m->timebase_hz);
    for (struct fdt_node cpu = fdt_first_child(r->fdt, r->cpus); fdt_exists(cpu);
         cpu = fdt_next_sibling(r->fdt, cpu))
        read_hart(r, cpu, address_cells, &wires);
}

/* ---- /chosen --------------------------------------------------------------------------------- */

/* The node of a stdout-path: a path or an alias, with options behind a colon. */
static struct fdt_node find_output(const struct fdt *fdt, const char *path)
{
    size_t bytes = 0;

    while (path && path[bytes] && path[bytes] != ':')
        bytes++;
    return path ? fdt_find_bytes(fdt, path, bytes) : (struct fdt_node){0};
}

static void read_chosen(struct reader *r)
{
    static const char *const names[] = {"stdout-path", "linux,stdout-path", "linux,initrd-start",
                                        "linux,initrd-end", "bootargs"};
    struct fdt_prop props[ARRAY_SIZE(names)];
    struct machine *m = r->m;
    u64 start = 0, end = 0;

    fdt_props(r->fdt, fdt_child(r->fdt, fdt_root(r->fdt), "chosen"), names, props,
              ARRAY_SIZE(names));
    const char *path = fdt_next_string(&props[0], NULL);
    r->output = find_output(r->fdt, path ? path : fdt_next_string(&props[1], NULL));
    if (fdt_prop_number(&props[2], &start) && fdt_prop_number(&props[3], &end) && start < end)
        m->initrd = (struct machine_range){.base = start, .size = end - start};
    const char *bootargs = fdt_next_string(&props[4], NULL);
    if (bootargs) {
        m->bootargs = bootargs;
        m->bootargs_bytes = strlen(bootargs);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

enum machine_error machine_read(struct machine *m, const struct fdt *fdt)
{
    const char *model = fdt_first_string(fdt, fdt_root(fdt), "model");
    struct reader r = {.m = m, .fdt = fdt};

    *m = (struct machine){.model = model ? model : "", .bootargs = ""};
    read_chosen(&r);
    read_tree(&r);
    read_plic(&r);
    read_harts(&r);

    if (m->memory_count == 0)
        return MACHINE_NO_MEMORY;
    if (r.reservations_dropped)
        return MACHINE_TOO_MANY_RESERVED;
    if (m->timebase_hz == 0)
        return MACHINE_NO_TIMEBASE;
    if (!fdt_exists(r.plic))
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
