#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot the measuring programs, print their figures beside those of others, write build/bench.json.

usage: bench.py [--json FILE]

What is booted is the image of `make run` itself; the bundle with the programs of test/bench comes
as its initrd, which takes the place of the bundle in the image.

The programs of test/bench print lines `bench KEY VALUE` on the console.  KEYS below is the list of
what is measured (docs/performance.md has the method): a key that no line names is null.  Figures
are instructions retired unless the key says bytes.  Nothing here passes or fails a build, but a
machine that does not end well is reported, and then the exit status is 1.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "platform", "tools"))
import qemu  # noqa: E402

LIMIT = 300  # seconds
# key, target (None where there is none), the best peers as measured on the same QEMU
KEYS = [
    ("null_syscall", 80, "Linux 160, seL4 389"),
    ("ipc_round_trip_0w", 256, "seL4 512"),
    ("ipc_round_trip_4w", 256, "seL4 558"),
    ("ipc_round_trip_0w_busy", 256, "seL4 602"),
    ("notify_wake", 200, "seL4 599"),
    ("fault_round_trip_nomap", 300, "seL4 1,405"),
    ("fault_move_1", 430, "seL4 2,151; userfaultfd MOVE 6,550"),
    ("fault_move_1_mapped", 480, ""),
    ("fault_move_1_libpager", 520, ""),
    ("fault_move_1_random", 560, ""),
    ("fault_move_16_per_page", 60, "userfaultfd COPY 1,974"),
    ("fault_resident", 180, "Linux 1,278"),
    ("fault_anon_zero", 800, "Linux 1,806"),
    ("fault_anon_prezeroed", None, ""),
    ("fault_cow", 1400, "Linux 2,480"),
    ("map_unmap_1", 800, "seL4 1,398; Linux 6,905"),
    ("thread_create", 4000, "seL4 8,258"),
    ("boot_to_first_user", 150000, "seL4 113,539-260,990"),
    ("kernel_text_bytes", 65536, "seL4 37,728"),
    ("bytes_thread", 1024, "seL4 1,024"),
    ("bytes_region", 128, ""),
    ("bytes_cap_slot", 32, "seL4 32"),
    ("bytes_per_page_frame", 32, ""),
    ("bytes_kernel_static", None, ""),
]


def figures(console):
    """The `bench KEY VALUE` lines of a console, as a dictionary."""
    found = {}
    for key, value in re.findall(r"^bench (\w+) (-?[0-9]+(?:\.[0-9]+)?)\r?$", console, re.M):
        found[key] = float(value) if "." in value else int(value)
    return found


def sections(elf):
    """(name, size, flags) of each section of an ELF file that takes memory."""
    text = subprocess.run(["riscv64-unknown-elf-readelf", "-SW", elf], capture_output=True,
                          text=True, check=True).stdout
    row = r"^\s*\[ *\d+\] (\S+) +\S+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +([A-Zp]*) "
    return [(n, int(s, 16), f) for n, s, f in re.findall(row, text, re.M) if "A" in f]


def static_bytes(elf):
    """Bytes of executable sections, and of all that the kernel keeps but for the boot bundle."""
    found = [s for s in sections(elf) if "bundle" not in s[0]]
    return (sum(size for _, size, flags in found if "X" in flags),
            sum(size for _, size, _ in found))


def struct_bytes(elf):
    """Sizes of the kernel's structures, as its debug information has them."""
    structs = {"bytes_thread": "struct thread", "bytes_region": "struct region",
               "bytes_cap_slot": "struct slot", "bytes_per_page_frame": "struct frame"}
    line = ["gdb-multiarch", "-batch", "-nx", elf]
    for name in structs.values():
        line += ["-ex", "output sizeof(%s)" % name, "-ex", "echo \\n"]
    text = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return dict(zip(structs, map(int, text.split())))


def table(found):
    """The printed table: key, figure, target, peers."""
    yield "%-24s %12s %10s  %s" % ("key", "measured", "target", "peers")
    for key, target, peers in KEYS:
        value = found.get(key)
        shown = "-" if value is None else "{:,}".format(value)
        yield ("%-24s %12s %10s  %s" % (key, shown, "{:,}".format(target) if target else "-",
                                        peers)).rstrip()


def report(found, path):
    keys = [key for key, _, _ in KEYS]
    with open(path, "w") as f:
        json.dump({**dict.fromkeys(keys), **found}, f, indent=2)
        f.write("\n")
    for line in table(found):
        print(line)
    more = sorted(set(found) - set(keys))
    if more:
        print("also measured:")
    for key in more:
        print("  %-32s %s" % (key, "{:,}".format(found[key])))


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description="measure and compare")
    parser.add_argument("--json", default="build/bench.json")
    options = parser.parse_args()
    os.chdir(ROOT)
    folder = "build/release/bench"
    elf = "build/release/run/kernel.elf"
    image = "build/release/run/Image"
    try:
        line = qemu.command(harts="1", mem="256M", kernel=image,
                            initrd=os.path.join(folder, "bundle.cpio"))
        print("bench: " + " ".join(line), flush=True)
        result = qemu.run(line, elf, LIMIT)
    except qemu.BadValue as e:
        print("bench: %s" % e, file=sys.stderr)
        return 2
    with open(os.path.join(folder, "console.log"), "w") as f:
        f.write(result.output)
    found = figures(result.output)
    found["kernel_text_bytes"], found["bytes_kernel_static"] = static_bytes(elf)
    found.update(struct_bytes(elf))
    boot = re.search(r"first program: (\d+) instructions", result.output)
    if boot:
        found["boot_to_first_user"] = int(boot.group(1))
    report(found, options.json)
    print("sha256 %s  %s" % (sha256(image), image))
    print("wrote %s in %.0f s" % (options.json, result.seconds))
    if result.status != 0:
        print("bench: the machine %s; its console is %s/console.log" % (
            "did not end within %d s" % LIMIT if result.status is None
            else "ended with status %d" % result.status, folder), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
