/* SPDX-License-Identifier: MIT */
/*
 * The first program: what the kernel makes so that user mode can begin.
 *
 * The kernel starts one program, `init`, from the boot bundle, gives it every capability there is,
 * and makes no policy beyond that: what else runs, and what it is given, is init's business.
 * Slots of init's cspace are the FIRST_* numbers of lib/abi/first.h.
 */
#include "kernel/core/first_user.h"

#include "arch/cpu.h"
#include "kernel/core/console.h"
#include "kernel/core/hart.h"
#include "kernel/core/panic.h"
#include "kernel/core/trace.h"
#include "kernel/core/schedule.h"
#include "kernel/object/aspace.h"
#include "kernel/object/bank.h"
#include "kernel/object/cspace.h"
#include "kernel/object/debug.h"
#include "kernel/object/thread.h"
#include "lib/abi/first.h"
#include "lib/base/cpio.h"
#include "lib/base/elf.h"
#include "lib/base/string.h"

/* Put the first capability to an object, with all rights, into init's slot of that number. */
static struct slot *give(struct cspace *c, unsigned number, struct object *o, unsigned rights)
{
    struct slot *slot = cspace_slot(c, number);

    slot_derive(slot, &o->origin, PLACE_CSPACE, rights, 0);
    return slot;
}

/* One page, from offset `start` of an object on, which holds `bytes` at [at, end) and zeros; some of
 * the bytes lie in the page. */
static void fill_page(void *page, const u8 *bytes, u64 start, u64 at, u64 end)
{
    u64 from = MAX(start, at), to = MIN(start + PAGE_SIZE, end);

    if (to == from + PAGE_SIZE && is_aligned((u64)(bytes + (from - at)), sizeof(u64))) {
        page_copy(page, bytes + (from - at));
        return;
    }
    memset(page, 0, from - start);
    memcpy((u8 *)page + (from - start), bytes + (from - at), to - from);
    memset((u8 *)page + (to - start), 0, start + PAGE_SIZE - to);
}

/* An anon object that holds a copy of `n` bytes from offset `at` on, `size` long in all.  Pages with
 * nothing but zeros are made when somebody touches them, as in any anon object. */
static struct memory *anon_with(struct bank *bank, u64 size, u64 at, const void *bytes, u64 n)
{
    struct memory *m = anon_boot(bank, size);

    for (u64 page = 0; page < m->npages; page++) {
        u64 start = page << PAGE_SHIFT;
        u64 *slot;
        struct frame *f;

        if (start >= at + n || start + PAGE_SIZE <= at)
            continue;
        slot = radix_make(&m->index, page, bank);
        f = bank_frame_alloc(bank, 0);
        if (!slot || !f)
            panic("no memory for the first program");
        fill_page(frame_kva(f), bytes, start, at, at + n);
        memory_install(m, slot, page, f);
    }
    return m;
}

static void map_or_panic(struct aspace *a, struct memory *m, u64 vaddr, u64 length, u64 flags)
{
    word_t detail = 0;
    u64 id;
    status_t status = aspace_map_slot(a, &m->object.origin, vaddr, length, 0, flags, &detail, &id);

    if (status != ST_OK)
        panic("mapping init at 0x%lx: status %u, detail 0x%lx", vaddr, status, detail);
}

/* Copy the program's segments into memory of its own and map them; returns the entry address. */
static u64 load_program(struct bank *bank, struct aspace *a, const void *file, u64 size)
{
    struct elf_limits limits = {.low = vaddr(PAGE_SIZE), .high = vaddr(USER_REGION_TOP)};
    struct elf_segment segment;
    struct elf elf;
    enum elf_error error = elf_open(&elf, file, size, limits);
    u32 position = 0;

    if (error != ELF_OK)
        panic("init in the bundle: %s", elf_error_text(error));
    while (elf_next_segment(&elf, &position, &segment)) {
        u64 start = align_down(segment.address.addr, PAGE_SIZE);
        u64 end = align_up(segment.address.addr + segment.memory_bytes, PAGE_SIZE);
        u64 flags = (segment.readable ? MAP_READ : 0) | (segment.writable ? MAP_WRITE : 0) |
                    (segment.executable ? MAP_EXEC : 0);

        map_or_panic(a,
                     anon_with(bank, end - start, segment.address.addr - start, segment.data,
                               segment.file_bytes),
                     start, end - start, flags);
    }
    return elf.entry.addr;
}

void first_user_start(const struct first_boot *boot)
{
    struct bank *bank = bank_boot();
    struct cspace *c = cspace_boot(bank, FIRST_CSPACE_BITS);
    struct aspace *a = aspace_boot(bank);
    struct thread *t = thread_boot(bank);
    struct cpio archive;
    struct cpio_entry init;
    enum cpio_error found;
    word_t detail = 0;
    u64 entry;

    give(c, FIRST_BANK, &bank->object, RIGHTS_ALL);
    give(c, FIRST_DEBUG, &debug_boot(bank)->object, RIGHTS_ALL);
    give(c, FIRST_BUNDLE,
         &phys_boot(bank, boot->bundle, align_up(boot->bundle_bytes, PAGE_SIZE), MEMORY_NORMAL,
                    MAP_READ)
              ->object,
         MEMORY_READ);
    give(c, FIRST_DEVICE_TREE,
         &anon_with(bank, align_up(boot->fdt_bytes, PAGE_SIZE), 0, boot->fdt, boot->fdt_bytes)
              ->object,
         MEMORY_READ);
    if (boot->initrd_bytes)
        give(c, FIRST_INITRD,
             &phys_boot(bank, boot->initrd, align_up(boot->initrd_bytes, PAGE_SIZE), MEMORY_NORMAL,
                        MAP_READ)
                  ->object,
             MEMORY_READ);

    found = cpio_open(&archive, kva_from_paddr(boot->bundle), boot->bundle_bytes);
    if (found == CPIO_OK)
        found = cpio_find(&archive, "init", &init);
    if (found != CPIO_OK)
        panic("no program `init` in the bundle of %lu bytes: %s", boot->bundle_bytes,
              cpio_error_text(found));
    entry = load_program(bank, a, init.data, init.size_bytes);
    map_or_panic(a, anon_boot(bank, FIRST_STACK_BYTES), FIRST_STACK_TOP - FIRST_STACK_BYTES,
                 FIRST_STACK_BYTES, MAP_READ | MAP_WRITE);

    t->name[0] = 0x74696e69; /* "init" */
    trace(name, trace_thread(t), t->name[0], t->name[1]);
    if (thread_configure_slots(
            t, give(c, FIRST_CSPACE, &c->object, RIGHTS_ALL),
            give(c, FIRST_ASPACE, &a->object, RIGHTS_ALL), NULL,
            give(c, FIRST_SCHED, &sched_boot(bank, FIRST_PRIORITY)->object, RIGHTS_ALL),
            &detail) != ST_OK)
        panic("no room for init's thread");
    give(c, FIRST_THREAD, &t->object, RIGHTS_ALL);
    thread_run(t, entry, FIRST_STACK_TOP, boot->bundle_bytes, 0);
}
