"""What a stage leaves in the store is made once."""

from pathlib import Path

import pytest

from rote.pipeline.stages import make_once
from rote.runs.store import Store


def test_content_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> list[object]:
        made.append(1)
        return ["王芳", 1.5, None]

    store = Store(tmp_path / "store")
    path = store.content("texts", "abc")
    assert make_once(path, make) == make_once(path, make) == ["王芳", 1.5, None]
    assert len(made) == 1
    make_once(store.content("texts", "other"), make)
    make_once(store.content("answers", "abc"), make)
    assert len(made) == 3


def test_what_failed_to_be_made_is_not_there(tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        make_once(store.content("texts", "abc"), fail)
    assert make_once(store.content("texts", "abc"), lambda: 3) == 3
