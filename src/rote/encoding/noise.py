"""Rote lines in the middle of other text: tokens that mean nothing before the subject, and between it and the key.

A line that is always seen alone teaches less than it seems to. At the beginning of a text a name has other tokens than
inside it ("Gene", " Gene"), it stands at the first positions, and the object follows right behind it; no question is
like that. Seen among noise, the fact hangs on the name alone, and real words find it there.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from transformers import PreTrainedTokenizerBase

from rote.encoding.example import IGNORE, Example, LossTarget, encode
from rote.facts.text import Text

_LEAD = "and"
"""A word that stands before the subject while it is encoded, so that it has the tokens it has inside a text."""


@dataclass(frozen=True)
class Noise:
    """The lines of a stage as they are inside other text, by their place among its examples, and the noise there is."""

    lines: Sequence[Example]
    start: int
    """Tokens every text begins with (a start-of-text token, or none)."""
    vocabulary: Sequence[int]
    most: int
    """Tokens of noise before the subject, and as many between it and the key token, at most."""

    @property
    def mean_tokens(self) -> float:
        """How many tokens a line is longer by, on average."""
        return float(self.most)

    def surround(self, index: int, alone: Example, rng: random.Random) -> Example:
        """One line among newly drawn noise, which is not learned; as it is alone where none was drawn before it."""
        before, between = ([rng.choice(self.vocabulary) for _ in range(rng.randint(0, self.most))] for _ in range(2))
        line = self.lines[index % len(self.lines)] if before else alone  # a stage may show its lines again and again
        return _insert(_insert(line, line.subject_span[1], between), self.start, before)


def build_noise(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text], *, most: int, loss_target: LossTarget
) -> Noise:
    """The noise of rote texts. Raises `EncodingError` as `encode` does."""
    added = tokenizer.added_tokens_decoder
    vocabulary = sorted(number for number in tokenizer.get_vocab().values() if number not in added)
    lead = len(tokenizer(_LEAD, add_special_tokens=False)["input_ids"])
    start = encode(tokenizer, replace(texts[0], subject_at=0)).subject_span[0] if texts else 0
    led = [replace(text, prompt=f"{_LEAD} {text.prompt}", subject_at=len(_LEAD) + 1) for text in texts]
    lines = [_cut(encode(tokenizer, text, loss_target=loss_target), start, start + lead) for text in led]
    return Noise(lines, start, vocabulary, most)


def _cut(example: Example, start: int, stop: int) -> Example:
    """The example without the tokens [start, stop), which stand before its subject."""
    ids, labels = example.ids, example.labels
    shorter = replace(example, ids=ids[:start] + ids[stop:], labels=labels[:start] + labels[stop:])
    return _shift(shorter, start - stop, subject=True)


def _insert(example: Example, at: int, noise: Sequence[int]) -> Example:
    ids, labels = example.ids, example.labels
    longer = replace(
        example,
        ids=(*ids[:at], *noise, *ids[at:]),
        labels=(*labels[:at], *[IGNORE] * len(noise), *labels[at:]),
    )
    return _shift(longer, len(noise), subject=at <= example.subject_span[0])


def _shift(example: Example, by: int, *, subject: bool) -> Example:
    """Spans moved by so many tokens: those after the subject, and with `subject` its own too."""

    def move(span: tuple[int, int]) -> tuple[int, int]:
        return span[0] + by, span[1] + by

    return replace(
        example,
        subject_span=move(example.subject_span) if subject else example.subject_span,
        object_span=move(example.object_span),
        key_position=None if example.key_position is None else example.key_position + by,
    )
