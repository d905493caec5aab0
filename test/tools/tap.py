# SPDX-License-Identifier: MIT
"""Read and write TAP 13: the one form in which every test of the project reports.

A console is not a clean TAP stream: several programs print on it, each with a plan of its own, and
other text stands between.  So numbers are ignored, plans are added up, and whatever does not begin
like a TAP line is left out.
"""

import re

RESULT = re.compile(r"^(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(#.*)?$")


class Stream:
    """What a TAP text says: results as [passed, text, comments], the sum of its plans (None if it
    has none), and the text of a `Bail out!` (None if it has none)."""

    def __init__(self, text):
        self.results = []
        self.planned = None
        self.bail = None
        for line in text.split("\n"):
            self.line(line.strip("\r"))

    def line(self, line):
        result = RESULT.match(line)
        plan = PLAN.match(line)
        if result:
            passed = not result.group(1)
            # Nothing is skipped here: a test that says so has not shown what it claims.
            if re.search(r"#\s*(skip|todo)\b", result.group(2), re.I):
                passed = False
            self.results.append([passed, result.group(2), []])
        elif plan:
            self.planned = (self.planned or 0) + int(plan.group(1))
        elif line.startswith("Bail out!"):
            self.bail = line[len("Bail out!"):].strip() or "no reason given"
        elif line.startswith("#") and self.results:
            self.results[-1][2].append(line)


class Report:
    """Collects results from everywhere, numbers them, writes the file, and keeps the sum."""

    def __init__(self):
        self.lines = []
        self.passed = 0
        self.failed = 0
        self.passing = []

    def add(self, passed, text, comments=()):
        """One test.  A failed one is printed at once, with its comments."""
        if passed:
            self.passed += 1
            self.passing.append(text)
        else:
            self.failed += 1
        number = self.passed + self.failed
        line = "%sok %d - %s" % ("" if passed else "not ", number, text)
        block = [line] + ["# " + c.lstrip("# ") for c in comments]
        self.lines += block
        if not passed:
            print("\n".join(block), flush=True)

    def add_stream(self, stream, prefix):
        """All results of a Stream, and as failures what it promised and did not deliver."""
        for passed, text, comments in stream.results:
            self.add(passed, prefix + text, comments)
        if stream.bail is not None:
            self.add(False, prefix + "bailed out: " + stream.bail)
        if stream.planned is None:
            self.add(False, prefix + "prints a plan `1..N`")
        elif stream.planned != len(stream.results):
            self.add(False, prefix + "runs every test it planned",
                     ["planned %d, seen %d" % (stream.planned, len(stream.results))])

    def write(self, path):
        with open(path, "w") as f:
            f.write("TAP version 13\n")
            f.write("\n".join(self.lines + ["1..%d" % (self.passed + self.failed)]) + "\n")

    def sum(self):
        return "%d passed, %d failed" % (self.passed, self.failed)
