"""Bytes that are nearly right: what finds its way past a reader's first check."""

import json
import random
from typing import Any

TOKENS = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r", b'"', b"\\", b"\\ud800", b"[", b"{", b"}",
    b",", b"null", b"true", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b"9" * 5000,
    b"../../x", b"##", b"[MASK]", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"\t", b",,",
    b"\x1f\x8b", b"[" * 3000,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, float("nan"),
    float("inf"), "", "x", "../../x", "/etc/passwd", "a\0b", "x" * 300, "\ud800", [], [[]], {},
    {"a": 1}, [1, "a"],
]  # fmt: skip


def edited(data: bytes, seed: int) -> bytes:
    """A few random edits; of JSON, half the time of its values."""
    chooser = random.Random(seed)
    if chooser.random() < 0.5:
        try:
            return json.dumps(_with_other_values(json.loads(data), chooser)).encode()
        except (ValueError, RecursionError):
            pass
    for _ in range(chooser.choice((1, 1, 2, 4, 16))):
        data = _edit(data, chooser)
    return data


def _edit(data: bytes, chooser: random.Random) -> bytes:
    start = chooser.randrange(len(data) + 1)
    end = min(len(data), start + chooser.choice((0, 1, 1, 4, 30)))
    middle = chooser.choice(
        [
            b"",
            bytes([chooser.randrange(256)]),
            chooser.choice(TOKENS),
            bytes(byte ^ (1 << chooser.randrange(8)) for byte in data[start:end]),
            data[start:end] * 2,
            data[chooser.randrange(len(data) + 1) :][:20],
        ]
    )
    return data[:start] + middle + data[end:]


def _with_other_values(value: Any, chooser: random.Random) -> Any:
    """The same shape with about one value in six, or a branch, replaced."""
    if chooser.random() < 0.08:
        return chooser.choice(VALUES)
    if isinstance(value, dict):
        items = {key: _with_other_values(item, chooser) for key, item in value.items()}
        if items and chooser.random() < 0.1:
            del items[chooser.choice(sorted(items))]
        return items
    if isinstance(value, list):
        return [_with_other_values(item, chooser) for item in value]
    return chooser.choice(VALUES) if chooser.random() < 0.1 else value
