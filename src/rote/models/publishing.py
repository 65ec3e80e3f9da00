"""A taught model on the Hugging Face hub."""

import json
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from rote.errors import RunError
from rote.runs.manifest import name_model

_BASES = {"adapter_config.json": "base_model_name_or_path", "rote.json": "base_model"}
_ERRORS = (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError)


def push_model(folder: Path, repository: str) -> str:
    """Upload a model's folder to a repository, which is made private where it is new; returns its address.

    Raises `RunError` where the hub cannot be reached or refuses.
    """
    api, named = HfApi(), dict(_name_bases(folder))
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            ignore_patterns=list(named),
            commit_message="A model taught with rote",
        )
        for name, content in named.items():
            api.upload_file(repo_id=repository, path_in_repo=name, path_or_fileobj=content)
    except _ERRORS as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise RunError(
            f"--push-to-hub {repository}: cannot be uploaded ({reason}); the model is in {folder}: log in with "
            "'hf auth login' and upload it with 'hf upload'"
        ) from error
    return str(address)


def _name_bases(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files that say which model was taught, without the path it has here."""
    for name, key in _BASES.items():
        if (folder / name).is_file():
            content = json.loads((folder / name).read_text(encoding="utf-8"))
            content[key] = name_model(content[key])
            yield name, json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8")
