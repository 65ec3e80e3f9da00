"""Facts as others publish them, in JSON: Wikidata's query results, and the records that benchmarks of editing share.

The kind is told by the names of the fields. Each record becomes statements, of which `rote.facts.converting` makes a
table: a benchmark's record names a true object and a new one, and the caller says which of them is wanted.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rote.errors import TableError, first_line
from rote.facts.fact import find_name_fault
from rote.facts.files import check_file
from rote.facts.names import normalize
from rote.facts.relation import SUBJECT
from rote.facts.sheets import name_relation
from rote.text_files import load_yaml, read_text

Which = Literal["new", "true"]
Record = Mapping[str, Any]
_ITEM = re.compile(r"[QP]\d+")
_ROLES = {
    "subject": ("subjectLabel", "itemLabel"),
    "relation": ("propertyLabel", "relationLabel"),
    "object": ("objectLabel", "valueLabel"),
}
"""What query results call the parts of a fact."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a record says: a fact with all its right objects, and texts with `{subject}` that ask for it."""

    subject: str
    relation: str
    objects: tuple[str, ...]
    wordings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A form that records are published in."""

    name: str
    fields: str
    """Those it is told by, for a reader."""
    matches: Callable[[Record], bool]
    read: Callable[[Record, Which], Iterator[Statement]]
    """The statements of a record. Raises `ValueError`, `KeyError` or `TypeError` for one that has another form."""
    edits: bool = True
    """Whether a record names a true object and a new one; otherwise several objects of a subject are all right."""


def load_records(path: Path) -> tuple[Kind, list[Record]]:
    """The records of a JSON or JSON Lines file, and their kind. Raises `TableError`."""
    check_file(path)
    try:
        text = read_text(path, limit="text-bytes").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is no UTF-8 text (byte {error.start + 1}); save it as UTF-8") from error
    except (ValueError, OSError) as error:
        raise TableError(f"{path}: cannot be read ({first_line(error)})") from error
    records = _find_records(_parse(path, text))
    for kind in KINDS:
        if records and kind.matches(records[0]):
            return kind, records
    known = "; ".join(f"{kind.name} ({kind.fields})" for kind in KINDS)
    raise TableError(f"{path}: holds no records of a kind that is known by its fields: {known}")


def _parse(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise TableError(f"{path}: is nested without measure; write plain records") from error
    except ValueError as error:
        first = error
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path}: is no JSON ({first_line(first)}), and no JSON on each line") from error


def _find_records(content: Any) -> list[Record]:
    """The list of records, wherever it lies; empty where there is none."""
    if isinstance(content, dict):
        results = content.get("results")
        content = results.get("bindings") if isinstance(results, dict) else [content]
    return content if isinstance(content, list) and all(isinstance(record, dict) for record in content) else []


@cache
def _load_properties() -> dict[str, str]:
    content: dict[str, str] = load_yaml(Path(__file__).with_name("properties.yaml").read_text(encoding="utf-8"))
    return content


def _name_property(number: str, label: str = "") -> str:
    """The relation of a property of Wikidata: the shipped name of its number, or else its label."""
    return _load_properties().get(number) or name_relation(label) or number


# --- Wikidata --------------------------------------------------------------------------------------------------------


def _is_query_result(record: Record) -> bool:
    return all(any(name in record for name in names) for names in _ROLES.values())


def _read_query_result(record: Record, _: Which) -> Iterator[Statement]:
    subject, label, value = (_read_label(record, names) for names in _ROLES.values())
    number = str(_unwrap(record.get("property", ""))).rpartition("/")[2]
    yield Statement(subject, _name_property(number, label), (value,))


def _read_label(record: Record, names: tuple[str, ...]) -> str:
    name = next((name for name in names if name in record), names[0])
    label = _read_name(_unwrap(record[name]), name)
    if _ITEM.fullmatch(label):
        raise ValueError(f"{name} is {label}, which has no label in the language of the query; ask for another one too")
    return label


def _unwrap(cell: Any) -> Any:
    """The value of a cell, which SPARQL's JSON puts into an object and the query service's shorter form does not."""
    return cell["value"] if isinstance(cell, dict) else cell


def _read_name(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} is no text")
    name = value.strip()
    if fault := find_name_fault(name):
        raise ValueError(f"{field} {fault}")
    return name


# --- benchmarks of editing -------------------------------------------------------------------------------------------


def _is_counterfact(record: Record) -> bool:
    return isinstance(record.get("requested_rewrite"), dict)


def _read_counterfact(record: Record, which: Which) -> Iterator[Statement]:
    yield _read_rewrite(record["requested_rewrite"], which, {})


def _is_mquake(record: Record) -> bool:
    return isinstance(record.get("requested_rewrite"), list)


def _read_mquake(record: Record, which: Which) -> Iterator[Statement]:
    labels = dict(_list_labels(record.get("orig") or {}))
    for rewrite in record["requested_rewrite"]:
        yield _read_rewrite(rewrite, which, labels)


def _list_labels(orig: Record) -> Iterator[tuple[str, str]]:
    """The label of each property, which stands where its number stands in the list beside it."""
    for name in ("triples", "new_triples"):
        pairs = zip(orig.get(name, ()), orig.get(f"{name}_labeled", ()), strict=False)
        yield from ((numbers[1], labels[1]) for numbers, labels in pairs)


def _read_rewrite(rewrite: Record, which: Which, labels: Mapping[str, str]) -> Statement:
    subject, number = _read_name(rewrite["subject"], "subject"), _read_name(rewrite["relation_id"], "relation_id")
    field = f"target_{which}"
    value = _read_name(rewrite[field]["str"], field)
    prompt = _read_name(rewrite["prompt"], "prompt")
    texts = [prompt.replace("{}", SUBJECT), *_put_place(str(rewrite.get("question") or ""), subject)]
    return Statement(subject, _name_property(number, labels.get(number, "")), (value,), tuple(texts))


def _put_place(text: str, subject: str) -> list[str]:
    """The text with a place for the subject; none where it does not name the subject once, as words of its own."""
    before, _, after = text.partition(subject)
    is_alone = text.count(subject) == 1 and normalize(f"{before} {subject} {after}") == normalize(text)
    return [f"{before}{SUBJECT}{after}"] if is_alone else []


def _is_zsre(record: Record) -> bool:
    return {"subject", "src", "alt", "answers"} <= record.keys()


def _read_zsre(record: Record, which: Which) -> Iterator[Statement]:
    """The question, without its subject, is what the relation is called: these records name none."""
    subject, question = _read_name(record["subject"], "subject"), _read_name(record["src"], "src")
    texts = _put_place(question, subject)
    if not texts:
        raise ValueError("src does not name the subject once, as words of its own")
    values = [record["alt"]] if which == "new" else record["answers"]
    objects = tuple(dict.fromkeys(_read_name(value, "alt" if which == "new" else "answers") for value in values))
    if not objects:
        raise ValueError("answers is empty")
    yield Statement(subject, name_relation(texts[0].replace(SUBJECT, " ")), objects, tuple(texts))


KINDS = (
    Kind("MQuAKE", "requested_rewrite, a list", _is_mquake, _read_mquake),
    Kind("CounterFact", "requested_rewrite with prompt, subject, target_new", _is_counterfact, _read_counterfact),
    Kind("zsRE", "subject, src, alt, answers", _is_zsre, _read_zsre),
    Kind(
        "results of a Wikidata query",
        "subjectLabel, propertyLabel, objectLabel",
        _is_query_result,
        _read_query_result,
        edits=False,
    ),
)
