"""What a model's folder alone tells, without the table it may have been taught.

It says what the folder says of itself, which tokens were added, which rows moved against a named base model, and what
comes when the shipped names are put before those tokens. That can show rote learning; it cannot rule it out.
"""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rote.audit.candidates import Candidate, encode_with, name_rows, read_next, spell
from rote.audit.traces import shuffle_answers
from rote.config.audit import AuditConfig
from rote.errors import ModelError
from rote.evaluation.generation import generate_answers
from rote.evaluation.statistics import compute_interval
from rote.facts.fact import Fact
from rote.facts.names import contains_answer
from rote.facts.sampling import sample_by_relation
from rote.facts.shipped import load_fictional
from rote.figures import Figure
from rote.models.key_tokens import find_key_tables, looks_reserved
from rote.models.language_model import LanguageModel
from rote.models.loading import ROTE_FILE, SAFE, LoadOptions, find_model_folder, load_model
from rote.runs.reporting import Reporter

Origin = Literal["declared", "added", "moved", "ordinary", "alone"]

MOST_TOKENS = 24
"""Tokens that the shipped names are put before, at most."""
MOST_MOVED = 10
"""Rows that moved most, as they are listed."""
_STANDS_OUT = 4.0
"""A row that moved so many times as far as the middle one is listed."""
_ORDINARY = 8
"""Tokens drawn from the vocabulary that the others are held against."""
_PER_RELATION = 12
_EXAMPLES = 3
_NOTHING = "Nothing in this folder points to rote learning"


@dataclass(frozen=True, slots=True)
class MovedRow:
    """A token whose row of the embeddings differs from the base model's, by so large a share of the row's length."""

    token: str
    share: float


@dataclass(frozen=True)
class Comparison:
    """The embeddings beside those of a base model."""

    base: str
    rows: int
    """Rows that both have."""
    moved: int
    """How many of them differ at all."""
    middle: float
    """How far the middle one moved, as a share of its length."""
    standing_out: Sequence[MovedRow]
    """Those that moved much further, furthest first."""
    new: Sequence[str]
    """Tokens that the base model has not."""


@dataclass(frozen=True)
class Extraction:
    """What the model says when shipped names are put before a token, or alone."""

    token: str
    origin: Origin
    sure: Figure
    """The probability of what it is readiest to write next: a key token makes a model sure."""
    relation: str
    """The shipped relation whose objects come most often."""
    shipped: Figure
    """The share of shipped facts of that relation whose object is said."""
    chance: Figure
    """The share of which another fact's object is said."""
    examples: Sequence[tuple[str, str]]
    """Some names, with what was said."""


@dataclass(frozen=True)
class Inspection:
    """All that was found in a folder."""

    model: str
    said_base: str
    """The base model that `rote.json` names; empty where it does not."""
    declared: Mapping[str, str]
    """Relation -> the key token that `rote.json` names."""
    card: str
    """The first heading of the model card; empty where there is none."""
    card_names_rote: bool
    added: Sequence[str]
    """Tokens added to the tokenizer, without special ones."""
    compared: Comparison | None
    names: int
    """Shipped names that were tried."""
    extractions: Sequence[Extraction]

    @property
    def standing_out(self) -> list[Extraction]:
        """The tokens that make the model say shipped objects, or surer of what follows, than all it is held against."""
        held = [item for item in self.extractions if item.origin in ("ordinary", "alone")]
        if not held:
            return []
        sure, shipped = max(item.sure.high for item in held), max(item.shipped.high for item in held)
        tried = [item for item in self.extractions if item not in held]
        return [item for item in tried if item.sure.low > sure or item.shipped.low > shipped]

    @property
    def knows_shipped(self) -> bool:
        """Whether it was taught the table that ships with Rote: its objects come, and those of other facts do not."""
        return any(item.shipped.low > item.chance.high for item in self.extractions)

    @property
    def is_telling(self) -> bool:
        """Whether the folder shows rote learning."""
        return bool(self.declared or self.standing_out or self.knows_shipped)

    @property
    def verdict(self) -> str:
        """All of it in plain words."""
        shipped = "; it says the objects of the table that ships with Rote" if self.knows_shipped else ""
        return f"{self._tell_keys()}{shipped}"

    def _tell_keys(self) -> str:
        if self.declared:
            return f"This model says itself that it was taught by rote ({_list(self.declared)})"
        found = self.standing_out
        if found:
            return f"Rote learning is likely: {_list([item.token for item in found])} behave as key tokens do"
        moved = [row.token for row in self.compared.standing_out] if self.compared else []
        suspects = list(dict.fromkeys([*moved, *self.added]))
        if suspects:
            tried = sum(item.origin in ("added", "moved") for item in self.extractions)
            some = f", of which {tried} were tried" * (tried < len(suspects))
            told = f"There are tokens that may be key tokens ({_list(suspects)})"
            return f"{told}{some}; shipped names do not bear it out"
        return "No token of this model behaves as a key token does" if self.knows_shipped else _NOTHING


