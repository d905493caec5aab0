#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write docs/abi.md from the definition files of lib/abi, or see whether it is what they say.

usage: mkabi.py [--check]

The definition files are the contract; this page is their form for reading.  `make check` fails when
it is out of date, `make abi` writes it.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = "docs/abi.md"
STRING = r'"((?:[^"\\]|\\.)*)"'
OBJECT = re.compile(r"^OBJECT\((\d+), (\w+), %s\)" % STRING, re.M)
STATUS = re.compile(r"^STATUS\((\d+), (\w+), %s\)" % STRING, re.M)
MEMBER = re.compile(r"^MAPPING_OP\((\d+), (\w+), %s\)" % STRING, re.M)
LINE = re.compile(r"^(RIGHT|OP|SYS|ERR|INHERITS)\((.*)\)\s*$")
INTRODUCTION = """\
<!-- SPDX-License-Identifier: MIT -->
<!-- Made from lib/abi/*.def by test/tools/mkabi.py (`make abi`); do not edit. -->
# The contract between kernel and programs

Everything is an invocation: a system call names a slot of the caller's capability space, an
operation and up to 64 words. A kernel object answers itself; an endpoint passes the message on.
Registers and message layouts stand in [lib/abi/abi.h](../lib/abi/abi.h); the C stubs
(`q_<object>_<operation>`) in [lib/sys/sys.h](../lib/sys/sys.h).

An operation needs the rights named, on the capability invoked. After an error nothing has changed.
An error's detail word comes as message word 0.
"""


def read(name):
    with open(os.path.join("lib/abi", name)) as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)


def fields(text):
    """The arguments of a macro line: words, parenthesised lists and strings."""
    return re.findall(r'"(?:[^"\\]|\\.)*"|\w+\([^)]*\)|[^,\s][^,]*', text)


def unquote(text):
    return text[1:-1].replace('\\"', '"')


def escape(text):
    return text.replace("|", "\\|")


def sentence(text):
    return text[0].upper() + escape(text[1:]) + "."


def statuses():
    yield "## Statuses\n"
    yield "| number | name | meaning |\n|--:|---|---|"
    for number, name, text in STATUS.findall(read("status.def")):
        yield "| %s | %s | %s |" % (number, name, escape(text))
    yield ""


def members():
    yield "## The operations of whatever can be mapped\n"
    yield ("The members of the kernel's table (kernel/object/memory.h) and of a pager's "
           "(lib/pager/pager.h); the numbers are the labels of the kernel's messages to a pager.\n")
    yield "| number | member | meaning |\n|--:|---|---|"
    for number, name, text in MEMBER.findall(read("mapping_ops.def")):
        yield "| %s | `%s` | %s |" % (number, name, escape(text))
    yield ""


def parse(name):
    """(rights, operations, errors by operation, base) of one .def file."""
    rights, operations, errors, base = [], [], {}, None
    for line in read(name + ".def").splitlines():
        match = LINE.match(line)
        if not match:
            continue
        kind, f = match.group(1), fields(match.group(2))
        if kind == "RIGHT":
            rights.append((f[1], f[2], unquote(f[3])))
        elif kind == "OP":
            arguments = re.sub(r"^ARGS\d\(?|\)$", "", f[5])
            operations.append((f[2], f[1], f[3], arguments, unquote(f[6])))
        elif kind == "SYS":
            operations.append((f[2], f[1], None, None, unquote(f[3])))
        elif kind == "ERR":
            errors.setdefault(f[1], []).append((f[2], unquote(f[3])))
        elif kind == "INHERITS":
            base = f[1]
    return rights, operations, errors, base


def operation(name, entry, errors):
    what, number, rights, arguments, text = entry
    head = "### %s.%s" % (name, what)
    if arguments is not None:
        head += "(%s)" % arguments
    yield head + "\n"
    if arguments is None:
        yield "System call. %s\n" % sentence(text)
    else:
        need = "no right" if rights == "0" else "`%s`" % rights.split("_", 1)[-1]
        yield "Operation %s, needs %s. %s\n" % (number, need, sentence(text))
    if errors:
        yield "| error | when; detail |\n|---|---|"
        for status, when in errors:
            yield "| %s | %s |" % (status, escape(when))
        yield ""


def section(name, title):
    rights, operations, errors, base = parse(name)
    yield "## %s\n" % title
    if base:
        yield "All of `%s`, and what follows.\n" % base
    if rights:
        yield "| right | value | allows |\n|---|--:|---|"
        for right, value, text in rights:
            yield "| %s | %s | %s |" % (right, value, escape(text))
        yield ""
    for entry in operations:
        yield from operation(name, entry, errors.pop(entry[0], []))
    for what, rest in errors.items():
        yield "Errors of %s operation:\n" % what
        yield "| error | when; detail |\n|---|---|"
        for status, when in rest:
            yield "| %s | %s |" % (status, escape(when))
        yield ""


def page():
    yield INTRODUCTION
    yield from members()
    yield from section("any", "Every object but an endpoint")
    texts = {name: text for _, name, text in OBJECT.findall(read("objects.def"))}
    for name in texts:
        if name == "anon":
            yield from section("memory", "memory: what anon, phys and served have in common")
        yield from section(name, "%s: %s" % (name, texts[name]))
    yield from statuses()


def main():
    os.chdir(ROOT)
    text = "\n".join(page()).rstrip() + "\n"
    if sys.argv[1:] == ["--check"]:
        try:
            with open(PAGE) as f:
                good = f.read() == text
        except OSError:
            good = False
        if not good:
            print("%s is not what lib/abi says: run `make abi` and commit it" % PAGE)
        return 0 if good else 1
    with open(PAGE, "w") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
