#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a system and write down what its kernel did: what `make trace` calls.

usage: trace.py [options] FOLDER        (FOLDER holds Image and kernel.elf of a debug build)

What comes from standard input, if that is no terminal, is typed at the machine's console.

The machine's memory is a file of the host meanwhile, so the rings of the kernel's records
(kernel/core/trace.c) are there when the machine has ended, however it ended: by itself, by a panic,
or by the time limit.  Nothing has to run in the machine for it.  The tempting other ways, a program
that prints its ring or gdb's breakpoints, need a kernel that still works.

Written are OUT/trace.ctf/ (Common Trace Format 1.8: metadata made from lib/abi/trace.def, and one
stream a hart, whose events are the records themselves) and OUT/trace.json (Chrome's trace event
format, for chrome://tracing or ui.perfetto.dev).  The exit status is the machine's.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import qemu  # noqa: E402
import run  # noqa: E402
import symbolise  # noqa: E402
import trace_format  # noqa: E402

LIMIT = 120  # seconds


class NoTrace(Exception):
    """There are no records; the text says why."""


def symbol(elf, name):
    """(address, bytes) of a variable of the kernel."""
    listing = subprocess.run(["riscv64-unknown-elf-nm", "-S", elf], capture_output=True, text=True)
    for line in listing.stdout.split("\n"):
        parts = line.split()
        if len(parts) == 4 and parts[3] == name:
            return int(parts[0], 16), int(parts[1], 16)
    raise NoTrace("%s has no %s: only a debug build keeps records" % (elf, name))


def rings(folder, memory, board):
    """The ring of each hart, as bytes, from a file that is the machine's memory."""
    address, size = symbol(os.path.join(folder, "kernel.elf"), "trace_rings")
    ini = qemu.load_board(board)["board"]
    with open(memory, "rb") as f:
        f.seek(address - symbolise.LINK + int(ini["load"], 0) - int(ini["ram_base"], 0))
        raw = f.read(size)
    try:
        step = trace_format.Format.ring_bytes(raw)
    except ValueError as e:
        raise NoTrace("the machine never came to run the kernel (%s)" % e)
    return [raw[at:at + step] for at in range(0, len(raw), step)]


# ---- Chrome's format -------------------------------------------------------------------------------

HARTS, THREADS = 0, 1  # "processes" of the display


class Chrome:
    """The records of all harts as trace events: each record a mark on its thread's line; what a
    hart runs, and how long a page is waited for, as bars."""

    def __init__(self, fmt):
        self.fmt = fmt
        self.events = []
        self.names = {}
        self.running = {}  # hart: (since, thread)
        self.open = {}  # (object, offset): since

    @staticmethod
    def micro(time):
        return time / 1000

    def add(self, **event):
        self.events.append(event)

    def mark(self, r):
        words = {name: self.fmt.word(kind, value) for name, (kind, value) in r.words.items()}
        self.add(name=r.name, ph="i", s="t", ts=self.micro(r.time), pid=THREADS, tid=r.thread,
                 args=words)

    def runs(self, r):
        since, thread = self.running.pop(r.hart, (None, 0))
        if since is not None and thread:
            self.add(name=self.thread(thread), ph="X", ts=self.micro(since),
                     dur=self.micro(r.time - since), pid=HARTS, tid=r.hart, args={"thread": thread})
        if r.name == "switch":
            self.running[r.hart] = (r.time, r.value("to"))

    def waits(self, r):
        page = (r.value("object"), r.value("offset"))
        event = {"name": "page %#x of %s" % (page[1], self.fmt.object(page[0])), "cat": "page",
                 "id": "%#x/%#x" % page, "pid": THREADS, "tid": r.thread, "ts": self.micro(r.time)}
        if r.name == "ticket":
            self.open[page] = r.time
            self.add(ph="b", **event)
        elif self.open.pop(page, None) is not None:
            self.add(ph="e", **event)

    def thread(self, serial):
        return self.names.get(serial, "thread#%d" % serial)

    def name(self, r):
        raw = b"".join(r.value(part).to_bytes(8, "little") for part in ("first", "last"))
        self.names[r.value("thread")] = trace_format.escape(raw)

    def feed(self, r):
        self.mark(r)
        if r.name == "name":
            self.name(r)
        if r.name in ("switch", "idle"):
            self.runs(r)
        if r.name in ("ticket", "ticket_answered", "ticket_cancelled"):
            self.waits(r)

    def document(self):
        about = [{"name": "process_name", "ph": "M", "pid": pid, "args": {"name": name}}
                 for pid, name in ((HARTS, "harts"), (THREADS, "threads"))]
        about += [{"name": "thread_name", "ph": "M", "pid": THREADS, "tid": serial,
                   "args": {"name": "%s#%d" % (name, serial)}}
                  for serial, name in sorted(self.names.items())]
        return {"traceEvents": about + self.events, "displayTimeUnit": "ns",
                "otherData": {"time": "instructions / 1000"}}


def write(out, fmt, harts):
    """Write both forms; (records written, records lost)."""
    folder = os.path.join(out, "trace.ctf")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(os.path.join(folder, "metadata"), "w") as f:
        f.write(fmt.metadata())
    records, lost = [], 0
    for hart, raw in enumerate(harts):
        data, discarded = fmt.in_order(raw)
        with open(os.path.join(folder, "hart%d" % hart), "wb") as f:
            f.write(trace_format.ctf_packet(data, hart, discarded))
        records += fmt.decode(data)
        lost += discarded
    chrome = Chrome(fmt)
    for r in sorted(records, key=lambda r: r.time):
        chrome.feed(r)
    with open(os.path.join(out, "trace.json"), "w") as f:
        json.dump(chrome.document(), f)
        f.write("\n")
    return len(records), lost


def in_file_memory(line, path):
    """The command line of QEMU with its memory in a file."""
    mem = line[line.index("-m") + 1]
    machine = line.index("-machine") + 1
    return (line[:machine] + [line[machine] + ",memory-backend=ram"] + line[machine + 1:]
            + ["-object", "memory-backend-file,id=ram,share=on,size=%s,mem-path=%s" % (mem, path)])


def trace(options, live, out, typed=subprocess.DEVNULL):
    """Run the machine, typed at as qemu.run says, and write its records; (result of the run, records,
    lost)."""
    memory = os.path.join(out, "trace.memory")
    options.initrd = run.archive(options.initrd, options.folder)
    line = in_file_memory(run.machine(options), memory)
    elf = os.path.join(options.folder, "kernel.elf")
    symbol(elf, "trace_rings")
    if live:
        print("trace: " + " ".join(line), flush=True)
    try:
        result = qemu.run(line, elf, options.limit, live=live, stdin=typed)
        harts = rings(options.folder, memory, options.board)
    finally:
        if os.path.exists(memory):
            os.remove(memory)
    return (result,) + write(out, trace_format.Format(), harts)


def parse(arguments):
    parser = argparse.ArgumentParser(description="run an image and write down what its kernel did")
    run.add_machine_options(parser)
    parser.add_argument("--limit", type=float, default=LIMIT,
                        help="seconds after which the machine is stopped")
    parser.add_argument("--out", default="build", help="folder for trace.ctf and trace.json")
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    try:
        result, records, lost = trace(options, True, options.out,
                                      subprocess.DEVNULL if os.isatty(0) else None)
    except (qemu.BadValue, NoTrace) as e:
        print("trace: %s" % e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ntrace: interrupted", file=sys.stderr)
        return 130
    print("\ntrace: %d records, %d older ones lost: %s/trace.ctf, %s/trace.json"
          % (records, lost, options.out, options.out))
    if result.status is None:
        print("trace: no end after %g seconds, stopped" % options.limit, file=sys.stderr)
        return 124
    if result.status != 0:
        print("trace: the machine ended with status %d" % result.status, file=sys.stderr)
    return result.status


if __name__ == "__main__":
    sys.exit(main())