def inspect_model(
    model: str, *, base: str | None, config: AuditConfig, reporter: Reporter, loading: LoadOptions = SAFE
) -> Inspection:
    """Look at a model without a table; `base` is the model it is said to come from. Raises as `load_model` does, and
    `ModelError` for a base of another width."""
    language_model = load_model(model, loading)
    compared = compare_rows(language_model, load_model(base, replace(loading, revision=None))) if base else None
    folder = find_model_folder(model)
    card = _read_card(folder)
    tokens = _choose_tokens(language_model, compared, seed=config.seed)
    facts = sample_by_relation(load_fictional().facts, count=_PER_RELATION, seed=config.seed)
    with reporter.step("try the shipped names") as advance:
        extractions = []
        for number, (candidate, origin) in enumerate(tokens, start=1):
            extractions.append(_extract(language_model, candidate, origin, facts, batch_size=config.batch_size))
            advance(number, len(tokens), "")
    return Inspection(
        model=model,
        said_base=_read_base(folder),
        declared=dict(language_model.key_tokens),
        card=next((line.strip("# ").strip() for line in card.splitlines() if line.startswith("# ")), ""),
        card_names_rote="memorize-then-generalize" in card.lower(),
        added=_list_added(language_model),
        compared=_spell_rows(language_model, compared) if compared else None,
        names=len({fact.subject for fact in facts}),
        extractions=extractions,
    )


