#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gdb commands of kernel/gdb on a live machine: what `make test SETS=gdb` runs.

usage: gdb_session.py FOLDER        (FOLDER holds Image and kernel.elf of the system `run`)

One session: it stops in main of a program, in user mode, and then in answer_invoke, where a program
waits for a page; at both it runs commands and looks for what must be there, and that the machine
goes on afterwards.  It would fail if a structure changed in a way that kernel/gdb/quire.py does not
follow.  Prints TAP; exit status 0 if all passed.
"""

import os
import re
import signal
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 40  # seconds
PROGRAM = "mapfile"

# Before the first instruction of C, in user mode, in the kernel with a fault open: each step is a
# command of gdb and the patterns that its output must hold; "continue" leads from stop to stop.
EARLY = [
    ("quire threads", [r"Paging is off"]),
    ("quire program nonsense", [r"no program 'nonsense'", r"\bmapfile\b"]),
    ("program-break main", [r"[Bb]reakpoint .* user/demo/mapfile/main\.c"]),
    ("thbreak answer_invoke", [r"breakpoint"]),
    ("continue", [r"main \(argc=3"]),
]
USER = [
    ("p $priv", [r"^\$1 = 0$"]),
    ("quire threads", [r'thread#\d+ "init"\s+receiving', r'"filepager"\s+receiving',
                       r'"mapfile"\s+ready .*runs']),
    ("quire tickets", [r"^0 open"]),
    ("quire queue", [r'thread#\d+ "mapfile"', r"^1 ready"]),
    ("continue", [r"answer_invoke \(s=0x"]),
]
FAULT = [
    ("quire help", [r"quire threads", r"quire walk THREAD\|ASPACE VADDR", r"program-break"]),
    ("quire threads", [r'"mapfile"\s+faulting .*page 0 of served#\d+ "data\.\w+", from endpoint#\d+ '
                       r'\(thread#\d+ "filepager"\); lent its context to thread#\d+ "filepager"',
                       r'"filepager"\s+ready']),
    ("quire caps filepager", [r"slots full", r"^1 +cspace#\d+ \(filepager\)",
                              r'served#\d+ "data\.\w+" +read,write,exec,own']),
    ("quire tree s", [r'^served#\d+ "data\.', r"slot \d+ of cspace#\d+ \(filepager\), .*own",
                      r"region 0x[0-9a-f]+ of aspace#\d+ \(mapfile\)"]),
    ("quire tree #1", [r"^bank#1 \(init\): ", r"home of thread#\d+", r"^  bank#\d+ \(mapfile\): "]),
    ("quire regions mapfile", [r"0x10000 .*r-x- .*anon#", r'served#\d+ "data\.\w+" +0x0 +heard']),
    ("quire objects", [r"^bank#1 \(init\)", r"^sched#\d+ .*priority 20", r"^phys#\d+ .*at 0x8",
                       r'^served#\d+ "data\.\w+".*server endpoint#\d+', r"^debug#"]),
    ("quire tickets", [r'^served#\d+ "data\.\w+" +0 +\d+ +1 +yes +thread#\d+ "mapfile"',
                       r"^1 open"]),
    ("quire banks", [r"^bank#1 \(init\) +\d+ +\d+", r"^  bank#\d+ \(filepager\) +256 ",
                     r"^  bank#\d+ \(mapfile\) +256 "]),
    ("quire queue", [r'^10 +sched#\d+ +thread#\d+ "filepager" +thread#\d+ "mapfile"']),
    ("quire walk mapfile 0x10000", [r"^level 2: entry", r"^level 0: entry .*A-UX-RV",
                                    r"^0x10000 is physical 0x8", r"page 0 of anon#\d+: resident"]),
    ("quire walk mapfile s->open_first", [r"is not mapped"]),
    ("quire regions nobody", [r"'nobody' is no name"]),
    ("quire caps #1", [r"is a bank, not a cspace"]),
    ("tbreak fault_wake_resident", [r"breakpoint"]),
    ("continue", [r"fault_wake_resident"]),
    ("quire tickets", [r"^0 open"]),
]
STEPS = EARLY + USER + FAULT


def script():
    """The whole session for gdb: before each command a line that says which step begins.  By way of
    Python, because an error would end a sourced file."""
    lines = ["python"]
    for number, (command, _) in enumerate(STEPS):
        lines += ["print('@@@ %d')" % number,
                  "try: gdb.execute(%r)" % command,
                  "except gdb.error as e: print(e)"]
    return "\n".join(lines + ["print('@@@ end')", "end"]) + "\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session(folder):
    """The output of the session, or None with a text if it did not end in time."""
    path = os.path.join(folder, "gdb-session.gdb")
    with open(path, "w") as f:
        f.write(script())
    line = [sys.executable, "platform/tools/debug.py", "--port", str(free_port()),
            "--program", PROGRAM, folder, "--", "-batch", "-x", path]
    with open(os.path.join(folder, "gdb-session.log"), "w+") as log:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # debug.py then ends gdb and QEMU
            process.wait()
        log.seek(0)
        return log.read()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: gdb_session.py FOLDER")
    os.chdir(ROOT)
    folder = sys.argv[1]
    output = session(folder)
    parts = dict(re.findall(r"^@@@ (\w+)\n(.*?)(?=^@@@ |\Z)", output, re.M | re.S))
    print("TAP version 13\n1..%d" % (len(STEPS) + 1))
    failed = 0
    for number, (command, patterns) in enumerate(STEPS):
        part = parts.get(str(number), "")
        missing = [p for p in patterns if not re.search(p, part, re.M)]
        failed += bool(missing)
        print("%sok %d - gdb: %s, step %d" % ("not " if missing else "", number + 1, command,
                                              number + 1))
        for line in ["no match for " + p for p in missing] + part.split("\n") if missing else []:
            print("# " + line)
    ended = "end" in parts
    print("%sok %d - gdb: the session ends within %d seconds" % (
        "" if ended else "not ", len(STEPS) + 1, LIMIT))
    return 1 if failed or not ended else 0


if __name__ == "__main__":
    sys.exit(main())
