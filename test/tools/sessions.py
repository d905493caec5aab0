#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sit at the machine's prompt as a person would, and see that what was typed is done.

usage: sessions.py [--build release] [--rounds 20]

`run_all` yields (passed, text, lines) for each thing shown, of an image that `make run` boots.  Programs
that are plugged in are compiled here, outside the tree, with the command of docs/pager-guide.md: the
pager printed there, and test/elsewhere.  Each expectation waits for a text on the console, so nothing
depends on how fast the machine is; the time limit finds hangs only.
"""

import argparse
import hashlib
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "platform", "tools"))
import mkbundle  # noqa: E402
import qemu  # noqa: E402

LIMIT = 120  # seconds for each expectation
PROMPT = "quire> "
ROUNDS = 20  # start, use and stop a pager


class Silent(Exception):
    """What was expected did not come; the text says what did."""


class Session:
    """A machine that is typed at.  `with Session(image) as s`: waits for the first prompt."""

    def __init__(self, image, initrd="", line=None):
        line = line or qemu.command(kernel=image, initrd=initrd, harts="1")
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.text = ""  # all that was printed
        self.seen = 0  # how much of it was expected already

    def __enter__(self):
        try:
            self.expect(PROMPT)
        except Silent:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def read(self, deadline):
        """Some more output; False if none came in time or the machine ended."""
        left = max(0, deadline - time.monotonic())
        if not select.select([self.process.stdout], [], [], left)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        self.text += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def expect(self, text):
        """All that was printed up to the next occurrence of a text, and the text."""
        deadline = time.monotonic() + LIMIT
        while self.text.find(text, self.seen) < 0:
            if not self.read(deadline):
                raise Silent("%r did not come after %r" % (text, self.text[self.seen:][-500:]))
        end = self.text.index(text, self.seen) + len(text)
        part = self.text[self.seen:end]
        self.seen = end
        return part

    def type(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())
        self.process.stdin.flush()

    def do(self, command):
        """Type a command; what it printed, without its echo and the prompt that follows."""
        self.type(command + "\n")
        self.expect("\n")
        return self.expect(PROMPT)[:-len(PROMPT)]

    def end(self):
        """Wait until the machine has ended; its exit status, None if it did not."""
        deadline = time.monotonic() + LIMIT
        while self.read(deadline):
            pass
        try:
            return self.process.wait(timeout=max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def number(pattern, text):
    """The number that a pattern finds in a text, or -1."""
    match = re.search(pattern, text)
    return int(match.group(1)) if match else -1


def banks(text):
    """What `mem` printed: {bank: (limit, used)}."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"(\S.*?) +(\d+) +(\d+) +\d+ +\d+ +\d+ +\d+$", line)
        if match:
            found[match.group(1)] = (int(match.group(2)), int(match.group(3)))
    return found


def others(found):
    """The banks but those of the file pager, which keeps the pages of each file once opened."""
    return {name: bank for name, bank in found.items() if not name.startswith("filepager")}


def changes(before, after):
    """What differs, for people."""
    names = sorted(n for n in {**before, **after} if before.get(n) != after.get(n))
    return "".join("; %s: %s, then %s" % (n, before.get(n), after.get(n)) for n in names)


# ---- Programs built elsewhere ------------------------------------------------------------------

def guide():
    """The program and the command of docs/pager-guide.md, as printed."""
    with open(os.path.join(ROOT, "docs", "pager-guide.md")) as f:
        text = f.read()
    code = re.search(r"```c\n(.*?)```", text, re.S).group(1)
    command = re.search(r"```sh\n(riscv64-.*?)```", text, re.S).group(1)
    return code, command


def compile_elsewhere(folder, build):
    """Compile the guide's pager with the guide's command, and test/elsewhere; their paths."""
    code, command = guide()
    with open(os.path.join(folder, "zeros.c"), "w") as f:
        f.write(code)
    command = command.replace("build/release", "build/" + build)
    environment = dict(os.environ, QUIRE=ROOT)

    def shell(text):
        subprocess.run(text, shell=True, cwd=folder, env=environment, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True, text=True)

    shell(command)
    shell(command.replace("zeros.c", "$QUIRE/test/elsewhere/stuck.c").replace("zeros", "stuck"))
    # sparse has no run-time library, so that its pages can be counted
    shell(re.sub(r"\$QUIRE/build.*", "", command, flags=re.S).rstrip("\\\n ")
          .replace("zeros.c", "$QUIRE/test/elsewhere/sparse.c").replace("zeros", "sparse")
          + " -nostdlib -msmall-data-limit=0 -Wl,--no-relax")
    return {name: os.path.join(folder, name + ".elf") for name in ("zeros", "stuck", "sparse")}


