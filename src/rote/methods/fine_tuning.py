"""Supervised fine-tuning, the main baseline: all facts behind 1 to 10 prompts, loss on the object (paper, sec. 4)."""

from rote.methods.memorize_then_generalize import build_prompt_texts
from rote.methods.teaching import Stage, Task, Teaching, encode_all
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """One stage over all facts, each behind the first `fine_tune.prompts` training prompts of its relation."""
    settings = task.config.fine_tune
    texts = build_prompt_texts(task.facts, task.relations, prompts=settings.prompts)
    return Teaching([Stage("fine_tune", encode_all(language_model, texts), settings, retains=True)])
