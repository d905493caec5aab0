#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot an image in QEMU, on this terminal: what `make run` calls.

usage: run.py [options] FOLDER        (FOLDER holds Image and kernel.elf)

The exit status is the machine's own; 2 means that a value cannot be used, 124 that the time limit
ended it.  With a terminal, Ctrl-A X ends QEMU; without one, what comes from standard input is typed
at the machine's console, and at its end ctrl-D.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True
import mkbundle  # noqa: E402
import qemu  # noqa: E402


def add_machine_options(parser):
    """The options that `make run` and `make gdb` have in common."""
    parser.add_argument("--board", default="virt")
    parser.add_argument("--harts", default="")
    parser.add_argument("--mem", default="")
    parser.add_argument("--initrd", default="", help="an archive given to the kernel as initrd, or a program to make one of")
    parser.add_argument("--seed", default="")
    parser.add_argument("--ad", default="on")
    parser.add_argument("--asid", default="on")
    parser.add_argument("--verbose", default="0")
    parser.add_argument("folder")


def archive(path, folder):
    """The initrd for ADD=path: an archive as it is; a program is wrapped into one."""
    if not path or not os.path.isfile(path):
        return path
    with open(path, "rb") as f:
        data = f.read()
    if data[:4] != b"\x7fELF":
        return path
    wrapped = os.path.join(folder, "add.cpio")
    with open(wrapped, "wb") as f:
        f.write(mkbundle.bundle([(os.path.basename(path), 0o755, data)]))
    return wrapped


def machine(options, **more):
    """The QEMU command line for parsed options."""
    return qemu.command(options.board, options.harts, options.mem,
                        os.path.join(options.folder, "Image"), options.initrd, options.seed,
                        options.ad, options.asid, options.verbose, **more)


def main():
    parser = argparse.ArgumentParser(description="boot an image in QEMU")
    add_machine_options(parser)
    parser.add_argument("--limit", type=float, help="seconds after which the machine is stopped")
    parser.add_argument("--kernel", help="boot this file in place of FOLDER/Image")
    options = parser.parse_args()
    if sys.stdin is None:  # it was closed: an end of file in its place
        os.open(os.devnull, os.O_RDONLY)
    try:
        options.initrd = archive(options.initrd, options.folder)
        line = machine(options)
        if options.kernel:
            line[line.index("-kernel") + 1] = options.kernel
        if os.isatty(0):  # somebody sits there: an idle machine must not keep a processor busy
            line = [w.replace("sleep=off", "sleep=on") for w in line]
        print("run: " + " ".join(line), flush=True)
        if os.isatty(0):
            print("run: Ctrl-A X ends it", flush=True)
        result = qemu.run(line, os.path.join(options.folder, "kernel.elf"), options.limit,
                          live=True, stdin=None)
    except qemu.BadValue as e:
        print("run: %s" % e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrun: interrupted", file=sys.stderr)
        return 130
    if result.status is None:
        print("\nrun: no end after %g seconds, stopped" % options.limit, file=sys.stderr)
        return 124
    if result.status != 0:
        print("run: the machine ended with status %d" % result.status, file=sys.stderr)
    return result.status if result.status >= 0 else 128 - result.status


if __name__ == "__main__":
    sys.exit(main())
