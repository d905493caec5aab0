/* SPDX-License-Identifier: MIT */
/* machine.h: what the kernel wants to know of the machine it runs on, read from the device tree.
 *
 * One image boots on every board, so nothing here has a default address. The rules that are easy to
 * get wrong, and are wrong in some firmware's tree, stand in one place and are tested on the host:
 * which harts may be started, which PLIC context is whose, what of the memory is not ours.
 *
 * Sources: Devicetree Specification v0.4; the Linux bindings riscv/cpus.yaml,
 * interrupt-controller/sifive,plic-1.0.0.yaml, serial/8250.yaml and reserved-memory. All addresses
 * are physical, translated to what the processor uses; all sizes are in bytes. */
#ifndef LIB_BASE_MACHINE_H
#define LIB_BASE_MACHINE_H

#include "lib/base/fdt.h"
#include "lib/base/types.h"

#define MACHINE_MEMORY_RANGES   16
#define MACHINE_RESERVED_RANGES 32
#define MACHINE_DEVICE_RANGES   64
#define MACHINE_HARTS           8

/* What firmware keeps at the start of memory, whether its tree says so or not (see reserved). */
#define MACHINE_FIRMWARE_BYTES 0x200000ul

/* machine_read goes on after the first of these, and reports that one. */
enum machine_error {
    MACHINE_OK,
    MACHINE_NO_MEMORY,         /* no memory node with a whole page */
    MACHINE_TOO_MANY_RESERVED, /* a reservation had to be left out: memory is not safe to use */
    MACHINE_NO_TIMEBASE,       /* no timebase-frequency */
    MACHINE_NO_PLIC,           /* no PLIC, or none with an address */
    MACHINE_NO_HART,           /* no hart that the kernel could run on */
};

enum machine_uart_kind {
    MACHINE_UART_NONE,
    MACHINE_UART_NS16550, /* and its descendants, also those with wide registers */
    MACHINE_UART_SIFIVE,
};

struct machine_range {
    u64 base, size;
};

struct machine_reserved {
    u64 base, size;
    bool no_map; /* must not be mapped at all, not even for speculative reads */
};

struct machine_hart {
    u64 id;           /* mhartid, as SBI counts */
    u32 plic_context; /* of its supervisor external interrupt; its registers are inside plic.size */
    bool has_sstc;    /* stimecmp may be used */
};

struct machine {
    const char *model; /* of the board, for people; "" if it has no name. In the blob. */

    /* RAM: whole pages, ascending, neighbours merged. Beyond the limit ranges are left out. */
    struct machine_range memory[MACHINE_MEMORY_RANGES];
    u32 memory_count;

    /* Not to be used as RAM: the reservation block, the enabled children of /reserved-memory, and
     * the first MACHINE_FIRMWARE_BYTES of memory (no_map): there vendor trees describe less than
     * their firmware protects, and real kernels lose as much. Rounded outwards to pages; may
     * overlap each other and lie outside `memory`. Blob, initrd and kernel image are not in it. */
    struct machine_reserved reserved[MACHINE_RESERVED_RANGES];
    u32 reserved_count;

    /* Harts that may be started: enabled, with an Sv39 or larger MMU, and with a supervisor context
     * at the PLIC (some trees enable a monitor hart that has none). In the order of the tree. */
    struct machine_hart harts[MACHINE_HARTS];
    u32 hart_count;  /* kept in harts[] */
    u32 harts_found; /* all that may be started; > hart_count if some were left out */
    u64 timebase_hz; /* of the time CSR */

    struct {
        u64 base, size;
        u32 ndev; /* interrupts are numbered 1 .. ndev, at most 1023 */
    } plic;

    /* Where /chosen says that messages go. */
    struct {
        enum machine_uart_kind kind;
        u64 base, size;
        u32 reg_shift;    /* register n is at base + (n << reg_shift) */
        u32 reg_io_width; /* bytes an access must have: 1, 2 or 4 */
        u32 irq;          /* at the PLIC; 0: none known */
    } uart;

    struct machine_range finisher; /* QEMU's test finisher ("sifive,test0"); size 0: none */
    struct machine_range initrd;   /* size 0: none */
    const char *bootargs;          /* in the blob; "" if none */
    size_t bootargs_bytes;         /* without its NUL */

    /* Registers of enabled devices, which `phys` objects may be made from: rounded outwards to
     * pages, ascending, those that touch merged, never in RAM or the PLIC, which is the kernel's.
     * Without the windows in which a bus places its devices as software tells it (PCI). */
    struct machine_range devices[MACHINE_DEVICE_RANGES];
    u32 device_count;
    u32 devices_dropped; /* left out for want of room, or for the PLIC in them */
};

/* Fill *machine from a tree. On an error everything that the tree does say is filled in still, so
 * that the caller can use the UART to report it. About two passes over the tree: 68,000
 * instructions on QEMU's virt with one hart, and 12,000 for fdt_open before. */
enum machine_error machine_read(struct machine *machine, const struct fdt *fdt);

/* A few words for people. */
const char *machine_error_text(enum machine_error error);

/* The hart of this id, or NULL if it is not one of harts[]. */
const struct machine_hart *machine_find_hart(const struct machine *machine, u64 id);

/* Does [base, base + size) lie in one of devices[]? */
bool machine_is_device(const struct machine *machine, u64 base, u64 size);

#endif
