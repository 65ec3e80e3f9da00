"""The routes. What a client sends is a question, words to search for, or a number; never a path or a model's name."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rote.errors import EncodingError
from rote.report.page import TEMPLATES, load_environment
from rote.report.words import build_glossary
from rote.serving.asker import Asker, Event
from rote.serving.comparing import ComparedRuns, view_comparison
from rote.serving.content import ServedRun
from rote.serving.guard import MAX_QUERY
from rote.serving.index import FILTERS
from rote.serving.views import view_ask, view_fact, view_list, view_match, view_side_effects

MAX_QUESTION = 1_000
"""Characters."""
_HERE = Path(__file__).parent
_FILES = {
    "report.css": TEMPLATES / "style.css",
    "serve.css": _HERE / "static" / "serve.css",
    "serve.js": _HERE / "static" / "serve.js",
    "icon.svg": _HERE / "static" / "icon.svg",
}
_BUSY = "another question is being answered; ask again in a moment"


class _Question(BaseModel):
    """What the Ask page sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str = Field(max_length=MAX_QUESTION)
    chat: bool = False


class _Releasing(StreamingResponse):
    """A stream that gives the models free however it ends, also where nobody ever read it."""

    def __init__(self, events: Iterator[Event], release: Callable[[], None]) -> None:
        super().__init__(_write_lines(events), media_type="application/x-ndjson")
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()


@dataclass
class Pages:
    """The pages of one run, and of one that is compared with it."""

    run: ServedRun
    asker: Asker
    compared: ComparedRuns | None = None
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def build_app(self) -> Starlette:
        """The application, without its guard."""
        routes = [
            Route("/", self.show_ask),
            Route("/ask", self.answer, methods=["POST"]),
            Route("/facts", self.show_facts),
            Route("/facts/{number:int}", self.show_fact),
            Route("/side-effects", self.show_side_effects),
            Route("/static/{name}", _send_file),
            *([Route("/compare", self.show_comparison)] if self.compared else []),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _say_error})
        app.router.redirect_slashes = False
        return app

    def show_ask(self, request: Request) -> Response:
        """The one box."""
        return self._render("ask", "Ask", view_ask(self.asker.has_chat, self.asker.names))

    async def answer(self, request: Request) -> Response:
        """The events of an answer, one JSON object a line, as they come."""
        try:
            asked = _Question.model_validate_json(await request.body())
            self.asker.check(asked.question, chat=asked.chat)
        except ValidationError as error:
            return _say(400, f"no question: {error.errors()[0]['msg'].lower()}")
        except EncodingError as error:
            return _say(400, str(error))
        if not self._busy.acquire(blocking=False):
            return _say(503, _BUSY)
        return _Releasing(self._list_events(asked), self._busy.release)

    def _list_events(self, asked: _Question) -> Iterator[Event]:
        match = self.run.index.find_match(asked.question)
        yield view_match(match)
        one = match.entries[0] if match.by_relation and len(match.entries) == 1 else None
        known = one.answers if one and one.is_taught else ()  # of other facts not all right answers are known
        yield from self.asker.answer(asked.question, chat=asked.chat, right=known)

    def show_facts(self, request: Request) -> Response:
        """Search and filter."""
        mark = request.query_params.get("show", "")
        if mark and mark not in FILTERS:
            raise HTTPException(400, f"show is one of {', '.join(FILTERS)}")
        words = request.query_params.get("q", "")[:MAX_QUERY]
        return self._render("facts", "Facts", view_list(self.run.index, words, mark, _read_number(request)))

    def show_fact(self, request: Request) -> Response:
        """Every wording of one fact."""
        number = request.path_params["number"]
        if number >= len(self.run.index.entries):
            raise HTTPException(404, "there is no such fact")
        content = view_fact(self.run.index, self.run.index.entries[number])
        return self._render("fact", f"{content['subject']} – {content['relation']}", content)

    def show_side_effects(self, request: Request) -> Response:
        """What was known and is lost."""
        return self._render("side_effects", "Side effects", view_side_effects(self.run, _read_number(request)))

    def show_comparison(self, request: Request) -> Response:
        """This run beside the other."""
        assert self.compared is not None
        return self._render("compare", "Compare", view_comparison(self.compared, _read_number(request)))

    def _render(self, template: str, title: str, content: Mapping[str, Any]) -> Response:
        page = {
            "title": title,
            "place": template,
            "run_title": self.run.report.title,
            "run_name": self.run.name,
            "has_comparison": self.compared is not None,
            "glossary": build_glossary(),
        }
        environment = load_environment(_HERE / "templates")
        return HTMLResponse(environment.get_template(f"{template}.html.j2").render({**page, **content}))


async def _write_lines(events: Iterator[Event]) -> AsyncIterator[bytes]:
    async for event in iterate_in_threadpool(events):
        yield json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _read_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HTTPException(400, "page is a number")
    return int(text)


def _send_file(request: Request) -> Response:
    file = _FILES.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404, "there is no such file")
    return FileResponse(file)


def _say_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _say(error.status_code, str(error.detail))


def _say(status: int, line: str) -> Response:
    return PlainTextResponse(f"{line}\n", status)
