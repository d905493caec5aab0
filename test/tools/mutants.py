#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Break the source on purpose, one patch at a time, and see that a test notices.

usage: mutants.py [NAME ...]

Each test/mutants/*.patch opens with lines
    Mutant: what it breaks
    Test: a regular expression for the TAP line that must fail
    Set: unit, system, random, boot, gdb or trace
    Build: release or debug (release if left away)
The project is copied to build/mutants/tree0 and tree1, for two workers; for each patch, such a tree is
changed, built and tested by its own `make test`, and changed back.  A mutant that lives, or whose patch
or build fails, is a failure: the last line is the sum.  Patches that do not apply to the source as it
is are told before the first one is run, since a run of all of them takes long.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
TOOLS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(TOOLS))
sys.path.insert(0, TOOLS)
import check_licence  # noqa: E402

TREE = os.path.join("build", "mutants", "tree%d")  # one for each worker
WORKERS = min(2, os.cpu_count() or 1)
LIMIT = 900  # seconds for the build and the tests of one mutant


ONE_DEBUGGER = threading.Lock()  # gdb's port is the same for both


def head(text):
    """The `Name: value` lines above the patch itself."""
    found = {}
    for line in text.split("\n"):
        if line.startswith(("--- ", "diff ")):
            break
        match = re.match(r"^(?:# ?)?(Mutant|Test|Set|Build): *(.*\S)", line)
        if match:
            found[match.group(1)] = match.group(2)
    return found


def copy_tree(tree):
    """A fresh copy of the project's files; objects built there before are kept."""
    wanted = [n for n in check_licence.files() if os.path.isfile(n)]
    for folder, _, names in os.walk(tree):
        if os.path.relpath(folder, tree).split(os.sep)[0] == "build":
            continue
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, tree) not in wanted:
                os.remove(path)
    for name in wanted:
        target = os.path.join(tree, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(name, "rb") as f:
            data = f.read()
        if os.path.exists(target):
            with open(target, "rb") as f:
                if f.read() == data:
                    continue
        shutil.copy(name, target)


def patch(tree, path, *more):
    done = subprocess.run(["patch", "-p1", "-s", "--no-backup-if-mismatch", "-d", tree, *more],
                          stdin=open(path, "rb"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode == 0, done.stdout


def touch(tree, path):
    """Give the patched files a new time, so that make sees the change back as well."""
    with open(path) as f:
        for name in re.findall(r"^\+\+\+ b/(\S+)", f.read(), re.M):
            if os.path.exists(os.path.join(tree, name)):
                os.utime(os.path.join(tree, name))


def run_set(tree, about):
    """Build the tree and run one set there; None if that is what a test run looks like, else text."""
    line = os.environ.get("MAKE", "make").split() + [
        "-C", tree, "test", "DEPS=no", "BUILDS=" + about.get("Build", "release"),
        "SETS=" + about["Set"]]
    environment = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
    try:
        done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, timeout=LIMIT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace")
    except subprocess.TimeoutExpired:
        return "no end within %d seconds" % LIMIT
    if not re.search(r"^\d+ passed, \d+ failed$", done.stdout, re.M):
        return done.stdout[-2000:] or "nothing was printed"
    return None


def about_patch(path):
    """What its head says."""
    with open(path) as f:
        return head(f.read())


def unfit(path):
    """Why the patch cannot be tried; None if it can.  The tree stays as it is."""
    about = about_patch(path)
    lacking = [k for k in ("Mutant", "Test", "Set") if k not in about]
    if lacking:
        return "its head lacks %s" % ", ".join(lacking)
    if about["Set"] not in ("unit", "system", "random", "boot", "gdb", "trace"):
        return "Set: %s is not known" % about["Set"]
    good, output = patch(TREE % 0, path, "--dry-run", "--force")
    return None if good else "does not apply: " + " ".join(output.split())


def verdict(tree, path):
    """(killed, text) for one patch, which applies."""
    about = about_patch(path)
    good, output = patch(tree, path)
    if not good:
        return False, "does not apply:\n" + output
    touch(tree, path)
    results = os.path.join(tree, "build", "test.tap")
    if os.path.exists(results):
        os.remove(results)
    try:
        with ONE_DEBUGGER if about["Set"] in ("gdb", "trace") else contextlib.nullcontext():
            wrong = run_set(tree, about)
    finally:
        patch(tree, path, "-R")
        touch(tree, path)
    if wrong:
        return False, "its tests did not run:\n" + wrong
    with open(results) as f:
        failed = [line.rstrip("\n") for line in f if line.startswith("not ok")]
    if any(re.search(r"\] builds$", line) for line in failed):
        return False, "does not build"
    hits = [line for line in failed if re.search(about["Test"], line)]
    if not hits:
        return False, "lives: no failed line matches '%s' (%d failed)" % (about["Test"], len(failed))
    return True, "%s: %s" % (about["Mutant"], hits[0])


def chosen(folder):
    """(names of the patches to try, names asked for that there are not)."""
    names = sorted(n[:-len(".patch")] for n in (os.listdir(folder) if os.path.isdir(folder) else [])
                   if n.endswith(".patch"))
    wanted = [n[:-len(".patch")] if n.endswith(".patch") else n for n in sys.argv[1:]]
    if not wanted:
        return names, [] if names else ["*"]
    return [n for n in names if n in wanted], [n for n in wanted if n not in names]


def main():
    os.chdir(ROOT)
    folder = os.path.join("test", "mutants")
    names, failed = chosen(folder)
    for name in failed:
        print("mutants: there is no %s" % os.path.join(folder, name + ".patch"))
    for worker in range(WORKERS):
        copy_tree(TREE % worker)
    fit = []
    for name in names:
        why = unfit(os.path.join(folder, name + ".patch"))
        if why:
            print("mutants: %s: %s" % (name, why), flush=True)
        (failed if why else fit).append(name)
    todo, done, lock = list(reversed(fit)), [], threading.Lock()

    def work(tree):
        while True:
            with lock:
                if not todo:
                    return
                name = todo.pop()
            begin = time.monotonic()
            killed, text = verdict(tree, os.path.join(folder, name + ".patch"))
            with lock:
                done.append(name)
                if not killed:
                    failed.append(name)
                print("%d of %d: %s %s (%.0f s): %s" % (
                    len(done), len(fit), "killed" if killed else "FAILED", name,
                    time.monotonic() - begin, text), flush=True)

    workers = [threading.Thread(target=work, args=(TREE % n,)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        print("mutants: not killed: %s" % " ".join(failed))
    print("%d passed, %d failed" % (len(set(names) - set(failed)), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
