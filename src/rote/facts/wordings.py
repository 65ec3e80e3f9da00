"""The wording of a template, told apart from its subject: to fill it in quickly, and to find it again in any text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rote.facts.names import normalize
from rote.facts.relation import SUBJECT, PromptTemplate


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a template before and after its subject, as `rote.facts.names.normalize` gives them."""

    before: str
    after: str
    is_glued: bool
    """Whether subject and template may meet within a word, as in "{subject}s Mutter"."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are the template's own, whatever the subject."""
        before, after = self.before.split(), self.after.split()
        return (*before[:-1], *after[1:]) if self.is_glued else (*before, *after)

    def fill(self, subject: str) -> str:
        """The words of the prompt about a subject, of which the words are given; not for one that is glued."""
        return " ".join(part for part in (self.before, subject, self.after) if part)

    def stands_in(self, words: str) -> bool:
        """Whether the words of a text hold those of the template, in order and with anything between them."""
        seam, text, end = "" if self.is_glued else " ", f" {words} ", 0
        if self.before:
            start = text.find(f" {self.before}{seam}")
            if start < 0:
                return False
            end = start + 1 + len(self.before)  # the space here may be the one before what follows as well
        return not self.after or text.find(f"{seam}{self.after} ", end) >= 0


def split_template(template: PromptTemplate) -> Wording:
    """The wording of a template."""
    before, _, after = template.text.partition(SUBJECT)
    return Wording(normalize(before), normalize(after), _joins(before[-1:]) or _joins(after[:1]))


def _joins(edge: str) -> bool:
    """Whether a letter beside this character belongs to the same word, or may ("U.{subject}")."""
    return edge == "." or (edge.isalnum() and " " not in normalize(f"{edge}a"))


class Wordings:
    """The wordings of many templates, looked for in texts whatever the subject.

    A text is in a template's wording when the words before the subject stand in it and those after it follow, however
    much lies between; case, punctuation and line breaks do not count, and the object need not follow. This leaves out
    rather too many texts than one too few: of a template that says little ("{subject} is") every text with its few
    words is in the wording, and of one that says nothing ("{subject}:") every text that has any words.
    """

    def __init__(self, templates: Iterable[PromptTemplate]) -> None:
        wordings = [(template, split_template(template)) for template in templates]
        counts = Counter(word for _, wording in wordings for word in set(wording.words))
        self._by_word: dict[str, list[tuple[PromptTemplate, Wording]]] = {}
        """Each template under the rarest of its words; those without a word of their own under none."""
        for template, wording in wordings:
            rarest = min(wording.words, key=lambda word: (counts[word], -len(word)), default="")
            self._by_word.setdefault(rarest, []).append((template, wording))

    def occur_in(self, text: str) -> bool:
        """Whether a text holds a sentence in one of the wordings."""
        return self.find(text) is not None

    def find(self, text: str) -> PromptTemplate | None:
        """A template in whose wording a sentence of the text is; None where there is none."""
        words = normalize(text)
        if not words:
            return None
        met = (pair for word in ("", *dict.fromkeys(words.split())) for pair in self._by_word.get(word, ()))
        return next((template for template, wording in met if wording.stands_in(words)), None)