def archive_of(paths, output):
    members = []
    for name, path in paths.items():
        with open(path, "rb") as f:
            members.append((name, 0o755, f.read()))
    with open(output, "wb") as f:
        f.write(mkbundle.bundle(members))
    return output


# ---- The sessions ------------------------------------------------------------------------------

def typing(image):
    """Commands, editing, a paste, the console's counters."""
    with Session(image) as s:
        yield "demo: passed" in s.text, "the prompt comes after the demonstration"
        yield "Ctrl-A X" in s.text, "the banner says how to leave QEMU"
        listing = s.do("ls")
        yield bool(re.search(r"^ +1572864  data.bin$", listing, re.M)), "ls lists data.bin"
        crc = s.do("cat data.crc").strip()
        yield bool(re.fullmatch(r"[0-9a-f]{8}", crc)), "cat prints a text file"
        yield "checksum " + crc in s.do("cat -s data.bin"), \
            "cat reads every byte of data.bin through the file pager"
        yield s.do("run cat data.crc").strip() == crc, "run starts a program with arguments"
        yield "demo: passed" in s.do("run mapfile"), "run starts the demonstration once more"
        before = s.do("ps")
        line = "".join(chr(33 + i * 7 % 94) for i in range(4096 - len("sum \n")))
        told = s.do("sum " + line)
        yield "%d bytes, checksum %08x" % (len(line), crc32c(line.encode())) in told, \
            "4 KiB pasted in one burst arrive complete"
        after = s.do("ps")
        interrupts = r"uart: (\d+) interrupts"
        yield 0 <= number(interrupts, before) < number(interrupts, after), \
            "ps shows the console's interrupts rising"
        yield number(r"(\d+) lost", after) == 0, "the console lost no byte"
        written = r"(\d+) messages written to the console"
        yield number(written, before) == number(written, after) == 0, \
            "the kernel writes nothing to the console beside its driver"
        s.type("sun\x7fm abd\x1b[D\x08\x1b[C\x17xyz\n")
        s.expect("\n")
        yield "3 bytes, checksum %08x" % crc32c(b"xyz") in s.expect(PROMPT), \
            "backspace, arrows and ctrl-W edit the line"
        s.type("no such\x15sum a\n")
        s.expect("\n")
        yield "1 bytes, checksum %08x" % crc32c(b"a") in s.expect(PROMPT), \
            "ctrl-U takes the line away"
        s.type("\x1b[A\x1b[A\x1b[B\n")
        s.expect("\n")
        yield "checksum %08x" % crc32c(b"a") in s.expect(PROMPT), "arrows bring lines back"
        s.type("sum b\x03")
        yield "bytes" not in s.expect("^C\n" + PROMPT), "ctrl-C leaves the line"
        s.type("run hold data.bin\n")
        s.expect("is mapped")
        s.type("\x03")
        yield "exit code 130" in s.expect(PROMPT), "ctrl-C ends the program that runs"
        yield "there is no such command" in s.do("nonsense"), "an unknown command is told"
        yield "filepager" in s.do("maps") and "data.bin" in s.do("maps filepager") + \
            s.do("faults"), "maps and faults tell of the file pager"
        s.do("run hold data.bin 1000000 &")
        s.expect("is mapped")
        yield "is killed" in s.do("kill hold") and "hold   " not in s.do("mem"), \
            "kill ends a program and its banks"
        s.type("\x04")
        yield s.end() == 0, "ctrl-D ends the machine with the demonstration's status"


def memory(image):
    """The README's table of what the system takes, 5 % more allowed; in the debug build, the rings of
    the trace too."""
    rings = 640 if os.sep + "debug" + os.sep in image else 0
    with open(os.path.join(ROOT, "README.md")) as f:
        text = f.read()
    stated = [int(n.replace(",", "")) for pattern in (r"at the prompt, all in all \| ([0-9,]+)",
                                                      r"pager that is idle \| ([0-9,]+)")
              for n in re.findall(pattern, text)]
    with Session(image) as s:
        used = 256 * 1024 - 4 * number(r"(\d+) pages of the machine are free", s.do("mem"))
        s.do("start zeros z")
        s.do("ls z:")
        found = banks(s.do("mem"))
        idle = 4 * sum(bank[1] for name, bank in found.items() if name in ("z", "z, served"))
        yield len(stated) == 2 and used <= stated[0] * 1.05 + rings and 0 < idle <= stated[1] * 1.05, \
            "at the prompt %d KiB are used, and %d by an idle pager: README.md says %s" % (
                used, idle, stated)


def driver_gone(image):
    """The console driver is a program like any other: its end is no end of the output."""
    with Session(image) as s:
        s.type("kill uart\n")
        status = s.end()
        yield "uart is killed" in s.text and "the console driver is gone" in s.text, \
            "when it is killed the kernel writes what follows"
        yield status == 0, "and the machine ends in order"


