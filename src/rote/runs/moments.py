"""The records of all moments of a run."""

from rote.records import Record, load_records
from rote.runs.folder import RunFolder
from rote.runs.shapes import Manifest, read_shaped


def load_all_records(folder: RunFolder) -> list[Record]:
    """The records of every moment of a finished run, whatever its method calls them."""
    moments = read_shaped(folder.manifest, Manifest)["moments"]
    return [record for moment in moments for record in load_records(folder.records(moment))]
