# SPDX-License-Identifier: MIT
"""What the kernel's trace records mean, from the definition files of lib/abi alone.

A record is struct trace_record of lib/abi/trace.h, 40 bytes.  `Format` reads trace.def and those
files whose numbers its words hold (objects, statuses, operations, members), decodes records, says
them in the words that a panic uses (kernel/core/trace.c), and writes the metadata of the Common
Trace Format that describes them.  gdb (kernel/gdb/quire.py) and `make trace` (trace.py) use it.
"""

import os
import re
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECORD = struct.Struct("<QHHIQQQ")  # time, event, hart, thread, three words
RING_HEAD = struct.Struct("<QII")  # count, capacity, bytes of a record: struct trace_ring
TYPE_SHIFT = 56
SERIAL = (1 << TYPE_SHIFT) - 1
KINDS = {"NUMBER", "HEX", "STATUS", "OBJECT", "THREAD", "OPERATION", "MEMBER", "TEXT"}


def escape(raw):
    """Bytes that a program chose, as lib/base/text.c writes them."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else "\\x%02x" % b
                   for b in raw.split(b"\0")[0])


class Record:
    """One event: where it stands, and its words by name as (kind, value)."""

    def __init__(self, fmt, raw):
        self.time, self.event, self.hart, self.thread, *words = RECORD.unpack(raw)
        self.name, kinds = fmt.events.get(self.event, ("?", []))
        self.words = {name: (kind, words[i]) for i, kind, name in kinds}

    def value(self, name):
        return self.words[name][1]


class Format:
    """The definition files, read once."""

    def __init__(self, root=ROOT):
        self.folder = os.path.join(root, "lib", "abi")
        self.types = {int(n): name for n, name in
                      re.findall(r"^OBJECT\((\d+), (\w+),", self.read("objects.def"), re.M)}
        self.statuses = {int(n): name for n, name in
                         re.findall(r"^STATUS\((\d+), (\w+),", self.read("status.def"), re.M)}
        self.members = {int(n): name for n, name in
                        re.findall(r"^MAPPING_OP\((\d+), (\w+),", self.read("mapping_ops.def"), re.M)}
        self.operations = self.read_operations()
        self.events, self.meanings = self.read_events()

    def read(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)

    def read_operations(self):
        """{type << 56 | number: "object.operation"}, and the kinds of system calls for type 0."""
        found = {int(number): name.lower() for name, number in re.findall(
            r"^#define SYS_(CALL|SEND|RECV|REPLY_RECV|YIELD)\b[ \t\\\n]+(\d+)", self.read("abi.h"),
            re.M)}
        for type_number, name in self.types.items():
            text = self.read(name + ".def")
            for base in re.findall(r"^INHERITS\(\w+, (\w+)\)", text, re.M):
                text += self.read(base + ".def")
            for number, operation in re.findall(r"^(?:OP|SYS)\(\w+, (\d+), (\w+),", text, re.M):
                found[type_number << TYPE_SHIFT | int(number)] = name + "." + operation
            if "OP(" in text:
                found[type_number << TYPE_SHIFT] = name + ".identify"
        return found

    def read_events(self):
        """{number: (name, [(index, kind, word)])} and {number: meaning}."""
        events, meanings = {}, {}
        line = re.compile(r'^TRACE\((\d+), (\w+), "((?:[^"\\]|\\.)*)", (.*)\)$', re.M)
        for number, name, meaning, words in line.findall(self.read("trace.def")):
            fields = []
            for index, word in enumerate(w.strip() for w in words.split(",")):
                match = re.fullmatch(r"(\w+)\((\w+)\)", word)
                if match and match.group(1) in KINDS:
                    fields.append((index, match.group(1), match.group(2)))
                elif word != "NONE":
                    raise ValueError("trace.def: %s: '%s' is no word" % (name, word))
            events[int(number)] = (name, fields)
            meanings[int(number)] = meaning
        return events, meanings

    # ---- In words ----------------------------------------------------------------------------

    def object(self, word):
        return "%s#%d" % (self.types.get(word >> TYPE_SHIFT, "none"), word & SERIAL) if word \
            else "none"

    def operation(self, word):
        known = self.operations.get(word)
        if known:
            return known
        kind = self.types.get(word >> TYPE_SHIFT)
        return kind + ".?" if kind else "none.?" if word >> TYPE_SHIFT else "?"

    def word(self, kind, value):
        if kind == "NUMBER":
            return "%d" % value
        if kind == "STATUS":
            return self.statuses.get(value, "status ?")
        if kind == "OBJECT":
            return self.object(value)
        if kind == "THREAD":
            return "thread#%d" % value if value else "none"
        if kind == "OPERATION":
            return self.operation(value)
        if kind == "MEMBER":
            return self.members.get(value, "?")
        if kind == "TEXT":
            return '"%s"' % escape(struct.pack("<Q", value))
        return "%#x" % value

    def line(self, record):
        """A record as a panic prints it."""
        words = "".join(" %s=%s" % (name, self.word(kind, value))
                        for name, (kind, value) in record.words.items())
        return "%d hart %d thread#%d %s%s" % (record.time, record.hart, record.thread, record.name,
                                              words)

    # ---- Rings -------------------------------------------------------------------------------

    @staticmethod
    def ring_bytes(head):
        """Bytes of a whole ring, from those of its head."""
        _, capacity, size = RING_HEAD.unpack(head[:RING_HEAD.size])
        if size != RECORD.size or capacity == 0:
            raise ValueError("no ring: %d records of %d bytes" % (capacity, size))
        return RING_HEAD.size + capacity * size

    @staticmethod
    def in_order(raw):
        """(bytes of the records of a ring, oldest first; how many were overwritten)."""
        count, capacity, size = RING_HEAD.unpack(raw[:RING_HEAD.size])
        records = raw[RING_HEAD.size:RING_HEAD.size + capacity * size]
        if count <= capacity:
            return records[:count * size], 0
        at = count % capacity * size
        return records[at:] + records[:at], count - capacity

    def decode(self, data):
        return [Record(self, data[at:at + RECORD.size]) for at in range(0, len(data), RECORD.size)]

    # ---- Metadata ----------------------------------------------------------------------------

    def metadata(self):
        """The description of the records in TSDL, the language of CTF 1.8."""
        def enum(name, size, values):
            rows = ",\n".join('\t"%s" = %d' % (text, number) for number, text in sorted(values.items()))
            return ("enum %s : integer { size = %d; align = 8; signed = false; } {\n%s\n};\n"
                    % (name, size, rows))

        field = {
            "NUMBER": "uint64_t _%s;", "HEX": "hex64_t _%s;", "THREAD": "uint64_t _%s;",
            "STATUS": "enum status _%s;", "OPERATION": "enum operation _%s;",
            "MEMBER": "enum member _%s;", "TEXT": "char8_t _%s[8];",
            "OBJECT": "struct { serial_t _serial; enum object_type _type; } _%s;",
        }
        types = dict(self.types)
        types[0] = "none"
        parts = [METADATA_HEAD, enum("status", 64, self.statuses),
                 enum("object_type", 8, types), enum("operation", 64, self.operations),
                 enum("member", 64, self.members), METADATA_STREAM]
        for number, (name, words) in sorted(self.events.items()):
            named = {index: "\t\t" + field[kind] % word for index, kind, word in words}
            fields = [named.get(i, "\t\tuint64_t _unused%d;" % i) for i in range(3)]
            parts.append('/* %s */\nevent {\n\tid = %d;\n\tname = "%s";\n\tstream_id = 0;\n'
                         '\tfields := struct {\n%s\n\t};\n};\n'
                         % (self.meanings[number], number, name, "\n".join(fields)))
        return "\n".join(parts)


METADATA_HEAD = """\
/* CTF 1.8 */
/* Made from lib/abi/trace.def. */

typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
typealias integer { size = 16; align = 8; signed = false; } := uint16_t;
typealias integer { size = 32; align = 8; signed = false; } := uint32_t;
typealias integer { size = 64; align = 8; signed = false; } := uint64_t;
typealias integer { size = 64; align = 8; signed = false; base = 16; } := hex64_t;
typealias integer { size = 56; align = 8; signed = false; } := serial_t;
typealias integer { size = 8; align = 8; signed = false; encoding = UTF8; } := char8_t;

trace {
	major = 1;
	minor = 8;
	byte_order = le;
	packet.header := struct {
		uint32_t magic;
		uint32_t stream_id;
	};
};

clock {
	name = instret;
	description = "instructions retired by the hart; nanoseconds under QEMU -icount shift=0";
	freq = 1000000000;
};

typealias integer { size = 64; align = 8; signed = false; map = clock.instret.value; } := clock_t;
"""

METADATA_STREAM = """\
stream {
	id = 0;
	packet.context := struct {
		clock_t timestamp_begin;
		clock_t timestamp_end;
		uint64_t content_size;
		uint64_t packet_size;
		uint64_t events_discarded;
		uint32_t cpu_id;
		uint32_t _spare;
	};
	event.header := struct {
		clock_t timestamp;
		uint16_t id;
	};
	event.context := struct {
		uint16_t _hart;
		uint32_t _thread;
	};
};
"""
CTF_PACKET = struct.Struct("<IIQQQQQII")  # the packet's header and context
CTF_MAGIC = 0xC1FC1FC1


def ctf_packet(data, hart, discarded):
    """A CTF packet whose events are the records as they stood in the ring."""
    begin, end = (RECORD.unpack(data[at:at + RECORD.size])[0]
                  for at in (0, len(data) - RECORD.size)) if data else (0, 0)
    bits = 8 * (CTF_PACKET.size + len(data))
    return CTF_PACKET.pack(CTF_MAGIC, 0, begin, end, bits, bits, discarded, hart, 0) + data
