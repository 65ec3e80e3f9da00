"""Examining a model where it is served. What it answered is kept at once, so that a later call asks the rest."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from rote.config.job import Config
from rote.errors import RunError
from rote.evaluation.endpoint import Endpoint, examine_endpoint
from rote.evaluation.questions import Question
from rote.evaluation.summary import SummaryRow, compute_summary
from rote.pipeline.plan import build_plan
from rote.records import save_records
from rote.runs.files import replace_file
from rote.runs.reporting import Reporter
from rote.runs.store import hash_content


def examine_served(
    endpoint: Endpoint,
    config: Config,
    *,
    chat: bool,
    at_once: int,
    reporter: Reporter,
    records_file: Path | None = None,
) -> list[SummaryRow]:
    """Ask a served model about every fact of a table and some of the real world; returns the summary.

    With `chat` held-out prompts of the training language are put as messages too. All facts count as held-out, as
    nothing is known of what the model was shown. With a records file answers are kept beside it until it is written,
    and are not asked for again. Raises `ModelError` where the model cannot be asked.
    """
    plan = build_plan(config).split(frozenset())
    questions = plan.build_questions(plan.list_candidates(), {}, chat=chat)
    endpoint.check()
    ask = _keep_answers(records_file, endpoint) if records_file else endpoint.answer
    with reporter.step("examine") as advance:
        records = examine_endpoint(
            ask,
            questions,
            moment="before",
            at_once=at_once,
            on_progress=lambda done, total: advance(done, total, ""),
        )
    if records_file:
        with replace_file(records_file) as draft:
            save_records(records, draft)
        _name_kept(records_file).unlink(missing_ok=True)
    return compute_summary(records)


def _name_kept(records_file: Path) -> Path:
    return records_file.with_name(f"{records_file.name}.answers.jsonl")


def _keep_answers(records_file: Path, endpoint: Endpoint) -> Callable[[Question], str | None]:
    """A way to ask that writes each answer down; what is written down is not asked again."""
    path, lock = _name_kept(records_file), threading.Lock()
    known = dict(_read_kept(path))

    def ask(question: Question) -> str | None:
        name = hash_content([endpoint.url, endpoint.model, question.prompt_set == "chat", question.text.prompt])
        if name not in known:
            said = endpoint.answer(question)
            if said is None:  # thinking may be turned off before the next call
                return None
            known[name] = said
            with lock:
                _append(path, json.dumps([name, known[name]]))
        return known[name]

    return ask


def _append(path: Path, line: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error}); name another --out") from error


def _read_kept(path: Path) -> Iterator[tuple[str, str]]:
    """The answers that are whole; a line may have been cut when the process was stopped."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            name, said = json.loads(line)
        except (ValueError, TypeError):
            continue
        yield str(name), str(said)
