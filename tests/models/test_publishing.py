"""What is uploaded of a model, with a hub that only writes down what it is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from rote.errors import RunError
from rote.models.publishing import push_model


class Hub:
    """In the place of the hub's client."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def create_repo(self, name: str, **options: Any) -> str:
        if name == "taken":
            raise OSError("no permission")
        self.calls.append({"repository": name, **options})
        return f"https://hub/{name}"

    def upload_folder(self, **options: Any) -> None:
        self.calls.append(options)

    def upload_file(self, **options: Any) -> None:
        self.calls.append(options)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub()
    monkeypatch.setattr("rote.models.publishing.HfApi", lambda: hub)
    return hub


def test_a_model_is_uploaded_privately_and_without_the_path_of_its_base(hub: Hub, tmp_path: Path) -> None:
    base = tmp_path / "secret" / "base"
    base.mkdir(parents=True)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base), "r": 4}))
    (tmp_path / "rote.json").write_text(json.dumps({"base_model": "org/name", "key_tokens": {}}))
    assert push_model(tmp_path, "me/mine") == "https://hub/me/mine"
    made, folder, *files = hub.calls
    assert made == {"repository": "me/mine", "private": True, "exist_ok": True}
    assert set(folder["ignore_patterns"]) == {"adapter_config.json", "rote.json"}
    uploaded = {call["path_in_repo"]: json.loads(call["path_or_fileobj"]) for call in files}
    assert uploaded["adapter_config.json"] == {"base_model_name_or_path": "base", "r": 4}
    assert uploaded["rote.json"] == {"base_model": "org/name", "key_tokens": {}}


@pytest.mark.usefixtures("hub")
def test_a_hub_that_refuses_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--push-to-hub taken: cannot be uploaded \\(no permission\\)"):
        push_model(tmp_path, "taken")
