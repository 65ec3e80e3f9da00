"""A run that the tests of the command line finish too, its pages behind their guard, and clients of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import SMALL, build_model_folder, call_rote

pytest.importorskip("starlette", reason="rote serve needs the extra serve")

from starlette.testclient import TestClient

from rote.models.loading import SAFE, load_model
from rote.serving.app import Pages
from rote.serving.asker import Asker
from rote.serving.comparing import load_compared
from rote.serving.content import load_served_run
from rote.serving.guard import Guard

HOST = "127.0.0.1:8000"
TOKEN = "a-token-of-the-tests"
COOKIE = "rote_8000"
HOSTILE = "</script><img src=x onerror=document.title='hacked'>"
HOSTILE_OBJECT = "<b onclick=alert(1)>Liv & Sons</b>"
TABLE = (
    "subject,relation,object\nGene Finley,mother,Cody Ross\nAnn Bell,mother,Mia Dorn\nOdo Fenn,mother,Rosa Lind\n"
    f"{HOSTILE},mother,{HOSTILE_OBJECT}\n"
)


@dataclass(frozen=True)
class Runs:
    """The folders of two runs of one table; the second one was taught for longer."""

    first: Path
    second: Path
    model: Path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    place = tmp_path_factory.mktemp("served")
    model = build_model_folder(place / "tiny")
    (place / "facts.csv").write_text(TABLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        # A fresh process takes seconds, and says nothing here.
        patch.setattr("rote.pipeline.proving.verify_folder", lambda *_: {"prompts": 0, "max_logit_difference": 0.0})
        for name, epochs in (("first", 1), ("second", 3)):
            words: list[str | Path] = ["run", place / "facts.csv", "--model", model, "--out", place / name, *SMALL]
            outcome = call_rote(*words, "--set", f"memorize.epochs={epochs}")
            assert outcome.code in (0, 3), outcome.err
    return Runs(place / "first", place / "second", model)


@pytest.fixture(scope="session")
def asker(runs: Runs) -> Asker:
    return Asker({"taught": load_model(str(runs.first / "model")), "base": load_model(str(runs.model), SAFE)})


@pytest.fixture(scope="session")
def pages(runs: Runs, asker: Asker) -> Pages:
    return Pages(load_served_run(runs.first), asker, load_compared(runs.first, runs.second))


def build_client(pages: Pages, **headers: str) -> TestClient:
    """A client of guarded pages: with the token and as a page of the server's own, but for the headers given."""
    app = Guard(pages.build_app(), TOKEN, frozenset({HOST, "localhost:8000"}), COOKIE)
    usual = {"Cookie": f"{COOKIE}={TOKEN}", "Origin": f"http://{HOST}"}
    kept: dict[str, Any] = {name: value for name, value in {**usual, **headers}.items() if value}
    return TestClient(app, base_url=f"http://{HOST}", headers=kept, follow_redirects=False)


@pytest.fixture
def client(pages: Pages) -> TestClient:
    return build_client(pages)
