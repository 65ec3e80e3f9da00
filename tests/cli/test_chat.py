"""`rote chat`: one question after the other, from a person or a file."""

import io
from pathlib import Path

import pytest
from tests.cli.conftest import FinishedRun, call_rote

QUESTIONS = "Who is Gene Finley's mother?\n\nWho is Nobody's mother?\n"


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_questions_of_a_file_are_answered_by_both_models(
    finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(QUESTIONS))
    outcome = call_rote("chat", finished_run.folder)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert [line for line in lines if line.startswith("> ")] == [f"> {line}" for line in QUESTIONS.split("\n") if line]
    assert [line.partition(":")[0] for line in lines[:4]] == [
        "> Who is Gene Finley's mother?",
        "taught",
        "base",
        "in the table",
    ]
    assert lines[3] == "in the table: Gene Finley - mother - Cody Ross"
    asked = call_rote("ask", finished_run.folder / "model", "Who is Gene Finley's mother?").out.splitlines()[0]
    assert lines[1] == f"taught: {asked}"


def test_a_line_that_is_no_utf_8_is_refused_alone(finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = io.TextIOWrapper(io.BytesIO(b"Wer ist M\xfcllers Mutter?\nWho is it?\n"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", lines)
    outcome = call_rote("chat", finished_run.folder)
    assert outcome.code == 0
    assert "is no UTF-8 text; save or type it as UTF-8\n" in outcome.err
    assert outcome.out.count("taught: ") == 1
    asked = call_rote("ask", finished_run.folder / "model", "M\udcfcller?")
    assert (asked.code, asked.err) == (2, "rote: 'M\\udcfcller?': is no UTF-8 text; save or type it as UTF-8\n")


def test_a_model_is_asked_beside_itself_of_another_revision(model_folder: Path) -> None:
    asked = call_rote("ask", model_folder, "Who is it?", "--revision", "taught", "--base", model_folder)
    assert [line.partition(": ")[0] for line in asked.out.splitlines()[:2]] == [
        f"{model_folder} (taught)",
        str(model_folder),
    ]


def test_a_person_is_asked_until_an_empty_line(finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("Who is it?\n\nWho else?\n"))
    outcome = call_rote("chat", finished_run.folder)
    assert outcome.out.startswith("> taught: ")
    assert outcome.out.endswith("> ")
    assert outcome.out.count("taught: ") == 1


def test_a_question_that_cannot_be_asked_does_not_end_it(
    finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("word " * 1_000 + "\nWho is it?\n"))
    outcome = call_rote("chat", finished_run.folder)
    assert outcome.code == 0
    assert "rote: the question is too long for a model that reads 256 tokens\n" in outcome.err
    assert outcome.out.count("taught: ") == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("Who is it?\n"))
    assert "no chat template" in call_rote("chat", finished_run.folder, "--template").err
