"""Mixed training: rote lines of all facts and prompts about a few, shuffled together (after arXiv 2505.16178)."""

from rote.methods.memorize_then_generalize import build_memorize_stage, build_prompt_texts, give_key_tokens
from rote.methods.teaching import Stage, Task, Teaching, encode_all
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """One stage with the settings of memorize; the prompts are seen as often as the rote lines."""
    config = task.config
    relations = tuple(dict.fromkeys(fact.relation for fact in task.facts))
    give_key_tokens(language_model, relations, config)
    rote = build_memorize_stage(language_model, task.facts, config.memorize)
    texts = build_prompt_texts(task.generalize_facts, task.relations, prompts=config.generalize.prompts)
    examples = [*rote.examples, *encode_all(language_model, texts)]
    return Teaching([Stage("mixed", examples, config.memorize, retains=True)])
