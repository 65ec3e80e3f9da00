"""One free question to a model."""

from rote.encoding.example import encode_prompt
from rote.errors import EncodingError
from rote.evaluation.generation import generate_answers
from rote.models.language_model import LanguageModel


def ask_model(language_model: LanguageModel, question: str) -> str:
    """What the model says after a question, greedily, without the question. Raises `EncodingError` for an empty one."""
    if not question.strip():
        raise EncodingError("the question is empty")
    ids = encode_prompt(language_model.tokenizer, question.strip())
    answers = generate_answers(language_model.model, language_model.tokenizer, [ids], [()], batch_size=1)
    return answers[0].strip()
