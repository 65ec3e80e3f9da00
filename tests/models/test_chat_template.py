"""Chat templates that come with a model are tried before they are used."""

import time
from pathlib import Path

import pytest
from tests.models.conftest import build_language_model

from rote.errors import ModelError
from rote.models.chat_template import has_chat_template
from rote.models.loading import load_model
from rote.models.saving import save_model

HARMLESS = "{% for message in messages %}{{ message.content }}{% endfor %}"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HARMFUL = {
    "without end": (ENDLESS, "m: its chat template takes more than 2 seconds, 500,000,000 bytes"),
    "fills the memory": ("{{ 'x' * 10**10 }}", "its chat template takes more than"),
    "says much": ("{{ 'x' * 10**6 }}", "or 100,000 characters for one message; take it out of the model's folder"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_template_that_would_stop_the_program_is_refused(name: str) -> None:
    template, message = HARMFUL[name]
    begin = time.process_time()
    with pytest.raises(ModelError, match=message) as caught:
        has_chat_template("m", template)
    assert time.process_time() - begin < 5
    assert "\n" not in str(caught.value)


def test_of_several_templates_the_usual_one_is_tried() -> None:
    assert has_chat_template("m", {"default": HARMLESS, "tools": ENDLESS})
    with pytest.raises(ModelError, match="its chat template"):
        has_chat_template("m", {"default": ENDLESS, "tools": HARMLESS})


def test_a_model_without_a_template_has_none() -> None:
    assert not has_chat_template("m", None)


def test_a_template_that_raises_is_left_to_whoever_uses_it() -> None:
    assert has_chat_template("m", "{{ raise_exception('no') }}")


def test_a_model_is_loaded_without_trying_its_template(tmp_path: Path) -> None:
    """A free question needs none, and the trial takes longer than the answer."""
    save_model(build_language_model(), tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(ENDLESS)
    assert load_model(str(tmp_path / "model")).tokenizer.chat_template == ENDLESS
