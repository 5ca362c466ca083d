"""Tricky OSC packets, each with a name: what the fuzzer begins from and the tests send.

python -m tests.fuzz.osc_corpus      writes them to tests/data/osc, beside what fuzzing found
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "data" / "osc"
NOW = struct.pack(">Q", 1)
DATAGRAM = 65_507  # bytes of the largest over UDP and IPv4


def text(words: bytes) -> bytes:
    """With its end, to a whole word of 4."""
    return words + b"\0" * (4 - len(words) % 4)


def message(path: bytes, tags: bytes = b"", arguments: bytes = b"") -> bytes:
    return text(path) + text(b"," + tags) + arguments


def bundle(*elements: bytes, tag: bytes = NOW) -> bytes:
    return b"#bundle\0" + tag + b"".join(struct.pack(">i", len(e)) + e for e in elements)


def sized(packet: bytes, size: int | None = None) -> bytes:
    return struct.pack(">i", len(packet) if size is None else size) + packet


def nested(depth: int) -> bytes:
    made = message(b"/gain", b"f", struct.pack(">f", -6))
    for _ in range(depth):
        made = bundle(made)
    return made


def worst_patterns() -> bytes:
    """As many messages as fit, each with another pattern that can stand everywhere."""
    each = [message(b"/" + b"*{,%03x}" % i * 16, b"f", struct.pack(">f", 0)) for i in range(999)]
    return bundle(*each[: DATAGRAM // (len(each[0]) + 4) - 1])


@cache
def tricky() -> dict[str, bytes]:
    """All of them."""
    gain = message(b"/gain", b"f", struct.pack(">f", -6))
    found = {
        "empty": b"", "zeros": b"\0" * 64, "one-byte": b"/", "slash": text(b"/"),
        "gain": gain, "gain-asked": message(b"/gain"), "gain-no-tags": text(b"/gain"),
        "gain-int": message(b"/gain", b"i", struct.pack(">i", 3)),
        "gain-huge-int": message(b"/gain", b"h", struct.pack(">q", 2**63 - 1)),
        "gain-double": message(b"/gain", b"d", struct.pack(">d", 1e308)),
        "gain-nan": message(b"/gain", b"f", struct.pack(">f", float("nan"))),
        "gain-infinite": message(b"/gain", b"d", struct.pack(">d", float("-inf"))),
        "gain-text": message(b"/gain", b"s", text(b"-3.5")),
        "gain-long-number": message(b"/gain", b"s", text(b"9" * 900)),
        "gain-blob": message(b"/gain", b"b", struct.pack(">i", 5) + b"12345\0\0\0"),
        "gain-two": message(b"/gain", b"ff", struct.pack(">ff", 1, 2)),
        "gain-all-types": message(
            b"/gain", b"ifhdTFINsSctrmb",
            struct.pack(">ifqd", 1, 2, 3, 4) + text(b"a") + text(b"b") + struct.pack(">i", 65) + NOW
            + b"\1\2\3\4" * 2 + struct.pack(">i", 0),
        ),
        "gain-array": message(b"/gain", b"[ff]", struct.pack(">ff", 1, 2)),
        "tags-unknown": message(b"/gain", b"q", b"\0" * 8),
        "tags-no-comma": text(b"/gain") + text(b"f") + b"\0" * 4,
        "tags-no-end": text(b"/gain") + b"," + b"T" * 200 + b"\0" * 3,
        "tags-many": message(b"/pack/held", b"i" * 128, b"\0\0\0\x3c" * 128),
        "arguments-short": message(b"/gain", b"ffff", b"\0" * 4),
        "arguments-long": gain + b"\0" * 400,
        "blob-negative": message(b"/gain", b"b", struct.pack(">i", -1)),
        "blob-past-the-end": message(b"/gain", b"b", struct.pack(">i", 2**31 - 1)),
        "blob-64k": message(b"/gain", b"b", struct.pack(">i", 65_440) + b"\xa5" * 65_440),
        "text-no-end": text(b"/gain") + text(b",s") + b"a" * 64,
        "text-64k": message(b"/preset/save", b"s", text(b"a" * 65_400)),
        "address-no-end": b"/" + b"a" * 1023, "address-64k": b"/" + b"a" * (DATAGRAM - 1),
        "address-not-utf8": message(b"/\xff\xfe\xc3\x28"), "address-spaces": message(b"/ga in"),
        "text-not-utf8": message(b"/style", b"s", text(b"\xed\xa0\x80")),
        "text-escapes": message(b"/preset/save", b"s", text(b"\x1b]0;x\x07\n\r\x7f")),
        "path-upwards": message(b"/record", b"s", text(b"../../x")),
        "path-absolute": message(b"/preset/recall", b"s", text(b"/etc/passwd")),
        "alignment-1": gain[:-1], "alignment-2": gain + b"\0\0", "alignment-3": b"\0" + gain,
        "bundle": bundle(gain, message(b"/seed", b"i", b"\0\0\0\x07")), "bundle-empty": bundle(),
        "bundle-head-only": b"#bundle\0", "bundle-half-tag": b"#bundle\0\0\0\0\0",
        "bundle-size-0": b"#bundle\0" + NOW + sized(b"", 0),
        "bundle-size-negative": b"#bundle\0" + NOW + sized(gain, -16),
        "bundle-size-odd": b"#bundle\0" + NOW + sized(gain, 15),
        "bundle-size-huge": b"#bundle\0" + NOW + sized(gain, 2**31 - 1),
        "bundle-size-short": b"#bundle\0" + NOW + sized(gain, len(gain) - 4),
        "bundle-8-deep": nested(8), "bundle-9-deep": nested(9), "bundle-3000-deep": nested(3_000),
        "bundle-many": bundle(*[message(b"/gain", b"T")] * 2_040),
        "bundle-too-many": bundle(*[text(b"/x")] * 5_000),
        "bundle-of-asking": bundle(*[message(b"/dump")] * 2_000),
        "bundle-of-all": bundle(*[message(b"/*", b"T")] * 2_000),
        "bundle-of-all-asked": bundle(*[text(b"/*")] * 2_000),
        "bundle-of-times": bundle(*[
            bundle(text(b"/dump"), tag=struct.pack(">II", 9, i)) for i in range(1_000)
        ]),
        "bundle-of-pressing": bundle(*[message(b"/undo"), message(b"/redo")] * 500),
        "time-0": bundle(gain, tag=b"\0" * 8), "time-2": bundle(gain, tag=struct.pack(">Q", 2)),
        "time-last": bundle(gain, tag=b"\xff" * 8),
        "time-era": bundle(gain, tag=struct.pack(">Q", 2**63)),
        "time-1970": bundle(gain, tag=struct.pack(">II", 2_208_988_800, 0)),
        "time-2030": bundle(gain, tag=struct.pack(">II", 4_102_444_800, 2**31)),
        "pattern": message(b"/harmony/[ceg]", b"i", b"\0\0\0\1"), "pattern-all": message(b"/*"),
        "pattern-open": message(b"/harmony/[c"), "pattern-braces": message(b"/{gain,{seed}}"),
        "pattern-nothing": message(b"/[]{}", b"f", b"\0" * 4),
        "pattern-range": message(b"/harmony/[!z-a-]", b"f", b"\0" * 4),
        "pattern-stars": message(b"/" + b"*?" * 100 + b"x", b"f", b"\0" * 4),
        "pattern-empty-words": message(b"/" + b"*{,,,}" * 40, b"f", b"\0" * 4),
        "patterns-64k": worst_patterns(),
        "subscribe-port": message(b"/subscribe", b"i", b"\0\0\xff\xff"),
        "subscribe-no-port": message(b"/subscribe", b"i", struct.pack(">i", -1)),
        "subscribe-nan": message(b"/subscribe", b"f", struct.pack(">f", float("nan"))),
        "subscribe-pattern": message(b"/subscribe", b"is", b"\0\0\x23\x33" + text(b"/*/norm")),
        "meters-rate": message(b"/meters", b"d", struct.pack(">d", 1e300)),
        "meters-nothing": message(b"/meters", b"N"),
        "hold-text": message(b"/pack/held", b"s", b"c4\0\0"),
        "hold-infinite": message(b"/pack/held", b"f", struct.pack(">f", float("inf"))),
        "record-number": message(b"/record", b"s", text(b"1.")),
        "slip-packets": b"\xc0" + gain + b"\xc0\xc0" + gain + b"\xc0",
        "slip-escapes": b"\xc0" + gain[:-1] + b"\xdb\xdc\xdb\xdd\xc0",
        "slip-bad-escape": b"\xc0/gain\0\0\0\xdb\x41\xc0", "slip-half": b"\xc0" + gain[:7],
        "slip-ends": b"\xc0" * 4_096,
        "sized-packets": sized(gain) + sized(gain), "sized-0": sized(b"") * 64,
        "sized-negative": sized(gain, -1), "sized-huge": sized(gain, 2**24 - 1),
        "sized-half": sized(gain)[:11], "sized-64k": sized(b"/" + b"a" * 65_535),
        "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }  # fmt: skip
    return found


def kept() -> dict[str, bytes]:
    """What lies in the folder, by name: these, and what fuzzing found."""
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.osc"))}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, packet in tricky().items():
        (FOLDER / f"{name}.osc").write_bytes(packet)
    print(f"{len(tricky())} packets in {FOLDER}")


if __name__ == "__main__":
    main()
