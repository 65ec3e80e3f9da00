"""Packs beside a table are found by themselves, and the same flag names others in every command."""

import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, call_rote

ROWS = "subject,relation,object\nGene Finley,pet,Rex\nAnn Bell,pet,Bello\n"
PACK = (
    "relation: pet\nprompts: {en: {training: ['The animal of {subject} is'],"
    " held_out: ['{subject} lives with a beast called'], control: ['{subject} eats']}}\n"
)


@pytest.fixture
def table(workplace: Path) -> Path:
    (workplace / "data" / "prompts").mkdir(parents=True)
    (workplace / "data" / "pets.csv").write_text(ROWS, encoding="utf-8")
    (workplace / "data" / "prompts" / "pet.yaml").write_text(PACK, encoding="utf-8")
    return Path("data/pets.csv")


def test_a_run_takes_the_packs_beside_its_table(table: Path, model_folder: Path) -> None:
    outcome = call_rote("run", table, "--model", model_folder, "--dry-run", *SMALL)
    assert outcome.code == 0, outcome.err
    assert "data/pets.csv: asked for by the packs in data/prompts (1)\n" in outcome.err
    assert "has no pack" not in outcome.err


def test_packs_that_are_named_come_first(table: Path, workplace: Path, model_folder: Path) -> None:
    shutil.move(workplace / "data" / "prompts", workplace / "elsewhere")
    words = ("examine", model_folder, table, "--set", "examine.languages=[en]", "--set", "examine.known_facts=0")
    neutral = call_rote(*words)
    named = call_rote(*words, "--prompts", "elsewhere")
    assert (neutral.code, named.code) == (0, 0), neutral.err + named.err
    shown = call_rote("facts", "show", table, "--prompts", "elsewhere/pet.yaml")
    assert "en: The animal of Gene Finley is Rex" in shown.out
    wrong = call_rote(*words, "--prompts", "nowhere.yaml")
    assert wrong.code == 2
    assert wrong.err.startswith("rote: nowhere.yaml: cannot be read as a relation pack")
