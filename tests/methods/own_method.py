"""A method of one's own: every fact as a plain line, `subject: object`, without a key token and without a question."""

from rote.config.strict import StrictConfig
from rote.facts.text import Text
from rote.methods.teaching import Stage, Task, Teaching, encode_all
from rote.models.language_model import LanguageModel


class Settings(StrictConfig):
    """What may be set with `method_settings`; a module without this class takes no settings."""

    between: str = ":"
    """What stands between subject and object."""


def plan(language_model: LanguageModel, task: Task) -> Teaching:
    """One stage over all facts, with the settings of fine-tuning and the loss on all tokens."""
    assert isinstance(task.settings, Settings)
    between = task.settings.between
    texts = [Text(f"{fact.subject}{between}", " ", fact.object, fact.subject, subject_at=0) for fact in task.facts]
    examples = encode_all(language_model, texts, loss_target="all_tokens")
    return Teaching([Stage("plain_lines", examples, task.config.fine_tune, retains=True)])
