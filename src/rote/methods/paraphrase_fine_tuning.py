"""Fine-tuning on paraphrases with facts that are not to change mixed in (after arXiv 2402.11078).

The untouched facts are real ones in the same wordings; those that are asked about later are never among them.
"""

from rote.methods.memorize_then_generalize import build_prompt_texts
from rote.methods.teaching import Stage, Task, Teaching, encode_all
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """One stage over all facts behind `fine_tune.prompts` prompts, and `fine_tune.untouched` real facts likewise."""
    settings = task.config.fine_tune
    facts = [*task.facts, *task.spare_facts[: settings.untouched]]
    texts = build_prompt_texts(facts, task.relations, prompts=settings.prompts)
    return Teaching([Stage("fine_tune", encode_all(language_model, texts), settings, retains=True)])
