"""Packs beside a table are found by themselves, and the same flag names others in every command."""

from pathlib import Path

import pytest
from tests.cli.conftest import SMALL, call_rote
from tests.cli.test_audit import QUICK

from rote.experiments.sweep import load_sweep
from rote.records import load_records

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


def test_none_are_taken_where_none_are_wanted(table: Path, model_folder: Path) -> None:
    outcome = call_rote("run", table, "--model", model_folder, "--dry-run", *SMALL, "--set", "relations=[]")
    assert "asked for by the packs" not in outcome.err
    assert "has no pack" in outcome.err
    assert "has no pack" in call_rote("facts", "validate", table, "--set", "relations=[]").out


def test_packs_that_are_named_come_first(table: Path, workplace: Path, model_folder: Path) -> None:
    (workplace / "elsewhere").mkdir()
    other = PACK.replace("The animal of", "The beast of")
    (workplace / "elsewhere" / "pet.yaml").write_text(other, encoding="utf-8")
    words = ("examine", model_folder, table, "--set", "examine.languages=[en]", "--set", "examine.known_facts=0")
    prompts = []
    for more in ((), ("--prompts", "elsewhere")):
        assert call_rote(*words, *more, "--out", "found.parquet").code == 0
        prompts.append({record.prompt for record in load_records(Path("found.parquet"))})
    assert "The animal of Gene Finley is" in prompts[0] - prompts[1]
    assert "The beast of Gene Finley is" in prompts[1] - prompts[0]
    shown = call_rote("facts", "show", table, "--prompts", "elsewhere/pet.yaml")
    assert "en: The beast of Gene Finley is Rex" in shown.out
    wrong = call_rote(*words, "--prompts", "nowhere.yaml")
    assert wrong.code == 2
    assert wrong.err.startswith("rote: nowhere.yaml: cannot be read as a relation pack")


def test_an_audit_takes_them_too(table: Path, model_folder: Path) -> None:
    outcome = call_rote("audit", model_folder, table, "--json", "-q", *QUICK)
    assert "data/pets.csv: asked for by the packs in data/prompts (1)\n" in outcome.err
    assert "has no pack" not in outcome.err


def test_a_sweep_takes_them_too_unless_it_names_others(table: Path, workplace: Path, model_folder: Path) -> None:
    base = f"model: {model_folder}, table: {{file: {table}}}, generalize: {{facts: 1, prompts: 1}}"
    prompts = []
    for number, more in enumerate(("", ", relations: []")):
        sweep = workplace / f"sweep{number}.yaml"
        sweep.write_text(f"base: {{{base}{more}}}\ngrid: {{memorize.epochs: [1, 2]}}\n", encoding="utf-8")
        outcome = call_rote("sweep", sweep, "--dry-run")
        assert outcome.code == 0, outcome.err
        prompts.append([job.request.plan.relations["pet"].select_training(1)[0].text for job in load_sweep(sweep)])
        told = outcome.err.count("data/pets.csv: asked for by the packs in data/prompts (1)\n")
        assert told == (not number)
    assert prompts[0] == ["The animal of {subject} is"] * 2
    assert prompts[1] == ["What is the pet of {subject}?"] * 2
