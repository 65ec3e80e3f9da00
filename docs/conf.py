"""The site of these pages: `make docs`."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from rote.version import __version__

project = "Rote"
copyright = "the developers of Rote, Apache-2.0"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"Rote {__version__}"
exclude_patterns = ["build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.xref_missing",  # tests/test_docs.py checks links, also those to files of the repository
    "misc.highlighting_failure",  # a drawing in mermaid stays text here
]
autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"  # settings have dozens of fields, each of which follows
add_module_names = False
highlight_language = "none"
_COMMANDS = Path(__file__).parent / "reference" / "commands.md"


def _write_commands(_: Sphinx) -> None:
    """The page of all commands, from their own help."""
    import typer
    from typer.cli import get_docs_for_click

    from rote.cli.main import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="rote", title="Commands")
    _COMMANDS.parent.mkdir(exist_ok=True)
    if not _COMMANDS.exists() or _COMMANDS.read_text(encoding="utf-8") != text:
        _COMMANDS.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", _write_commands)
