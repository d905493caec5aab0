#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make trace` and what it writes: what `make test SETS=trace` runs.

usage: trace_session.py       (the debug build is there)

It runs the command as docs/tracing.md shows it, and holds what it wrote against what the
demonstration printed: each page that it touched must be there as a fault, in that order, and have
its answer.  The CTF stream is read by its own metadata (tsdl.py).  Then a kernel that panics: its
ring is written all the same, and the console says the same as the file.  It would fail if a trace
point, the record's layout, or one of the three decoders went wrong.  Prints TAP.
"""

import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(TOOLS))
sys.path[:0] = [TOOLS, os.path.join(ROOT, "platform", "tools")]
import trace  # noqa: E402
import trace_format  # noqa: E402
import tsdl  # noqa: E402
from gdb_session import plain  # noqa: E402

PAGE = "docs/tracing.md"
LIMIT = 240  # seconds


class Report:
    def __init__(self):
        self.count = self.failed = 0

    def add(self, wrong, text):
        """`wrong`: None or empty if all is well, else what is not."""
        self.count += 1
        self.failed += bool(wrong)
        print("%sok %d - trace: %s" % ("not " if wrong else "", self.count, text))
        if wrong:
            print("# %s" % wrong)


def run_make():
    """`make trace V=1`: its status and what it printed."""
    line = os.environ.get("MAKE", "make").split() + ["trace", "V=1", "DEPS=no"]
    environment = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
    done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT,
                          env=environment)
    return done.returncode, done.stdout.replace("\r", "")


def marks(document):
    """The records in Chrome's form, in order."""
    return [e for e in document["traceEvents"] if e["ph"] == "i"]


def faults_in_order(touches, events):
    """Each touched page has its fault, in order, and before the next one its answer."""
    at = 0
    for page, address in touches:
        fault = next((i for i in range(at, len(events)) if events[i]["name"] == "fault"
                      and events[i]["args"]["address"] == address), None)
        if fault is None:
            return "no fault at %s after event %d" % (address, at)
        words = events[fault]["args"]
        if words["offset"] != "%#x" % (page * 4096):
            return "the fault at %s has offset %s, not that of page %d" % (
                address, words["offset"], page)
        chain = []
        for event in events[fault:]:
            if event["name"].startswith("ticket") and event["args"]["object"] == words["object"] \
                    and event["args"]["offset"] == words["offset"]:
                chain.append((event["name"], event["args"].get("status")))
            if event["name"] == "ticket_answered":
                break
        if chain != [("ticket", None), ("ticket_told", None), ("ticket_answered", "OK")]:
            return "page %d: %s" % (page, chain)
        at = fault + 1
    return None


def balanced(document):
    """Each wait that was begun ends, and no bar ends before it begins."""
    opened = {}
    for event in document["traceEvents"]:
        if event["ph"] == "b":
            opened[event["id"]] = event["ts"]
        elif event["ph"] == "e":
            if event["ts"] < opened.pop(event["id"], float("inf")):
                return "%s ends before it begins" % event["name"]
        elif event["ph"] == "X" and event["dur"] < 0:
            return "%s lasts %g" % (event["name"], event["dur"])
    return "%d waits never end" % len(opened) if opened else None


def same_events(stream, events):
    """What the CTF reader found is what stands in the JSON."""
    if len(stream) != len(events):
        return "%d events, and %d in the JSON" % (len(stream), len(events))
    last = 0
    for ctf, chrome in zip(stream, events):
        if ctf["time"] < last:
            return "time falls at %d" % ctf["time"]
        last = ctf["time"]
        if (ctf["name"], ctf["thread"], ctf["time"] / 1000) != (
                chrome["name"], chrome["tid"], chrome["ts"]):
            return "%s is %s" % (ctf, chrome)
        for name, word in chrome["args"].items():
            value = ctf["fields"][name]
            if isinstance(value, dict):
                value = "%s#%d" % (value["type"], value["serial"]) if value["serial"] else "none"
            if word.startswith("thread#") and isinstance(value, int):
                word = word[len("thread#"):]
            forms = {str(value), '"%s"' % value}
            if isinstance(value, int):
                forms |= {"%#x" % value} | ({"none"} if value == 0 else set())
                forms |= {word} if word.endswith("?") else set()  # a name nobody has
            if word not in forms:
                return "%s.%s is %s, and %s in the JSON" % (ctf["name"], name, value, word)
    return None


