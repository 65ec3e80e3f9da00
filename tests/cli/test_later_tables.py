"""`rote run` on a model that has a ledger, as a person calls it."""

import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import call_rote, list_tree

from rote.runs.ledger import LEDGER_FILE


@pytest.mark.parametrize("more", [["--dry-run"], ["--out", "new"]])
def test_a_damaged_ledger_is_one_line_and_leaves_nothing(workplace: Path, model_folder: Path, more: list[str]) -> None:
    shutil.copytree(model_folder, "model")
    Path("model", LEDGER_FILE).write_text('{"version": 1, "tables": 3, "relations": []}')
    before = list_tree(workplace)
    outcome = call_rote("run", "facts.csv", "--model", "model", *more)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "model/ledger.json: is damaged (at 'tables'" in outcome.err
    assert list_tree(workplace) == before
