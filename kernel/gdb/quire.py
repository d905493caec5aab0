# SPDX-License-Identifier: MIT
"""Commands for gdb that print what the stopped kernel holds: threads, capabilities, tickets, banks.

`make gdb` loads this file; docs/debugging.md shows each command.  Layouts come from the kernel's
debug information and constants from its headers, so nothing here is counted by hand.

Memory is read by physical address, through QEMU's stub, after a walk of the page table of our own.
The tempting way, to let gdb follow kernel pointers, works only while the hart is in supervisor
mode: QEMU's stub translates with the rights of the moment, and user mode may not read the kernel.
So every structure is fetched whole, as bytes, and pointers in it are followed by `Kernel.get`.

If the kernel was stopped in the middle of a change, a list may lead nowhere: walks end after LIMIT
steps, and say so.
"""

import os
import re
import sys

import gdb

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "platform", "tools"))
import trace_format  # noqa: E402

HEADERS = ["kernel/arch/riscv64/arch/address.h", "kernel/arch/riscv64/arch/pte.h",
           "kernel/object/slot.h", "kernel/object/memory.h", "lib/abi/abi.h"]
PAGE_SHIFT = 12
LEVEL_BITS = 9  # of Sv39, and of the indexes of memory objects
LIMIT = 100000


def read_constants():
    """The numbers that the headers #define: those that are written as one number, or two shifted."""
    found = {}
    for header in HEADERS:
        with open(os.path.join(ROOT, header)) as f:
            for name, value in re.findall(r"^#define (\w+)[ \t]+([^\n/]+)", f.read(), re.M):
                value = re.sub(r"(?<=[0-9a-fA-F])[uUlL]+\b", "", value.strip())
                if re.fullmatch(r"[0-9a-fA-Fx()<|\s]+", value):
                    try:
                        found[name] = eval(value, {"__builtins__": {}})
                    except (SyntaxError, NameError, TypeError):
                        pass
    return found


C = read_constants()


def enum_names(enum, prefix=""):
    """{value: name without the prefix} of an enum of the kernel, bounds left out."""
    return {f.enumval: f.name[len(prefix):] for f in gdb.lookup_type("enum " + enum).fields()
            if f.name.startswith(prefix) and not f.name.endswith(("_LIMIT", "_FIRST"))}


def member_of(kind, name):
    """Bytes to a member of a struct or union, and its type; unions without a name are looked through."""
    for f in kind.fields():
        if f.name == name:
            return f.bitpos // 8, f.type.strip_typedefs()
        if not f.name:
            found = member_of(f.type.strip_typedefs(), name)
            if found:
                return f.bitpos // 8 + found[0], found[1]
    return None


def offset_of(struct, member):
    """Bytes from the start of a struct to a member; a.b is a member of a member."""
    kind, at = gdb.lookup_type("struct " + struct), 0
    for name in member.split("."):
        more, kind = member_of(kind, name)
        at += more
    return at


def text(raw):
    """Bytes that a program chose, as a text without surprises."""
    return "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else "\\x%02x" % b
                   for b in raw.rstrip(b"\0"))


def table(header, rows):
    """Rows of texts in columns; what is too long is not cut."""
    rows = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class Object:
    """One kernel object: where it lies, and its structure as fetched."""

    def __init__(self, address, kind, value, head, bank):
        self.address, self.kind, self.value, self.bank = address, kind, value, bank
        self.serial, self.size = int(head["serial"]), int(head["size"])
        self.dying = int(head["flags"]) & 1


