# SPDX-License-Identifier: MIT
"""Start a machine under QEMU and follow its console: the module behind `make run`, `gdb` and `test`.

A board is a folder of platform/ with a board.ini.  With one hart the machine counts instructions
(-icount), so that what it prints is the same on each run; with more it does not.  The kernel ends
QEMU itself, through the test finisher of the machine, with a real exit status; whoever does not end
in time is killed, and that is reported apart from any status.
"""

import configparser
import os
import re
import select
import subprocess
import sys
import termios
import time

import symbolise

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class BadValue(Exception):
    """A variable of the command line has a value that cannot be used; the text says what to do."""


class Result:
    """How a run ended: QEMU's status (None if it was killed) and all that the console printed."""

    def __init__(self, status, output, seconds):
        self.status = status
        self.output = output
        self.seconds = seconds


def size(text, name):
    """A memory size such as 256M or 1G, in bytes."""
    match = re.fullmatch(r"([0-9]+)([MG])", text)
    if not match:
        raise BadValue("%s=%s is no size: use a number with M or G, for example %s=256M"
                       % (name, text, name))
    return int(match.group(1)) << (20 if match.group(2) == "M" else 30)


def boards():
    """The names of the boards that QEMU can run."""
    folder = os.path.join(ROOT, "platform")
    return sorted(n for n in os.listdir(folder)
                  if os.path.exists(os.path.join(folder, n, "board.ini")))


def load_board(name):
    """The description of a board, from its board.ini."""
    if name not in boards():
        raise BadValue("BOARD=%s is not known: use one of %s" % (name, ", ".join(boards())))
    board = configparser.ConfigParser()
    board.read(os.path.join(ROOT, "platform", name, "board.ini"))
    return board


