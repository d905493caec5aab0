#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make check` does: everything that needs no machine, in under 45 seconds.

usage: check.py [--jobs N]

Format, include arrows, licence lines, the tools' own tests, all sources through gcc (both builds)
and through clang (which only reads them), and the unit tests on this machine.  Each is one line;
the last line is the sum, in which every unit test counts.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PICOLIBC = "/usr/lib/picolibc/riscv64-unknown-elf/include"
CLANG = ["clang", "--target=riscv64", "-mcmodel=medany", "-fsyntax-only", "-std=gnu11", "-O2",
         "-Wall", "-Wextra", "-Werror", "-Wthread-safety", "-DCONFIG_DEBUG=1", "-I."]
CLANG_KERNEL = CLANG + ["-march=rv64imac", "-mabi=lp64", "-ffreestanding",
                        "-Ikernel/arch/riscv64"]
CLANG_USER = CLANG + ["-march=rv64gc", "-mabi=lp64d", "-isystem", PICOLIBC]


class Check:
    """The steps; each returns (passed, failed, what to print if it failed)."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.make = os.environ.get("MAKE", "make").split()
        self.steps = [
            ("format", self.format),
            ("include arrows", lambda: self.script("test/tools/check_includes.py")),
            ("licence lines", lambda: self.script("test/tools/check_licence.py")),
            ("docs/abi.md", lambda: self.script("test/tools/mkabi.py", "--check")),
            ("tools", lambda: self.script("test/tools/test_tools.py")),
            ("gcc, release", lambda: self.goals("BUILD=release", "objects")),
            ("gcc, debug", lambda: self.goals("BUILD=debug", "objects")),
            ("clang, kernel", lambda: self.each(CLANG_KERNEL, self.variable("KERNEL_C"))),
            ("clang, user", lambda: self.each(CLANG_USER, self.variable("USER_C"))),
            ("unit tests", self.unit),
        ]

    def command(self, line):
        """Run a command; (status, output)."""
        try:
            done = subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace")
        except OSError as e:
            return 127, "%s: %s" % (line[0], e.strerror)
        return done.returncode, done.stdout

    def one(self, line):
        status, output = self.command(line)
        return (1, 0, "") if status == 0 else (0, 1, output)

    def variable(self, name):
        status, output = self.command(self.make + ["-s", "print-" + name])
        return output.split() if status == 0 else []

    def format(self):
        files = self.variable("FORMAT_FILES")
        if not files:
            return 0, 1, "there is no C file"
        return self.one(["clang-format", "--dry-run", "-Werror"] + files)

    def script(self, path, *arguments):
        return self.one([sys.executable, path, *arguments])

    def goals(self, *goals):
        """Let make build something; of its output only what is not a step."""
        good, bad, output = self.one(["flock", "build/lock", *self.make, "-k", "-s", "-j%d" % self.jobs, *goals])
        return good, bad, "".join(line + "\n" for line in output.split("\n")
                                  if line.strip() and not line.startswith("  ["))

    def each(self, line, files):
        """The compiler on each file, `jobs` at a time."""
        if not files:
            return 0, 1, "there is no such source"
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            done = list(pool.map(lambda f: self.command(line + [f]), files))
        output = "".join(text for status, text in done if status != 0)
        return (0, 1, output) if any(status for status, _ in done) else (1, 0, "")

    def unit(self):
        passed, failed, built = self.goals("unit-programs")
        line = [sys.executable, "test/tools/run_tests.py", "--sets", "unit",
                "--out", "build/unit.tap"] + (["--failed-builds", "unit"] if failed else [])
        status, output = self.command(line)
        found = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
        if not found:
            return 0, 1, built + output
        passed, failed = int(found[-1][0]), int(found[-1][1])
        return passed, failed or (1 if status else 0), built + output

    def run(self):
        passed = failed = 0
        for number, (name, step) in enumerate(self.steps, 1):
            begin = time.monotonic()
            good, bad, output = step()
            passed += good
            failed += bad
            if bad:
                print(output.rstrip())
            print("%d of %d: %s: %s (%.1f s)" % (number, len(self.steps), name,
                                               "FAILED" if bad else "ok",
                                               time.monotonic() - begin), flush=True)
        print("%d passed, %d failed" % (passed, failed))
        return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description="all checks that need no machine")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    os.chdir(ROOT)
    os.makedirs("build", exist_ok=True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    # This make is called anew for each step: it must not look for the job server of its caller.
    os.environ.pop("MAKEFLAGS", None)
    return Check(options.jobs).run()


if __name__ == "__main__":
    sys.exit(main())
