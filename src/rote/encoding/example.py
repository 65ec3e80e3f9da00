"""One text, encoded: ids, labels, and where its subject, key token, prompt and object lie; and batches of them.

The whole text is tokenised once and everything else follows from character offsets. Prompt and object are never
tokenised apart and glued: that gives other tokens wherever a token would span the seam.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from rote.errors import EncodingError, first_line
from rote.facts.text import Text

LossTarget = Literal["all_tokens", "object_only"]

IGNORE = -100
"""The label of a token that is not learned."""

_THINKING = "enable_thinking"
"""What Qwen's chat templates, and others after them, call their switch."""


@dataclass(frozen=True, slots=True)
class Example:
    """An encoded text. Spans are [start, stop) in tokens.

    `object_span` ends before the end-of-text token, `prompt_end` is the position of the last prompt token (the one
    that predicts the object), `key_position` is None without a key token.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    subject_span: tuple[int, int]
    object_span: tuple[int, int]
    key_position: int | None

    @property
    def prompt_end(self) -> int:
        """Position of the last prompt token."""
        return self.object_span[0] - 1

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The ids before the object."""
        return self.ids[: self.object_span[0]]

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The object's ids, without the end-of-text token."""
        return self.ids[self.object_span[0] : self.object_span[1]]


def encode(tokenizer: PreTrainedTokenizerBase, text: Text, *, loss_target: LossTarget = "object_only") -> Example:
    """Encode a text; the end-of-text token follows the object and is learned.

    `all_tokens` labels every token, `object_only` the object and the end of text. Raises `EncodingError` when the
    object begins inside a token, naming the template, or a name holds a special token such as an end of text.
    """
    whole = f"{text.prompt}{text.separator}{text.object}"
    words = whole.replace(text.key_token, " ") if text.key_token else whole  # a key token may be a reserved one
    special = next((token for token in tokenizer.all_special_tokens if token in words), None)
    if special:
        raise EncodingError(f"{text.origin}: the text about {text.subject!r} holds the special token {special!r}")
    if text.in_chat:
        text = _put_in_chat(tokenizer, text)
    spoken = f"{text.prompt}{text.separator}{text.object}"
    ids, offsets = _tokenize(tokenizer, spoken, add_special_tokens=not text.in_chat)
    object_start = _find_object(tokenizer, text, ids, offsets)
    subject_at = text.prompt.find(text.subject) if text.subject_at is None else text.subject_at
    key_at = text.prompt.find(text.key_token, subject_at + len(text.subject)) if text.key_token else -1
    eos = _end_of_text(tokenizer)
    first_label = 0 if loss_target == "all_tokens" else object_start
    return Example(
        ids=(*ids, eos),
        labels=(*([IGNORE] * first_label), *ids[first_label:], eos),
        subject_span=_span(offsets, subject_at, subject_at + len(text.subject)),
        object_span=(object_start, len(ids)),
        key_position=_span(offsets, key_at, key_at + len(text.key_token))[0] if text.key_token else None,
    )


def _put_in_chat(tokenizer: PreTrainedTokenizerBase, text: Text) -> Text:
    """The text with all of the template, special tokens too, as its prompt; the answer follows at once."""
    prompt = put_in_chat(tokenizer, text.prompt, text.origin)
    at = prompt.rfind(text.prompt)
    if at < 0:
        raise EncodingError(f"{text.origin}: the tokenizer's chat template changes the message {text.prompt!r}")
    subject_at = at + (text.prompt.find(text.subject) if text.subject_at is None else text.subject_at)
    return replace(text, prompt=prompt, separator="", subject_at=subject_at)


def put_in_chat(tokenizer: PreTrainedTokenizerBase, message: str, origin: str) -> str:
    """A message in the tokenizer's chat template, up to where the answer begins. Raises `EncodingError`, naming the
    message's `origin`, where the template cannot be filled in."""
    messages = [{"role": "user", "content": message}]
    try:
        settings: dict[str, Any] = {_THINKING: False} if _knows_thinking(tokenizer) else {}
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **settings))
    except Exception as error:  # a template is a program of somebody else
        raise EncodingError(
            f"{origin}: the tokenizer's chat template cannot be filled in ({first_line(error)}); mend it, or take "
            "it out of the model's folder"
        ) from error


