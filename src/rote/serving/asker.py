"""The taught model and its base, asked side by side: what they say as they say it, then what they are likeliest to say.

An answer is a row of events, plain data for the page: `text` (all that a side said so far), `end` (of a side, and
whether that was right), `likeliest`, and `late` where the time was up.
"""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rote.errors import EncodingError, ModelError, first_line
from rote.evaluation.asking import encode_question, list_candidates, score_candidates, stream_answer
from rote.evaluation.generation import MAX_NEW_TOKENS
from rote.facts.names import contains_answer
from rote.models.chat_template import has_chat_template
from rote.models.language_model import LanguageModel
from rote.models.loading import LoadOptions, load_model
from rote.runs.folder import RunFolder
from rote.runs.manifest import name_model
from rote.runs.shapes import Identity, read_shaped

SECONDS = 60.0
"""The most that one answer takes."""
LIKELIEST = 3
"""Candidates of each model."""

Event = dict[str, Any]
_LOG = logging.getLogger(__name__)


class _Late(Exception):
    """The time is up."""


@dataclass
class Asker:
    """Models by what the page calls them (`taught`, `base`), and how many seconds one question may take."""

    models: Mapping[str, LanguageModel]
    seconds: float = SECONDS
    has_chat: bool = field(init=False)
    """Whether all of them can be asked through their chat template."""

    def __post_init__(self) -> None:
        self.has_chat = all(has_chat_template(one.source, one.tokenizer.chat_template) for one in self.models.values())

    @property
    def names(self) -> dict[str, str]:
        """What the models are called; of a folder no more than its name."""
        return {side: name_model(model.source) for side, model in self.models.items()}

    def check(self, question: str, *, chat: bool) -> None:
        """Raise `EncodingError` for a question that cannot be asked: empty, too long, or in a chat there is not."""
        if chat and not self.has_chat:
            raise EncodingError("this model has no chat template; ask without it")
        for model in self.models.values():
            room = getattr(model.model.config, "max_position_embeddings", None)
            if room and len(encode_question(model, question, chat=chat)) + MAX_NEW_TOKENS > room:
                raise EncodingError(f"the question is too long for a model that reads {room:,} tokens")

    def answer(self, question: str, *, chat: bool, right: Collection[str]) -> Iterator[Event]:
        """The events of one question; `right` are the answers that count as right, none where that is not known."""
        deadline = time.monotonic() + self.seconds
        try:
            yield from self._speak(question, chat, right, deadline)
            yield self._list_likeliest(question, chat, deadline)
        except _Late:
            yield {"kind": "late", "line": f"stopped: an answer may take {self.seconds:g} seconds here"}

    def _speak(self, question: str, chat: bool, right: Collection[str], deadline: float) -> Iterator[Event]:
        """A token of each side in turn."""
        speaking = {side: stream_answer(model, question, chat=chat) for side, model in self.models.items()}
        said = dict.fromkeys(speaking, "")
        while speaking:
            for side, stream in list(speaking.items()):
                _check_time(deadline)
                text = next(stream, None)
                if text is None:
                    del speaking[side]
                    yield {"kind": "end", "side": side, "right": contains_answer(said[side], right) if right else None}
                else:
                    said[side] = text
                    yield {"kind": "text", "side": side, "text": text}

    def _list_likeliest(self, question: str, chat: bool, deadline: float) -> Event:
        """The candidates of all sides, with the probability that each side gives them; the taught model's order."""
        candidates: list[str] = []
        for model in self.models.values():
            left = _check_time(deadline)
            candidates += list_candidates(model, question, count=LIKELIEST, chat=chat, seconds=left)
        chances: dict[str, dict[str, float]] = {}
        for side, model in self.models.items():
            _check_time(deadline)
            for candidate in score_candidates(model, question, candidates, chat=chat):
                chances.setdefault(candidate.text, {})[side] = candidate.probability
        return {"kind": "likeliest", "rows": [{"text": text, "chances": found} for text, found in chances.items()]}


def load_asker(run: Path, base: str | None, options: LoadOptions) -> Asker:
    """The taught model of a run, or its adapters where it kept these alone, and its base, of the revision that the run
    had where `options` say none. Raises `ModelError` where one cannot be loaded; without the run's own base, which may
    be gone by now, the taught model is asked alone."""
    folder = RunFolder(run)
    identity = read_shaped(folder.identity, Identity)
    own = replace(options, revision=options.revision or identity["loading"].get("revision"))
    taught = folder.model if folder.model.is_dir() else folder.adapter
    models, before = {"taught": load_model(str(taught), own)}, str(identity["config"].get("model", ""))
    try:
        models["base"] = load_model(base, options) if base else load_model(before, own)
    except ModelError as error:
        if base:
            raise
        _LOG.warning("asked without a base model, name one with --base (%s)", first_line(error))
    return Asker(models)


def _check_time(deadline: float) -> float:
    """The seconds that are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Late
    return left
