"""What hypothesis makes of good files and data: a few bytes, or a few values, are others."""

import json
from typing import Any

from hypothesis import strategies as st

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "{subject}", "{", "}}", "\0", "\ufeff", "\u202e", "..", "../x", "é" * 3, "NaN", "[X]", "a\nb"]
    ),
)
_NUMBERS = st.one_of(
    st.integers(-3, 3), st.integers(-(10**20), 10**20), st.floats(), st.sampled_from([10**400, 2**63, -(2**63) - 1])
)
_LEAVES = st.one_of(st.none(), st.booleans(), _NUMBERS, TEXTS)
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
"""Anything that JSON and YAML can hold."""


@st.composite
def change_bytes(draw: st.DrawFn, original: bytes) -> bytes:
    """A file with a few places flipped, cut out, written twice, or with something put in."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["flip", "cut", "drop", "double", "insert"])):
            case "flip" if content:
                content[start] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[start:]
            case "drop":
                del content[start : start + length]
            case "double":
                content[start:start] = content[start : start + length]
            case "insert":
                content[start:start] = draw(st.one_of(st.binary(max_size=8), TEXTS.map(encode)))
    return bytes(content)


def encode(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


@st.composite
def change_data(draw: st.DrawFn, original: Any) -> Any:
    """Plain data in which a value somewhere is another one, gone, or has company."""
    content = json.loads(json.dumps(original))
    for _ in range(draw(st.integers(1, 2))):
        content = _change_somewhere(draw, content)
    return content


def _change_somewhere(draw: st.DrawFn, content: Any) -> Any:
    if isinstance(content, dict) and content and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(content)))
        match draw(st.sampled_from(["deeper", "deeper", "deeper", "gone", "more"])):
            case "deeper":
                return {**content, key: _change_somewhere(draw, content[key])}
            case "gone":
                return {name: value for name, value in content.items() if name != key}
            case _:
                return {**content, draw(TEXTS): draw(VALUES)}
    if isinstance(content, list) and content and draw(st.integers(0, 5)):
        index = draw(st.integers(0, len(content) - 1))
        return [*content[:index], _change_somewhere(draw, content[index]), *content[index + 1 :]]
    return draw(VALUES)
