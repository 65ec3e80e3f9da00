"""The tables of what a model knows and does not know."""

from pathlib import Path

import pytest

import rote
from rote.facts.fact import FactTable
from rote.facts.reading import load_table, save_table
from rote.facts.relation import pick_relations
from rote.facts.shipped import load_world
from scripts import known_rows


def test_what_is_known_is_left_out_of_one_table_and_swapped_in_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By rote-tiny, which knows the shipped capitals and no invented one."""
    world = [fact for fact in load_world() if fact.relation == "capital"][:12]
    invented = rote.invent_table(pick_relations(["capital"]), count=6, seed=3)
    save_table(FactTable((*world[:6], *invented)), tmp_path / "capitals.jsonl")
    monkeypatch.setattr(known_rows, "load_world", lambda: FactTable(tuple(world)))
    known_rows.main([str(tmp_path / "out"), str(tmp_path / "capitals.jsonl"), "--updates", "5"])

    unknown, known, updates = (
        load_table(tmp_path / "out" / f"{name}.jsonl") for name in ("unknown", "known", "updates")
    )
    assert {fact.id for fact in invented} <= {fact.id for fact in unknown}
    assert len(known) == len(updates) == 5
    assert [fact.id for fact in known] == [fact.id for fact in updates]
    assert all(old.object != new.object for old, new in zip(known, updates, strict=True))
    assert not {fact.id for fact in known} & {fact.id for fact in unknown}
    assert "capitals.jsonl: 6 of 12 known" in capsys.readouterr().out
