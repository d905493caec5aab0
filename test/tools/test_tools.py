#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Claim: the scripts that judge the project tell right from wrong.

usage: test_tools.py

It would fail if a missing plan, a skipped test, a wrong arrow or an unaligned file in a bundle went
unseen.  Run by `make check`.
"""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(TOOLS))
sys.path[:0] = [TOOLS, os.path.join(ROOT, "platform", "tools")]
import bench  # noqa: E402
import check_includes  # noqa: E402
import mkbundle  # noqa: E402
import mkdata  # noqa: E402
import mkelf  # noqa: E402
import mutants  # noqa: E402
import qemu  # noqa: E402
import run_tests  # noqa: E402
import symbolise  # noqa: E402
import tap  # noqa: E402


class Tap(unittest.TestCase):
    def report(self, text):
        report = tap.Report()
        out, sys.stdout = sys.stdout, open(os.devnull, "w")
        try:
            report.add_stream(tap.Stream(text), "")
        finally:
            sys.stdout.close()
            sys.stdout = out
        return report.passed, report.failed

    def test_all_as_planned(self):
        self.assertEqual(self.report("noise\r\n1..2\r\nok 1 - a\r\nok 2 - b\r\n"), (2, 0))

    def test_plans_of_two_programs_add_up(self):
        self.assertEqual(self.report("1..1\nok 1 - a\n1..1\nok 1 - b\n"), (2, 0))

    def test_no_plan_fails(self):
        self.assertEqual(self.report("ok 1 - a\n"), (1, 1))

    def test_too_few_fail(self):
        self.assertEqual(self.report("1..3\nok 1 - a\n"), (1, 1))

    def test_skipped_is_failed(self):
        self.assertEqual(self.report("1..1\nok 1 - a # SKIP no time\n"), (0, 1))

    def test_bail_out_fails(self):
        self.assertEqual(self.report("1..1\nok 1 - a\nBail out! broken\n"), (1, 1))

    def test_words_that_begin_with_ok_are_no_result(self):
        self.assertEqual(len(tap.Stream("okay then\nnot okay\n").results), 0)


class Bundle(unittest.TestCase):
    MEMBERS = [("a", 0o644, b"x" * 5000), ("empty", 0o644, b""), ("b/long-name", 0o755, b"y" * 4096)]

    def test_data_lies_on_pages(self):
        archive = mkbundle.bundle(self.MEMBERS)
        self.assertEqual(archive.find(b"x" * 5000) % 4096, 0)
        self.assertEqual(archive.find(b"y" * 4096) % 4096, 0)
        self.assertEqual(len(archive) % 4096, 0)

    def test_cpio_reads_it(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["cpio", "-id", "--quiet"], cwd=folder, capture_output=True,
                                  input=mkbundle.bundle(self.MEMBERS))
            self.assertEqual(done.returncode, 0, done.stderr)
            for name, _, data in self.MEMBERS:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertEqual(f.read(), data)


class Others(unittest.TestCase):
    def test_crc32c(self):
        self.assertEqual(mkdata.crc32c(b"123456789"), 0xE3069283)

    def test_data_has_no_two_equal_pages(self):
        block = mkdata.data(64 * 4096, mkdata.SEED)
        self.assertEqual(len({block[i:i + 4096] for i in range(0, len(block), 4096)}), 64)

    def test_wrapped_image_moves(self):
        moved = mkelf.move(mkelf.wrap(b"image", 0x84200000), 0x83333000)
        self.assertEqual([p[4] for _, p in mkelf.segments(moved)], [0x83333000])
        self.assertTrue(moved.endswith(b"image"))

    def test_backtrace_lines(self):
        self.assertTrue(symbolise.PATTERN.match("bt: 0xffffffff80000000"))
        self.assertTrue(symbolise.PATTERN.match("bt: pc 0xffffffff80000000"))
        self.assertFalse(symbolise.PATTERN.match("sbt: 0x1"))

    def test_bad_values_are_refused(self):
        for values in ({"harts": "0"}, {"harts": "x"}, {"mem": "5k"}, {"mem": "1M"}, {"ad": "?"},
                       {"board": "nonesuch"}, {"seed": "-1"}, {"initrd": "/nonesuch"}):
            with self.assertRaises(qemu.BadValue):
                qemu.command(**values)

    def test_one_hart_counts_instructions_and_four_do_not(self):
        self.assertIn("-icount", qemu.command(harts="1"))
        self.assertNotIn("-icount", qemu.command(harts="4"))

    def test_arrows(self):
        bad = [("user/a/main.c", '"', "kernel/core/ipc.h"), ("kernel/core/a.c", '"', "platform/a.h"),
               ("lib/base/a.c", "<", "stdio.h"), ("lib/abi/a.h", '"', "lib/base/types.h")]
        good = [("user/a/main.c", "<", "stdio.h"), ("kernel/core/a.c", "<", "stdint.h"),
                ("kernel/core/a.c", '"', "arch/cpu.h")]
        self.assertTrue(all(check_includes.complaint(*b) for b in bad))
        self.assertFalse([g for g in good if check_includes.complaint(*g)])

    def test_flip_must_fail_at_its_offset(self):
        boot = run_tests.Boot("flip", run_tests.demonstration_names_offset)
        place = run_tests.flipped_offset()
        right = "demo: byte %d\n" % place
        for status, text, wrong in ((1, right, False), (1, "demo: byte %#x\n" % place, False),
                                    (1, "demo: byte %d0\n" % place, True), (0, right, True),
                                    (None, right, True), (1, "byte %d\n" % place, True)):
            verdict = run_tests.boot_verdict(boot, qemu.Result(status, text, 1))
            self.assertEqual(verdict is not None, wrong, text)

    def test_demonstration_is_short(self):
        boot = run_tests.Boot("run")
        for lines, wrong in ((0, True), (1, False), (40, False), (41, True)):
            verdict = run_tests.boot_verdict(boot, qemu.Result(0, "demo: x\n" * lines, 1))
            self.assertEqual(verdict is not None, wrong, lines)

    def test_a_line_end_may_come_in_two_pieces(self):
        console = qemu.Console("/nonesuch.elf", False)
        console.feed(b"bt: 0x1\r")
        console.feed(b"\nnext\r\n")
        self.assertNotIn(b"0x1\r ", bytes(console.text))
        self.assertTrue(bytes(console.text).endswith(b"\r\nnext\r\n"))

    def test_bench_lines(self):
        found = bench.figures("x\nbench null_syscall 65\r\nbench nonesuch 1\n")
        self.assertEqual(found, {"null_syscall": 65, "nonesuch": 1})

    def test_mutant_heads(self):
        text = "# SPDX\nMutant: frees twice\nTest: frame.*once\nSet: unit\n--- a/x\n"
        self.assertEqual(mutants.head(text), {"Mutant": "frees twice", "Test": "frame.*once",
                                              "Set": "unit"})


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main(argv=[sys.argv[0], "-q"])
