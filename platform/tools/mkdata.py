#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the file that the demonstration reads: 1.5 MiB that no two machines make differently.

usage: mkdata.py DATA CRC

The bytes come from SplitMix64 with a fixed seed, so no two pages are alike and a page that arrives
at the wrong place changes the checksum.  CRC holds the CRC32C of the whole (the Castagnoli
polynomial, reflected, start and final value inverted) as eight hexadecimal digits and a newline.
"""

import struct
import sys

SIZE = 1536 * 1024
SEED = 0x5175697265  # "Quire"
MASK = (1 << 64) - 1


def data(size, seed):
    """`size` bytes (a multiple of 8) of SplitMix64, each value little endian."""
    words = []
    for _ in range(size // 8):
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        words.append(z ^ (z >> 31))
    return struct.pack("<%dQ" % len(words), *words)


def crc32c(block):
    """CRC32C of a block of bytes."""
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in block:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: mkdata.py DATA CRC")
    assert crc32c(b"123456789") == 0xE3069283
    block = data(SIZE, SEED)
    with open(sys.argv[2], "w") as f:
        f.write("%08x\n" % crc32c(block))
    with open(sys.argv[1], "wb") as f:
        f.write(block)


if __name__ == "__main__":
    main()