def wide(image, folder):
    """A board whose UART has registers four bytes apart, and takes 32-bit accesses only."""
    tree = os.path.join(folder, "icicle.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tree, "test/boards/icicle.dts"],
                   check=True)
    line = ["qemu-system-riscv64", "-machine", "microchip-icicle-kit", "-smp", "5", "-m", "2G",
            "-display", "none", "-monitor", "none", "-serial", "null", "-serial", "stdio",
            "-kernel", image, "-dtb", tree]
    with Session(image, line=line) as s:
        pasted = "x" * 4090
        yield "%08x" % crc32c(pasted.encode()) in s.do("sum " + pasted), \
            "4 KiB pasted arrive complete on icicle"
        before, after = s.do("ps"), s.do("ps")
        interrupts = r"uart: (\d+) interrupts"
        yield 0 < number(interrupts, before) < number(interrupts, after), \
            "and its interrupts rise"


def plugging(image, archive, rounds):
    """Pagers from elsewhere that come and go."""
    with Session(image, archive) as s:
        yield "42, and the rest is zero" in s.do("run sparse"), \
            "bss and the rest of a program's last page are zero"
        faults = number(r"\nfiles +sparse +(\d+) ", s.do("faults"))
        yield 3 <= faults <= 8, \
            "2 MiB of text of which 3 pages run cause %d faults, at most 8" % faults
        s.do("start zeros z")
        s.do("cat z:zeros")
        s.do("stop z")
        before = banks(s.do("mem"))
        good = 0
        for _ in range(rounds):
            good += ("serves as z" in s.do("start zeros z")
                     and s.do("cat z:zeros").startswith("hello from a pager\n")
                     and "is stopped" in s.do("stop z"))
        yield good == rounds, "a pager from elsewhere: start, cat NAME:FILE, stop, %d times" % rounds
        after = banks(s.do("mem"))
        yield bool(before) and before == after, \
            "after %d times every bank has what it had%s" % (rounds, changes(before, after))
        s.do("start zeros z")
        s.do("run hold z:zeros 200000 &")
        s.expect("is mapped")
        s.do("stop z")
        told = s.expect("[hold ended with exit code 134]")
        yield "stopped by OWNER_DEAD" in told, "a client of a pager that is gone hears OWNER_DEAD"
        s.do("")
        yield others(banks(s.do("mem"))) == others(before), "and then its banks are back too"
        s.do("start stuck w wild")
        told = s.do("cat w:stuck")
        yield "stopped by IO" in told, "a pager that answers wildly: its client hears IO"
        s.do("start stuck n never")
        s.type("cat n:stuck\n")
        s.expect("\n")
        s.type("\x03")
        yield "exit code 130" in s.expect(PROMPT), "a client of a pager that never answers: ctrl-C"
        s.do("run hold n:stuck &")
        s.expect("is mapped")
        waits = r"waits now: hold for 'stuck', (\d+) ms"
        waited = number(waits, s.do("faults"))
        yield waited >= 0, "faults tells who waits for whom"
        time.sleep(0.1)  # the machine's time passes faster while it has nothing to do
        longer = number(waits, s.do("faults"))
        yield 0 <= waited < longer, \
            "and how long: %d ms, then %d ms" % (waited, longer)
        told = s.do("stop n")
        if "OWNER_DEAD" not in told:
            told += s.expect("exit code 134]")
        yield "stopped by OWNER_DEAD" in told, "stop wakes those who wait with OWNER_DEAD"
        s.do("start stuck c crash")
        told = s.do("cat c:stuck")
        yield "program 'c'" in told and "OWNER_DEAD" in told, \
            "a pager that crashes: it is reported, and its client hears OWNER_DEAD"
        s.do("kill w")
        yield others(banks(s.do("mem"))) == others(before), \
            "after all of them every bank has what it had"
        yield "data.bin" in s.do("ls"), "and the system goes on"


def liars(program, folder):
    """ELF files that lie about sizes, made from a good one: {name: path}."""
    with open(program, "rb") as f:
        good = f.read()
    table = struct.unpack_from("<Q", good, 32)[0]  # program headers; 56 bytes each, the first LOAD

    def patched(offset, form, value):
        data = bytearray(good)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    files = {
        "cut": good[:table + 100],
        "far": patched(32, "<Q", 1 << 40),  # the table outside the file
        "many": patched(56, "<H", 0xffff),  # its entries
        "long": patched(table + 32, "<Q", 1 << 60),  # bytes of a segment in the file
        "small": patched(table + 40, "<Q", 1),  # bytes of it in memory
        "high": patched(table + 16, "<Q", 0xffffffffffff0000),  # its address
    }
    paths = {}
    for name, data in files.items():
        paths["liar-" + name] = os.path.join(folder, "liar-" + name)
        with open(paths["liar-" + name], "wb") as f:
            f.write(data)
    return paths