class Kernel:
    """The stopped kernel, for the time of one command: `with Kernel() as k`."""

    def __init__(self):
        self.pages, self.fetched, self.known = {}, {}, None

    # ---- Memory ------------------------------------------------------------------------------

    def __enter__(self):
        connection = gdb.selected_inferior().connection
        if not isinstance(connection, gdb.RemoteTargetConnection):
            raise gdb.GdbError("There is no machine: start gdb by `make gdb`.")
        self.satp = int(gdb.newest_frame().read_register("satp")) & (1 << 64) - 1
        if self.satp == 0:
            raise gdb.GdbError("Paging is off, so there is no kernel yet: continue first, for "
                               "example to `thbreak first_user_start`.")
        self.objfile = next((o for o in gdb.objfiles() if self.in_kernel(o)), None)
        if self.objfile is None:
            raise gdb.GdbError("The kernel's symbols are not loaded.")
        self.connection = connection
        self.mode = bytes(connection.send_packet("qqemu.PhyMemMode"))
        if self.mode not in (b"0", b"1"):
            raise gdb.GdbError("The stub cannot read physical memory; QEMU's can.")
        connection.send_packet("Qqemu.PhyMemMode:1")
        return self

    def __exit__(self, *unused):
        self.connection.send_packet(b"Qqemu.PhyMemMode:" + self.mode)

    def evaluate(self, expression):
        """The value of an expression of the user's, read as gdb reads memory elsewhere."""
        self.connection.send_packet(b"Qqemu.PhyMemMode:" + self.mode)
        try:
            return int(gdb.parse_and_eval(expression)) & (1 << 64) - 1
        except gdb.error as e:
            raise gdb.GdbError("'%s' is no name of a thread, no #serial and no address: %s"
                               % (expression, e))
        finally:
            self.connection.send_packet("Qqemu.PhyMemMode:1")

    @staticmethod
    def in_kernel(objfile):
        symbol = objfile.lookup_global_symbol("kernel_main")
        return symbol and int(symbol.value().address) & (1 << 64) - 1 >= C["KERNEL_BASE"]

    def physical(self, address, nbytes):
        return bytes(gdb.selected_inferior().read_memory(address, nbytes))

    def walk(self, root, address):
        """Each step of a page-table walk: (level, physical address of the entry, entry)."""
        for level in (2, 1, 0):
            index = address >> PAGE_SHIFT + LEVEL_BITS * level & (1 << LEVEL_BITS) - 1
            at = root + 8 * index
            entry = int.from_bytes(self.physical(at, 8), "little")
            yield level, at, entry
            if not entry & C["PTE_V"] or entry & (C["PTE_R"] | C["PTE_W"] | C["PTE_X"]):
                return
            root = (entry & C["PTE_NUMBER"]) << 2

    def translate(self, address, satp=None):
        """Physical address of a virtual one, or None."""
        key = (address >> PAGE_SHIFT, satp)
        if key not in self.pages:
            self.pages[key] = None
            root = ((satp or self.satp) & (1 << 44) - 1) << PAGE_SHIFT
            for level, _, entry in self.walk(root, address):
                pass
            if entry & C["PTE_V"]:
                inside = (1 << PAGE_SHIFT + LEVEL_BITS * level) - 1
                self.pages[key] = (((entry & C["PTE_NUMBER"]) << 2 & ~inside)
                                   + (address & inside & ~0xFFF))
        page = self.pages[key]
        return None if page is None else page + (address & 0xFFF)

    def read(self, address, nbytes):
        """Bytes at a kernel address."""
        parts = []
        while nbytes:
            part = min(nbytes, 0x1000 - (address & 0xFFF))
            at = self.translate(address)
            if at is None:
                raise gdb.GdbError("The kernel has no memory at %#x." % address)
            parts.append(self.physical(at, part))
            address, nbytes = address + part, nbytes - part
        return b"".join(parts)

    def string(self, address):
        data = b""
        while b"\0" not in data and len(data) < 256:
            data += self.read(address + len(data), 16)
        return data.split(b"\0")[0].decode(errors="replace")

    def get(self, struct, address):
        """The struct at a kernel address; a copy, fetched once."""
        key = (struct, address)
        if key not in self.fetched:
            kind = gdb.lookup_type("struct " + struct)
            self.fetched[key] = gdb.Value(self.read(address, kind.sizeof), kind)
        return self.fetched[key]

    def number(self, slot_number):
        """Kernel address of a slot number, 0 for none."""
        return C["DIRECT_MAP_BASE"] + 32 * int(slot_number) if int(slot_number) else 0

    def place(self, name, function):
        """(address, type) of a variable by name, in that function or static in its file."""
        symbol = self.objfile.lookup_global_symbol(function) \
            or self.objfile.lookup_static_symbol(function)
        block = gdb.block_for_pc(int(symbol.value().address) & (1 << 64) - 1)
        for scope in (block, block.static_block, block.global_block):
            for found in scope:
                if found.name == name:
                    return (int(found.value().address) & (1 << 64) - 1,
                            found.type.strip_typedefs())
        raise gdb.GdbError("The kernel has no variable %s beside %s." % (name, function))

    def variable(self, name, function):
        """That variable as fetched."""
        at, kind = self.place(name, function)
        return gdb.Value(self.read(at, kind.sizeof), kind)

    def private_of(self, region):
        """The object with the private pages of a region, or None."""
        number = int(region["node"]["owned"])
        return self.objects().get(self.number(number)) if number else None

    # ---- Capabilities ------------------------------------------------------------------------

    def slot(self, address):
        return self.get("slot", address)

    @staticmethod
    def slot_object(slot):
        """Kernel address of the object that a slot names; 0: the slot is empty."""
        word = int(slot["word"])
        return word >> C["SLOT_OBJECT_SHIFT"] | 0xFFFF << 48 if word else 0

    @staticmethod
    def slot_type(slot):
        kind = int(slot["word"]) >> C["SLOT_TYPE_SHIFT"] & 0x1F
        return enum_names("object_type", "OBJ_").get(kind, "type %d" % kind)

    @staticmethod
    def slot_place(slot):
        return enum_names("slot_place", "PLACE_")[
            int(slot["word"]) >> C["SLOT_PLACE_SHIFT"] & 0xF]

    def rights(self, slot):
        """The rights of a capability by name."""
        kind = self.slot_type(slot)
        prefix = "MEMORY_" if kind in ("anon", "phys", "served") else kind.upper() + "_"
        names = [name.lower() for bit, name in enum_names("object_right", prefix).items()
                 if bit and int(slot["word"]) & bit]
        return ",".join(names) or "none"

    def subtree(self, top):
        """(depth, address, slot) of each slot below `top`, parents first."""
        todo, steps = [(0, top)], 0
        while todo and steps < LIMIT:
            depth, address = todo.pop()
            slot = self.slot(address)
            yield depth, address, slot
            steps += 1
            if address != top and int(slot["next"]):
                todo.append((depth, self.number(slot["next"])))
            if int(slot["child"]):
                todo.append((depth + 1, self.number(slot["child"])))
        if todo:
            print("(stopped after %d capabilities: is the tree being changed?)" % LIMIT)

    # ---- Objects -----------------------------------------------------------------------------

    def objects(self):
        """{address: Object} of all objects, in the order of the tree."""
        if self.known is not None:
            return self.known
        self.known = {}
        first = int(self.variable("first_bank", "bank_boot"))
        if first == 0:
            raise gdb.GdbError("There is no object yet: continue first, for example to "
                               "`thbreak schedule_next`.")
        for _, address, slot in self.subtree(first + offset_of("object", "origin")):
            if self.slot_place(slot) != "ORIGIN":
                continue
            kind = self.slot_type(slot)
            parent = self.number(slot["parent"])
            at = self.slot_object(slot)
            self.known[at] = Object(at, kind, self.get(self.struct(kind), at),
                                    self.get("object", at),
                                    self.slot_object(self.slot(parent)) if parent else 0)
        return self.known

    @staticmethod
    def struct(kind):
        return "memory" if kind == "anon" else kind

    def of_kind(self, *kinds):
        return [o for o in self.objects().values() if o.kind in kinds]

    def memory(self, o):
        """The struct memory of a memory object."""
        return self.get("memory", o.address)

    def name(self, o):
        """How an object is called here: type#serial, and the name of those that have one."""
        label = "%s#%d" % (o.kind, o.serial)
        if o.kind == "thread":
            return '%s "%s"' % (label, self.thread_name(o))
        if o.kind == "served":
            return '%s "%s"' % (label, text(bytes(int(o.value["name"][i]) & 0xFF for i in
                                            range(o.value["name"].type.range()[1] + 1))))
        if o.kind in ("bank", "aspace", "cspace"):
            users = sorted((t.serial, self.thread_name(t)) for t in self.of_kind("thread")
                           if o.address in (t.bank, self.slot_object(t.value["aspace"]),
                                            self.slot_object(t.value["cspace"])))
            return label + (" (%s)" % users[0][1] if users else "")
        return label

    def name_at(self, address):
        o = self.objects().get(address)
        return self.name(o) if o else "%#x, which is no object" % address if address else "none"

    def thread_name(self, o):
        return text(b"".join(int(o.value["name"][i]).to_bytes(8, "little") for i in (0, 1)))

    def state(self, o):
        return self.string(int(self.variable("states", "thread_describe")[int(o.value["state"])]))

    def bound_to(self, endpoint):
        return [t for t in self.of_kind("thread")
                if self.slot_object(t.value["endpoint"]) == endpoint]

    def who_serves(self, endpoint):
        names = ", ".join(self.name(t) for t in self.bound_to(endpoint))
        return "%s (%s)" % (self.name_at(endpoint), names or "nobody receives there")

    def waits_for(self, o):
        """What a thread waits for, in words."""
        t, state = o.value, self.state(o)
        if state == "ready":
            hart = self.variable("boot_hart", "kernel_main")
            words = "runs, or entered the kernel last" if int(hart["thread"]) == o.address else ""
            return words if int(t["sched"]) else "stranded: no context to run on"
        if state == "sending":
            return "a receiver at " + self.who_serves(int(t["sends_to"]))
        if state == "calling" and int(t["ticket"]["saved"]):
            return "a reply, put aside as %d at %s" % (
                int(t["ticket"]["aside"]["key"]), self.who_serves(int(t["sends_to"])))
        if state == "calling":
            return "the reply of " + self.name_at(int(t["callee"]))
        if state == "receiving":
            return "messages at " + self.name_at(self.slot_object(t["endpoint"]))
        if state == "waiting":
            return "bits of " + self.name_at(int(t["waits_for"]))
        if state == "faulting":
            k = t["ticket"]
            page = self.objects().get(int(k["object"]))
            served = page and page.kind == "served"
            return "page %d of %s, from %s" % (
                int(k["index"]), self.name_at(int(k["object"])),
                self.who_serves(self.slot_object(page.value["server"])) if served else "?")
        if state == "stopped" and int(t["exception"]):
            return "its end: %s at %#x" % (
                enum_names("status", "ST_").get(int(t["stop_status"])), int(t["stop_address"]))
        return ""

    def describe(self, o):
        """One line on an object."""
        v = o.value
        if o.kind == "bank":
            return "%d of %d pages used" % (int(v["used"]), int(v["limit"]))
        if o.kind == "cspace":
            return "%d slots" % int(v["nslots"])
        if o.kind == "thread":
            return " ".join(w for w in (self.state(o), self.waits_for(o)) if w)
        if o.kind == "aspace":
            return "%d regions, identifier %d" % (int(v["regions"]), int(v["asid"]))
        if o.kind == "endpoint":
            return "receives: " + (", ".join(self.name(t) for t in self.bound_to(o.address))
                                   or "nobody")
        if o.kind == "notification":
            return "bits %#x" % int(v["bits"])
        if o.kind == "sched":
            return "priority %d, animates %s, home of %s" % (
                int(v["priority"]), self.name_at(int(v["thread"])), self.name_at(int(v["home"])))
        if o.kind == "irq":
            return "line %d, %d interrupts" % (int(v["line"]), int(v["count"]))
        if o.kind in ("anon", "phys", "served"):
            m = self.memory(o)
            words = "%d bytes, %d pages resident, %d mappings" % (
                int(m["size"]), int(m["resident"]), int(m["regions"]))
            if o.kind == "phys":
                words = "at %#x, " % int(v["base"]) + words
            if o.kind == "served":
                server = self.slot_object(v["server"])
                words += ", key %#x, server %s" % (int(v["key"]), self.name_at(server))
            return words
        return ""

    def find(self, argument, *kinds):
        """The object that an argument names: #serial, type#serial, a thread's name, or an
        expression whose value is an address in it."""
        objects = self.objects().values()
        match = re.fullmatch(r"(\w*)#(\d+)", argument)
        if match:
            found = [o for o in objects if o.serial == int(match.group(2))]
        else:
            found = [o for o in self.of_kind("thread") if self.thread_name(o) == argument]
            found = sorted(found, key=lambda o: o.serial)[:1]
        if not found and not match:
            at = self.evaluate(argument)
            found = [o for o in objects if o.address <= at < o.address + o.size]
        if not found:
            raise gdb.GdbError("There is no object %s; `quire objects` lists all." % argument)
        if kinds and found[0].kind == "thread" and "thread" not in kinds:
            slot = found[0].value[kinds[0]]  # a thread stands for its cspace or aspace
            found = [o for o in objects if o.address == self.slot_object(slot)]
            if not found:
                raise gdb.GdbError("%s has no %s." % (argument, kinds[0]))
        if kinds and found[0].kind not in kinds:
            raise gdb.GdbError("%s is a %s, not a %s." % (argument, found[0].kind, kinds[0]))
        return found[0]

    def chain(self, struct, first, link):
        """(address, struct) along a list of slot numbers."""
        address, steps = self.number(first), 0
        while address and steps < LIMIT:
            value = self.get(struct, address)
            yield address, value
            for name in link.split("."):
                value = value[name]
            address, steps = self.number(value), steps + 1

    def tree(self, root):
        """Addresses of the nodes of a tree (kernel/core/tree.h), in order."""
        todo, at = [], self.number(root)
        while todo or at:
            if at:
                todo.append(at)
                at = self.number(self.get("tree_node", at)["left"])
            else:
                at = todo.pop()
                yield at
                at = self.number(self.get("tree_node", at)["right"])

    def region_list(self, aspace):
        """(address, region) of an address space, in ascending order."""
        for node in self.tree(aspace.value["region_root"]):
            at = node - offset_of("region", "node")
            yield at, self.get("region", at)

    def permissions(self, flags):
        return "".join(letter if flags & C["MAP_" + word] else "-" for letter, word in
                       (("r", "READ"), ("w", "WRITE"), ("x", "EXEC"), ("p", "PRIVATE")))

    def holder(self, address, slot):
        """Where a capability lies, in words."""
        place = self.slot_place(slot)
        if place == "ORIGIN":
            return "origin"
        if place == "CSPACE":
            for c in self.of_kind("cspace"):
                at = (address - int(c.value["slots"])) // 32
                if 0 <= at < int(c.value["nslots"]):
                    return "slot %d of %s" % (at, self.name(c))
        if place == "REGION_OBJECT":
            region = self.get("region", address - offset_of("region", "object"))
            return "region %#x of %s" % (int(region["start"]), self.name_at(int(region["aspace"])))
        if place == "LINK_TARGET":
            link = self.get("link", address - offset_of("link", "target"))
            return "link of %s" % self.name_at(int(link["owner"]))
        for o in self.objects().values():
            if o.address <= address < o.address + o.size:
                return "%s of %s" % (place.split("_", 1)[1].lower(), self.name(o))
        return place


