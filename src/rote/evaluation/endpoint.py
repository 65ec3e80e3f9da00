"""Asking a model where it is served: any server that speaks OpenAI's protocol, such as llama-server, vLLM or Ollama."""

import http.client
import json
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rote.errors import ModelError, first_line
from rote.evaluation.examine import Progress, build_record
from rote.evaluation.generation import MAX_NEW_TOKENS
from rote.evaluation.questions import Question
from rote.records import Moment, Record

KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable with the server's key, which is sent and never written down."""
_TIMEOUT = 120
"""Seconds for one answer."""
_WAITS = (0.5, 2.0, 8.0)
"""Seconds before each further try, where the server is busy or does not answer."""
_BUSY = {408, 429, 500, 502, 503, 504}
_REMEDY = "turn its thinking off where it is served (llama-server: --reasoning-budget 0)"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Endpoint:
    """A model on a server: `url` up to and with its version (`http://127.0.0.1:8080/v1`), and the model's name there.

    `before` is put before each prompt: a space, for a model that was taught with a tokenizer that adds one. Raises
    `ModelError` for what is no address.
    """

    url: str
    model: str
    before: str = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise ModelError(f"--endpoint {self.url}: is no address; give one such as http://127.0.0.1:8080/v1")
        if parts.username is not None:
            raise ModelError(f"--endpoint: an address with a name or a password in it is not taken; set {KEY_VARIABLE}")

    def check(self) -> None:
        """Raise `ModelError` where no server is there; a busy one is waited for only once it is asked."""
        request = urllib.request.Request(f"{self.url.rstrip('/')}/models", headers=_build_headers())
        try:
            with _build_opener(request.host).open(request, timeout=_TIMEOUT):
                pass
        except urllib.error.HTTPError:
            pass  # it need not list its models
        except OSError as error:
            raise ModelError(f"{self.url}: does not answer ({first_line(error)}); is the server running?") from None
        except http.client.HTTPException:
            raise ModelError(f"{self.url}: speaks something else than HTTP; see to the address") from None

    def answer(self, question: Question) -> str | None:
        """What the model says to a question, greedily, without outer spaces; None where it only thought. Raises
        `ModelError` where it cannot be asked."""
        prompt = question.text.prompt
        if question.prompt_set == "chat":
            said = self._say(prompt, MAX_NEW_TOKENS)
        else:
            content = {**self._describe(MAX_NEW_TOKENS), "prompt": self.before + prompt}
            said = self._post("completions", content, _read_text)
        return None if said is None else said.strip()

    def write(self, message: str, *, tokens: int) -> str:
        """What the model writes to a message, greedily. Raises `ModelError` where it cannot be asked or only thinks."""
        said = self._say(message, tokens)
        if said is None:
            raise ModelError(f"{self.model}: thinks aloud and says nothing within {tokens} tokens; {_REMEDY}")
        return said.strip()

    def _say(self, message: str, tokens: int) -> str | None:
        content = {**self._describe(tokens), "messages": [{"role": "user", "content": message}]}
        return self._post("chat/completions", content, _read_message)

    def _describe(self, tokens: int) -> dict[str, Any]:
        return {"model": self.model, "temperature": 0, "max_tokens": tokens}

    def _post(self, path: str, content: dict[str, Any], read: Callable[[dict[str, Any]], str | None]) -> str | None:
        """What `read` finds in the first choice of the server's reply."""
        address = f"{self.url.rstrip('/')}/{path}"
        headers = {"Content-Type": "application/json", **_build_headers()}
        request = urllib.request.Request(address, json.dumps(content).encode(), headers)
        for wait in (*_WAITS, None):
            try:
                with _build_opener(request.host).open(request, timeout=_TIMEOUT) as reply:
                    return read(json.load(reply)["choices"][0])
            except urllib.error.HTTPError as error:
                if error.code not in _BUSY or wait is None:
                    raise ModelError(f"{address}: answers {error.code} ({_explain(error)})") from None
            except (OSError, TimeoutError) as error:
                if wait is None:
                    raise ModelError(
                        f"{address}: does not answer ({first_line(error)}); is the server running?"
                    ) from None
            except (http.client.HTTPException, ValueError, KeyError, IndexError, TypeError):
                raise ModelError(
                    f"{address}: answers something else than OpenAI's protocol; see to the address"
                ) from None
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")


def _build_headers() -> dict[str, str]:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return {"Authorization": f"Bearer {key}"} if key else {}


def _read_text(choice: dict[str, Any]) -> str:
    return str(choice["text"] or "")


def _read_message(choice: dict[str, Any]) -> str | None:
    """What a message says; None where the model only thought. Servers call the thoughts by two names, or leave them in
    the text."""
    message = choice["message"]
    said = str(message["content"] or "")
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if (thoughts and not said.strip()) or ("<think>" in said and "</think>" not in said):
        return None
    return said.rpartition("</think>")[2]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key and the questions to a server that nobody named; it is an error instead."""

    def redirect_request(self, *_: Any) -> None:
        """No request."""


def _build_opener(host: str) -> urllib.request.OpenerDirector:
    """Follows no redirect, and goes through no proxy to this machine."""
    name = urlsplit(f"//{host}").hostname
    proxies = [urllib.request.ProxyHandler({})] if name in ("localhost", "127.0.0.1", "::1") else []
    return urllib.request.build_opener(_NoRedirect, *proxies)


def examine_endpoint(
    ask: Callable[[Question], str | None],
    questions: Sequence[Question],
    *,
    moment: Moment,
    at_once: int = 4,
    on_progress: Progress | None = None,
) -> list[Record]:
    """Put every question to a served model (`Endpoint.answer`), `at_once` of them at a time; one record each, in order.

    A server tells what a model says and not how probable the object is, so records have no log-probabilities, no
    probability and no rank. Where the model only thought it said nothing, which counts as wrong, and how often
    is logged. Raises `ModelError` where it cannot be asked, or where it only thought each time.
    """
    records: list[Record] = []
    silent = 0
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for question, said in zip(questions, pool.map(ask, questions), strict=True):
                records.append(build_record(question, moment, said or "", None))
                silent += said is None
                if on_progress:
                    on_progress(len(records), len(questions))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _tell_silent(silent, questions)
    return records


def _tell_silent(count: int, questions: Sequence[Question]) -> None:
    """Log how many messages brought thoughts alone. Raises `ModelError` where all of them did: that is how the model is
    served, and no figure."""
    asked = sum(question.prompt_set == "chat" for question in questions)
    text = f"thinks aloud and says nothing within {MAX_NEW_TOKENS} tokens: {count} of {asked} messages"
    if count and count == asked:
        raise ModelError(f"the served model {text}; {_REMEDY}, or add --no-chat")
    if count:
        _LOG.warning("the served model %s, which count as wrong; %s, or add --no-chat", text, _REMEDY)


def _explain(error: urllib.error.HTTPError) -> str:
    """What a server says of a refusal, in OpenAI's form or as it is."""
    text = error.read(10_000).decode(errors="replace")
    try:
        said = str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        said = text or str(error.reason)
    return " ".join(said.split())[:200]
