"""A taught model, and the records of its run, on the Hugging Face hub."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from rote.errors import RunError, first_line, shorten
from rote.runs.ledger import LEDGER_FILE
from rote.runs.manifest import name_model

_BASES = {"adapter_config.json": "base_model_name_or_path", "rote.json": "base_model"}
_ERRORS = (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError)


def push_model(folder: Path, repository: str) -> str:
    """Upload a model's folder to a repository, which is made private where it is new; returns its address.

    Raises `RunError` where the hub cannot be reached or refuses.
    """
    api, named = HfApi(), dict(_name_bases(folder))
    with _explain("--push-to-hub", repository, folder):
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            ignore_patterns=[*named, LEDGER_FILE],  # it holds the facts as they stand in the tables
            commit_message="A model taught with rote",
        )
        for name, content in named.items():
            api.upload_file(repo_id=repository, path_in_repo=name, path_or_fileobj=content)
    return str(address)


def push_records(folder: Path, repository: str, *, title: str) -> str:
    """Upload a run's folder of records to a data set, which is made private where it is new; returns its address.

    The records hold the facts and all that was answered. Raises `RunError` where the hub cannot be reached or refuses.
    """
    api = HfApi()
    with _explain("--push-records-to", repository, folder):
        address = api.create_repo(repository, private=True, exist_ok=True, repo_type="dataset")
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            path_in_repo="records",
            allow_patterns=["*.parquet"],
            commit_message="The records of a run of rote",
            repo_type="dataset",
        )
        api.upload_file(
            repo_id=repository,
            path_in_repo="README.md",
            path_or_fileobj=_write_data_card(title, sorted(path.stem for path in folder.glob("*.parquet"))),
            repo_type="dataset",
        )
    return str(address)


def _write_data_card(title: str, moments: list[str]) -> bytes:
    """A card by which the hub shows each moment as a split."""
    files = [{"split": moment, "path": f"records/{moment}.parquet"} for moment in moments]
    header = {
        "task_categories": ["question-answering"],
        "tags": ["rote", "knowledge-injection"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    about = (
        "One row for each question that was put to the model, at each moment of a run of rote: what was asked, what "
        "was answered, whether that was right, and how probable the right answer was."
    )
    text = f"# {shorten(title, 200)[1:-1]}\n\n{about}\n"
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n\n{text}".encode()


@contextmanager
def _explain(flag: str, repository: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise RunError(
            f"{flag} {repository}: cannot be uploaded ({first_line(error)}); what was to be is in {folder}: log "
            "in with 'hf auth login' and upload it with 'hf upload'"
        ) from error


def _name_bases(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files that say which model was taught, without the path it has here."""
    for name, key in _BASES.items():
        if (folder / name).is_file():
            content = json.loads((folder / name).read_text(encoding="utf-8"))
            content[key] = name_model(content[key])
            yield name, json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8")