# ---- The commands ----------------------------------------------------------------------------------

class Quire(gdb.Command):
    """Print what the kernel holds: `quire help` lists the commands."""

    def __init__(self):
        super().__init__("quire", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument, from_tty):
        print_help()


COMMANDS = []


def command(name, arguments=""):
    """Make a function `f(kernel, arguments...)` the command `quire NAME`; its docstring is help.
    An argument in brackets may be left away."""
    wanted = arguments.split()
    needed = sum(not a.startswith("[") for a in wanted)

    def register(function):
        class Command(gdb.Command):
            __doc__ = "%s\nUsage: quire %s %s" % (function.__doc__, name, arguments)

            def __init__(self):
                super().__init__("quire " + name, gdb.COMMAND_DATA)

            def invoke(self, argument, from_tty):
                given = gdb.string_to_argv(argument)
                if not needed <= len(given) <= len(wanted):
                    raise gdb.GdbError("Usage: quire %s %s" % (name, arguments))
                with Kernel() as kernel:
                    function(kernel, *given)

        COMMANDS.append(("quire %s %s" % (name, arguments), function.__doc__))
        Command()
        return function
    return register


def print_help():
    table(["command", ""], COMMANDS)
    print("THREAD, ASPACE, OBJECT: type#serial as these commands print it, #serial, a thread's\n"
          "name, or an expression whose value is an address inside the object.")


