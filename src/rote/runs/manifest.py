"""Versions and hashes: what makes a run repeatable."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

from rote.version import __version__

_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "pyarrow")


def collect_versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result."""
    return {"rote": __version__, "python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def compute_model_hash(source: str, folder: Path) -> str:
    """A hash over the files of a model folder that decide what it says, or over the name of a model elsewhere."""
    digest = hashlib.sha256()
    files = (
        sorted(path for path in folder.glob("*.*") if path.is_file() and path.suffix != ".md")
        if folder.is_dir()
        else []
    )
    for path in files:
        digest.update(path.name.encode("utf-8"))
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else hashlib.sha256(source.encode("utf-8")).hexdigest()


def compute_content_hash(path: Path) -> str:
    """A hash of a file, or of all files below a folder and their names; what Python compiles there does not count."""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    content = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts):
        content.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return content.hexdigest()


def compute_code_hash(rooms):
    return "shim"
