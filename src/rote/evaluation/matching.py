"""The one matcher: whether a right answer appears in what a model said. No torch.

Text becomes words; an answer matches as a run of whole words, so "Ross" is not found in "Rossini". In scripts that
are written without spaces every character is a word of its own, so there a match is a substring, and a Latin name
inside a Chinese sentence still has edges.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

_UNFINISHED = "\ufffd"
"""What a tokenizer shows for a character whose last bytes have not come yet."""

_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul letters
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),  # Han repetition mark and zero
    (0x3031, 0x318F),  # kana, Bopomofo, Hangul letters
    (0x31A0, 0x31FF),  # Bopomofo and kana extensions
    (0x3400, 0x9FFF),  # Han
    (0xA960, 0xA97F),  # Hangul letters
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),  # Han compatibility
    (0x1AFF0, 0x1B16F),  # kana extensions
    (0x20000, 0x3FFFF),  # Han extensions
)

_INITIALS = re.compile(r"(?<![^\W_])([^\W\d_])\.(?=[^\W\d_](?![^\W_]))")
"""The full stop between two single letters, as in "D.C.": left out, so that the letters stay one word."""

_CONTINUATIONS = ("a", "\u0338", "\u3099", "\u309a", "\u11a8")
"""What could follow and change the last word: a letter; or a mark that joins a symbol, a kana or a Hangul syllable."""


class _Characters(dict[int, str]):
    """What becomes of each character, worked out when first met."""

    def __missing__(self, code: int) -> str:
        self[code] = replacement = _map_character(chr(code))
        return replacement


def _map_character(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Cf", "Me") or "\ufe00" <= char <= "\ufe0f":
        return ""  # joiners, direction marks, soft hyphens, emoji styles: invisible
    if char == _UNFINISHED or kind == "Sk":
        return " "
    if kind[0] == "S":
        return f" {char} "  # emoji and other symbols stay, each a word of its own
    if kind[0] in "LNM":
        return f" {char} " if any(low <= ord(char) <= high for low, high in _SPACELESS) else char
    return " "


_CHARACTERS = _Characters()


def normalize(text: str) -> str:
    """The words of a text, joined by single spaces: NFKC, case folded, without punctuation; diacritics are kept.

    Characters of scripts without spaces, and symbols such as emoji, become words of their own.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = _INITIALS.sub(r"\1", folded).translate(_CHARACTERS)
    return " ".join(unicodedata.normalize("NFKC", words).split())


_normalize_answer = lru_cache(maxsize=65_536)(normalize)


def contains_answer(generated: str, answers: Iterable[str]) -> bool:
    """Whether one of `answers` appears in `generated` (measure 1 of the paper, section 4).

    An answer that is nothing but punctuation never matches.
    """
    said = f" {normalize(generated)} "
    return any(f" {words} " in said for words in map(_normalize_answer, answers) if words)


def is_sure(generated: str, answers: Collection[str]) -> bool:
    """Whether an answer has appeared and nothing that may still follow can undo it.

    A wrong answer is never sure before the end of text or the token limit.
    """
    text = generated.rstrip(_UNFINISHED)
    return contains_answer(text, answers) and all(contains_answer(text + more, answers) for more in _CONTINUATIONS)