Quire()


@command("threads")
def threads(k):
    """all threads: state, and what each waits for, from whom"""
    rows = []
    for o in sorted(k.of_kind("thread"), key=lambda o: o.serial):
        lent = int(o.value["lendee"])
        rows.append([k.name(o), k.state(o), "%#x" % int(o.value["regs"][0]),
                     k.waits_for(o) + ("; lent its context to " + k.name_at(lent) if lent else "")])
    table(["thread", "state", "pc at entry", "waits for"], rows)


@command("caps", "THREAD|CSPACE")
def caps(k, what):
    """the capabilities of a cspace: slot, object, rights, badge"""
    c = k.find(what, "cspace")
    kind, n = gdb.lookup_type("struct slot"), int(c.value["nslots"])
    raw = k.read(int(c.value["slots"]), n * kind.sizeof)
    rows = []
    for i in range(n):
        part = raw[i * kind.sizeof:(i + 1) * kind.sizeof]
        if any(part):
            slot = gdb.Value(part, kind)
            rows.append([i, k.name_at(k.slot_object(slot)), k.rights(slot),
                         "%#x" % int(slot["badge"])])
    print("%s: %d of %d slots full" % (k.name(c), len(rows), n))
    table(["slot", "object", "rights", "badge"], rows)


@command("tree", "OBJECT")
def tree(k, what):
    """the capabilities to an object, and what was made from it"""
    o = k.find(what)
    for depth, address, slot in k.subtree(o.address + offset_of("object", "origin")):
        if k.slot_place(slot) == "ORIGIN":
            target = k.objects()[k.slot_object(slot)]
            print("%s%s: %s" % ("  " * depth, k.name(target), k.describe(target)))
        else:
            badge = int(slot["badge"])
            print("%s%s, %s%s" % ("  " * depth, k.holder(address, slot), k.rights(slot),
                                  ", badge %#x" % badge if badge else ""))


