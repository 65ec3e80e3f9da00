"""Rote lines in different numbers of exact and edited copies, all in one shuffled training.

Three questions are asked this way: how much recall the number of exposures buys (arXiv 2407.17817), how many edited
copies are worth an exact one (mosaic memory, arXiv 2405.15523), and how much of a fact's recall comes from having been
shown at all (counterfactual memorization, arXiv 2112.12938: a group of no copies).
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from rote.config.teaching import CopyGroup
from rote.encoding.example import IGNORE, Example
from rote.facts.fact import Fact
from rote.methods.memorize_then_generalize import build_memorize_stage, give_key_tokens
from rote.methods.teaching import Stage, Task, Teaching
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """Deal the facts of each relation into the groups of `repetition.groups`; label every fact with its group."""
    config = task.config
    relations = tuple(dict.fromkeys(fact.relation for fact in task.facts))
    give_key_tokens(language_model, relations, config)
    rote = build_memorize_stage(language_model, task.facts, config.memorize)
    dealt = deal_facts(task.facts, config.repetition.groups, seed=config.seed)
    vocabulary = sorted(set(language_model.tokenizer.get_vocab().values()) - _find_special(language_model))
    examples: list[Example] = []
    for fact, example in zip(task.facts, rote.examples, strict=True):
        group = dealt[fact.id]
        examples += [example] * group.exact
        for copy in range(group.edited):
            rng = random.Random(f"edit/{config.seed}/{fact.id}/{copy}")
            examples.append(_edit(example, rng, count=config.repetition.edits, vocabulary=vocabulary))
    stage = Stage("memorize", examples, config.memorize.with_epochs(1), retains=True)
    return Teaching([stage], labels={name: group.name for name, group in dealt.items()})


def deal_facts(facts: Sequence[Fact], groups: Sequence[CopyGroup], *, seed: int) -> dict[str, CopyGroup]:
    """The group of every fact by its id: equal shares of each relation, dealt anew for every seed."""
    dealt = {}
    for relation in dict.fromkeys(fact.relation for fact in facts):
        members = [fact for fact in facts if fact.relation == relation]
        random.Random(f"deal/{seed}/{relation}").shuffle(members)
        dealt.update({fact.id: groups[index % len(groups)] for index, fact in enumerate(members)})
    return dealt


def _find_special(language_model: LanguageModel) -> set[int]:
    """Ids that never stand in for a replaced token: special ones and the key tokens."""
    return {*language_model.tokenizer.all_special_ids, *language_model.tokenizer.added_tokens_decoder}


def _edit(example: Example, rng: random.Random, *, count: int, vocabulary: Sequence[int]) -> Example:
    """The example with `count` tokens of its subject and object replaced by others at random."""
    places = [*range(*example.subject_span), *range(*example.object_span)]
    ids = list(example.ids)
    for place in rng.sample(places, min(count, len(places))):
        while ids[place] == example.ids[place]:
            ids[place] = rng.choice(vocabulary)
    learned = [IGNORE if label == IGNORE else token for token, label in zip(ids, example.labels, strict=True)]
    return replace(example, ids=tuple(ids), labels=tuple(learned))
