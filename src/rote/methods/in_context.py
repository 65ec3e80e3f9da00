"""In-context learning: nothing is trained, facts stand before the question (paper, section 5).

`retrieved` puts the fact that is asked about among them; `fixed` puts the same facts before every question.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from rote.encoding.example import Text, build_prompt_text
from rote.facts.fact import Fact
from rote.methods.teaching import Task, Teaching
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """No stages; a context of `in_context.examples` facts in the words of their first training prompt."""
    settings = task.config.in_context

    def contextualize(fact: Fact, text: Text) -> Text:
        others = [other for other in task.facts if other.relation == fact.relation and other.id != fact.id]
        rng = random.Random(f"context/{task.config.seed}/{fact.relation}" + (f"/{fact.id}" * settings.retrieved))
        taught = any(other.id == fact.id for other in task.facts)
        own = [fact] if settings.retrieved and taught else []
        chosen = [*rng.sample(others, min(len(others), settings.examples - len(own))), *own]
        rng.shuffle(chosen)
        return _put_before(text, [_state(other, task) for other in chosen])

    return Teaching(contextualize=contextualize)


def _state(fact: Fact, task: Task) -> str:
    stated = build_prompt_text(fact, task.relations[fact.relation].select_training(1)[0])
    return f"{stated.prompt}{stated.separator}{stated.object}"


def _put_before(text: Text, statements: Sequence[str]) -> Text:
    context = "".join(f"{statement}\n" for statement in statements)
    at = text.prompt.find(text.subject) if text.subject_at is None else text.subject_at
    return replace(text, prompt=context + text.prompt, subject_at=len(context) + at)
