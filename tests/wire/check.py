"""docs/wire.md against the code.

The code writes vectors: bytes, and what it means by them. Decoders that were
made from the document alone (the files beside this one) read the bytes, and
every field is compared, both ways. golden.jsonl keeps those that are the same
each time: with another byte in them this version would not be this version.

    check.py VECTORS DEVICE       the two programs; TAP
    check.py --golden VECTORS     writes golden.jsonl again

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import collections
import json
import pathlib
import subprocess
import sys

import basics
import engine
import session
import signalling
import udt

GOLDEN = pathlib.Path(__file__).with_name("golden.jsonl")
KEY = "a key of the vectors"


# --- One vector each ---


def credential(vector):
    return vector["key"], vector["device"]


def raw(vector, name="hex"):
    return bytes.fromhex(vector[name])


def plain_frames(vector):
    return {"frames": [without_bytes(f) for f in engine.frames(raw(vector))]}


def without_bytes(frame):
    if frame["type"] in ("DATA", "REPAIR"):
        return {name: frame[name] for name in frame if name != "bytes"}
    return frame


def named(decode):
    def check(vector):
        name, fields = decode(raw(vector))
        basics.need(name == vector["name"], f"is {name}")
        return fields
    return check


def sealed(vector):
    way = engine.Direction(vector["name"], raw(vector, "secret"), 0)
    return {"plain": way.open(vector["number"], raw(vector, "associated"),
                              raw(vector)).hex()}


def derived(vector):
    return {"bytes": basics.derive(credential(vector), vector["label"],
                                   raw(vector, "context"), 70).hex()}


def envelope(vector):
    return signalling.open_envelope(credential(vector),
                                    raw(vector, "challenge"), raw(vector))


def box(vector):
    return signalling.open_box(credential(vector),
                               bytes.fromhex(vector.get("bound", "")),
                               raw(vector))


def proofs(vector):
    return udt.proofs(vector["key"], *(raw(vector, name) for name in
                                       ("C", "S", "call", "refuse", "probe")))


def without_key(vector):
    out = udt.without_key(raw(vector, "call"), raw(vector, "accept"))
    header = bytes(range(0xc0, 0xc9))
    tags = [{"number": t["number"], "length": t["length"],
             "tag": udt.tag(out["C"], t["number"], header,
                            bytes((3 + i) % 256 for i in range(t["length"])))}
            for t in vector["want"]["tags"]]
    return out | {"C": out["C"].hex(), "S": out["S"].hex(), "tags": tags}


DECODERS = {
    "frames": plain_frames,
    "control": named(session.control),
    "command": named(session.command),
    "frame": lambda v: session.frame(raw(v)),
    "setup": lambda v: session.setup(v["text"]),
    "sealed": sealed,
    "derived": derived,
    "envelope": envelope,
    "box": box,
    "lan": lambda v: signalling.lan(raw(v)),
    "hello": lambda v: udt.hello(raw(v)),
    "proofs": proofs,
    "without-key": without_key,
}


def compare(got, want, where=""):
    """Nothing, or where they differ."""
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() != want.keys():
            return [f"{where}: fields {sorted(got)}, not {sorted(want)}"]
        return [line for name in got
                for line in compare(got[name], want[name], f"{where}/{name}")]
    if (isinstance(got, list) and isinstance(want, list)
            and len(got) == len(want)):
        return [line for i, (a, b) in enumerate(zip(got, want))
                for line in compare(a, b, f"{where}/{i}")]
    return [] if got == want else [f"{where}: {got}, not {want}"]


def check_vector(vector):
    where = f"{vector['kind']} {vector.get('name', '')}"
    try:
        got = DECODERS[vector["kind"]](vector)
    except basics.Malformed as error:
        return [f"{where}: {error}"]
    return compare(got, vector["want"], where)


def check_vectors(vectors, kinds):
    wrong = [line for vector in vectors for line in check_vector(vector)]
    missing = set(kinds) - {vector["kind"] for vector in vectors}
    return wrong + [f"no vector of {kind}" for kind in sorted(missing)]


# --- Two engines that talk ---


class Receiver:
    """Puts the messages of one end together from what arrives of it."""

    def __init__(self):
        self.parts = collections.defaultdict(dict)
        self.sizes = {}
        self.repairs = []

    def take(self, frame):
        if frame["type"] not in ("DATA", "REPAIR"):
            return
        which = frame["flow"], frame["id"]
        self.sizes[which] = frame["total"]
        if frame["type"] == "DATA":
            self.parts[which][frame["offset"]] = frame["bytes"]
        else:
            self.repairs.append((which, frame))

    def holes(self, which, content):
        """Bytes of a message that did not come in DATA, if `content` is it."""
        covered = bytearray(len(content))
        for offset, data in self.parts[which].items():
            basics.need(content[offset:offset + len(data)] == data,
                        f"bytes at {offset} of {which}")
            covered[offset:offset + len(data)] = bytes([1]) * len(data)
        return covered.count(0)

    def check_repairs(self, messages):
        """How many say what their message says they must."""
        checked = 0
        for which, frame in self.repairs:
            if which in messages:
                basics.need(frame["bytes"] == engine.repair_symbol(
                    messages[which], frame["symbol"], frame["index"]),
                    f"repair {frame['index']} of {which}")
                checked += 1
        return checked


def check_packet(ways, receivers, seen, vector):
    name = vector["name"]
    packet = ways[name].packet(raw(vector), not vector["lost"])
    for frame in packet["frames"]:
        seen[frame["type"]] += 1
        seen["flags"] |= frame.get("flags", 0)
        if not vector["lost"]:
            receivers[name].take(frame)
    packet["frames"] = [without_bytes(frame) for frame in packet["frames"]]
    return compare(packet, vector["want"], f"packet of the {name}")


def check_talk(vectors):
    """All packets of one connection, and the messages that came of them."""
    begin, *vectors = vectors
    ways = {name: engine.Direction(begin["name"], raw(begin, name),
                                   begin[name + " id"])
            for name in ("client", "server")}
    receivers = {name: Receiver() for name in ways}
    messages = {name: {} for name in ways}
    seen, wrong = collections.Counter(), []
    for vector in vectors:
        if vector["kind"] == "packet":
            wrong += check_packet(ways, receivers, seen, vector)
        else:
            which = vector["flow"], vector["id"]
            messages[vector["name"]][which] = raw(vector)
    holes = sum(receivers[name].holes(which, content)
                for name in ways for which, content in messages[name].items())
    repairs = sum(receivers[name].check_repairs(messages[name])
                  for name in ways)
    delivered = sum(map(len, messages.values()))
    wrong += [f"no {kind}" for kind in engine.TYPES if not seen[kind]]
    if seen["flags"] != 0x3f:
        wrong.append(f"flags {seen['flags']:x}")
    if delivered < 50 or repairs < 20 or not holes:
        wrong.append(f"{delivered} messages, {repairs} repairs, {holes} bytes "
                     "recovered")
    return wrong


def check_connections(vectors):
    starts = [i for i, v in enumerate(vectors) if v["kind"] == "connection"]
    wrong = [] if len(starts) == 2 else ["not one connection a cipher"]
    for start, end in zip(starts, starts[1:] + [len(vectors)]):
        wrong += check_talk(vectors[start:end])
    return wrong


# --- A conversation ---


def check_conversation(device):
    def talk(port):
        viewer = signalling.Viewer(port, (KEY, "camera-1"))
        viewer.send(signalling.PING)
        viewer.send(signalling.MESSAGE, b'{"hello": [1, "\xc3\xa9"]}')
        basics.need(viewer.receive() == (1, '{"hello": [1, "é"]}'), "echo")
        viewer.send(signalling.MESSAGE, b'{"type":"bye"}')
        kind, body = viewer.receive()
        basics.need(kind == signalling.CLOSE and body == "", "close")
        strangers = [signalling.Viewer(port, who) for who in
                     (("another key entirely", "camera-1"), (KEY, "camera-2"))]
        for viewer in strangers:
            viewer.send(signalling.PING)
        basics.need(all(viewer.is_refused() for viewer in strangers),
                    "a stranger is not refused")

    with subprocess.Popen([device, KEY], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            talk(int(process.stdout.readline()))
        except (basics.Malformed, OSError) as error:
            return [str(error)]
        finally:
            process.stdin.close()
    return [] if process.returncode == 0 else ["the device failed"]


# --- The program ---


def run(vectors, which):
    out = subprocess.run([vectors, which], stdout=subprocess.PIPE, check=True)
    return out.stdout.decode()


def parse(text):
    return [json.loads(line) for line in text.splitlines()]


def main():
    if sys.argv[1] == "--golden":
        lines = run(sys.argv[2], "golden")
        boxes = run(sys.argv[2], "boxes")
        GOLDEN.write_text(lines + boxes, encoding="utf-8")
        return 0
    vectors, device = sys.argv[1:]
    golden = GOLDEN.read_text(encoding="utf-8")
    fixed = DECODERS.keys() - {"box"}
    cases = {
        "golden vectors": lambda: check_vectors(parse(golden), DECODERS),
        "the code still writes them": lambda: (
            [] if golden.startswith(run(vectors, "golden"))
            else ["golden.jsonl is other than what `wire-vectors golden` says"]
            + check_vectors(parse(run(vectors, "golden")), fixed)),
        "boxes": lambda: check_vectors(parse(run(vectors, "boxes")), ["box"]),
        "two engines": lambda: check_connections(
            parse(run(vectors, "connection"))),
        "a conversation on tcp": lambda: check_conversation(device),
    }
    failed = 0
    for i, (name, case) in enumerate(cases.items(), 1):
        wrong = case()
        for line in wrong[:20]:
            print("#", line)
        print("not ok" if wrong else "ok", i, "-", name, flush=True)
        failed += bool(wrong)
    print(f"1..{len(cases)}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