@command("regions", "THREAD|ASPACE")
def regions(k, what):
    """the mappings of an address space"""
    a = k.find(what, "aspace")
    rows = []
    for _, r in k.region_list(a):
        heard = "-"
        if int(r["event"]):
            untold = int(k.get("event", int(r["event"]))["node"]["spare"][0])
            names = enum_names("event_tell", "EVENT_").items()
            heard = ", ".join("untold: " + name.lower() for bit, name in names
                              if untold & bit) or "heard"
        rows.append(["%#x" % int(r["start"]), "%#x" % int(r["end"]),
                     k.permissions(int(r["flags"])), int(r["mapping_id"]),
                     k.name_at(k.slot_object(r["object"])),
                     "%#x" % (int(r["first_page"]) << PAGE_SHIFT), heard])
    print("%s: %d regions" % (k.name(a), len(rows)))
    table(["start", "end", "may", "mapping", "object", "offset", "server"], rows)


@command("objects")
def objects(k):
    """all objects: address, the bank that pays, and one line on each"""
    table(["object", "address", "bank", ""],
          [[k.name(o), "%#x" % o.address, "bank#%d" % k.objects()[o.bank].serial if o.bank else "-",
            k.describe(o) + (", dying" if o.dying else "")]
           for o in sorted(k.objects().values(), key=lambda o: o.serial)])


