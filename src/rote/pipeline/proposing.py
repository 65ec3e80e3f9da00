"""More wordings for a relation pack, asked of a model here or of one that is served."""

from collections.abc import Mapping, Sequence

from rote.evaluation.asking import encode_question
from rote.evaluation.endpoint import Endpoint
from rote.evaluation.generation import sample_answers
from rote.facts.more_wordings import MoreWordings, join_lines, judge_wordings, write_beginning, write_message
from rote.models.loading import load_model

_TOKENS = 400
"""Of all wordings together."""
_LINE_TOKENS = 32
_DRAWN = 40
"""Lines that are drawn; a small model repeats itself."""
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

    A served model is given a message. One that lies here goes on with a list of wordings, whatever it was made for: the
    next line is drawn several times, the same ones each time. Raises `ModelError` where it cannot be loaded or asked.
    """
    asked = relation, *types, texts["training"][:_EXAMPLES]
    known = [text for found in texts.values() for text in found]
    if endpoint:
        served = Endpoint(endpoint, source)
        served.check()
        return judge_wordings(served.write(write_message(*asked), tokens=_TOKENS), known)
    model = load_model(source)
    ids = encode_question(model, write_beginning(*asked))
    drawn = sample_answers(model.model, model.tokenizer, [ids], count=_DRAWN, tokens=_LINE_TOKENS, seed=0)
    return judge_wordings(join_lines(drawn[0]), known)
