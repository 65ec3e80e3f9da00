"""In-context learning: nothing is trained, facts stand before the question (paper, section 5).

Retrieved, the fact that is asked about is among them; otherwise the same facts of `generalize_facts` stand before every
question of a relation, so a held-out fact is never told.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from rote.facts.fact import Fact
from rote.facts.text import Text, build_prompt_text
from rote.methods.teaching import Task, Teaching
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """No stages; a context of `in_context.examples` facts in the words of their first training prompt."""
    settings = task.config.in_context

    def contextualize(fact: Fact, text: Text) -> Text:
        known = [other for other in _list_known(task) if other.relation == fact.relation]
        rng = random.Random(f"context/{task.config.seed}/{fact.relation}" + (f"/{fact.id}" * settings.retrieved))
        # As the table has it: where the fact asked about was replaced, the new one is retrieved.
        own = [other for other in known if other.id == fact.id] if settings.retrieved else []
        others = [other for other in known if other not in own]
        chosen = [*rng.sample(others, min(len(others), settings.examples - len(own))), *own]
        rng.shuffle(chosen)
        return _put_before(text, [_state(other, task) for other in chosen])

    return Teaching(contextualize=contextualize)


def _list_known(task: Task) -> Sequence[Fact]:
    return task.facts if task.config.in_context.retrieved else task.generalize_facts


def _state(fact: Fact, task: Task) -> str:
    stated = build_prompt_text(fact, task.relations[fact.relation].select_training(1)[0])
    return f"{stated.prompt}{stated.separator}{stated.object}"


def _put_before(text: Text, statements: Sequence[str]) -> Text:
    context = "".join(f"{statement}\n" for statement in statements)
    at = text.prompt.find(text.subject) if text.subject_at is None else text.subject_at
    return replace(text, prompt=context + text.prompt, subject_at=len(context) + at)