def version(program):
    """QEMU's version as a pair of numbers."""
    try:
        text = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    except OSError as e:
        raise BadValue("%s does not start (%s): `make deps` installs it" % (program, e.strerror))
    match = re.search(r"version (\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def no_ad_flags(program):
    """The options for a processor that leaves the A and D bits to software."""
    have = version(program)
    if have < (8, 1):
        raise BadValue("AD=off: this QEMU is %d.%d, which always sets the A and D bits; "
                       "version 8.1 or later is needed" % have)
    return ["-cpu", "rv64,svadu=off" + (",svade=on" if have >= (9, 2) else "")]


def cpu_flags(program, ad, sstc):
    """The options for a processor without something that QEMU's has."""
    flags = no_ad_flags(program) if not on_off(ad, "AD") else []
    if not on_off(sstc, "SSTC"):
        flags = ["-cpu", (flags[1] if flags else "rv64") + ",sstc=off"]
    return flags


def number(text, name, low, high):
    """A whole number in a range."""
    if not re.fullmatch(r"[0-9]+", text) or not low <= int(text) <= high:
        raise BadValue("%s=%s cannot be: use a whole number from %d to %d" % (name, text, low, high))
    return int(text)


def on_off(text, name):
    if text not in ("on", "off"):
        raise BadValue("%s=%s is not known: use %s=on or %s=off" % (name, text, name, name))
    return text == "on"


def command(board="virt", harts="", mem="", kernel=None, initrd="", seed="", ad="on", asid="on",
            verbose="0", arguments=(), serial=("-serial", "mon:stdio"), sstc="on"):
    """The QEMU command line; every value is a text as the user typed it, "" = the board's own."""
    ini = load_board(board or "virt")
    program = ini["qemu"]["program"]
    count = number(harts or ini["board"]["harts"], "HARTS", 1, int(ini["board"]["max_harts"]))
    memory = mem or ini["board"]["mem"]
    low, high = ini["board"]["min_mem"], ini["board"]["max_mem"]
    if not size(low, "MEM") <= size(memory, "MEM") <= size(high, "MEM"):
        raise BadValue("MEM=%s cannot be: use a size from %s to %s" % (memory, low, high))
    line = [program] + ini["qemu"]["arguments"].split()
    line += ["-smp", str(count), "-m", memory, "-display", "none", *serial]
    if count == 1:
        line += ["-icount", "shift=0,sleep=off"]
    words = list(arguments)
    if not on_off(asid, "ASID"):
        words.append("asid=off")
    if seed:
        words.append("seed=%d" % number(seed, "SEED", 0, (1 << 64) - 1))
    if verbose == "1":
        words.append("v=1")
    if words:
        line += ["-append", " ".join(words)]
    if initrd:
        if not os.path.isfile(initrd):
            raise BadValue("ADD=%s: there is no such file" % initrd)
        line += ["-initrd", initrd]
    line += cpu_flags(program, ad, sstc)
    if kernel:
        line += ["-kernel", kernel]
    return line


class Console:
    """Passes on what the machine prints, at once, and completes the lines of a backtrace."""

    def __init__(self, elf, live):
        self.elf = elf
        self.live = live
        self.line = b""
        self.held = b""
        self.text = bytearray()

    def emit(self, data):
        self.text += data
        if self.live:
            os.write(1, data)

    def feed(self, data):
        # What is read may end between the two bytes of a line end, which belong together.
        data, self.held = self.held + data, b""
        if data.endswith(b"\r"):
            data, self.held = data[:-1], b"\r"
        for part in data.splitlines(keepends=True):
            body = part.rstrip(b"\r\n")
            self.line += body
            self.emit(body)
            if part.endswith(b"\n"):
                line = self.line.decode(errors="replace")
                self.emit(symbolise.place(self.elf, line).encode() + part[len(body):])
                self.line = b""
            elif len(body) < len(part):
                self.emit(part[len(body):])


class Input:
    """What the machine is typed when its terminal is no terminal: a stream, and then ctrl-D.

    QEMU does not tell the machine that its input ended, so the byte that a person would type does.
    Nothing is sent before the machine has printed something: firmware empties the UART's FIFO.
    """

    def __init__(self, source):
        self.source = source  # file descriptor, or None: it has ended
        self.pending = b""
        self.begun = False
        self.last = b"\n"
        if source is None:
            self.end()

    def end(self):
        self.source = None
        self.pending += (b"" if self.last == b"\n" else b"\n") + b"\x04"

    def reads(self):
        return [self.source] if self.begun and self.source is not None and not self.pending else []

    def read(self):
        data = os.read(self.source, 65536)
        if not data:
            self.end()
            return
        self.last = data[-1:]
        self.pending = data.replace(b"\x01", b"\x01\x01")  # ctrl-A is QEMU's own

    def write(self, pipe):
        try:
            self.pending = self.pending[os.write(pipe.fileno(), self.pending):]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.pending = b""


def follow(process, console, typed, deadline):
    """Pass output and input on until QEMU ends; True if the deadline came first."""
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return True
        writes = [process.stdin] if typed and typed.begun and typed.pending else []
        readable, writable, _ = select.select(
            [process.stdout] + (typed.reads() if typed else []), writes, [], left)
        if process.stdout in readable:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return False
            console.feed(data)
            if typed:
                typed.begun = True
        if typed and typed.source in readable:
            typed.read()
        if writable:
            typed.write(process.stdin)


def run(line, elf, limit=None, live=False, stdin=subprocess.DEVNULL):
    """Run a command line made by command() until it ends, or for at most `limit` seconds.  stdin: a
    file descriptor that the machine is typed from; None = our own, handed on as it is if it is a
    terminal; DEVNULL: it has ended."""
    console = Console(elf, live)
    terminal = None
    typed = None
    if stdin is None and os.isatty(0):
        terminal = termios.tcgetattr(0)
    else:
        typed = Input({None: 0, subprocess.DEVNULL: None}.get(stdin, stdin))
    begin = time.monotonic()
    try:
        process = subprocess.Popen(line, stdin=subprocess.PIPE if typed else None,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as e:
        raise BadValue("%s does not start (%s): `make deps` installs it" % (line[0], e.strerror))
    if typed:
        os.set_blocking(process.stdin.fileno(), False)
    killed = False
    try:
        killed = follow(process, console, typed, None if limit is None else begin + limit)
    finally:
        if killed or sys.exc_info()[0]:
            process.kill()
        status = process.wait()
        process.stdout.close()
        if typed:
            process.stdin.close()
        if terminal:
            os.set_blocking(0, True)  # QEMU does not when it is killed
            termios.tcsetattr(0, termios.TCSADRAIN, terminal)
    return Result(None if killed else status, console.text.decode(errors="replace"),
                  time.monotonic() - begin)
