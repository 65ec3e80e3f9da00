"""The licence of a base model is what the model says, and never guessed."""

from pathlib import Path

import pytest

from rote.models.licences import read_licence


@pytest.mark.parametrize(
    ("card", "config", "expected"),
    [
        ("---\nlicense: mit\n---\n# Mine\n", '{"license": "apache-2.0"}', {"license": "mit"}),
        (
            "---\nlicense: other\nlicense_name: mine\nlicense_link: LICENSE\n---\n",
            "{}",
            {"license": "other", "license_name": "mine", "license_link": "LICENSE"},
        ),
        ("# A card without a header\n", '{"license": "apache-2.0"}', {"license": "apache-2.0"}),
        (None, '{"license": "My Own Terms"}', {"license": "other", "license_name": "my-own-terms"}),
        ("---\nlicense: [\n---\n", "{", {}),
        ("---\nlanguage: en\n---\n", "[]", {}),
        (None, None, {}),
    ],
)
def test_what_a_folder_says(tmp_path: Path, card: str | None, config: str | None, expected: dict[str, str]) -> None:
    for name, content in (("README.md", card), ("config.json", config)):
        if content is not None:
            (tmp_path / name).write_text(content)
    assert read_licence(str(tmp_path)) == expected


def test_models_that_rote_knows() -> None:
    assert read_licence("rote-tiny") == read_licence("smollm2-135m") == {"license": "apache-2.0"}
    gemma = read_licence("gemma-3-270m")
    assert gemma == {
        "license": "other",
        "license_name": "gemma-terms-of-use",
        "license_link": "https://ai.google.dev/gemma/terms",
    }


def test_a_model_that_is_not_here_has_none() -> None:
    assert read_licence("nobody/nothing-of-the-kind") == {}
