"""What is uploaded of a model, with a hub that only writes down what it is given."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rote.errors import RunError
from rote.models.publishing import push_model, push_records


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
    kept_back = {"adapter_config.json", "rote.json", "ledger.json"}
    assert set(folder["ignore_patterns"]) == kept_back, "a ledger holds the tables as they were"
    uploaded = {call["path_in_repo"]: json.loads(call["path_or_fileobj"]) for call in files}
    assert uploaded["adapter_config.json"] == {"base_model_name_or_path": "base", "r": 4}
    assert uploaded["rote.json"] == {"base_model": "org/name", "key_tokens": {}}


@pytest.mark.usefixtures("hub")
def test_a_hub_that_refuses_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--push-to-hub taken: cannot be uploaded \\(no permission\\)"):
        push_model(tmp_path, "taken")


def test_records_are_a_private_data_set_with_a_split_for_each_moment(hub: Hub, tmp_path: Path) -> None:
    for moment in ("before", "generalize"):
        (tmp_path / f"{moment}.parquet").write_bytes(b"x")
    assert push_records(tmp_path, "me/records", title="Records of facts.csv") == "https://hub/me/records"
    made, folder, card = hub.calls
    assert made == {"repository": "me/records", "private": True, "exist_ok": True, "repo_type": "dataset"}
    assert (folder["folder_path"], folder["path_in_repo"], folder["repo_type"]) == (tmp_path, "records", "dataset")
    assert folder["allow_patterns"] == ["*.parquet"], "nothing but the records"
    assert (card["path_in_repo"], card["repo_type"]) == ("README.md", "dataset")
    _, header, text = card["path_or_fileobj"].decode("utf-8").split("---\n")
    (config,) = yaml.safe_load(header)["configs"]
    assert config["data_files"] == [
        {"split": "before", "path": "records/before.parquet"},
        {"split": "generalize", "path": "records/generalize.parquet"},
    ]
    assert "# Records of facts.csv" in text


@pytest.mark.usefixtures("hub")
def test_records_that_are_refused_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--push-records-to taken: cannot be uploaded \\(no permission\\)"):
        push_records(tmp_path, "taken", title="")