WHY = ["missing", "write", "?", "?"]  # FAULT_WHY_*


@command("tickets")
def tickets(k):
    """the open tickets: pages that threads wait for"""
    rows = []
    for s in k.of_kind("served"):
        for first, t in k.chain("thread", s.value["open_first"], "ticket.open_next"):
            ticket = t["ticket"]
            waiters = [k.name_at(first)] + [k.name_at(a) for a, _ in k.chain(
                "thread", ticket["next_waiter"], "ticket.next_waiter")]
            why = int(ticket["access"]) >> C["FAULT_WHY_SHIFT"]
            rows.append([k.name(s), int(ticket["index"]), WHY[why], int(ticket["sequence"]),
                         int(ticket["epoch"]), "yes" if int(ticket["delivered"]) else "no",
                         ", ".join(waiters)])
    table(["object", "page", "why", "sequence", "epoch", "delivered", "waiters"], rows)
    print("%d open" % len(rows))


@command("banks")
def banks(k):
    """the tree of banks: limit and use in pages"""
    all_banks = k.of_kind("bank")
    rows = []

    def add(bank, depth):
        v = bank.value
        rows.append(["  " * depth + k.name(bank)] + [int(v[name]) for name in (
            "limit", "used", "peak", "slab_pages", "frame_pages", "child_pages")])
        for child in all_banks:
            if child.bank == bank.address:
                add(child, depth + 1)

    for bank in all_banks:
        if bank.bank == 0:
            add(bank, 0)
    table(["bank", "limit", "used", "peak", "slabs", "frames", "child banks"], rows)


