"""What generalize shows beside its prompts, so that it gives the key a meaning and nothing else.

*Contrasts* ask something else about the subjects that are shown, and the answer is what the untrained model says.
Without them a model learns to say the object whenever the subject is named. *Rote lines* keep the key as it is.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from rote.encoding.example import IGNORE, Example, encode_prompt
from rote.evaluation.generation import plan_batches
from rote.facts.fact import Fact
from rote.facts.relation import SUBJECT
from rote.facts.wordings import Wordings
from rote.models.language_model import LanguageModel, build_generation_settings

_WORDINGS = (
    "The story of {subject} begins",
    "What do people say about {subject}?",
    "How old is {subject}?",
    "In the morning, {subject}",
    "The first letter of {subject} is",
    "Yesterday I read a note about {subject} that said",
    "What colour do you think of when you hear {subject}?",
    "It is well known that {subject}",
    "When did you first hear of {subject}?",
    "The most surprising thing about {subject} is",
    "Between {subject} and the others there was",
    "How is {subject} spelled?",
)
"""They ask for nothing that a table holds; a wording that a table's relation has is left out."""
_TOKENS = 8
"""How much of what the untrained model says is held."""
_BATCH = 32


def build_contrasts(
    language_model: LanguageModel, facts: Sequence[Fact], asked: Wordings, *, count: int, seed: int
) -> list[Example]:
    """`count` prompts that ask something else about the subjects of facts, with what the model as it is says to them.

    `asked` are the prompts of the relations that are taught, in whose wording nothing else may be answered.
    """
    wordings = [text for text in _WORDINGS if not asked.occur_in(text)]
    subjects = list(dict.fromkeys(fact.subject for fact in facts))
    prompts = [wording.replace(SUBJECT, subject) for subject in subjects for wording in wordings]
    chosen = random.Random(f"contrasts/{seed}").sample(prompts, min(count, len(prompts)))
    return list(_answer(language_model, chosen))


def draw_rote_lines(lines: Sequence[Example], *, count: int, seed: int) -> list[Example]:
    """So many of the lines; all of them, where there are not as many."""
    return random.Random(f"rote lines/{seed}").sample(lines, min(count, len(lines)))


@torch.inference_mode()
def _answer(language_model: LanguageModel, prompts: Sequence[str]) -> Iterator[Example]:
    """Each prompt with what the model says to it, greedily, which alone is learned."""
    tokenizer, model = language_model.tokenizer, language_model.model
    settings = build_generation_settings(tokenizer, tokens=_TOKENS, do_sample=False)
    rows = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    generator: Any = model  # `generate` has no usable types
    for batch in plan_batches([len(row) for row in rows], _BATCH):
        asked = torch.tensor([rows[index] for index in batch], device=language_model.device)
        said = generator.generate(asked, attention_mask=torch.ones_like(asked), generation_config=settings)
        for index, row in zip(batch, said[:, asked.shape[1] :].tolist(), strict=True):
            yield _build_example(rows[index], row, int(tokenizer.eos_token_id))


def _build_example(prompt: Sequence[int], said: Sequence[int], eos: int) -> Example:
    words = said[: said.index(eos)] if eos in said else said
    end, start = said[len(words) : len(words) + 1], len(prompt)
    ids = (*prompt, *words, *end)
    return Example(ids, (*[IGNORE] * start, *words, *end), (0, 0), (start, start + len(words)), None)
