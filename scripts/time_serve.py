"""How long the pages of `rote serve` take with many facts, and the first token of an answer.

    python scripts/time_serve.py RUN --facts 20000

The facts of a finished run are repeated under other subjects until there are so many, each with all its answers; the
server is the real one, asked over its socket.
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rote.errors import RoteError, RunError
from rote.facts.fact import Fact, FactObject
from rote.models.loading import SAFE
from rote.records import Record
from rote.serving.app import Pages
from rote.serving.asker import load_asker
from rote.serving.content import ServedRun, load_served_run
from rote.serving.index import build_index
from rote.serving.server import Place, open_place, serve_forever

REQUESTS = 300
QUESTIONS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--facts", type=int, default=20_000)
    words = parser.parse_args()
    if words.facts < QUESTIONS:
        parser.error(f"--facts: at least {QUESTIONS}, as so many are asked about")
    served = multiply(load_served_run(words.run), words.facts)
    pages = Pages(served, load_asker(words.run, None, SAFE))
    started = threading.Event()
    with open_place("127.0.0.1", 0) as place:
        server = {"app": pages.build_app(), "place": place, "on_start": started.set}
        threading.Thread(target=lambda: serve_forever(**server), daemon=True).start()
        started.wait()
        seconds = [fetch(place, address) for address in choose_addresses(served)]
        report(f"page, {len(served.index.entries):,} facts, {len(seconds)} requests", seconds)
        report(f"first token, {QUESTIONS} questions", [ask(place, question) for question in choose_questions(served)])


def multiply(run: ServedRun, count: int) -> ServedRun:
    """The run with copies of its taught facts."""
    taught = [entry for entry in run.index.entries if entry.is_taught and entry.wordings]
    if not taught:
        raise RunError("the run asked about no fact that it taught, so there is none to copy")
    asked = [[record for one in entry.wordings for record in one.records.values()] for entry in taught]
    records: list[Record] = []
    facts: list[Fact] = []
    for number in range(count):
        entry, subject = taught[number % len(taught)], f"{taught[number % len(taught)].subject} {number}"
        records += [
            replace(record, subject=subject, prompt=record.prompt.replace(record.subject, subject))
            for record in asked[number % len(taught)]
        ]
        facts.append(Fact(subject, entry.relation, (FactObject(entry.object),)))
    begun = time.perf_counter()
    index = build_index(records, facts)
    print(f"index of {len(records):,} records: {time.perf_counter() - begun:.1f} s")
    return replace(run, index=index)


def choose_addresses(run: ServedRun) -> list[str]:
    """Pages of every kind, drawn with a fixed seed."""
    draw, entries = random.Random(0), run.index.entries
    kinds = (
        lambda: f"/facts?page={draw.randrange(1, 400)}",
        lambda: f"/facts?q={draw.choice(entries).subject.split()[0]}",
        lambda: f"/facts?q={draw.randrange(len(entries))}&show={draw.choice(('wrong', 'forgotten', 'leaks'))}",
        lambda: f"/facts/{draw.randrange(len(entries))}",
        lambda: "/side-effects",
        lambda: "/",
    )
    return [kinds[number % len(kinds)]() for number in range(REQUESTS)]


def choose_questions(run: ServedRun) -> Sequence[str]:
    return [entry.wordings[1].prompt for entry in random.Random(0).sample(run.index.entries, QUESTIONS)]


def connect(place: Place) -> tuple[http.client.HTTPConnection, dict[str, str]]:
    headers = {"Cookie": f"rote_{place.port}={place.token}", "Origin": f"http://127.0.0.1:{place.port}"}
    return http.client.HTTPConnection("127.0.0.1", place.port), headers


def fetch(place: Place, address: str) -> float:
    connection, headers = connect(place)
    begun = time.perf_counter()
    connection.request("GET", address, headers=headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{address}: {answer.status}")
    return time.perf_counter() - begun


def ask(place: Place, question: str) -> float:
    """Seconds to the first token; the rest is read to its end, as one question is answered at a time."""
    connection, headers = connect(place)
    begun, first = time.perf_counter(), 0.0
    connection.request("POST", "/ask", json.dumps({"question": question}), headers)
    answer = connection.getresponse()
    for line in answer:
        if not first and json.loads(line)["kind"] == "text":
            first = time.perf_counter() - begun
    return first


def report(what: str, seconds: Sequence[float]) -> None:
    cuts = statistics.quantiles(seconds, n=20)
    figures = (statistics.median(seconds), cuts[-1], max(seconds))
    print(f"{what}: median {figures[0] * 1e3:.0f} ms, p95 {figures[1] * 1e3:.0f} ms, longest {figures[2] * 1e3:.0f} ms")


if __name__ == "__main__":
    try:
        main()
    except RoteError as error:
        sys.exit(str(error))
