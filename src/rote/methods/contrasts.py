"""What generalize shows beside its prompts, so that it gives the key a meaning and nothing else.

*Contrasts* ask something else about the subjects that are shown, or something about others, and what the model would
say to them is held where the untrained model had it. Without the former a model learns to say the object whenever the
subject is named, without the latter to answer whatever is asked with an object of the table. *Rote lines* keep the key
as it is.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rote.encoding.example import IGNORE, Batch, Example, collate, encode_prompt
from rote.errors import TemplateError
from rote.evaluation.reading import plan_batches, read_prompts
from rote.facts.fact import Fact
from rote.facts.names import normalize
from rote.facts.relation import SUBJECT, PromptTemplate
from rote.facts.wordings import Wordings
from rote.models.language_model import LanguageModel
from rote.training.loop import Term

_WORDINGS = Path(__file__).with_suffix(".txt")
"""Wordings in many forms (who, where, what, when, statements) that ask for what a table seldom holds."""
_SMALL = 4
"""Letters of a word that may say what is asked; these say nothing either."""
_PLAIN_WORDS = {"subject", "what", "which", "where", "when", "whom", "whose", "does", "with", "from", "that", "this"}
MOST_CONTRASTS = 200
"""Prompts about the subjects, and about others, that are held at most; each step draws among them."""
_BATCH = 32
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Contrasts:
    """Prompts that ask something else, and the log-probabilities [prompts, vocabulary] of what follows each."""

    prompts: Sequence[tuple[int, ...]]
    wanted: Tensor
    per_example: float
    """How many stand beside each example of a step."""
    seed: int

    @property
    def tokens_per_example(self) -> float:
        """Tokens seen beside each example, on average."""
        return self.per_example * sum(map(len, self.prompts)) / len(self.prompts)

    def build_terms(self, step: int, examples: int, *, micro_batch_size: int = 0) -> list[Term]:
        """Those that stand beside so many examples of one step, a function of the step alone; so many in memory at
        once. Each weighs as much as an example, of which the mean loss per token is taken."""
        draw = random.Random(f"contrasts/{self.seed}/{step}")
        chosen = draw_many(range(len(self.prompts)), count=self._count(draw, examples), draw=draw)
        size = micro_batch_size or max(1, len(chosen))
        parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        return [Term(self._collate(part), self._diverge, 1.0 / examples) for part in parts]

    def _count(self, draw: random.Random, examples: int) -> int:
        """A fraction of a contrast is one contrast in so many steps."""
        whole, rest = divmod(self.per_example * examples, 1)
        return int(whole) + (draw.random() < rest)

    def _collate(self, chosen: Sequence[int]) -> Batch:
        """Each prompt, with its number as the label of what follows it, so that rows may be dealt to processes."""
        rows = [((*self.prompts[number], 0), (*[IGNORE] * len(self.prompts[number]), number)) for number in chosen]
        return collate(rows, pad_id=0)

    def _diverge(self, logits: Tensor, batch: Batch) -> Tensor:
        """KL divergence from the untrained model at the end of every prompt, summed, in nats (a scalar)."""
        given = logits.log_softmax(-1)
        return F.kl_div(given, self.wanted[batch.targets.cpu()].to(given), log_target=True, reduction="sum")


def build_contrasts(
    language_model: LanguageModel,
    facts: Sequence[Fact],
    templates: Sequence[PromptTemplate],
    *,
    asked: Sequence[PromptTemplate] = (),
    others: Sequence[tuple[PromptTemplate, str]] = (),
    per_example: float,
    most: int = MOST_CONTRASTS,
    seed: int,
) -> Contrasts | None:
    """Prompts that ask something else about the subjects of facts, with what the model as it is would say to them;
    None where none are wanted. `templates` are those of the relations that are taught, `asked` others that the model
    is asked with: nothing in their wordings is held, control prompts among them. `others` are prompts about other
    subjects, as many of which are held. Raises `TemplateError` where the templates leave nothing to hold."""
    if not per_example or not facts:
        return None
    own = _WORDINGS.read_text(encoding="utf-8").splitlines()
    apart = _keep_apart({*own, *(template.text for template, _ in others)}, templates, asked)
    subjects = list(dict.fromkeys(fact.subject for fact in facts))
    texts = [wording.replace(SUBJECT, subject) for subject in subjects for wording in own if wording in apart]
    about_others = [template.fill(subject) for template, subject in others if template.text in apart]
    draw = random.Random(f"contrasts/{seed}")
    chosen = draw.sample(texts, min(most, len(texts)))
    chosen += draw.sample(about_others, min(len(chosen) or most, len(about_others)))
    if not chosen:
        raise TemplateError(
            "generalize.contrasts: the prompts of the relations say so little that every other question is in their "
            "wording; write prompts that say what is asked, or add --set generalize.contrasts=0"
        )
    prompts = [tuple(encode_prompt(language_model.tokenizer, text)) for text in chosen]
    return Contrasts(prompts, _predict(language_model, prompts), per_example, seed)


def _keep_apart(
    wordings: Iterable[str], templates: Sequence[PromptTemplate], asked: Sequence[PromptTemplate]
) -> set[str]:
    """Those that none of the templates is in, and that share no telling word with what asks for the relations."""
    taken = Wordings([*templates, *asked])
    telling = {word for template in templates if template.prompt_set != "control" for word in _tell(template.text)}
    return {text for text in wordings if not taken.occur_in(text) and not telling & _tell(text)}


def _tell(text: str) -> set[str]:
    """The words of a template that say what it asks for."""
    return {word for word in normalize(text).split() if len(word) >= _SMALL} - _PLAIN_WORDS


def draw_rote_lines(lines: Sequence[Example], *, count: int, seed: int) -> list[Example]:
    """So many of the lines, none of them more often than need be."""
    return draw_many(lines, count=count, draw=random.Random(f"rote lines/{seed}"))


def draw_many(items: Sequence[_Item], *, count: int, draw: random.Random) -> list[_Item]:
    """So many of the items; all of them again and again, and a sample for the rest, where there are not as many."""
    if not items:
        return []
    times, rest = divmod(count, len(items))
    return [*items] * times + draw.sample(items, rest)


@torch.inference_mode()
def _predict(language_model: LanguageModel, prompts: Sequence[tuple[int, ...]]) -> Tensor:
    """Log-probabilities of the token after each prompt, [prompts, vocabulary], kept in half the memory."""
    found: dict[int, Tensor] = {}
    for batch in plan_batches([len(prompt) for prompt in prompts], _BATCH):
        logits = read_prompts(language_model.model, [prompts[index] for index in batch]).logits
        found |= dict(zip(batch, logits.float().log_softmax(-1).to("cpu", torch.float16), strict=True))
    return torch.stack([found[index] for index in range(len(prompts))])