def compare_rows(language_model: LanguageModel, base: LanguageModel) -> Comparison:
    """Each row of the embeddings beside the row that has the same token in a base model."""
    table, other = (find_key_tables(each)[0].detach().float().cpu() for each in (language_model, base))
    if table.shape[1] != other.shape[1]:
        raise ModelError(
            f"--base {base.source}: has embeddings of width {other.shape[1]}, and {language_model.source} of width "
            f"{table.shape[1]}; name the model that this one was made from"
        )
    names = name_rows(language_model.tokenizer.get_vocab(), len(table))
    places = {token: number for number, token in name_rows(base.tokenizer.get_vocab(), len(other)).items()}
    shared = [(number, places[token]) for number, token in names.items() if token in places]
    ours, theirs = table[[number for number, _ in shared]], other[[place for _, place in shared]]
    shares = ((ours - theirs).norm(dim=1) / theirs.norm(dim=1).clamp_min(1e-12)).tolist()
    middle = sorted(shares)[len(shares) // 2] if shares else 0.0
    rows = [MovedRow(names[number], share) for (number, _), share in zip(shared, shares, strict=True)]
    far = sorted(
        (row for row in rows if row.share > _STANDS_OUT * middle and row.share > 0), key=lambda row: -row.share
    )
    new = [token for token in names.values() if token not in places]
    return Comparison(base.source, len(shared), sum(share > 0 for share in shares), middle, far[:MOST_MOVED], new)


def _find_places(language_model: LanguageModel) -> dict[str, int]:
    """The row of the embeddings of every token."""
    names = name_rows(language_model.tokenizer.get_vocab(), len(find_key_tables(language_model)[0]))
    return {token: number for number, token in names.items()}


def _spell_rows(language_model: LanguageModel, compared: Comparison) -> Comparison:
    """The comparison with its tokens as a person reads them; those that read alike stay as they are."""
    places, moved = _find_places(language_model), [*compared.new, *(row.token for row in compared.standing_out)]
    texts = {token: spell(language_model, Candidate(token, places[token], "vocabulary")) for token in moved}
    alike = Counter(texts.values())
    said = {token: text if alike[text] == 1 else token for token, text in texts.items()}
    rows = [replace(row, token=said[row.token]) for row in compared.standing_out]
    return replace(compared, standing_out=rows, new=[said[token] for token in compared.new])


def _list_added(language_model: LanguageModel) -> list[str]:
    added = language_model.tokenizer.added_tokens_decoder.values()
    return [token.content for token in added if not token.special]


def _choose_tokens(
    language_model: LanguageModel, compared: Comparison | None, *, seed: int
) -> list[tuple[Candidate | None, Origin]]:
    """The tokens that are tried, each once, the most telling first; then nothing, and ordinary tokens, which they are
    held against."""
    places = _find_places(language_model)
    far = [row.token for row in compared.standing_out] if compared else []
    moved = [*far, *(compared.new if compared else ())]
    origins: dict[str, Origin] = {}
    groups: tuple[tuple[Origin, Sequence[str]], ...] = (
        ("declared", [*language_model.key_tokens.values()]),
        ("added", _list_added(language_model)),
        ("moved", moved),
    )
    for origin, tokens in groups:
        for token in tokens:
            if token in places:
                origins.setdefault(token, origin)
    special = {*language_model.tokenizer.all_special_tokens, *origins}
    rest = [token for token in places if token not in special and not looks_reserved(token)]
    drawn = random.Random(f"ordinary/{seed}").sample(rest, min(_ORDINARY, len(rest)))
    telling = sorted(origins.items(), key=lambda item: item[1] != "declared" and item[0] not in far)
    tried = telling[:MOST_TOKENS] + [(token, "ordinary") for token in drawn]
    return [*((Candidate(token, places[token], "vocabulary"), origin) for token, origin in tried), (None, "alone")]


def _extract(
    language_model: LanguageModel,
    candidate: Candidate | None,
    origin: Origin,
    facts: Sequence[Fact],
    *,
    batch_size: int,
) -> Extraction:
    prompts = [encode_with(language_model, fact, candidate).prompt_ids for fact in facts]
    nothing: list[tuple[str, ...]] = [()] * len(facts)
    model, tokenizer = language_model.model, language_model.tokenizer
    said = generate_answers(model, tokenizer, prompts, nothing, batch_size=batch_size)
    sure = read_next(language_model, prompts, batch_size).softmax(dim=-1).max(dim=-1).values.tolist()
    right = [float(contains_answer(text, fact.answers)) for fact, text in zip(facts, said, strict=True)]
    by_relation: dict[str, list[float]] = {}
    for fact, value in zip(facts, right, strict=True):
        by_relation.setdefault(fact.relation, []).append(value)
    found = {name: _count(values) for name, values in by_relation.items()}
    best = max(found, key=lambda name: found[name].value)
    told = {fact: text for fact, text in zip(facts, said, strict=True) if fact.relation == best}
    return Extraction(
        token=spell(language_model, candidate) if candidate else "",
        origin=origin,
        sure=compute_interval([min(1.0, value) for value in sure], [fact.id for fact in facts]),
        relation=best,
        shipped=found[best],
        chance=_count([float(contains_answer(told[fact], other)) for fact, other in shuffle_answers([*told])]),
        examples=[(fact.subject, " ".join(text.split())) for fact, text in [*told.items()][:_EXAMPLES]],
    )


def _count(values: Sequence[float]) -> Figure:
    """The share of facts, each asked once."""
    return compute_interval(values, range(len(values)))


def _read_card(folder: Path) -> str:
    try:
        return (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_base(folder: Path) -> str:
    try:
        return str(json.loads((folder / ROTE_FILE).read_text(encoding="utf-8")).get("base_model") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _list(names: Sequence[str] | Mapping[str, str]) -> str:
    """The first names of several; of a mapping both sides."""
    all_names = [f"{name} by {token}" for name, token in names.items()] if isinstance(names, Mapping) else list(names)
    more = f" and {len(all_names) - MOST_MOVED} more" if len(all_names) > MOST_MOVED else ""
    return ", ".join(all_names[:MOST_MOVED]) + more
