# SPDX-License-Identifier: MIT
"""Read a trace in the Common Trace Format by nothing but its metadata.

It knows the part of TSDL, the language of CTF 1.8, that small producers use: integers aligned to
bytes, enumerations of them, structures, arrays of fixed length; typealias; the blocks trace, clock,
stream and event.  It knows nothing of Quire, so what it reads is what the metadata says.
"""

import os
import re

TOKEN = re.compile(r'\s+|/\*.*?\*/|("(?:[^"\\]|\\.)*")|(:=|[{}\[\];:=,])|([\w.+-]+)', re.S)


class Bad(Exception):
    """The metadata, or a stream, is not what CTF 1.8 allows."""


class Parser:
    """One metadata text; afterwards `trace`, `stream`, `clock` and `events` hold what it declares."""

    def __init__(self, text):
        if not text.startswith("/* CTF 1.8 */"):
            raise Bad("the first line is not /* CTF 1.8 */")
        self.tokens, at = [], 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise Bad("cannot read '%s'" % text[at:at + 20])
            at = match.end()
            token = next((g for g in match.groups() if g), None)
            if token:
                self.tokens.append(token)
        self.types, self.enums = {}, {}
        self.trace, self.stream, self.clock, self.events = {}, {}, {}, {}
        while self.tokens:
            self.declaration()

    def next(self, wanted=None):
        if not self.tokens:
            raise Bad("the text ends too early")
        token = self.tokens.pop(0)
        if wanted and token != wanted:
            raise Bad("'%s' where '%s' is wanted" % (token, wanted))
        return token

    def declaration(self):
        word = self.next()
        if word == "typealias":
            kind = self.type()
            self.next(":=")
            self.types[self.next()] = kind
            self.next(";")
        elif word == "enum":
            self.tokens.insert(0, word)
            self.type()
            self.next(";")
        elif word in ("trace", "stream", "clock", "event"):
            block = self.block()
            if word == "event":
                self.events[int(block["id"])] = block
            else:
                getattr(self, word).update(block)
        else:
            raise Bad("'%s' begins nothing" % word)

    def block(self):
        """{ name = value; name := type; ... };"""
        found = {}
        self.next("{")
        while self.tokens[0] != "}":
            name = self.next()
            if self.next() == ":=":
                found[name] = self.type()
            else:
                found[name] = self.next().strip('"')
            self.next(";")
        self.next("}")
        self.next(";")
        return found

    def type(self):
        word = self.next()
        if word == "integer":
            return self.integer()
        if word == "enum":
            return self.enum()
        if word == "struct":
            return self.struct()
        if word not in self.types:
            raise Bad("there is no type '%s'" % word)
        return self.types[word]

    def integer(self):
        self.next("{")
        options = {}
        while self.tokens[0] != "}":
            name = self.next()
            self.next("=")
            options[name] = self.next()
            self.next(";")
        self.next("}")
        size, align = int(options["size"]), int(options.get("align", 1))
        if size % 8 or align != 8:
            raise Bad("an integer of %d bits aligned to %d" % (size, align))
        return ("integer", size // 8, options.get("signed") == "true", options.get("encoding"))

    def enum(self):
        name = self.next()
        if self.tokens[0] != ":":
            return self.enums[name]
        self.next(":")
        base = self.type()
        self.next("{")
        values = {}
        while self.tokens[0] != "}":
            text = self.next().strip('"')
            self.next("=")
            values[int(self.next())] = text
            if self.tokens[0] == ",":
                self.next()
        self.next("}")
        self.enums[name] = ("enum", base, values)
        return self.enums[name]

    def struct(self):
        self.next("{")
        fields = []
        while self.tokens[0] != "}":
            kind = self.type()
            name = self.next()
            if self.tokens[0] == "[":
                self.next("[")
                kind = ("array", kind, int(self.next()))
                self.next("]")
            self.next(";")
            fields.append((name.lstrip("_"), kind))
        self.next("}")
        return ("struct", fields)


class Reader:
    """Values of declared types from bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, kind):
        if kind[0] == "integer":
            if self.at + kind[1] > len(self.data):
                raise Bad("the stream ends inside an event")
            self.at += kind[1]
            return int.from_bytes(self.data[self.at - kind[1]:self.at], "little", signed=kind[2])
        if kind[0] == "enum":
            value = self.read(kind[1])
            return kind[2].get(value, value)
        if kind[0] == "array":
            values = [self.read(kind[1]) for _ in range(kind[2])]
            if kind[1][0] == "integer" and kind[1][3]:
                return bytes(values).split(b"\0")[0].decode(errors="replace")
            return values
        return {name: self.read(of) for name, of in kind[1]}


class Trace:
    """A folder: `packets` are the contexts, `events` all events, each a dictionary with its name."""

    def __init__(self, folder):
        with open(os.path.join(folder, "metadata")) as f:
            self.metadata = Parser(f.read())
        if self.metadata.trace.get("byte_order") != "le":
            raise Bad("the byte order is not le")
        self.packets, self.events = [], []
        for name in sorted(os.listdir(folder)):
            if name != "metadata":
                with open(os.path.join(folder, name), "rb") as f:
                    self.packet(f.read())

    def packet(self, data):
        m, reader = self.metadata, Reader(data)
        header = reader.read(m.trace["packet.header"])
        if header["magic"] != 0xC1FC1FC1:
            raise Bad("the packet's magic is %#x" % header["magic"])
        context = reader.read(m.stream["packet.context"])
        if context["content_size"] != 8 * len(data) or context["packet_size"] != 8 * len(data):
            raise Bad("the packet says %d bits, and has %d bytes"
                      % (context["content_size"], len(data)))
        self.packets.append(context)
        while reader.at < len(data):
            head = reader.read(m.stream["event.header"])
            if head["id"] not in m.events:
                raise Bad("there is no event %d" % head["id"])
            kind = m.events[head["id"]]
            event = {"name": kind["name"], "time": head["timestamp"]}
            event.update(reader.read(m.stream["event.context"]))
            event["fields"] = reader.read(kind["fields"])
            self.events.append(event)