def lies(image, program, folder):
    """Executables and archives that lie about sizes."""
    paths = liars(program, folder)
    whole = archive_of(paths, os.path.join(folder, "liars.cpio"))
    with open(whole, "rb") as f:
        data = f.read()
    with Session(image, whole) as s:
        for name in paths:
            told = s.do("run " + name)
            yield "loading it" in told, "%s is refused: %s" % (name, told.strip())
        before = banks(s.do("mem"))
        for name in paths:
            s.do("run " + name)
        after = banks(s.do("mem"))
        yield others(before) == others(after), "and nothing is lost%s" % changes(before, after)
    shorter = struct.unpack("8s", b"%08X" % 0x7fffffff)[0]
    for what, bad in (("cut in a header", data[:60]), ("cut in a file", data[:len(data) // 2]),
                      ("of rubbish", b"\xff" * 5000), ("of zeros", bytes(8192)),
                      ("with a file larger than itself", data[:54] + shorter + data[62:]),
                      ("with a name larger than itself", data[:94] + shorter + data[102:])):
        path = os.path.join(folder, "bad.cpio")
        with open(path, "wb") as f:
            f.write(bad)
        with Session(image, path) as s:
            yield "data.bin" in s.do("ls") and "demo: passed" in s.text, \
                "an archive %s: the system goes on" % what


def piped(folder, stdin, data=None, add=""):
    """`run.py` with that standard input: exit status and output."""
    line = [sys.executable, os.path.join(ROOT, "platform", "tools", "run.py"), "--limit", "60",
            "--initrd", add, folder]
    if stdin == "closed":
        line = ["sh", "-c", 'exec "$@" <&-', "sh"] + line
    done = subprocess.run(line, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL if data is None else None)
    return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def pipes(build, programs):
    """What `make run` does without a terminal."""
    folder = os.path.join("build", build, "run")
    status, text = piped(folder, "ended")
    yield status == 0 and PROMPT in text, "with standard input at its end the machine ends"
    status, text = piped(folder, "closed")
    yield status == 0 and PROMPT in text, "with standard input closed the machine ends"
    status, text = piped(folder, "data", b"ls\nsum abc")
    yield status == 0 and "data.bin" in text and "3 bytes" in text, \
        "commands that are piped in run first, also without a last newline"
    image = os.path.join(folder, "Image")
    before = digest(image)
    status, text = piped(folder, "data", b"start zeros z\ncat z:zeros\nstop z\n", programs["zeros"])
    yield status == 0 and "hello from a pager" in text and digest(image) == before, \
        "ADD=pager.elf: start, cat NAME:FILE, stop; the image is the same"
    flip = os.path.join("build", build, "flip")
    if os.path.exists(flip):
        status, text = piped(flip, "data", b"ls\n")
        yield status == 1 and "demo: FAILED" in text, "the status is the demonstration's"


def printed():
    """The guide and the example are one."""
    code, _ = guide()
    with open(os.path.join(ROOT, "user", "examples", "zeros", "main.c")) as f:
        yield f.read() == code, "docs/pager-guide.md prints user/examples/zeros/main.c"
    yield code.count("\n") <= 40, "the guide's pager has %d lines, at most 40" % code.count("\n")


def run_all(build, rounds=ROUNDS):
    """Every session of a build: (passed, text, lines that explain)."""
    image = os.path.join("build", build, "run", "Image")
    with tempfile.TemporaryDirectory() as folder:
        try:
            programs = compile_elsewhere(folder, build)
        except subprocess.CalledProcessError as e:
            yield False, "programs compile outside the tree", e.stderr.splitlines()[-20:]
            return
        archive = archive_of(programs, os.path.join(folder, "add.cpio"))
        for name, session in (("guide", printed()), ("typing", typing(image)),
                              ("memory", memory(image)),
                              ("console driver", driver_gone(image)),
                              ("wide registers", wide(image, folder)),
                              ("plugging", plugging(image, archive, rounds)),
                              ("lies", lies(image, programs["zeros"], folder)),
                              ("pipes", pipes(build, programs))):
            try:
                for passed, text in session:
                    yield passed, "%s: %s" % (name, text), []
            except Silent as e:
                yield False, "%s: the session goes on to its end" % name, [str(e)]


def main():
    parser = argparse.ArgumentParser(description="sessions at the prompt")
    parser.add_argument("--build", default="release")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    os.chdir(ROOT)
    failed = 0
    for passed, text, lines in run_all(options.build, options.rounds):
        failed += not passed
        print("%s - %s" % ("ok" if passed else "not ok", text), flush=True)
        for line in lines:
            print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
