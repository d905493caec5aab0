#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that the arrows of #include point one way (docs: the folder table of the design).

usage: check_includes.py

Each folder may include only what MAY says.  Paths are relative to the root of the project; within
its own folder a file may also include by bare name.  The kernel reaches the architecture through
`arch/...` and the platform drivers implement kernel/core/platform.h.
"""

import glob
import os
import re
import sys

ARCH = "kernel/arch/riscv64/"
# folder -> what its files may include; the longest prefix counts.
MAY = {
    "lib/abi/": ["lib/abi/"],
    "lib/base/": ["lib/abi/", "lib/base/"],
    "kernel/": ["lib/abi/", "lib/base/", "kernel/"],
    "platform/": ["lib/abi/", "lib/base/", "platform/", "kernel/core/platform.h",
                  "kernel/core/panic.h", ARCH + "arch/"],
    "lib/sys/": ["lib/abi/", "lib/base/", "lib/sys/"],
    "lib/rt/": ["lib/abi/", "lib/base/", "lib/sys/", "lib/rt/"],
    "lib/pager/": ["lib/abi/", "lib/base/", "lib/sys/", "lib/rt/", "lib/pager/"],
    "lib/debug/": ["lib/abi/", "lib/base/", "lib/sys/", "lib/debug/"],
    "lib/posix/": ["lib/"],
    "user/": ["lib/", "user/"],
    "test/": ["lib/", "kernel/", "platform/", "user/", "test/"],
}
# Freestanding headers: the only <...> that code which also runs in the kernel may use.
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "limits.h",
                "stdalign.h", "stdnoreturn.h"}
BARE = ("kernel/", "lib/abi/", "lib/base/", "platform/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = (".c", ".h", ".S", ".def")


def target(path, name):
    """The file of the project that an #include "name" in `path` means, or None."""
    for candidate in (name, os.path.normpath(os.path.join(os.path.dirname(path), name))):
        if os.path.exists(candidate):
            return candidate
    if name.startswith("arch/"):
        return ARCH + name
    return None


def complaint(path, kind, name):
    """What is wrong with one #include, or None."""
    folder = max((f for f in MAY if path.startswith(f)), key=len, default=None)
    if folder is None:
        return "is in a folder this check does not know"
    if kind == "<":
        if path.startswith(BARE) and name not in FREESTANDING:
            return "includes <%s>, which is not freestanding" % name
        return None
    if name == "offsets.h" and path.startswith(ARCH) and path.endswith(".S"):
        return None
    found = target(path, name)
    if found is None:
        return 'includes "%s", which is not in the project' % name
    if not found.startswith(tuple(MAY[folder])):
        return 'includes "%s": %s may not include that' % (name, folder.rstrip("/"))
    return None


def complaints(path):
    with open(path, errors="replace") as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            wrong = match and complaint(path, match.group(1), match.group(2))
            if wrong:
                yield "%s:%d: %s" % (path, number, wrong)


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    os.chdir(root)
    paths = [p for top in ("kernel", "lib", "platform", "user", "test")
             for p in sorted(glob.glob(top + "/**/*", recursive=True)) if p.endswith(SOURCES)]
    wrong = [c for p in paths for c in complaints(p)]
    for line in wrong:
        print(line)
    print("%d files, %d wrong includes" % (len(paths), len(wrong)))
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
