#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that each file of the project names its licence in its first lines.

usage: check_licence.py

It looks at what git tracks and at what it would track, so a new file is seen before its commit.
JSON has no comments, and data that is not text has no lines; LICENSE is the licence.
"""

import os
import subprocess
import sys

LINE = "SPDX-License-Identifier: MIT"
WITHOUT = {"LICENSE"}
WITHOUT_SUFFIX = (".json", ".png", ".bin", ".dtb")


def files():
    """The files of the project; without git (a copied tree) all but build/."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, check=True).stdout
        return sorted({os.fsdecode(n) for n in listed.split(b"\0") if n})
    except (OSError, subprocess.CalledProcessError):
        return sorted(os.path.relpath(os.path.join(d, n))
                      for d, _, names in os.walk(".") for n in names
                      if not d.startswith(("./build", "./.git")))


def has_line(path):
    with open(path, "rb") as f:
        head = f.read(1024).decode(errors="replace")
    return LINE in "\n".join(head.split("\n")[:5])


def main():
    os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    names = [n for n in files() if n not in WITHOUT and not n.endswith(WITHOUT_SUFFIX)
             and os.path.isfile(n)]
    wrong = [n for n in names if not has_line(n)]
    for name in wrong:
        print('%s: no line "%s" near its top' % (name, LINE))
    print("%d files, %d without a licence line" % (len(names), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
