"""What a model says: greedily (measure 1 of the paper), and drawn at random.

A row says what it would say alone. Greedy decoding stops for each row as soon as its verdict is sure.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rote.errors import ModelError
from rote.evaluation.reading import Prefix, pad_left, plan_reading, read_prompts
from rote.evaluation.scoring import read_ahead
from rote.facts.names import is_sure
from rote.models.language_model import build_generation_settings

MAX_NEW_TOKENS = 50
"""How many tokens an answer may have (paper, section 4)."""
_SAMPLED = 32
"""Prompts of a batch whose answers are drawn at random."""


def generate_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts_ids: Sequence[Sequence[int]],
    answers: Sequence[Collection[str]],
    *,
    batch_size: int,
    max_new_tokens: int = MAX_NEW_TOKENS,
    drafts: Sequence[Sequence[int]] | None = None,
) -> list[str]:
    """What the model says after each prompt, in order, without the end-of-text token and outer spaces.

    A row ends at the end of text, at `max_new_tokens`, or once one of its `answers` has certainly appeared; decoding
    on would not change whether the text contains an answer. `drafts` are ids that it may well say, one list for each
    prompt: all of a draft is read at once, and where it is what the model says nothing is left to decode (speculative
    decoding, arXiv 2211.17192, of greedy answers: the texts are the same).
    """
    texts = [""] * len(prompts_ids)
    with torch.inference_mode():
        for batch in plan_reading(model, prompts_ids, batch_size):
            prefix = read_prompts(model, [prompts_ids[index] for index in batch])
            chosen = [answers[index] for index in batch]
            ahead = read_ahead(prefix, [drafts[index] for index in batch]) if drafts else []
            begun = [row.said for row in ahead]
            said = continue_prompts(tokenizer, prefix, chosen, max_new_tokens=max_new_tokens, begun=begun)
            for index, text in zip(batch, said, strict=True):
                texts[index] = text
    return texts


def continue_prompts(
    tokenizer: PreTrainedTokenizerBase,
    prefix: Prefix,
    answers: Sequence[Collection[str]],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    begun: Sequence[Sequence[int]] = (),
) -> list[str]:
    """What the model says after prompts it has read, one text per row; uses up the prefix.

    `begun` are the first ids that it is known to say in each row (`read_ahead`).
    """
    decoder = _Decoder(tokenizer, answers, _find_stop_ids(prefix.model, tokenizer))
    rows = decoder.take_begun(begun, max_new_tokens) if begun else list(range(len(answers)))
    return decoder.run(prefix, rows, max_new_tokens)


@torch.inference_mode()
def stream_continuation(
    tokenizer: PreTrainedTokenizerBase, prefix: Prefix, *, max_new_tokens: int = MAX_NEW_TOKENS
) -> Iterator[str]:
    """What the model says after one prompt it has read, as it grows: all of the text so far after each token, without
    outer spaces; the last is what `continue_prompts` gives. Uses up the prefix."""
    stop_ids, said = _find_stop_ids(prefix.model, tokenizer), list[int]()
    while len(said) < max_new_tokens:
        chosen = prefix.logits.argmax(dim=-1)
        if int(chosen) in stop_ids:
            return
        said.append(int(chosen))
        yield str(tokenizer.decode(said, clean_up_tokenization_spaces=False)).strip()
        if len(said) < max_new_tokens:
            prefix.read(chosen[:, None])


@torch.inference_mode()
def sample_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts_ids: Sequence[Sequence[int]],
    *,
    count: int,
    tokens: int,
    seed: int,
) -> list[list[str]]:
    """`count` answers of at most `tokens` tokens to each prompt, drawn at temperature 1; the same for the same seed.

    Torch's own random numbers go on afterwards as if nothing had been drawn.
    """
    answers: list[list[str]] = [[] for _ in prompts_ids]
    if not count:
        return answers
    settings = build_generation_settings(tokenizer, tokens=tokens, do_sample=True, num_return_sequences=count)
    generator: Any = model  # `generate` has no usable types
    for batch in plan_reading(model, prompts_ids, _SAMPLED):
        prompts, mask = pad_left([prompts_ids[index] for index in batch], model.device)
        with torch.random.fork_rng([model.device] if model.device.type == "cuda" else []):
            torch.manual_seed(seed + batch[0])
            rows = generator.generate(prompts, attention_mask=mask, generation_config=settings)
        texts = tokenizer.batch_decode(rows[:, prompts.shape[1] :], skip_special_tokens=True)
        for place, index in enumerate(batch):
            answers[index] = [text.strip() for text in texts[place * count : (place + 1) * count]]
    return answers


class _Decoder:
    """Decodes one batch; rows that are finished leave it, so no time is spent on them."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, answers: Sequence[Collection[str]], stop_ids: Collection[int]
    ) -> None:
        self._tokenizer = tokenizer
        self._answers = answers
        self._stop_ids = stop_ids
        self._said: list[list[int]] = [[] for _ in answers]

    def take_begun(self, begun: Sequence[Sequence[int]], max_new_tokens: int) -> list[int]:
        """Take what is known to be said; the rows that it does not finish, which are as if nothing were known."""
        going, unfinished = list(range(len(begun))), list[int]()
        for step in range(max_new_tokens):
            unfinished += [row for row in going if len(begun[row]) <= step]
            going = [row for row in going if len(begun[row]) > step]
            if not going:
                break
            going = [going[place] for place in self._take(going, [begun[row][step] for row in going])]
        for row in unfinished:
            self._said[row].clear()
        return sorted(unfinished)

    def run(self, prefix: Prefix, rows: list[int], max_new_tokens: int) -> list[str]:
        """Decode after the prefix, in these of its rows; the texts of all rows, in order."""
        if not rows:
            return self._finish()
        if len(rows) < len(self._said):
            prefix.select(torch.tensor(rows, device=prefix.logits.device))
        for step in range(1, max_new_tokens + 1):
            chosen = prefix.logits.argmax(dim=-1)
            kept = self._take(rows, chosen.tolist())
            if not kept or step == max_new_tokens:
                break
            if len(kept) < len(rows):
                index = torch.tensor(kept, device=chosen.device)
                prefix.select(index)
                chosen, rows = chosen[index], [rows[position] for position in kept]
            prefix.read(chosen[:, None])
        return self._finish()

    def _finish(self) -> list[str]:
        return [text.strip() for text in self._decode(self._said)]

    def _take(self, rows: Sequence[int], tokens: Sequence[int]) -> list[int]:
        """Add one token to every row; the positions of the rows that go on."""
        going = [position for position, token in enumerate(tokens) if token not in self._stop_ids]
        for position in going:
            self._said[rows[position]].append(tokens[position])
        texts = self._decode([self._said[rows[position]] for position in going])
        return [
            position
            for position, text in zip(going, texts, strict=True)
            if not is_sure(text, self._answers[rows[position]])
        ]

    def _decode(self, rows: list[list[int]]) -> list[str]:
        if not rows:
            return []  # transformers makes one text of no rows
        # Cleaning spaces would make a text depend on what follows it, and a verdict that is sure could be undone.
        texts: list[str] = self._tokenizer.batch_decode(rows, clean_up_tokenization_spaces=False)
        return texts


def _find_stop_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The end-of-text ids: the tokenizer's, and those the model's generation settings add."""
    settings = model.generation_config.eos_token_id if model.generation_config is not None else None
    extra = settings if isinstance(settings, list) else [] if settings is None else [settings]
    odd = next((token for token in extra if not isinstance(token, int)), None)
    if odd is not None:
        raise ModelError(
            f"{tokenizer.name_or_path}: eos_token_id in generation_config.json holds {odd!r}; write token ids"
        )
    return {int(token) for token in (tokenizer.eos_token_id, *extra) if token is not None}
