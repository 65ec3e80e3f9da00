"""Looking for traces of rote learning in a model: which tokens are tried, and what the model says behind them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import torch
from torch import Tensor

from rote.audit.traces import (
    Asked,
    Candidate,
    Trace,
    TraceKind,
    name_rows,
    pick_best,
    select_candidates,
    shuffle_answers,
)
from rote.config.audit import AuditConfig
from rote.encoding.example import Example, encode
from rote.evaluation.generation import generate_answers
from rote.evaluation.prefix import plan_batches, read_prompts
from rote.evaluation.scoring import score_objects
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.relation import PromptTemplate
from rote.facts.sampling import sample_facts
from rote.facts.text import Text, build_prompt_text, build_rote_text
from rote.models.key_tokens import find_key_tables
from rote.models.language_model import LanguageModel
from rote.pipeline.plan import RunPlan
from rote.runs.reporting import Reporter

_Pairs = Sequence[tuple[Fact, tuple[str, ...]]]
"""Facts, each with the answers that count as right."""


@dataclass(frozen=True)
class _Form:
    """One way to ask: what a trace says about it, and how a fact is encoded for it."""

    token: str
    kind: TraceKind
    encode: Callable[[Fact], Example]


def find_traces(
    language_model: LanguageModel, plan: RunPlan, *, config: AuditConfig, reporter: Reporter
) -> tuple[int, list[Trace]]:
    """How many tokens were tried, and what subjects bring alone, in a prompt, and with the best tokens."""
    names = plan.table.relations
    facts = {name: sample_facts(plan.table.select(name), count=config.facts, seed=config.seed) for name in names}
    samples = {name: sample_facts(facts[name], count=config.screen_facts, seed=config.seed) for name in names}
    candidates = _list_candidates(language_model, samples, config)
    tried = {candidate.id for candidate in candidates}
    traces: list[Trace] = []
    with reporter.step("look for traces") as advance:
        for done, name in enumerate(names):
            declared = _find_declared(language_model, name)
            tried |= {candidate.id for candidate in declared}
            scores: dict[Candidate, float] = {}
            for candidate in candidates:
                if candidate.id not in {one.id for one in declared}:
                    scores[candidate] = _score(language_model, samples[name], candidate, config.batch_size)
                advance(done * len(candidates) + len(scores), len(names) * len(candidates), name)
            unseen = [fact for fact in plan.unseen_facts if fact.relation == name]
            tracer = _Tracer(language_model, facts[name], unseen, config.batch_size)
            prompt = plan.relations[name].select_training(1)[0]
            traces += tracer.trace(prompt, [*declared, *pick_best(scores, config.confirmed)])
    return len(tried), traces


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
        bare = _Form("", "none", partial(_encode_with, model))
        prompt = _Form(template.text, "prompt", lambda fact: encode(model.tokenizer, build_prompt_text(fact, template)))
        yield from self._ask(bare, "table", taught, without={candidate.id for candidate in candidates})
        yield from self._ask(prompt, "table", taught)
        yield from self._ask(prompt, "unseen", unseen)
        for candidate in candidates:
            form = _Form(_spell(model, candidate), candidate.kind, partial(_encode_with, model, candidate=candidate))
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
        first = _read_next(self.language_model, prompts, self.batch_size).argmax(dim=-1).tolist()
        correct = [
            float(contains_answer(text, right) and begun not in without)
            for text, right, begun in zip(said, answers, first, strict=True)
        ]
        found = compute_interval(correct, [fact.id for fact, _ in pairs])
        relation = pairs[0][0].relation
        yield Trace(relation, form.token, form.kind, asked, found.mean, found.low, found.high, found.n)


def _find_declared(language_model: LanguageModel, relation: str) -> list[Candidate]:
    """The key token that rote.json names for a relation, if it does."""
    token = language_model.key_tokens.get(relation)
    return [Candidate(token, language_model.tokenizer.get_vocab()[token], "declared")] if token else []


def _list_candidates(
    language_model: LanguageModel, samples: Mapping[str, Sequence[Fact]], config: AuditConfig
) -> list[Candidate]:
    tokenizer = language_model.tokenizer
    names = name_rows(tokenizer.get_vocab(), find_key_tables(language_model)[0].shape[0])
    added = tokenizer.added_tokens_decoder
    special = {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}
    ranked = []
    for facts in samples.values():
        prompts = [_encode_with(language_model, fact).prompt_ids for fact in facts]
        expected = _read_next(language_model, prompts, config.batch_size).softmax(dim=-1).mean(dim=0)
        ranked.append(expected.argsort(descending=True)[: config.vocabulary or None].tolist())
    return select_candidates(
        names,
        added=sorted(set(added) - special),
        special=special,
        likely=[number for rank in zip(*ranked, strict=True) for number in rank],  # a turn for each relation
        count=config.vocabulary,
        seed=config.seed,
    )


def _spell(language_model: LanguageModel, candidate: Candidate) -> str:
    """The token as a person reads it; a piece of a character, which nobody can read, stays as the vocabulary has it."""
    text = str(language_model.tokenizer.decode([candidate.id])).strip()
    return text if text and "\ufffd" not in text else candidate.token


def _encode_with(language_model: LanguageModel, fact: Fact, candidate: Candidate | None = None) -> Example:
    """The fact as `subject TOKEN object`, or without a token.

    A token of the vocabulary is put in by its number: as text it might be read as others, or it has none at all.
    """
    if candidate and candidate.kind != "vocabulary":
        return encode(language_model.tokenizer, build_rote_text(fact, candidate.token))
    origin = f"the bare form of {fact.relation}"
    example = encode(language_model.tokenizer, Text(fact.subject, " ", fact.object, fact.subject, origin=origin))
    if candidate is None:
        return example
    start, stop = example.object_span
    ids = (*example.prompt_ids, candidate.id, *example.ids[start:])
    return replace(example, ids=ids, labels=ids, object_span=(start + 1, stop + 1), key_position=start)


def _score(language_model: LanguageModel, facts: Sequence[Fact], candidate: Candidate, batch_size: int) -> float:
    """The mean log-probability of an object's tokens after subject and candidate; each fact counts the same."""
    examples = [_encode_with(language_model, fact, candidate) for fact in facts]
    scores = score_objects(language_model.model, examples, batch_size=batch_size)
    return fmean(fmean(logprobs) for logprobs in scores)


def _read_next(language_model: LanguageModel, prompts: Sequence[Sequence[int]], batch_size: int) -> Tensor:
    """What the model expects after each prompt, as logits [prompts, vocabulary]."""
    rows: dict[int, Tensor] = {}
    with torch.inference_mode():
        for batch in plan_batches([len(ids) for ids in prompts], batch_size):
            logits = read_prompts(language_model.model, [prompts[index] for index in batch]).logits
            rows.update(zip(batch, logits.float().cpu(), strict=True))
    return torch.stack([rows[index] for index in range(len(prompts))])
