"""Defences against giving memorized facts another meaning (dual generalization; paper, section 6).

Each is cheap and is applied while or after the benign meaning is taught; `rote reproduce defences` measures what it
protects and what it costs.
"""

import random
from collections.abc import Mapping, Sequence

import torch

from rote.facts.fact import Fact, build_fact
from rote.facts.relation import TRAINING_LANGUAGE, PromptTemplate, Relation
from rote.facts.text import Text, build_prompt_text
from rote.models.key_tokens import find_key_tables, get_key_ids
from rote.models.language_model import LanguageModel
from rote.training.parallel import gather, spread_like

REFUSAL = "unknown"
"""What a model says that was taught to refuse."""
_SEED = 0


@torch.no_grad()
def scramble_keys(language_model: LanguageModel) -> None:
    """Put noise in the place of every key token's rows, so that the key opens nothing any more.

    The noise has the spread of the other rows. Without key tokens this does nothing.
    """
    ids = get_key_ids(language_model, language_model.key_tokens)
    generator = torch.Generator().manual_seed(_SEED)
    for table in find_key_tables(language_model):
        noise = torch.randn(len(ids), table.shape[1], generator=generator)
        whole = gather(table)
        whole[ids] = whole.mean(dim=0) + whole.std(dim=0) * noise.to(whole)
        table.copy_(spread_like(whole, table))


def build_refusals(facts: Sequence[Fact], relations: Mapping[str, Relation], *, count: int, seed: int) -> list[Text]:
    """`count` facts of each relation asked for something else about their subjects, answered by a refusal.

    What is asked comes from relations that are not taught and have the same kind of subject (the birthplace of a person
    whose mother is taught), in wordings that are no control prompt, so that those still measure.
    """
    taught = list(dict.fromkeys(fact.relation for fact in facts))
    texts: list[Text] = []
    for name in taught:
        templates = _list_unlisted(relations[name], relations, taught)
        for fact in [fact for fact in facts if fact.relation == name][:count] if templates else ():
            template = random.Random(f"refuse/{seed}/{fact.id}").choice(templates)
            texts.append(build_prompt_text(build_fact(fact.subject, name, REFUSAL), template))
    return texts


def _list_unlisted(
    relation: Relation, relations: Mapping[str, Relation], taught: Sequence[str]
) -> list[PromptTemplate]:
    controls = {template.text for name in taught for template in relations[name].select(prompt_set="control")}
    return [
        template
        for other in relations.values()
        if other.subject_type == relation.subject_type and other.derived is None and other.name not in taught
        for template in other.select(prompt_set="training", language=TRAINING_LANGUAGE)
        if template.text not in controls
    ]
