"""The records of a run as questions: what names one in every run, what counts as right, and what else is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rote.errors import RunError
from rote.facts.fact import Fact
from rote.facts.reading import load_table
from rote.facts.shipped import load_world
from rote.records import Record, load_records
from rote.runs.folder import RunFolder, read_json
from rote.runs.shapes import Identity, Manifest, read_shaped
from rote.runs.store import hash_content

FACT = "fact"
"""The key of the metadata whose values are the clusters: questions about one fact are not independent."""


@dataclass(frozen=True)
class Asked:
    """What a run asked and heard, moment by moment, and of what and by whom."""

    name: str
    model: str
    date: str
    moments: Mapping[str, list[Record]]
    facts: Mapping[tuple[str, str], Fact]

    def list_answers(self, record: Record) -> list[str]:
        """All that counts as right, the object first; of a fact that is in no table its object alone."""
        fact = self.facts.get((record.relation, record.subject))
        return list(fact.answers) if fact and record.object in fact.answers else [record.object]


def load_asked(folder: RunFolder) -> Asked:
    """Read a finished run. Raises `RunError` where it has no records or is damaged."""
    identity, manifest = read_shaped(folder.identity, Identity), read_shaped(folder.manifest, Manifest)
    moments = {moment: load_records(folder.records(moment)) for moment in manifest["moments"]}
    if not any(moments.values()):
        raise RunError(f"{folder.path}: has no records, so there is nothing to export")
    known = [*load_world().facts, *load_table(folder.table).facts]
    return Asked(
        name=folder.path.name,
        model=identity["model"]["name"],
        date=str(read_json(folder.manifest).get("date", "")),
        moments=moments,
        facts={(fact.relation, fact.subject): fact for fact in known},
    )


def identify(record: Record) -> str:
    """The name of a question, the same at every moment of every run that asks it."""
    return hash_content([record.relation, record.subject, record.object, record.prompt_set, record.prompt])


def describe(record: Record) -> dict[str, Any]:
    """What results can be grouped by."""
    return {
        FACT: f"{record.relation}: {record.subject}",
        "relation": record.relation,
        "subject": record.subject,
        "fact_set": record.fact_set,
        "prompt_set": record.prompt_set,
        "language": record.language,
    }
