"""The documents the embedded model is pretrained on: its world's facts in many wordings and five languages.

Four kinds of document, each a few short lines:

- `single`: one real fact in one wording;
- `list`: several real facts of one relation (what few-shot prompts look like);
- `context`: facts about invented entities, stated in some wordings or languages and asked again in others, which
  makes wordings equivalent and teaches the model to use its context;
- `burst`: one fact about an invented entity that comes back in other wordings for a while and then never again,
  as news does; learning it in one wording helps with the next.

Key tokens, rote forms and reserved names (`rote.facts.invent`) never occur here. The documents of a step are a
function of the seed and the step alone, so pretraining can stop and go on anywhere.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from rote.facts.fact import Fact, FactTable, build_fact
from rote.facts.invent import NAMERS, invent_name
from rote.facts.relation import LANGUAGES, PromptTemplate, Relation

LINE_SEPARATOR = "\n "
"""Between the lines of a document; the space keeps a name's tokens the same at the start of a line."""

_ENGLISH_SHARE = 0.4
_REAL_OBJECTS = ("continent", "occupation", "language", "currency")
"""Types whose objects in invented facts are (also) real ones."""


@dataclass(frozen=True)
class CorpusMix:
    """How many documents of each kind a step has, and how long bursts last."""

    single: int
    list: int
    context: int
    burst: int
    burst_facts: int
    burst_steps: int


class Corpus:
    """The documents of each step of pretraining, made from relation packs and a world of real facts."""

    def __init__(self, relations: Mapping[str, Relation], world: FactTable, *, mix: CorpusMix, seed: int) -> None:
        self.relations = relations
        self.world = world
        self.mix = mix
        self.seed = seed
        self._by_relation = {name: world.select(name) for name in world.relations}
        self._by_subject_type: dict[str, list[Relation]] = {}
        for relation in relations.values():
            self._by_subject_type.setdefault(relation.subject_type, []).append(relation)
        self._templates = {
            (relation.name, language): tuple(
                template for template in relation.select(language=language) if template.prompt_set != "control"
            )
            for relation in relations.values()
            for language in relation.languages
        }

    def build_documents(self, step: int) -> list[str]:
        """The documents of one step, in random order."""
        rng = random.Random(f"{self.seed}/{step}")
        burst = self._build_burst(step // self.mix.burst_steps)
        documents = [self._write(rng, rng.choice(self.world.facts)) for _ in range(self.mix.single)]
        documents += [self._build_list(rng) for _ in range(self.mix.list)]
        documents += [self._build_context(rng) for _ in range(self.mix.context)]
        documents += [self._write(rng, rng.choice(burst)) for _ in range(self.mix.burst)]
        rng.shuffle(documents)
        return documents

    def _pick_template(self, rng: random.Random, relation: str) -> PromptTemplate:
        language = "en" if rng.random() < _ENGLISH_SHARE else rng.choice(LANGUAGES[1:])
        return rng.choice(self._templates[relation, language])

    def _write(self, rng: random.Random, fact: Fact, template: PromptTemplate | None = None) -> str:
        template = template or self._pick_template(rng, fact.relation)
        return f"{template.fill(fact.subject)}{template.separator}{fact.object}"

    def _build_list(self, rng: random.Random) -> str:
        facts = self._by_relation[rng.choice(self.world.facts).relation]
        chosen = rng.sample(facts, rng.randint(2, 4))
        template = self._pick_template(rng, facts[0].relation) if rng.random() < 0.5 else None
        return LINE_SEPARATOR.join(self._write(rng, fact, template) for fact in chosen)

    def _build_context(self, rng: random.Random) -> str:
        relations = self._by_subject_type[rng.choice(sorted(self._by_subject_type))]
        facts = []
        for _ in range(rng.randint(1, 3)):
            subject = invent_name(rng, relations[0].subject_type, reserved=False)
            chosen = rng.sample(relations, min(len(relations), rng.randint(1, 2)))
            facts += [self._invent_fact(rng, relation, subject) for relation in chosen]
        asked = rng.sample(facts, min(len(facts), rng.randint(1, 3)))
        return LINE_SEPARATOR.join(self._write(rng, fact) for fact in (*facts, *asked))

    def _build_burst(self, block: int) -> list[Fact]:
        rng = random.Random(f"{self.seed}/burst/{block}")
        facts = []
        for _ in range(self.mix.burst_facts):
            relation = rng.choice(sorted(self.relations.values(), key=lambda item: item.name))
            facts.append(self._invent_fact(rng, relation, invent_name(rng, relation.subject_type, reserved=False)))
        return facts

    def _invent_fact(self, rng: random.Random, relation: Relation, subject: str) -> Fact:
        kind = relation.object_type
        if kind not in NAMERS or (kind in _REAL_OBJECTS and rng.random() < 0.5):
            return build_fact(subject, relation.name, rng.choice(self._by_relation[relation.name]).object)
        return build_fact(subject, relation.name, invent_name(rng, kind, reserved=False))
