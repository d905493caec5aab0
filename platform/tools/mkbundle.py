#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a boot bundle: a cpio archive (newc format) whose file data begins on page boundaries.

usage: mkbundle.py OUTPUT [NAME=PATH ...]

The kernel and the file pager use the bundle in place, page by page.  The format aligns data to 4
bytes only, but counts the name's length in `namesize`, NULs included, so a name is padded with NULs
until its data falls on a page; GNU cpio reads such an archive like any other.  A file's last page
also holds the next header: who maps it must copy or zero that tail.  The result depends on names
and contents only.
"""

import os
import sys

PAGE = 4096
HEADER = 110  # bytes of a newc header, before the name


def member(offset, number, name, mode, data):
    """The bytes of one member that begins at `offset` of the archive."""
    encoded = name.encode() + b"\0"
    end = offset + HEADER + len(encoded)
    start = -(-end // PAGE) * PAGE if data else -(-end // 4) * 4
    namesize = start - offset - HEADER if data else len(encoded)
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, namesize, 0]
    header = b"070701" + b"".join(b"%08X" % f for f in fields)
    out = header + encoded
    out += b"\0" * (start - offset - len(out)) + data
    return out + b"\0" * (-(offset + len(out)) % 4)


def bundle(members):
    """The archive of `members`, a list of (name, mode, bytes), as bytes."""
    out = bytearray()
    for number, (name, mode, data) in enumerate(members, 1):
        out += member(len(out), number, name, 0o100000 | mode, data)
    out += member(len(out), 0, "TRAILER!!!", 0, b"")
    return bytes(out) + b"\0" * (-len(out) % PAGE)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: mkbundle.py OUTPUT [NAME=PATH ...]")
    members = []
    for argument in sys.argv[2:]:
        name, equals, path = argument.partition("=")
        if not (name and equals and path):
            sys.exit("mkbundle: '%s' is not NAME=PATH" % argument)
        with open(path, "rb") as f:
            data = f.read()
        mode = 0o755 if data[:4] == b"\x7fELF" else 0o644
        members.append((name, mode, data))
    names = [name for name, _, _ in members]
    if len(set(names)) != len(names):
        sys.exit("mkbundle: a name occurs twice in: %s" % " ".join(names))
    temporary = sys.argv[1] + ".tmp"
    with open(temporary, "wb") as f:
        f.write(bundle(members))
    os.replace(temporary, sys.argv[1])


if __name__ == "__main__":
    main()