def demonstration(report):
    status, output = run_make()
    report.add(status and "status %d:\n# %s" % (status, "\n# ".join(output.split("\n")[-20:])),
               "`make trace` lets the demonstration pass")
    touches = [(int(page), address) for page, address in
               re.findall(r"^demo: touch \d+: page (\d+) at (0x[0-9a-f]+)", output, re.M)]
    report.add(len(touches) < 100 and "%d" % len(touches), "the demonstration tells what it touched")
    with open("build/trace.json") as f:
        document = json.load(f)
    events = marks(document)
    report.add(faults_in_order(touches, events),
               "each page that was touched is a fault with its offset, in order, and has its answer")
    report.add(balanced(document), "each bar ends, and after it began")
    names = {e["args"]["name"] for e in document["traceEvents"] if e["name"] == "thread_name"}
    report.add(not any(n.startswith("mapfile#") for n in names) and str(names),
               "threads have their names")
    title = "the CTF metadata alone decodes the same events"
    try:
        ctf = tsdl.Trace("build/trace.ctf")
    except tsdl.Bad as e:
        report.add(str(e), title)
        return output
    report.add(same_events(ctf.events, events), title)
    lost = [p["events_discarded"] for p in ctf.packets]
    report.add(any(lost) and str(lost), "the ring holds the whole demonstration")
    calls = {e["fields"]["operation"] for e in ctf.events if e["name"] == "syscall"}
    missing = {"served.answer", "endpoint.call", "endpoint.reply", "aspace.map"} - calls
    report.add(missing and str(missing), "system calls have their operations' names")
    return output


def page(report, output):
    """What docs/tracing.md shows of `make trace`."""
    with open(PAGE) as f:
        text = f.read()
    blocks = re.findall(r"^```console\n\$ make trace\n(.*?)^```", text, re.M | re.S)
    printed = {plain(line) for line in output.split("\n")}
    wrong = [line for line in "".join(blocks).split("\n")
             if line.strip() and line != "..." and plain(line) not in printed]
    report.add(not blocks and "there is no such block" or "\n# ".join(wrong),
               "%s shows what `make trace` prints" % PAGE)
    known = trace_format.Format()
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*?) *\|", text, re.M)
    wanted = [(name, known.meanings[number]) for number, (name, _) in known.events.items()]
    report.add(rows != wanted and "%s" % sorted(set(rows) ^ set(wanted)),
               "%s lists the events of trace.def" % PAGE)


def panicked(report):
    """A kernel that panics, for want of init: its last records on the console and in the file."""
    out = os.path.join("build", "trace-panic")
    os.makedirs(out, exist_ok=True)
    options = trace.parse(["--out", out, "build/debug/none"])
    result, records, _ = trace.trace(options, False, out)
    report.add(result.status != 1 and "status %s" % result.status, "a panic ends the machine")
    printed = re.findall(r"^trace: (.*)$", result.output.replace("\r", ""), re.M)
    fmt = trace_format.Format()
    with open(os.path.join(out, "trace.ctf", "hart0"), "rb") as f:
        written = [fmt.line(r) for r in fmt.decode(f.read()[trace_format.CTF_PACKET.size:])]
    report.add(records == 0 and "none", "a panicked kernel's records are written")
    report.add(printed != written[-32:] and "%s\n# %s" % (printed[-2:], written[-2:]),
               "the panic prints the last 32 of them, in the same words")
    report.add(not printed or " panic caller=0x" not in printed[-1] and printed[-1],
               "the last one is the panic")
    place = result.output.find("\nbt: ")
    report.add(not 0 < result.output.rfind("\ntrace: ") < place and "at %d" % place,
               "they stand before the backtrace")


def main():
    os.chdir(ROOT)
    report = Report()
    print("TAP version 13")
    page(report, demonstration(report))
    panicked(report)
    print("1..%d" % report.count)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
