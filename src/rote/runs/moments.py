"""The records of all moments of a run."""

from collections.abc import Iterable

from rote.records import Record, load_records, save_records
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder
from rote.runs.shapes import Manifest, read_shaped


def save_all_records(folder: RunFolder, records: Iterable[Record]) -> list[str]:
    """Write the records of every moment into a file of its own; returns the moments, in their order."""
    by_moment: dict[str, list[Record]] = {}
    for record in records:
        by_moment.setdefault(record.moment, []).append(record)
    for moment, found in by_moment.items():
        with replace_file(folder.records(moment)) as draft:
            save_records(found, draft)
    return list(by_moment)


def load_all_records(folder: RunFolder) -> list[Record]:
    """The records of every moment of a finished run, whatever its method calls them."""
    moments = read_shaped(folder.manifest, Manifest)["moments"]
    return [record for moment in moments for record in load_records(folder.records(moment))]
