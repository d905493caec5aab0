#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random calls with one seed after the other: the second half of `make test-long`.

usage: random_calls.py [--boots N] [--seed FIRST]

Each boot of the debug build is one run of test/system/random_calls; no operation may be without success
in all of them.  A seed that fails is printed with
the end of its console; `make test SETS=random BUILDS=debug SEED=n` replays it.  Exit status 0 if none
did.
"""

import argparse
import os
import re
import sys
import time

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(TOOLS))
sys.path[:0] = [TOOLS, os.path.join(ROOT, "platform", "tools")]
import qemu  # noqa: E402
import tap  # noqa: E402

FOLDER = os.path.join("build", "debug", "random")
LIMIT = 200  # seconds for one boot


def wrong_with(result):
    """None, or what is wrong with a run."""
    if result.status is None:
        return "no end within %d seconds" % LIMIT
    stream = tap.Stream(result.output)
    failed = [text for passed, text, _ in stream.results if not passed]
    if failed:
        return "; ".join(failed)
    return "status %d" % result.status if result.status or not stream.results else None


def end_of(output):
    """From the panic on, or the last lines."""
    lines = output.replace("\r", "").rstrip().split("\n")
    panic = next((i for i, line in enumerate(lines) if line.startswith("panic:")), len(lines) - 20)
    return "\n".join("# " + line for line in lines[max(0, panic):])


def main():
    parser = argparse.ArgumentParser(description="random calls with many seeds")
    parser.add_argument("--boots", type=int, default=50)
    parser.add_argument("--seed", default="", help="the first")
    options = parser.parse_args()
    os.chdir(ROOT)
    first, calls, failed, missed = int(options.seed or "1"), 0, 0, None
    for number in range(options.boots):
        begin = time.monotonic()
        line = qemu.command(kernel=os.path.join(FOLDER, "Image"), seed=str(first + number))
        result = qemu.run(line, os.path.join(FOLDER, "kernel.elf"), LIMIT)
        wrong = wrong_with(result)
        made = re.search(r"^# (\d+) random calls", result.output, re.M)
        pairs = re.search(r"^# (\d+ of \d+) pairs", result.output, re.M)
        names = set(re.findall(r"^# (\S+) never succeeded", result.output, re.M))
        missed = names if missed is None else missed & names
        calls += int(made.group(1)) if made and not wrong else 0
        failed += wrong is not None
        print("%d of %d: random calls, SEED=%d: %s (%.1f s)" % (
            number + 1, options.boots, first + number,
            wrong or "ok, %s outcomes seen" % (pairs.group(1) if pairs else "?"),
            time.monotonic() - begin), flush=True)
        if wrong:
            print(end_of(result.output))
    if missed:
        print("without success in every run: " + ", ".join(sorted(missed)))
        failed = max(failed, 1)
    print("%d random calls; %d passed, %d failed" % (calls, options.boots - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
