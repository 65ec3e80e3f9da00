"""The tree of errors a user can cause; each is one line that says what is wrong and how to mend it.

    RoteError
    ├── TableError      a table of facts, or a row of it
    ├── TemplateError   a relation pack or a prompt template
    ├── ConfigError     a configuration key, value or flag
    ├── ModelError      a model folder, its weights or its tokenizer
    ├── EncodingError   a text that cannot be split into prompt and object
    ├── RunError        a run folder: another run's, incomplete, or not writable
    └── TrainingError   training that had to stop (a loss that is not finite)

The command line prints the message without a traceback and exits with code 2. Anything else is a bug and keeps
its traceback.
"""

import difflib
from collections.abc import Iterable


class RoteError(Exception):
    """A mistake the user can mend; `str(error)` is the line to show."""


class TableError(RoteError):
    """A table of facts that cannot be read; names the file, the row and the column."""


class TemplateError(RoteError):
    """A relation pack or prompt template that cannot be used; names the relation and the template."""


class ConfigError(RoteError):
    """A configuration key, value or flag that is unknown or out of range."""


class ModelError(RoteError):
    """A model that cannot be loaded, saved or verified."""


class EncodingError(RoteError):
    """A text whose object does not begin where a token begins, or that has no room for its object."""


class RunError(RoteError):
    """A run folder that cannot be used."""


class TrainingError(RoteError):
    """Training that was stopped before it could damage the weights."""


def first_line(error: Exception) -> str:
    """What an error of somebody else's says, in one line; its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def shorten(text: str, limit: int = 60) -> str:
    """A text in quotes for a message: on one line, with nothing invisible, and not longer than a glance."""
    return repr(text if len(text) <= limit else f"{text[: limit - 3]}...")


def nearest(name: str, names: Iterable[str]) -> str:
    """Of some names, of which there must be one at least, the one most like a name that is unknown."""
    return difflib.get_close_matches(name, list(names), n=1, cutoff=0.0)[0]


def explain_yaml(error: Exception) -> str:
    """Where in a file reading it as YAML, or at all, went wrong, and why; in one line."""
    if isinstance(error, UnicodeDecodeError):
        return f"line {1 + error.object[: error.start].count(10)}: is no UTF-8 text; save the file as UTF-8"
    character = getattr(error, "character", None)
    if isinstance(character, int):  # what its reader refuses before anything is parsed
        position = getattr(error, "position", 0)
        return f"character {position + 1} is U+{character:04X}, which YAML does not allow; take it out"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or not problem:
        return first_line(error)
    return f"line {mark.line + 1}: {problem}"