@command("queue")
def queue(k):
    """the run queue: contexts in the order in which they run"""
    ready = k.variable("ready", "schedule_pick")
    rows = []
    for priority in reversed(range(ready["first"].type.range()[1] + 1)):
        first = at = int(ready["first"][priority])
        while at and len(rows) < LIMIT:
            s = k.get("sched", at)
            rows.append([priority - 1 if priority else "held", k.name_at(at), k.name_at(int(s["thread"])),
                         k.name_at(int(s["home"])), int(s["ticks"])])
            at = int(s["next"])
            if at == first:
                break
    table(["priority", "context", "animates", "home of", "ticks"], rows)
    print("%d ready" % len(rows))


@command("walk", "THREAD|ASPACE VADDR")
def walk(k, what, vaddr):
    """a page-table walk, and what the object mapped there has for that page"""
    a = k.find(what, "aspace")
    address = k.evaluate(vaddr)
    for level, at, entry in k.walk(int(a.value["table"]["root"]), address):
        bits = "".join(bit if entry & C["PTE_" + bit] else "-" for bit in "DAGUXWRV")
        print("level %d: entry at %#x = %#018x  %s" % (level, at, entry, bits))
    at = k.translate(address, int(a.value["satp"]))
    print("%#x is %s" % (address, "not mapped" if at is None else "physical %#x" % at))
    for _, r in k.region_list(a):
        if int(r["start"]) <= address < int(r["end"]):
            page = int(r["first_page"]) + (address - int(r["start"]) >> PAGE_SHIFT)
            owner = k.objects()[k.slot_object(r["object"])]
            private = k.private_of(r)
            if private is not None:
                own = address - int(k.memory(private)["private_base"]) >> PAGE_SHIFT
                if page_state(k, private, own) != "missing":
                    owner, page = private, own
            print("region %#x to %#x, %s, page %d of %s: %s" % (
                int(r["start"]), int(r["end"]), k.permissions(int(r["flags"])), page,
                k.name(owner), page_state(k, owner, page)))
            return
    print("no region holds it")


@command("trace", "[COUNT]")
def trace(k, count="32"):
    """the last events that the kernel of a debug build noted (32 of each hart)"""
    if not count.isdigit():
        raise gdb.GdbError("'%s' is no number of events." % count)
    ring = gdb.lookup_type("struct trace_ring")
    if member_of(ring, "records")[1].range()[1] == 0:
        raise gdb.GdbError("This is a release build, which keeps no records: BUILD=debug does.")
    at, kind = k.place("trace_rings", "trace_write")
    fmt = trace_format.Format(ROOT)
    size, head = trace_format.RECORD.size, trace_format.RING_HEAD.size
    for ring in range(at, at + kind.sizeof, fmt.ring_bytes(k.read(at, head))):
        written, capacity, _ = trace_format.RING_HEAD.unpack(k.read(ring, head))
        for number in range(max(0, written - min(capacity, int(count))), written):
            raw = k.read(ring + head + number % capacity * size, size)
            print("%d: %s" % (number, fmt.line(fmt.decode(raw)[0])))


def link_at(k, memory, page):
    """The link of a memory object that covers a page, or None."""
    for node in k.tree(memory["links_out"]):
        link = k.get("link", node - offset_of("link", "node"))
        if 0 <= page - int(link["first"]) < int(link["npages"]):
            return link
    return None


