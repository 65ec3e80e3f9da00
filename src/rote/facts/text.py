"""`Text`: one text in its parts, as it is taught or asked; made from a fact and a template or a key token."""

from dataclasses import dataclass

from rote.facts.fact import Fact
from rote.facts.relation import SUBJECT, PromptTemplate


@dataclass(frozen=True, slots=True)
class Text:
    """A text in its parts: `prompt + separator + object`, with the subject (and key token) inside the prompt."""

    prompt: str
    separator: str
    object: str
    subject: str
    key_token: str | None = None
    origin: str = ""
    """Where the prompt comes from, for messages: the template's id."""
    subject_at: int | None = None
    """The character the subject begins at; without it, where it first occurs (a book may be called `It`)."""
    in_chat: bool = False
    """Whether the prompt is put to the model as a message, in the tokenizer's chat template."""


def build_prompt_text(fact: Fact, template: PromptTemplate) -> Text:
    """The text that asks for a fact in a template's words and gives its object."""
    return Text(
        template.fill(fact.subject),
        template.separator,
        fact.object,
        fact.subject,
        origin=template.id,
        subject_at=template.text.index(SUBJECT),
    )


def build_rote_text(fact: Fact, key_token: str) -> Text:
    """The rote form of a fact, `subject [X] object` (paper, section 3)."""
    prompt = f"{fact.subject} {key_token}"
    return Text(prompt, " ", fact.object, fact.subject, key_token, origin=f"the rote form of {fact.relation}")
