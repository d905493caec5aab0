#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The gdb commands of kernel/gdb on a live machine: what `make test SETS=gdb` runs.

usage: gdb_session.py [--update] FOLDER     (FOLDER holds Image and kernel.elf of the system `run`)

One session stops in main of a program, in user mode, and then in answer_invoke, where a program
waits for a page; at both it runs commands and looks for what must be there, and that the machine
goes on afterwards.  It would fail if a structure changed in a way that kernel/gdb/quire.py does not
follow.  Then the sessions of docs/debugging.md (in the release build) or docs/tracing.md (debug) run,
and must print each line that stands there, numbers aside; --update writes what they print now into
that page.  Prints TAP; exit status 0
if all passed.
"""

import os
import re
import signal
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 90  # seconds
PAGES = {"release": "docs/debugging.md", "debug": "docs/tracing.md"}

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
    ("quire tickets", [r'^served#\d+ "data\.\w+" +0 +missing +\d+ +1 +yes +thread#\d+ "mapfile"',
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
TRACE = {
    "release": [("quire trace", [r"release build, which keeps no records: BUILD=debug"])],
    "debug": [
        ("quire trace 12", [
            r'^\d+: \d+ hart 0 thread#\d+ ticket_told object=served#\d+ offset=0x0 sequence=2$',
            r'^\d+: .* lend from=thread#\d+ to=thread#\d+ context=sched#\d+$',
            r'^\d+: .* syscall operation=served\.answer slot=\d+ tag=0x']),
        ("quire trace many", [r"'many' is no number of events"]),
    ],
}


def script(commands):
    """A session for gdb: before each command a line that says which one begins.  By way of Python,
    because an error would end a sourced file."""
    lines = ["python"]
    for number, command in enumerate(commands):
        lines += ["print('@@@ %d')" % number,
                  "try: gdb.execute(%r)" % command,
                  "except gdb.error as e: print(e)"]
    return "\n".join(lines + ["print('@@@ end')", "end"]) + "\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session(folder, program, commands):
    """Run it; the output of each command, and whether the session came to its end in time."""
    path = os.path.join(folder, "gdb-session.gdb")
    with open(path, "w") as f:
        f.write(script(commands))
    line = [sys.executable, "platform/tools/debug.py", "--port", str(free_port()),
            "--program", program, folder, "--", "-batch", "-x", path]
    with open(os.path.join(folder, "gdb-session.log"), "w+") as log:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT)
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # debug.py then ends gdb and QEMU
            process.wait()
        log.seek(0)
        text = log.read()
    parts = dict(re.findall(r"^@@@ (\w+)\n(.*?)(?=^@@@ |\Z)", text, re.M | re.S))
    return [parts.get(str(n), "") for n in range(len(commands))], "end" in parts


class Report:
    """TAP, as it comes."""

    def __init__(self):
        self.count = self.failed = 0

    def add(self, passed, text, comments=()):
        self.count += 1
        self.failed += not passed
        print("%sok %d - gdb: %s" % ("" if passed else "not ", self.count, text))
        for line in [] if passed else comments:
            print("# " + line)


def build_of(folder):
    return next(build for build in PAGES if build in folder.split(os.sep))


def run_steps(report, folder):
    at = next(i for i, (command, _) in enumerate(STEPS) if command.startswith("tbreak"))
    steps = STEPS[:at] + TRACE[build_of(folder)] + STEPS[at:]
    outputs, ended = session(folder, "mapfile", [command for command, _ in steps])
    for (command, patterns), output in zip(steps, outputs):
        missing = [p for p in patterns if not re.search(p, output, re.M)]
        report.add(not missing, "step %d: %s" % (report.count + 1, command),
                   ["no match for " + p for p in missing] + output.split("\n"))
    report.add(ended, "the session ends within %d seconds" % LIMIT)


# ---- The page --------------------------------------------------------------------------------------

def plain(line):
    """A line without its numbers, the width of its columns, and what the compiler put inline."""
    line = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{16}\b|\d+", "N", line)
    line = re.sub(r"^(bt: (?:\w+ )?N).*", r"\1", line)
    return re.sub(r"\s+", " ", line).strip()


def shown(output):
    """The lines of an output that the page shows."""
    return [line.rstrip() for line in output.split("\n")
            if line.strip() and not re.match(r"\[Inferior .* detached\]", line)]


def cut(lines, sample):
    """As much of the lines as the sample shows of its own."""
    if "..." in sample and len(lines) > len(sample) - 1:
        return lines[:len(sample) - 1] + ["..."]
    return lines


def run_block(folder, block):
    """The block of the page (```gdb: a session, ```console: what it left) as it is now."""
    kind, *lines = block.rstrip("`\n").split("\n")
    if kind == "```console":
        with open(os.path.join(folder, "gdb-console.log"), errors="replace") as f:
            done = subprocess.run([sys.executable, "platform/tools/symbolise.py",
                                   os.path.join(folder, "kernel.elf")], stdin=f,
                                  capture_output=True, text=True)
        log = shown(done.stdout)
        first = [plain(line) for line in log].index(plain(lines[0]))
        return "\n".join([kind] + cut(log[first:], lines) + ["```"])
    program = re.search(r"PROGRAM=(\w+)", lines[0])  # BUILD= is the folder's
    samples = re.findall(r"^\(gdb\) (.*)\n((?:(?!\(gdb\) ).*\n)*)", "\n".join(lines) + "\n", re.M)
    outputs, _ = session(folder, program.group(1) if program else "", [c for c, _ in samples])
    result = [kind, lines[0]]
    for (command, sample), output in zip(samples, outputs):
        result += ["(gdb) " + command] + cut(shown(output), sample.split("\n")[:-1])
    return "\n".join(result + ["```"])


def run_page(report, folder, update):
    path = PAGES[build_of(folder)]
    with open(path) as f:
        text = f.read()
    blocks = re.findall(r"^```(?:gdb|console)\n(?!\$ make trace).*?^```", text, re.M | re.S)
    for number, block in enumerate(blocks, 1):
        try:
            now = run_block(folder, block)
        except ValueError:
            now = "the console has no such line"
        printed = [plain(line) for line in now.split("\n")]
        missing = [line for line in block.split("\n") if plain(line) not in printed]
        report.add(not missing, "block %d of %s prints what stands there" % (number, path),
                   ["not printed: " + line for line in missing]
                   + ["python3 test/tools/gdb_session.py --update %s writes it anew" % folder])
        text = text.replace(block, now)
    if update:
        with open(path, "w") as f:
            f.write(text)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    if len(arguments) != 1:
        sys.exit("usage: gdb_session.py [--update] FOLDER")
    os.chdir(ROOT)
    folder = os.path.relpath(arguments[0])
    report = Report()
    print("TAP version 13")
    run_steps(report, folder)
    run_page(report, folder, "--update" in sys.argv)
    print("1..%d" % report.count)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
