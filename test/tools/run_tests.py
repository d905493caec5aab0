#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tests that make has built and merge what they say into one TAP file.

usage: run_tests.py [--sets "unit system random boot gdb trace errors"] [--builds "release debug"] ...

Seven sets, in this order:
  unit    the programs of build/unit, on this machine, under ASan and UBSan;
  system  the image whose programs print TAP on the console, once for each build;
  random  20,000 random calls (test/system/random_calls), once for each build;
  boot    whole runs of the machine, by their exit status and output: the table BOOTS below; then
          sessions at its prompt (sessions.py);
  gdb     one session of gdb, by gdb_session.py, once for each build;
  trace   `make trace` and what it writes, by trace_session.py, in the debug build;
  errors  each (operation, error) pair of lib/abi/*.def is named, as `object.operation ERROR`, by a
          test that passed.
Nothing is skipped: what cannot run (not built, no plan, killed by the time limit) has failed.  The
last line is the sum; the exit status is 0 if nothing failed.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "platform", "tools"))
import mkelf  # noqa: E402
import qemu  # noqa: E402
import sessions  # noqa: E402
import tap  # noqa: E402

SETS = ["unit", "system", "random", "boot", "gdb", "trace", "errors"]
UNIT_LIMIT = 240  # seconds
SYSTEM_LIMIT = 580
RANDOM_LIMIT = 120
BOOT_LIMIT = 240
GDB_LIMIT = 400
TRACE_LIMIT = 300
DEMO_LINES = 40  # at most, unless V=1


class Boot:
    """One run of the machine: what to boot and how, and the function that judges what came of it."""

    def __init__(self, name, judge=None, bundle="run", address=None, shape="image", **machine):
        self.name = name
        self.judge = judge or demonstration_passes  # None if all is well, else what is wrong
        self.bundle = bundle
        self.address = address  # where to load it, if not where QEMU does
        self.shape = shape  # "image": the flat Image; "elf": kernel.elf itself, moved
        self.machine = machine  # of qemu.command


def flipped_offset():
    """The offset at which the system of DEMO=flip lets its pager alter a byte: its .dts gives the
    program `flip` the arguments file and offset.  None if it does not."""
    with open("user/demo/flip.dts") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    match = re.search(r'\bflip\s*\{[^}]*?\barguments\s*=\s*"[^"]*"\s*,\s*"(0x[0-9a-fA-F]+|[0-9]+)"',
                      text)
    return int(match.group(1), 0) if match else None


def demonstration_ran(result):
    told = len(re.findall(r"^demo: ", result.output, re.M))
    if not 1 <= told <= DEMO_LINES:
        return "the demonstration printed %d lines, not 1 to %d" % (told, DEMO_LINES)
    return None


def demonstration_passes(result):
    if result.status != 0:
        return "ended with status %s" % result.status
    return demonstration_ran(result)


def demonstration_names_offset(result):
    offset = flipped_offset()
    if offset is None:
        return "its .dts names no offset"
    if result.status == 0:
        return "ended with status 0"
    if not re.search(r"\b(0*%d|0x0*%x)\b" % (offset, offset), result.output, re.I):
        return "its output does not name offset %d (%#x)" % (offset, offset)
    return demonstration_ran(result)


def stages_are_numbered(result):
    numbers = [int(n) for n in re.findall(r"^\[(\d+)\] \S", result.output, re.M)]
    if len(numbers) < 5 or numbers != list(range(1, len(numbers) + 1)):
        return "the numbered lines of boot are %s" % numbers
    return demonstration_passes(result)


def panics_with_symbols(result):
    if result.status != 1:
        return "ended with status %s, not 1" % result.status
    if not re.search(r"panic.*no program `init`", result.output, re.I):
        return "it does not say that there is no program `init`"
    line = r"^bt: 0x[0-9a-f]+ +first_user_start \S*first_user\.c:\d+"
    if not re.search(line, result.output, re.M):
        return "no line of the backtrace names first_user_start and its line"
    return None


def timer_of_the_firmware(result):
    if result.status != 0:
        return "ended with status %s" % result.status
    if not re.search(r"tick of 10 ms by firmware", result.output):
        return "the kernel does not say that its tick is the firmware's"
    return None


def timer_of_the_hart(result):
    if not re.search(r"tick of 10 ms by stimecmp", result.output):
        return "the kernel does not say that its tick is by stimecmp"
    return demonstration_passes(result)


BOOTS = [
    Boot("the demonstration passes"),
    Boot("each stage of boot prints a numbered line", stages_are_numbered),
    Boot("the demonstration passes with MEM=32M", mem="32M"),
    Boot("the demonstration passes with ASID=off", asid="off"),
    Boot("stimecmp is used where the device tree has Sstc", timer_of_the_hart),
    Boot("the system tests pass with the firmware's timer, without Sstc", timer_of_the_firmware,
         bundle="system", sstc="off"),
    Boot("boots from the Image at RAM + 66 MiB", address=0x84200000),
    Boot("boots from the ELF file moved to 0x83333000", address=0x83333000, shape="elf"),
    Boot("DEMO=flip fails and reports exactly the altered offset", demonstration_names_offset,
         bundle="flip"),
    Boot("a bundle without init: panic, symbolised backtrace, status 1", panics_with_symbols,
         bundle="none"),
] + [Boot("boots with 4 harts, run %d of 10" % n, harts="4") for n in range(1, 11)]


def kernel_file(folder, boot):
    """The file to hand to QEMU for a Boot, made first where it is to load elsewhere."""
    if boot.address is None:
        return os.path.join(folder, "Image")
    with open(os.path.join(folder, "Image" if boot.shape == "image" else "kernel.elf"), "rb") as f:
        data = f.read()
    change = mkelf.wrap if boot.shape == "image" else mkelf.move
    path = os.path.join(folder, "at-%x.elf" % boot.address)
    with open(path, "wb") as f:
        f.write(change(data, boot.address))
    return path


def last_lines(text, count=30):
    return [line.rstrip("\r") for line in text.rstrip().split("\n")[-count:]]


def boot_verdict(boot, result):
    """None if the run did what it must, else a text that says what it did instead."""
    if result.status is None:
        return "no end within %d seconds" % BOOT_LIMIT
    return boot.judge(result)


class Runner:
    """The jobs of the chosen sets, and the report they write to."""

    def __init__(self, options):
        self.options = options
        self.failed_builds = options.failed_builds.split()
        self.report = tap.Report()
        self.jobs = []

    def plan(self):
        sets = self.options.sets.split()
        for name in sets:
            if name not in SETS:
                sys.exit("run_tests: set '%s' is not known: use %s" % (name, ", ".join(SETS)))
        for what in self.failed_builds:
            self.jobs.append(("build of " + what,
                              lambda what=what: self.report.add(False, "[%s] builds" % what)))
        if "unit" in sets:
            self.plan_unit()
        for build in self.options.builds.split():
            if "system" in sets:
                self.jobs.append(("[%s] system tests" % build,
                                  lambda build=build: self.system(build)))
        for build in self.options.builds.split() if "random" in sets else []:
            self.jobs.append(("[%s] random calls" % build,
                              lambda build=build: self.system(build, "random", "random calls", RANDOM_LIMIT)))
        for build in self.options.builds.split():
            for boot in BOOTS if "boot" in sets else []:
                self.jobs.append(("[%s] %s" % (build, boot.name),
                                  lambda build=build, boot=boot: self.boot(build, boot)))
        for build in self.options.builds.split() if "boot" in sets else []:
            self.jobs.append(("[%s] sessions at the prompt" % build,
                              lambda build=build: self.sessions(build)))
        for build in self.options.builds.split():
            if "gdb" in sets:
                self.jobs.append(("[%s] gdb" % build, lambda build=build: self.gdb(build)))
        if "trace" in sets and "debug" in self.options.builds.split():
            self.jobs.append(("[debug] trace", self.trace))
        if "errors" in sets:
            self.jobs.append(("errors of lib/abi that no test provokes", self.errors))

    def plan_unit(self):
        sources = sorted(glob.glob("test/unit/**/test_*.c", recursive=True))
        names = [os.path.basename(s)[:-2] for s in sources]
        if self.options.only:
            names = [n for n in names if n == self.options.only]
        if not names:
            self.jobs.append(("unit tests", lambda: self.report.add(
                False, "[unit] there is a test %s" % (self.options.only or "in test/unit"))))
        for name in names:
            self.jobs.append(("[unit] " + name, lambda name=name: self.unit(name)))

    def unit(self, name):
        prefix = "[unit] %s: " % name
        program = os.path.join("build", "unit", name)
        environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", QUIRE_UNIT_DIR="build/unit")
        if self.options.seed:
            environment["SEED"] = self.options.seed
        try:
            done = subprocess.run([program], env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=UNIT_LIMIT)
            status, raw = done.returncode, done.stdout
        except OSError as e:
            self.report.add(False, prefix + "starts", [str(e)])
            return
        except subprocess.TimeoutExpired as e:
            status, raw = None, e.stdout or b""
        text = raw.decode(errors="replace")
        stream = tap.Stream(text)
        self.report.add_stream(stream, prefix)
        if status is None:
            self.report.add(False, prefix + "ends within %d seconds" % UNIT_LIMIT,
                            last_lines(text))
        elif status != 0 and all(passed for passed, _, _ in stream.results):
            self.report.add(False, prefix + "ends with status 0, not %d" % status,
                            last_lines(text, 60))

    def machine(self, build, bundle, kernel, log, limit, **values):
        """Run the machine and keep its console in build/BUILD/BUNDLE/LOG."""
        folder = os.path.join("build", build, bundle)
        line = qemu.command(kernel=kernel, seed=self.options.seed, **values)
        result = qemu.run(line, os.path.join(folder, "kernel.elf"), limit)
        with open(os.path.join(folder, log), "w") as f:
            f.write(" ".join(line) + "\n" + result.output)
        return result

    def built(self, build, bundle, prefix):
        """Is the image there?  If not, that is a failed test."""
        image = os.path.join("build", build, bundle, "Image")
        good = build not in self.failed_builds and os.path.exists(image)
        if not good:
            self.report.add(False, prefix, ["%s was not built" % image])
        return good

    def system(self, build, bundle="system", what="system tests", limit=SYSTEM_LIMIT):
        """A machine whose programs print TAP."""
        prefix = "[%s] " % build
        if not self.built(build, bundle, prefix + what + " run"):
            return
        image = os.path.join("build", build, bundle, "Image")
        result = self.machine(build, bundle, image, "console.log", limit)
        stream = tap.Stream(result.output)
        self.report.add_stream(stream, prefix)
        title = prefix + what + " run to the end of the machine, status 0"
        if result.status is None:
            self.report.add(False, title, ["no end within %d seconds" % limit]
                            + last_lines(result.output))
        else:
            self.report.add(result.status == 0, title, [] if result.status == 0 else
                            ["status %d" % result.status] + last_lines(result.output))

    def boot(self, build, boot):
        title = "[%s] %s" % (build, boot.name)
        if not self.built(build, boot.bundle, title):
            return
        kernel = kernel_file(os.path.join("build", build, boot.bundle), boot)
        result = self.machine(build, boot.bundle, kernel, "boot.log", BOOT_LIMIT,
                              **boot.machine)
        wrong = boot_verdict(boot, result)
        self.report.add(wrong is None, title,
                        [] if wrong is None else [wrong] + last_lines(result.output))

    def sessions(self, build):
        prefix = "[%s] session, " % build
        if self.built(build, "run", prefix + "there is a prompt"):
            for passed, text, lines in sessions.run_all(build):
                self.report.add(passed, prefix + text, lines)

    def script(self, build, name, arguments, limit):
        """A script of this folder that prints TAP, on the system `run`."""
        prefix = "[%s] " % build
        if not self.built(build, "run", prefix + name):
            return
        try:
            done = subprocess.run([sys.executable, "test/tools/%s.py" % name] + arguments,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=limit)
        except subprocess.TimeoutExpired:
            self.report.add(False, prefix + "%s ends within %d seconds" % (name, limit))
            return
        stream = tap.Stream(done.stdout)
        self.report.add_stream(stream, prefix)
        if done.returncode != 0 and all(passed for passed, _, _ in stream.results):
            self.report.add(False, prefix + "%s has status 0, not %d" % (name, done.returncode),
                            last_lines(done.stdout))

    def gdb(self, build):
        self.script(build, "gdb_session", [os.path.join("build", build, "run")], GDB_LIMIT)

    def trace(self):
        self.script("debug", "trace_session", [], TRACE_LIMIT)

    def errors(self):
        """One failed test for each error that no passing test names."""
        pairs = error_pairs()
        named = {m for text in self.report.passing
                 for m in re.findall(r"\b(\w+)\.(\w+) ([A-Z][A-Z0-9_]*)\b", text)}
        missing = [p for p in pairs if p not in named]
        for pair in missing:
            self.report.add(False, "[errors] %s.%s %s is provoked by a test" % pair)
        self.report.add(bool(pairs) and not missing,
                        "[errors] %d of %d errors of lib/abi are provoked by tests"
                        % (len(pairs) - len(missing), len(pairs)))

    def run(self):
        self.plan()
        begin = time.monotonic()
        os.makedirs(os.path.dirname(self.options.out) or ".", exist_ok=True)
        for number, (name, job) in enumerate(self.jobs, 1):
            before = self.report.failed
            start = time.monotonic()
            try:
                job()
            except qemu.BadValue as e:
                self.report.add(False, name, [str(e)])
            print("%d of %d: %s: %s (%.1f s)" % (
                number, len(self.jobs), name, "ok" if self.report.failed == before else "FAILED",
                time.monotonic() - start), flush=True)
        self.report.write(self.options.out)
        print("%s, %.0f s" % (self.options.out, time.monotonic() - begin))
        print(self.report.sum())
        return 1 if self.report.failed else 0


def error_pairs():
    """(object, operation, error) of each ERR line of the definition files, in their order."""
    pairs = []
    for path in sorted(glob.glob("lib/abi/*.def")):
        with open(path) as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        pairs += re.findall(r"^\s*ERR\(\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*,", text, re.M)
    return pairs


def main():
    parser = argparse.ArgumentParser(description="run the tests and merge their TAP")
    parser.add_argument("--sets", default=" ".join(SETS))
    parser.add_argument("--builds", default="release debug")
    parser.add_argument("--only", default="", help="of the unit tests, run this one")
    parser.add_argument("--failed-builds", default="", help="what make could not build")
    parser.add_argument("--seed", default="")
    parser.add_argument("--out", default="build/test.tap")
    options = parser.parse_args()
    os.chdir(ROOT)
    return Runner(options).run()


if __name__ == "__main__":
    sys.exit(main())
