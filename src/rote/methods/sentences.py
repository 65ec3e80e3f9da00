"""Sentences about all facts, and questions about a few: the orders in which both can be taught.

Sentences first and questions after them, both shuffled together (arXiv 2505.16178), or questions first, so that the
model knows what is asked before it reads (pre-instruction-tuning, arXiv 2402.12847). What memorize-then-generalize
does with a key token is done with ordinary sentences here.
"""

from collections.abc import Mapping, Sequence

from rote.errors import ConfigError
from rote.facts.fact import Fact
from rote.facts.relation import PromptCount, PromptTemplate, Relation
from rote.facts.text import Text, build_prompt_text
from rote.methods.teaching import Stage, Task, Teaching, encode_all
from rote.models.language_model import LanguageModel


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """The sentences are trained on with the settings of memorize, the loss on all their tokens; the questions with
    those of generalize, the loss on the object. Mixed, all have the settings of memorize.

    Raises `ConfigError` for a relation without an English training prompt of either form.
    """
    config = task.config
    told = build_texts(task.facts, task.relations, prompts=config.sentences.wordings, questions=False)
    asked = build_texts(task.generalize_facts, task.relations, prompts=config.generalize.prompts, questions=True)
    sentences = encode_all(language_model, told, loss_target="all_tokens")
    questions = encode_all(language_model, asked)
    if config.sentences.order == "mixed":
        return Teaching([Stage("mixed", [*sentences, *questions], config.memorize, retains=True)])
    stages = [
        Stage("sentences", sentences, config.memorize, retains=True),
        Stage("questions", questions, config.generalize, retains=config.retain.generalize),
    ]
    return Teaching(stages if config.sentences.order == "sentences_first" else stages[::-1])


def build_texts(
    facts: Sequence[Fact], relations: Mapping[str, Relation], *, prompts: PromptCount, questions: bool
) -> list[Text]:
    """Facts behind the first `prompts` English training prompts of their relation that are questions, or behind those
    that are not."""
    most = None if prompts == "all" else prompts
    chosen = {name: _select(relations[name], questions)[:most] for name in {fact.relation: None for fact in facts}}
    return [build_prompt_text(fact, template) for fact in facts for template in chosen[fact.relation]]


def _select(relation: Relation, questions: bool) -> Sequence[PromptTemplate]:
    """A line of a form ("Name:") is neither a question nor a sentence."""
    templates = [template for template in relation.select_training("all") if not template.text.endswith(":")]
    found = [template for template in templates if template.text.endswith("?") == questions]
    if not found:
        form = "question" if questions else "sentence"
        raise ConfigError(f"method sentences: {relation.name} has no English training prompt that is a {form}; add one")
    return found
