#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Append function, file and line to each `bt: 0x...` line of a backtrace.

usage: symbolise.py KERNEL.ELF < console-output      (also used by qemu.py, line by line)

An address of a backtrace is where a call returns to, so the byte before it is looked up: the call
may be the last instruction of its function.  `bt: pc 0x...` is the place of a trap and is looked up
as it stands.  Addresses from before paging was on are moved to where the kernel is linked.
"""

import os
import re
import subprocess
import sys

ADDR2LINE = "riscv64-unknown-elf-addr2line"
PATTERN = re.compile(r"^\s*(?:\[[^]]*\]\s*)?bt: (pc )?(?:\S+ )*?0x([0-9a-fA-F]+)\s*$")
LOAD = 0x80200000  # where QEMU puts the image
LINK = 0xFFFFFFFF80000000  # where it is linked


def place(elf, line):
    """What to append to a line of console output: a text, or "" if it is no backtrace line."""
    match = PATTERN.match(line)
    if not match:
        return ""
    address = int(match.group(2), 16)
    if LOAD <= address < LOAD + (64 << 20):
        address += LINK - LOAD
    if not match.group(1):
        address -= 1
    try:
        found = subprocess.run(
            [ADDR2LINE, "-f", "-e", elf, "%#x" % address],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as e:
        return "  (%s: %s)" % (ADDR2LINE, e)
    lines = found.stdout.split("\n")
    if found.returncode != 0 or len(lines) < 2 or lines[0] == "??":
        return "  ??"
    where = os.path.relpath(lines[1]) if lines[1].startswith(os.getcwd()) else lines[1]
    return "  %s %s" % (lines[0], where[2:] if where.startswith("./") else where)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: symbolise.py KERNEL.ELF < console-output")
    for line in sys.stdin:
        text = line.rstrip("\r\n")
        print(text + place(sys.argv[1], text), flush=True)


if __name__ == "__main__":
    main()