def page_state(k, o, page):
    """What a memory object's index, and then its links, say of a page."""
    state = index_state(k, o, page)
    link = link_at(k, k.memory(o), page) if state == "missing" else None
    if link is None:
        return state
    target = k.objects().get(k.slot_object(link["target"]))
    if target is None:
        return "lost"
    to = int(link["to"]) + page - int(link["first"])
    return "page %d of %s, %s" % (to, k.name(target), page_state(k, target, to))


def index_state(k, o, page):
    """What a memory object's index says of a page."""
    index = k.memory(o)["index"]
    node, depth = int(index["root"]), int(index["depth"])
    if depth == 0:
        return "at physical %#x" % (int(o.value["base"]) + (page << PAGE_SHIFT))
    entry = 0
    for level in reversed(range(depth)):
        if node == 0:
            return "missing"
        at = node + 8 * (page >> LEVEL_BITS * level & (1 << LEVEL_BITS) - 1)
        entry = int.from_bytes(k.physical(at, 8), "little")
        node = (entry & C["PTE_NUMBER"]) << 2
    if entry & C["SLOT_WAITING"]:
        first = C["DIRECT_MAP_BASE"] + (entry & ~C["SLOT_WAITER_BITS"])
        return "waited for by %s" % k.name_at(first)
    if entry & C["SLOT_RESIDENT"]:
        return "resident at physical %#x%s" % (
            entry & ~C["SLOT_BITS"], ", a write asks first" if entry & C["SLOT_ASK"] else "")
    return "missing"


# ---- Programs --------------------------------------------------------------------------------------

class Program:
    """The user program whose symbols are loaded."""

    name = None
    path = None


class ProgramCommand(gdb.Command):
    """Load the symbols of a user program: quire program NAME"""

    def __init__(self):
        super().__init__("quire program", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        name = argument.strip()
        kernel = next((o.filename for o in gdb.objfiles()
                       if o.filename.endswith("kernel.elf")), "")
        folder = os.path.join(os.path.dirname(os.path.dirname(kernel)), "programs")
        path = os.path.join(folder, name + ".elf")
        if not name or not os.path.exists(path):
            names = sorted(n[:-4] for n in os.listdir(folder) if n.endswith(".elf"))
            raise gdb.GdbError("There is no program '%s'. Those there are: %s"
                               % (name, " ".join(names)))
        if Program.path:
            gdb.execute("remove-symbol-file %s" % Program.path, to_string=True)
        gdb.execute("add-symbol-file %s" % path, to_string=True)
        Program.name, Program.path = name, path
        print("Symbols of program '%s'; `program-break main` stops there." % name)


class ProgramBreakpoint(gdb.Breakpoint):
    """A breakpoint that counts only while the program's address space is in use: others have the
    same addresses."""

    def stop(self):
        with Kernel() as kernel:
            hart = kernel.variable("boot_hart", "kernel_main")
            if not int(hart["thread"]) or kernel.satp >> 63 == 0:
                return False
            thread = kernel.get("thread", int(hart["thread"]))
            if int(thread["satp"]) != kernel.satp:
                return False
            return any(int(t.value["satp"]) == kernel.satp and kernel.thread_name(t) ==
                       text(self.program.encode()[:16]) for t in kernel.of_kind("thread"))


class ProgramBreak(gdb.Command):
    """Stop at a place in the program whose symbols are loaded, and in no other program:
program-break LOCATION"""

    def __init__(self):
        super().__init__("program-break", gdb.COMMAND_BREAKPOINTS, gdb.COMPLETE_LOCATION)

    def invoke(self, argument, from_tty):
        if not Program.name:
            raise gdb.GdbError("Which program? Say `quire program NAME` first, or `make gdb "
                               "PROGRAM=NAME`.")
        point = ProgramBreakpoint(argument or "main", gdb.BP_HARDWARE_BREAKPOINT)
        point.program = Program.name


COMMANDS.append(("quire program NAME", "load the symbols of a user program"))
COMMANDS.append(("program-break LOCATION", "stop there, in that program only"))
ProgramCommand()
ProgramBreak()


class Help(gdb.Command):
    """The commands of this kernel: quire help"""

    def __init__(self):
        super().__init__("quire help", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print_help()


COMMANDS.append(("quire help", "this list"))
Help()
