"""A taught model on the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from rote.errors import RunError

_ERRORS = (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError)


def push_model(folder: Path, repository: str) -> str:
    """Upload a model's folder to a repository, which is made private where it is new; returns its address.

    Raises `RunError` where the hub cannot be reached or refuses.
    """
    api = HfApi()
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="A model taught with rote")
    except _ERRORS as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise RunError(
            f"--push-to-hub {repository}: cannot be uploaded ({reason}); the model is in {folder}: log in with "
            "'hf auth login' and upload it with 'hf upload'"
        ) from error
    return str(address)
