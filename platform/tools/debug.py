#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot an image stopped at its first instruction, with gdb attached: what `make gdb` calls.

usage: debug.py [options] [--program NAME] FOLDER [-- GDB ARGUMENTS]

QEMU waits in the background, its console goes to FOLDER/gdb-console.log.  The kernel's symbols are
loaded twice: at the address it is linked at, and at the physical one where it runs before it has
turned paging on; those of a user program as well, if one is named.  kernel/gdb has commands that
print the kernel's objects.  For a script: make gdb GDBFLAGS="-batch -ex 'info registers pc'".
"""

import argparse
import os
import shlex
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import qemu  # noqa: E402
import run  # noqa: E402
import symbolise  # noqa: E402


def port():
    """A TCP port that two users of one machine do not share."""
    return 25000 + os.getuid() % 5000


def wait_for(number, process, seconds=10):
    """Wait until QEMU listens; False if it ended or does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", number)) == 0:
                return True
        time.sleep(0.1)
    return False


def gdb_line(elf, load, number, program, more):
    """The command line of gdb."""
    offset = (load - symbolise.LINK) & ((1 << 64) - 1)
    commands = [
        "set confirm off",
        "set pagination off",
        "set architecture riscv:rv64",
        "add-symbol-file %s -o %#x" % (elf, offset),
        "target remote 127.0.0.1:%d" % number,
        "hbreak *%#x" % load,
        "continue",
    ]
    line = ["gdb-multiarch", "-q", elf]
    for script in sorted(os.listdir("kernel/gdb")) if os.path.isdir("kernel/gdb") else []:
        if script.endswith(".py"):
            line += ["-x", os.path.join("kernel/gdb", script)]
    for command in commands:
        line += ["-ex", command]
    if program:
        line += ["-ex", "quire program " + program]
    return line + more


def main():
    arguments = sys.argv[1:]
    more = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, more = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(description="boot an image under gdb")
    run.add_machine_options(parser)
    parser.add_argument("--program", default="", help="a user program whose symbols are loaded")
    parser.add_argument("--port", type=int, default=port(), help="where QEMU waits for gdb")
    options = parser.parse_args(arguments)
    elf = os.path.join(options.folder, "kernel.elf")
    log = os.path.join(options.folder, "gdb-console.log")
    number = options.port
    try:
        line = run.machine(options, serial=("-serial", "file:" + log, "-monitor", "none"))
        load = int(qemu.load_board(options.board)["board"]["load"], 0)
    except qemu.BadValue as e:
        print("gdb: %s" % e, file=sys.stderr)
        return 2
    # With sleep=off QEMU 7.2 hangs once a debugger has stopped the machine and a timer is set.
    line = [word.replace("sleep=off", "sleep=on") for word in line]
    line += ["-S", "-gdb", "tcp:127.0.0.1:%d" % number]
    print("gdb: " + " ".join(line))
    machine = subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        if not wait_for(number, machine):
            print("gdb: QEMU does not listen on port %d; does another `make gdb` run?" % number,
                  file=sys.stderr)
            return 1
        debugger = gdb_line(elf, load, number, options.program, more)
        print("gdb: the console, in a second terminal: tail -f %s" % log)
        print("gdb: " + " ".join(shlex.quote(w) for w in debugger), flush=True)
        return subprocess.call(debugger)
    except OSError as e:
        print("gdb: %s; `make deps` installs it" % e, file=sys.stderr)
        return 1
    finally:
        machine.kill()
        machine.wait()


if __name__ == "__main__":
    sys.exit(main())
