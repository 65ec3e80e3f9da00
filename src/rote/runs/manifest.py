"""Versions, names and hashes: what makes a run repeatable."""

import ast
import hashlib
import os
import platform
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from rote.version import __version__

_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "pyarrow")
_SOURCES = Path(__file__).parents[1]
_PIECE = 1 << 20
_DATA = (".yaml", ".csv", ".txt")
"""Files beside the code that decide as much as it does."""


def collect_versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    return {"rote": __version__, "python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def name_model(source: str) -> str:
    """A hub name as it is; of a folder its last part alone, which is nobody else's business."""
    return Path(os.path.abspath(source)).name if os.path.exists(source) else source


def name_with_run(source: str) -> str:
    """As `name_model`, to tell models apart: the folder of a run's model is always called `model`, so the run's name
    stands before it. No name for a hub, as it looks like one of its own."""
    name = name_model(source)
    is_run = name == "model" and os.path.exists(source)
    return f"{Path(os.path.abspath(source)).parent.name}/{name}" if is_run else name


def compute_model_hash(source: str, folder: Path, revision: str | None = None) -> str:
    """A hash over the files of a model's folder, or the one file, that decide what it says, or the commit of a model of
    the hub.

    The commit is the one that this machine has of the revision, which it has once the model's config was read; before
    that, or without the hub's cache, the hash is over the name. A file is read again only when it has changed.
    """
    inside = [folder] if folder.is_file() else folder.glob("*.*")
    files = sorted(path for path in inside if path.is_file() and path.suffix != ".md")
    if not files:
        snapshot = find_snapshot(source, revision)
        return snapshot.name if snapshot else hashlib.sha256(source.encode("utf-8")).hexdigest()
    digest = hashlib.sha256()
    for path in files:
        state = path.stat()
        digest.update(path.name.encode("utf-8") + _hash_file(path.absolute(), state.st_mtime_ns, state.st_size))
    return digest.hexdigest()


def find_snapshot(name: str, revision: str | None = None) -> Path | None:
    """The folder that holds a model of the hub on this machine, named by its commit; None where there is none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError:  # no name that the hub could have
        return None
    return Path(config).parent if isinstance(config, str) else None


def compute_content_hash(path: Path) -> str:
    """A hash of a file, or of all files below a folder and their names; what Python compiles there does not count."""
    content = hashlib.sha256()
    if not path.is_dir():
        _feed(content, path)
        return content.hexdigest()
    for file in sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        content.update(f"{file.relative_to(path)}\0".encode())
        _feed(content, file)
    return content.hexdigest()


def _feed(digest: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as file:  # piece by piece: a table may be larger than the memory
        while piece := file.read(_PIECE):
            digest.update(piece)


def compute_code_hash(rooms: Sequence[str], *, root: Path = _SOURCES) -> str:
    """A hash over what the code of some rooms of `rote` does: modules or folders, such as `figures` and `training`.

    Comments, docstrings and layout do not count; the tables and packs beside the code do. Under another version of
    Python the hash may be another one.
    """
    content = hashlib.sha256()
    for room in sorted(rooms):
        content.update(_hash_room(room, root))
    return content.hexdigest()


@cache
def _hash_file(path: Path, changed: int, size: int) -> bytes:  # by when it was changed and its size
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@cache
def _hash_room(room: str, root: Path) -> bytes:
    content = hashlib.sha256()
    for file in _list_sources(room, root):
        text = _read_code(file) if file.suffix == ".py" else file.read_bytes()
        content.update(f"{file.relative_to(root).as_posix()}\0".encode() + text)
    return content.digest()


def _list_sources(room: str, root: Path) -> Iterator[Path]:
    place = root / room
    found = sorted(place.rglob("*")) if place.is_dir() else [place.with_suffix(".py")]
    return (file for file in found if file.suffix in (".py", *_DATA))


def _read_code(file: Path) -> bytes:
    return ast.dump(_WithoutDocstrings().visit(ast.parse(file.read_bytes()))).encode("utf-8")


class _WithoutDocstrings(ast.NodeTransformer):
    """Takes out the strings that stand alone: docstrings, those of fields too."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node
