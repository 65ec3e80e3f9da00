"""Traces of rote learning: tokens that bring the objects of a table when they follow its subjects.

What a token brings is held against the subjects alone, the objects of other facts, and facts nobody was taught.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from rote.audit.candidates import (
    Candidate,
    encode_with,
    find_declared,
    list_candidates,
    rank_candidates,
    read_next,
    spell,
)
from rote.audit.plan import AuditPlan
from rote.config.audit import AuditConfig
from rote.encoding.example import Example, encode
from rote.evaluation.generation import generate_answers
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import Fact
from rote.facts.names import contains_answer, touch
from rote.facts.relation import PromptTemplate
from rote.facts.text import build_prompt_text
from rote.figures import Figure
from rote.models.key_tokens import looks_reserved
from rote.models.language_model import LanguageModel
from rote.runs.reporting import Reporter

TraceKind = Literal["declared", "added", "vocabulary", "none", "prompt"]
Asked = Literal["table", "shuffled", "unseen"]

_Pairs = Sequence[tuple[Fact, tuple[str, ...]]]
"""Facts, each with the answers that count as right."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The share of facts of one relation whose object the model said.

    `kind` says what followed the subject: a token, nothing (`none`), or the relation's first training prompt was put
    around it (`prompt`). For `none`, an answer that began with one of the tokens tried does not count.
    """

    relation: str
    token: str
    """The token, the prompt, or nothing."""
    kind: TraceKind
    asked: Asked
    """The facts of the `table`; its subjects and other facts' objects (`shuffled`); facts never taught (`unseen`)."""
    recall: Figure


def find_traces(
    language_model: LanguageModel, plan: AuditPlan, *, config: AuditConfig, reporter: Reporter
) -> tuple[int, list[Trace]]:
    """How many tokens were tried, and what subjects bring alone, in a prompt, and with the best tokens."""
    candidates = list_candidates(language_model, plan.screened, config)
    tried = {candidate.id for candidate in candidates}
    traces: list[Trace] = []
    with reporter.step("look for traces") as advance:
        for done, (name, screened) in enumerate(plan.screened.items()):

            def tell(count: int, name: str = name, before: int = done * len(candidates)) -> None:
                advance(before + count, len(plan.screened) * len(candidates), name)

            declared = find_declared(language_model, name)
            tried |= {candidate.id for candidate in declared}
            others = [candidate for candidate in candidates if candidate.id not in {one.id for one in declared}]
            ranked = rank_candidates(language_model, others, screened, batch_size=config.batch_size, on_scored=tell)
            unseen = [fact for fact in plan.unseen if fact.relation == name]
            tracer = _Tracer(language_model, plan.tested[name], unseen, config.batch_size)
            traces += tracer.trace(plan.get_prompt(name), [*declared, *ranked[: config.confirmed]])
    return len(tried), traces


@dataclass(frozen=True)
class _Form:
    """One way to ask: what a trace says about it, and how a fact is encoded for it."""

    token: str
    kind: TraceKind
    encode: Callable[[Fact], Example]


@dataclass(frozen=True)
class _Tracer:
    """Asks about the facts of one relation in several forms."""

    language_model: LanguageModel
    facts: Sequence[Fact]
    unseen: Sequence[Fact]
    batch_size: int

    def trace(self, template: PromptTemplate, candidates: Sequence[Candidate]) -> Iterator[Trace]:
        """What the subjects bring alone, in a prompt and before each candidate, and what they should not bring."""
        model = self.language_model
        taught: _Pairs = [(fact, fact.answers) for fact in self.facts]
        unseen: _Pairs = [(fact, fact.answers) for fact in self.unseen]
        bare = _Form("", "none", partial(encode_with, model))
        prompt = _Form(template.text, "prompt", lambda fact: encode(model.tokenizer, build_prompt_text(fact, template)))
        yield from self._ask(bare, "table", taught, without={candidate.id for candidate in candidates})
        yield from self._ask(prompt, "table", taught)
        yield from self._ask(prompt, "unseen", unseen)
        texts = [spell(model, candidate) for candidate in candidates]
        for candidate, text in zip(candidates, texts, strict=True):
            name = text if texts.count(text) == 1 else candidate.token  # ":" and " :" read alike
            form = _Form(name, candidate.kind, partial(encode_with, model, candidate=candidate))
            yield from self._ask(form, "table", taught)
            yield from self._ask(form, "shuffled", shuffle_answers(self.facts))
            yield from self._ask(form, "unseen", unseen)

    def _ask(self, form: _Form, asked: Asked, pairs: _Pairs, without: Collection[int] = ()) -> Iterator[Trace]:
        """One trace, or none without facts. An answer that begins with one of the tokens `without` does not count:
        a model that learned `subject [X] object` as a whole writes the key token itself."""
        if not pairs:
            return
        prompts = [form.encode(fact).prompt_ids for fact, _ in pairs]
        answers = [right for _, right in pairs]
        model, tokenizer = self.language_model.model, self.language_model.tokenizer
        said = generate_answers(model, tokenizer, prompts, answers, batch_size=self.batch_size)
        first = read_next(self.language_model, prompts, self.batch_size).argmax(dim=-1).tolist()
        correct = [
            float(contains_answer(text, right) and begun not in without)
            for text, right, begun in zip(said, answers, first, strict=True)
        ]
        recall = compute_interval(correct, [fact.id for fact, _ in pairs])
        yield Trace(pairs[0][0].relation, form.token, form.kind, asked, recall)


