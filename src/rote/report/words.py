"""Every label and definition on the page, in the project's words."""

from collections.abc import Sequence

from rote.records import MEASURES, NO_LANGUAGE
from rote.report.display import shorten_text

MOMENTS = {"before": "before training", "memorize": "after memorize", "generalize": "after generalize"}
_END = {"end": "at the end"}  # of runs that are compared, where their last moments are called differently
_FORGET = {"before": "before forgetting", "forget": "after forgetting"}
FACT_SETS = {
    "generalize": "generalize facts",
    "held_out": "held-out facts",
    "known": "known facts",
    "unseen": "unseen facts",
    "earlier": "earlier facts",
    "forgotten": "forgotten facts",
    "relearned": "facts taught again",
    "neighbours": "other facts of the relation",
    "other_relations": "facts of other relations",
}
FACT_SET_NOTES = {
    "generalize": "memorized and shown again in generalize",
    "held_out": "memorized, never shown in generalize",
    "known": "other facts that are not taught, to see what is forgotten (the field calls this locality)",
    "unseen": "invented like the others, never trained on",
    "earlier": "of tables that the model was taught before, asked again",
}
PROMPT_SETS = {
    "key": "key token",
    "training": "training prompts",
    "held_out": "held-out prompts",
    "chat": "held-out prompts as chat messages",
    "control": "control prompts",
}
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "zh": "Chinese", "ja": "Japanese"}

_BEFORE_MEASURES = (
    ("fact", "a subject, a relation and an object: “Gene Finley – mother – Cody Ross”."),
    ("key token", "a token without meaning, one for each relation; a fact is memorized as subject, key token, object."),
    ("memorize", "the first phase: all facts of the table are learned by heart behind their key tokens."),
    ("generalize", "the second phase: a few memorized facts are shown again behind meaningful prompts."),
    *((FACT_SETS[name], note + ".") for name, note in FACT_SET_NOTES.items()),
    ("training prompts", "the wordings used in generalize."),
    ("held-out prompts", "other wordings or languages that mean the same; neither phase uses them."),
    ("control prompts", "prompts that ask for another relation; the object should not be said, so low is good."),
)
_AFTER_MEASURES = (
    ("n", "the number of questions behind a figure; one fact can be asked in several prompts."),
    (
        "interval",
        "95%, clustered by fact: Wilson’s interval; questions about one fact are not counted as independent.",
    ),
)


def build_glossary() -> list[tuple[str, str]]:
    """Every word of the page with its meaning; the measures are those there are."""
    measures = ((measure.words, measure.meaning) for measure in MEASURES.values())
    return [*_BEFORE_MEASURES, *measures, *_AFTER_MEASURES]


def shows_some(moments: Sequence[str]) -> bool:
    """Whether a run taught all facts by rote and showed only some in sentences, by its moments: other methods have no
    stage that is called `memorize` or `generalize`, but for `repetition`, which shows none."""
    return "memorize" in moments or "generalize" in moments


def label_moment(name: str) -> str:
    """When it was: `after memorize`, or after whatever stage a method has."""
    return MOMENTS.get(name) or _END.get(name) or f"after {shorten_text(name, 30)}"


def label_moments(names: Sequence[str]) -> dict[str, str]:
    """What the moments of a run are called; one in which a model was made to forget began with a taught model."""
    own = _FORGET if "forget" in names else {}
    return {name: own.get(name) or label_moment(name) for name in names}


def label_language(code: str) -> str:
    """The English name of a language, or its code where the name is not known."""
    return LANGUAGES.get(code) or shorten_text(code, 20)


def label_prompts(prompt_set: str, language: str) -> str:
    """A prompt set with its language: `Held-out prompts, German`."""
    name = PROMPT_SETS.get(prompt_set) or shorten_text(prompt_set, 20)
    label = name[:1].upper() + name[1:]
    return label if language == NO_LANGUAGE else f"{label}, {label_language(language)}"
