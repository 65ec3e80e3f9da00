"""From a template and its data to one HTML document that carries its own style and runs no script but its own."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rote.figures import format_figure
from rote.report.display import clean_text, format_count, format_name, shorten_text

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, content: Mapping[str, Any]) -> str:
    """Render a template of this room. `content` has the page's `title`; style, script and policy are added here."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "script.js").read_text(encoding="utf-8")
    head = {
        "style": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'",
    }
    return load_environment().get_template(template).render({**content, **head})


@cache
def load_environment(folder: Path = TEMPLATES) -> Environment:
    """The templates of a folder, which write what they are given as text and know the forms of numbers."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = format_count
    environment.filters["clean"] = clean_text
    environment.filters["name"] = format_name
    environment.filters["shorten"] = shorten_text
    environment.filters["figure"] = format_figure
    return environment


def _hash(text: str) -> str:
    """A text's name in a content security policy: the page runs this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
