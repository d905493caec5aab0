# SPDX-License-Identifier: MIT
"""Kernel files for odd load addresses: how the boot tests put the image elsewhere.

QEMU loads a flat Image always at RAM + 2 MiB, but an ELF file where its physical addresses say, and
starts at the lowest of them.  So wrap() puts a flat Image into an ELF file of one segment, and
move() shifts all physical addresses of the kernel's own ELF file.
"""

import struct

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
PT_LOAD = 1
EM_RISCV = 243


def wrap(image, address):
    """An ELF file that loads the bytes `image` at a physical address and starts there."""
    page = 4096
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head = EHDR.pack(ident, 2, EM_RISCV, 1, address, EHDR.size, 0, 0, EHDR.size, PHDR.size, 1,
                     0, 0, 0)
    segment = PHDR.pack(PT_LOAD, 7, page, address, address, len(image), len(image), page)
    return (head + segment).ljust(page, b"\0") + image


def segments(elf):
    """(file offset of the header, its fields) of each program header."""
    fields = EHDR.unpack_from(elf)
    start, size, count = fields[5], fields[9], fields[10]
    return [(start + i * size, list(PHDR.unpack_from(elf, start + i * size)))
            for i in range(count)]


def move(elf, address):
    """The same ELF file with its loaded segments moved so that the lowest lies at `address`."""
    out = bytearray(elf)
    loads = [(at, p) for at, p in segments(elf) if p[0] == PT_LOAD]
    delta = address - min(p[4] for _, p in loads)
    for at, p in loads:
        p[4] += delta
        PHDR.pack_into(out, at, *p)
    struct.pack_into("<Q", out, 24, address)  # e_entry
    return bytes(out)
