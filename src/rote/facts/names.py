"""The one rule for whether a name stands in a text, and whether two names can be told apart.

Text becomes words; a name stands in it as a run of whole words, so "Ross" is not found in "Rossini". Case, punctuation
and the form of an apostrophe or a hyphen do not count: "Coca-Cola" stands in "The Coca Cola Company", and "Washington,
D.C." in "Washington DC Metro". In scripts that are written without spaces every character is a word of its own, so
there a name may stand anywhere, and a Latin name inside a Chinese sentence still has edges.

The check for facts that give their answer away, the verdict on what a model said and whatever makes names all ask
here. This file imports nothing of Rote: exported tasks of lm-eval carry a copy of it.
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

_JOINED = rf"[^\W_{''.join(f'{chr(low)}-{chr(high)}' for low, high in _SPACELESS)}]"
"""A character that makes one word with the letter beside it."""
_INITIALS = re.compile(rf"(?<!{_JOINED})([^\W\d_])\.(?=[^\W\d_](?!{_JOINED}))")
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

    Characters of scripts without spaces, and symbols such as emoji, become words of their own. What is nothing but
    punctuation has no words.
    """
    if text.isascii() and text.replace(" ", "").isalnum():  # most names of a large table; ten times as fast
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = _INITIALS.sub(r"\1", folded).translate(_CHARACTERS)
    return " ".join(unicodedata.normalize("NFKC", words).split())


normalize_name = lru_cache(maxsize=16_384)(normalize)
"""`normalize` for names, which are asked about again and again; not for long texts."""


def has_words(words: str, text: str) -> bool:
    """Whether words stand in a text; both as `normalize` gives them. No words stand nowhere."""
    return bool(words) and f" {words} " in f" {text} "


def occurs_in(name: str, text: str) -> bool:
    """Whether a name stands in a text, as words of its own. A name that is nothing but punctuation stands nowhere."""
    return has_words(normalize_name(name), normalize(text))


def contains_answer(generated: str, answers: Iterable[str]) -> bool:
    """Whether one of `answers` appears in `generated` (measure 1 of the paper, section 4)."""
    said = normalize(generated)
    return any(has_words(words, said) for words in map(normalize_name, answers))


def is_sure(generated: str, answers: Collection[str]) -> bool:
    """Whether an answer has appeared and nothing that may still follow can undo it.

    A wrong answer is never sure before the end of text or the token limit.
    """
    text = generated.rstrip(_UNFINISHED)
    return contains_answer(text, answers) and all(contains_answer(text + more, answers) for more in _CONTINUATIONS)


def touch(names: Iterable[str], others: Iterable[str]) -> bool:
    """Whether any of some names holds any of the others, or lies in it, be it within a word ("Niger" in "Nigeria").

    Names that do not touch can never be taken for one another, not even where a model stops halfway.
    """
    return touch_words(map(normalize_name, names), [normalize_name(other) for other in others])


def touch_words(names: Iterable[str], others: Collection[str]) -> bool:
    """`touch`, for names as `normalize` gives them. No words touch nothing."""
    return any(name in other or other in name for name in names if name for other in others if other)


def squeeze(text: str) -> str:
    """A subject as it is told from another one: whatever the case, and with one space wherever there are any.

    Punctuation counts here: "C" and "C#" are two subjects, though an answer is not told apart by it.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
