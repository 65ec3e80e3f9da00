"""More wordings for a relation pack, asked of a model here or of one that is served."""

from collections.abc import Mapping, Sequence

from rote.evaluation.asking import ask_model
from rote.evaluation.endpoint import Endpoint
from rote.facts.more_wordings import MoreWordings, judge_wordings, write_beginning, write_message
from rote.models.chat_template import has_chat_template
from rote.models.loading import load_model

_TOKENS = 400
"""Of all wordings together."""
_EXAMPLES = 5
"""Wordings that a model is shown."""


def propose_more(
    source: str,
    relation: str,
    types: tuple[str, str],
    texts: Mapping[str, Sequence[str]],
    *,
    endpoint: str | None = None,
) -> MoreWordings:
    """Ask the model `source` (a name on the server `endpoint`, where there is one) for wordings beside `texts`.

    A model with a chat template is given a message, another one goes on with a list. Raises `ModelError` where it
    cannot be loaded or asked.
    """
    asked = relation, *types, texts["training"][:_EXAMPLES]
    known = [text for found in texts.values() for text in found]
    if endpoint:
        served = Endpoint(endpoint, source)
        served.check()
        return judge_wordings(served.write(write_message(*asked), tokens=_TOKENS), known)
    model = load_model(source)
    chat = has_chat_template(model.source, model.tokenizer.chat_template)
    request = write_message(*asked) if chat else write_beginning(*asked)
    return judge_wordings(ask_model(model, request, chat=chat, max_new_tokens=_TOKENS), known)
