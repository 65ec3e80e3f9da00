"""Sentences and questions in three orders, with the contrasts of memorize-then-generalize beside the questions.

A method of its own, to be found by name: `PYTHONPATH=scripts rote run TABLE --set method=contrasted:plan`. It asks
whether what tells the two apart after training is the rote lines, or what stands beside the prompts.
"""

from dataclasses import replace

from rote.methods import sentences
from rote.methods.contrasts import Contrasts
from rote.methods.memorize_then_generalize import _build_contrasts
from rote.methods.teaching import Stage, Task, Teaching
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """The stages of the method `sentences`, each question beside as many contrasts as `generalize.contrasts` says.

    Mixed among sentences there are as many of them in all: fewer beside each example.
    """
    prompts = task.config.generalize.prompts
    questions = len(sentences.build_texts(task.generalize_facts, task.relations, prompts=prompts, questions=True))
    contrasts = _build_contrasts(language_model, task)
    stages = [_add(stage, contrasts, questions) for stage in sentences.plan(language_model, task).stages]
    return Teaching(stages)


def _add(stage: Stage, contrasts: Contrasts | None, questions: int) -> Stage:
    if contrasts is None or stage.name == "sentences":
        return stage
    share = questions / len(stage.examples) if stage.name == "mixed" else 1.0
    return replace(stage, contrasts=replace(contrasts, per_example=contrasts.per_example * share))
