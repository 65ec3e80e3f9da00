"""`rote facts convert`: what is shown, and what is never written over."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rote.cli.main import app
from rote.errors import ConfigError
from rote.facts.reading import load_table

RECORDS = [
    {
        "requested_rewrite": {
            "prompt": "The mother tongue of {} is",
            "relation_id": "P103",
            "target_new": {"str": language, "id": "Q1"},
            "target_true": {"str": "French", "id": "Q150"},
            "subject": f"Person {number}",
        }
    }
    for number, language in enumerate(["Dutch", "Greek", "Welsh", "Irish", "Latin", "Hindi"])
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("records.json").write_text(json.dumps(RECORDS), encoding="utf-8")
    return tmp_path


def convert(*flags: str) -> str:
    result = CliRunner().invoke(
        app, ["facts", "convert", "records.json", "--out", "facts.csv", *flags], catch_exceptions=False
    )
    assert result.exit_code == 0
    return result.output


def test_the_kind_is_said_and_five_sentences_are_shown(folder: Path) -> None:
    said = convert("--write-prompts", "prompts").splitlines()
    assert "6 records of CounterFact" in said[0]
    assert "their new objects" in said[0]
    sentences = [line for line in said if line.startswith("  ")]
    assert sentences[0] == "  The mother tongue of Person 0 is Dutch"
    assert len(sentences) == 5
    assert [fact.object for fact in load_table(Path("facts.csv"))][:2] == ["Dutch", "Greek"]


def test_an_out_that_is_no_table_is_refused_before_anything_is_said(folder: Path) -> None:
    words = ["facts", "convert", "records.json", "--out", "facts.xlsx"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ConfigError)
    assert result.output == ""


def test_the_true_objects_are_had_by_a_flag(folder: Path) -> None:
    convert("--objects", "true")
    assert {fact.object for fact in load_table(Path("facts.csv"))} == {"French"}


def test_neither_a_pack_nor_a_table_that_says_something_else_is_written_over(folder: Path) -> None:
    pack = Path("prompts/native_language.yaml")
    convert("--write-prompts", "prompts")
    convert("--write-prompts", "prompts")
    pack.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="is there already"):
        convert("--write-prompts", "prompts")
    assert pack.read_text(encoding="utf-8") == "mine"
    with pytest.raises(ConfigError, match="holds another table"):
        convert("--objects", "true")
