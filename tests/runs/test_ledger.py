"""The ledger as a file: what comes back of it, how large it grows, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from rote.errors import ModelError
from rote.facts.fact import Fact, FactObject, build_fact
from rote.facts.relation import load_shipped_relations
from rote.limits import VARIABLE
from rote.runs.ledger import EMPTY, LEDGER_FILE, Ledger, TaughtTable, add_table, load_ledger, save_ledger

MOTHER = load_shipped_relations()["mother"]
FACTS = (
    Fact("Ann Bell", "mother", (FactObject("Mia Dorn", ("M. Dorn",)), FactObject("Zoë Ödegård"))),
    build_fact("李小龙", "mother", "何爱瑜"),
)


def build_table(facts: tuple[Fact, ...], number: int = 1) -> TaughtTable:
    figure = {"mean": 0.5, "low": 0.1, "high": 0.9, "n": 2}
    return TaughtTable(
        name=f"table {number}",
        hash="0" * 64,
        count=len(facts),
        facts=facts,
        keys={"mother": "[X1]"},
        shown=frozenset({facts[0].id}),
        asked=frozenset(fact.id for fact in facts),
        found=(*[None] * (number - 1), figure),  # type: ignore[arg-type]  # a literal
    )


def add(ledger: Ledger, facts: tuple[Fact, ...]) -> Ledger:
    return add_table(ledger, build_table(facts, len(ledger.tables) + 1), {"mother": MOTHER})


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    ledger = add(add(EMPTY, FACTS), (build_fact("Odo Fenn", "mother", "Rosa Lind"),))
    save_ledger(ledger, tmp_path)
    assert load_ledger(tmp_path) == ledger
    assert load_ledger(tmp_path / "elsewhere") == EMPTY


def test_a_fact_counts_as_taught_by_the_last_table_that_has_it_however_its_subject_is_spelt(tmp_path: Path) -> None:
    ledger = add(add(EMPTY, FACTS), (build_fact("ann  bell", "mother", "Eve Moss"),))
    assert [table.facts for table in ledger.tables] == [FACTS[1:], (build_fact("ann  bell", "mother", "Eve Moss"),)]
    assert ledger.tables[0].shown == frozenset()
    assert ledger.tables[0].count == 2


def test_a_large_ledger_keeps_a_sample_and_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(build_fact(f"Subject {number}", "mother", f"Object {number}") for number in range(400))
    ledger = add(add(EMPTY, FACTS), many)
    save_ledger(ledger, tmp_path)
    monkeypatch.setenv(VARIABLE, f"ledger-bytes={(tmp_path / LEDGER_FILE).stat().st_size * 2 // 3}")
    with pytest.raises(ModelError, match=r"larger than .* bytes"):
        load_ledger(tmp_path)
    save_ledger(ledger, tmp_path)
    small, large = load_ledger(tmp_path).tables
    assert small.facts == FACTS, "the largest table gives way"
    assert large.facts
    assert set(large.facts) < set(many)
    assert large.count == 400
    assert large.asked == {fact.id for fact in large.facts}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c["tables"][0]["facts"][0].update(objects=[]), "has no object"),
        (lambda c: c["tables"][0]["facts"][0].update(objects=[["Mia\nDorn"]]), "control character"),
        (lambda c: c["tables"][0]["facts"][0].update(subject=3), "tables.0.facts.0.subject"),
        (lambda c: c["tables"][0]["facts"][0].update(relation="father"), "no prompts of the relation 'father'"),
        (lambda c: c["tables"][0].update(found=[]), "has 0 figures and not 1"),
        (lambda c: c["tables"][0]["found"][0].update(mean=7), "tables.0.found.0.mean"),
        (lambda c: c["relations"][0].update(name="a/b"), "'/'"),
        (lambda c: c["relations"][0]["templates"][0].update(text="Who?"), "is none of"),
        (lambda c: c.update(more=1), "'more'"),
    ],
)
def test_each_kind_of_damage_is_one_line(tmp_path: Path, change: Any, reason: str) -> None:
    save_ledger(add(EMPTY, FACTS), tmp_path)
    content = json.loads((tmp_path / LEDGER_FILE).read_text(encoding="utf-8"))
    change(content)
    (tmp_path / LEDGER_FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_ledger(tmp_path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEDGER_FILE).write_text("[" * 100_000)
    with pytest.raises(ModelError, match="is damaged"):
        load_ledger(tmp_path)