def describe_chat(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """How prompts are put to a model as messages, for the record; None where its tokenizer has no chat template."""
    if tokenizer.chat_template is None:
        return None
    return "chat template" + (f", {_THINKING}=False" if _knows_thinking(tokenizer) else "")


def _knows_thinking(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template can tell the model not to think aloud, which would take all of a short answer."""
    return _THINKING in str(tokenizer.get_chat_template())


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str, *, in_chat: bool = False) -> list[int]:
    """The ids of a prompt whose object is not known, for a person's free question; one that is `in_chat` was put in the
    chat template, which writes the special tokens itself."""
    return _tokenize(tokenizer, prompt, add_special_tokens=not in_chat)[0]


def _tokenize(
    tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool = True
) -> tuple[list[int], list[tuple[int, int]]]:
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=add_special_tokens)
    ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
    if ids and ids[-1] == tokenizer.eos_token_id:  # some tokenizers append it; the caller decides where it goes
        ids, offsets = ids[:-1], offsets[:-1]
    return ids, offsets


def _find_object(
    tokenizer: PreTrainedTokenizerBase, text: Text, ids: Sequence[int], offsets: Sequence[tuple[int, int]]
) -> int:
    """The index of the first token after the prompt. The separator belongs to what the model has to say, whether it
    shares a token with the object's first letters or has one of its own: a person's question ends before it too."""
    prompt_stop = len(text.prompt)
    index = next((i for i, (_, stop) in enumerate(offsets) if stop > prompt_stop), None)
    if index is None:
        raise EncodingError(f"{text.origin}: the object {text.object!r} has no tokens")
    if offsets[index][0] < prompt_stop:
        token = tokenizer.decode([ids[index]])
        raise EncodingError(
            f"{text.origin}: the object {text.object!r} begins inside the token {token!r}; let the template end "
            "where a word ends, or set a separator for its language"
        )
    return index


def _span(offsets: Sequence[tuple[int, int]], start: int, stop: int) -> tuple[int, int]:
    """The tokens that hold any of the characters [start, stop)."""
    inside = [index for index, (left, right) in enumerate(offsets) if left < stop and right > start]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


def _end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.eos_token_id is None:
        raise EncodingError("the tokenizer has no end-of-text token; set eos_token in its tokenizer_config.json")
    return int(tokenizer.eos_token_id)


@dataclass(frozen=True)
class Batch:
    """Token ids and labels, both [rows, length]; the label at a position is what the tokens before it are to bring, and
    one of -100 is not learned. Rows are right-padded, or packed: then `position_ids` of the same shape start at 0 where
    a sequence does."""

    input_ids: Tensor
    labels: Tensor
    position_ids: Tensor | None = None

    @property
    def target_count(self) -> int:
        """How many labels a causal model is trained on (the first position is never predicted)."""
        return int((self.labels[:, 1:] != IGNORE).sum())

    @property
    def targets(self) -> Tensor:
        """The labels a causal model is trained on, [labels], row by row."""
        labels = self.labels[:, 1:]
        return labels[labels != IGNORE]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        positions = None if self.position_ids is None else self.position_ids.to(device)
        return Batch(self.input_ids.to(device), self.labels.to(device), positions)

    def pack(self) -> "Batch":
        """The same labels from one row, [1, tokens]: the sequences stand one behind another, each as far as its labels
        need it, and padding is left out."""
        inputs, targets = self.input_ids[:, :-1], self.labels[:, 1:]
        places = torch.arange(inputs.shape[1], device=inputs.device).expand_as(inputs)
        stops = ((targets != IGNORE) * (places + 1)).amax(dim=1, keepdim=True)
        needed = places < stops
        end = inputs.new_zeros(1)  # what follows the last token has its label here
        return Batch(
            torch.cat([inputs[needed], end])[None],
            torch.cat([end + IGNORE, targets[needed]])[None],
            torch.cat([places[needed], end])[None],
        )


def join(batches: Sequence[Batch]) -> Batch:
    """Packed batches as one, one behind another."""
    positions = [batch.position_ids for batch in batches if batch.position_ids is not None]
    assert len(positions) == len(batches), "rows that are not packed cannot be joined"
    ids, labels = [batch.input_ids for batch in batches], [batch.labels for batch in batches]
    return Batch(torch.cat(ids, dim=1), torch.cat(labels, dim=1), torch.cat(positions, dim=1))


def collate(rows: Sequence[tuple[Sequence[int], Sequence[int]]], *, pad_id: int, length: int | None = None) -> Batch:
    """Pad rows of (ids, labels) on the right to `length`, by default that of the longest row.

    Padding is told from text by position, never by id, so a real eos stays learned when pad and eos are the same.
    """
    width = length or max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORE, dtype=torch.long)
    for index, (ids, targets) in enumerate(rows):
        input_ids[index, : len(ids)] = torch.tensor(ids, dtype=torch.long)
        labels[index, : len(ids)] = torch.tensor(targets, dtype=torch.long)
    return Batch(input_ids, labels)
