"""Chat templates are programs that come with a model: before one is used, another process shows that it ends.

python -m rote.models.chat_template < TEMPLATE

What a template makes of one message tells of others too, but for one that is made to wait for a certain text.
"""

import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

from transformers.utils.chat_template_utils import render_jinja_template

from rote.errors import ModelError
from rote.limits import describe_move, get_limit

MAX_CHARACTERS = 100_000
"""Of what a template makes of one message."""
_WAIT = 30
"""Seconds on a machine that is busy with other work."""


def has_chat_template(source: str, found: str | Mapping[str, str] | None) -> bool:
    """Whether a model can be asked by the chat template found with it; of several the usual one is tried.

    Raises `ModelError` for a template that runs without end, or fills the memory.
    """
    template = found.get("default") if isinstance(found, Mapping) else found
    if template is None or _is_harmless(template):
        return found is not None
    raise ModelError(
        f"{source}: its chat template takes more than {get_limit('template-seconds')} seconds, "
        f"{get_limit('template-bytes'):,} bytes or {MAX_CHARACTERS:,} characters for one message; take it out of the "
        f"model's folder, or get the model again, {describe_move('template-seconds')}"
    )


@lru_cache
def _is_harmless(template: str) -> bool:
    """Tried once in a process, as the jobs of an experiment ask one model."""
    command = [sys.executable, "-m", "rote.models.chat_template"]
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, input=template.encode(), capture_output=True, timeout=_WAIT, check=False)
        return done.returncode == 0
    return False


def _limit() -> None:
    if os.name == "posix":  # elsewhere the other process is given its time alone
        import resource

        seconds = math.ceil(time.process_time()) + get_limit("template-seconds")
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_DATA, (get_limit("template-bytes"),) * 2)


def _ends(template: str) -> bool:
    """Whether a template can be filled in. What is wrong with it otherwise shows when it is used."""
    message = [{"role": "user", "content": "Who is it?"}]
    try:
        rendered = render_jinja_template([message], chat_template=template, add_generation_prompt=True)
    except MemoryError:
        return False
    except Exception:
        return True
    return len(rendered[0][0]) <= MAX_CHARACTERS


if __name__ == "__main__":
    _limit()
    sys.exit(not _ends(sys.stdin.buffer.read().decode()))
