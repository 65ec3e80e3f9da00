"""The embedded model, `rote-tiny`: where its files lie, and proof that they are the ones that were shipped."""

import hashlib
from functools import cache
from pathlib import Path

from rote.errors import ModelError

EMBEDDED_NAME = "rote-tiny"
FOLDER = Path(__file__).parent / EMBEDDED_NAME
CHECKSUMS = FOLDER / "SHA256SUMS"


@cache
def locate_embedded_model() -> Path:
    """The folder of the embedded model. Raises `ModelError` when a file is missing or altered."""
    if not CHECKSUMS.is_file():
        raise ModelError(f"{EMBEDDED_NAME} is not in this installation; install rote again")
    listed = [line.split(maxsplit=1) for line in CHECKSUMS.read_text(encoding="utf-8").splitlines()]
    if not listed or any(len(entry) != 2 for entry in listed):
        raise ModelError(f"{EMBEDDED_NAME}: the file {CHECKSUMS.name} is damaged; install rote again")
    for digest, name in listed:
        if not (FOLDER / name).is_file() or compute_sha256(FOLDER / name) != digest:
            raise ModelError(f"{EMBEDDED_NAME}: the file {name} is missing or altered; install rote again")
    return FOLDER


def compute_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS over every other file of a model folder."""
    lines = [
        f"{compute_sha256(path)}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != CHECKSUMS.name
    ]
    (folder / CHECKSUMS.name).write_text("".join(lines), encoding="utf-8")