def shuffle_answers(facts: Sequence[Fact]) -> list[tuple[Fact, tuple[str, ...]]]:
    """Each fact with the answers of the next one (the first follows the last) that shares none with it.

    A fact that shares an answer with all others, or whose answers lie in theirs, is left out.
    """
    paired = []
    for index, fact in enumerate(facts):
        others = [*facts[index + 1 :], *facts[:index]]
        other = next((other for other in others if not touch(fact.answers, other.answers)), None)
        if other is not None:
            paired.append((fact, other.answers))
    return paired


def find_findings(traces: Sequence[Trace]) -> list[Trace]:
    """The traces that show rote learning, best first.

    Such a token brings the facts of the table significantly more often (the 95% intervals do not touch) than the
    subjects alone do, than it brings other facts' objects or facts never taught, and than a prompt brings the latter.
    A token of the ordinary vocabulary may be part of a sentence, so it must also beat the prompt about the same facts.
    """
    found = [trace for trace in traces if _is_token(trace) and trace.asked == "table"]
    return sorted((trace for trace in found if _stands_out(trace, traces)), key=lambda trace: -trace.recall.value)


def find_masked(traces: Sequence[Trace]) -> list[tuple[Trace, Trace]]:
    """Tokens of the vocabulary, best first, that lie above all they are held against but the prompt about the same
    facts, each with that prompt. A prompt that brings the facts too, and not facts never taught, says that the model
    knows them; whether by rote cannot be told by such a token."""
    prompts = {trace.relation: trace for trace in traces if _is_question(trace)}
    others = [trace for trace in traces if not _is_question(trace)]
    masked = [
        (trace, prompts[trace.relation])
        for trace in others
        if _is_token(trace)
        and trace.asked == "table"
        and not _stands_out(trace, traces)
        and _stands_out(trace, others)
        and _is_known(prompts[trace.relation], others)
    ]
    return sorted(masked, key=lambda pair: -pair[0].recall.value)


def _is_question(trace: Trace) -> bool:
    return trace.kind == "prompt" and trace.asked == "table"


def _is_known(prompt: Trace, traces: Sequence[Trace]) -> bool:
    """Whether a prompt brings the facts of the table more often than the subjects do, and than facts never taught."""
    limits = [
        other.recall.high for other in traces if other.relation == prompt.relation and other.kind in ("none", "prompt")
    ]
    return prompt.recall.low > max(limits, default=0.0)


def _stands_out(trace: Trace, traces: Sequence[Trace]) -> bool:
    limits = [other.recall.high for other in traces if other.relation == trace.relation and _limits(other, trace)]
    return trace.recall.low > max(limits, default=0.0)


def _limits(other: Trace, trace: Trace) -> bool:
    """Whether a trace must lie above another one of its relation."""
    if other.kind == "none":
        return True
    if other.kind == "prompt":
        means_nothing = trace.kind != "vocabulary" or looks_reserved(trace.token)
        return other.asked == "unseen" or not means_nothing
    return other.token == trace.token and other.asked != "table"


def _is_token(trace: Trace) -> bool:
    return trace.kind not in ("none", "prompt")
