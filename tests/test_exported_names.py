"""The public names: all there, all lazy."""

import subprocess
import sys

import pytest

import rote


def test_the_list_is_the_map_of_homes() -> None:
    assert sorted(rote.__all__) == sorted({*rote._HOMES, "__version__"})
    assert len(set(rote.__all__)) == len(rote.__all__)
    assert dir(rote) == sorted(rote.__all__)


@pytest.mark.parametrize("name", sorted(rote._HOMES))
def test_every_name_is_defined_where_the_map_says(name: str) -> None:
    found = getattr(rote, name)
    assert found.__name__ == name
    assert found.__module__ == f"rote.{rote._HOMES[name]}"
    assert found.__doc__


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'rote' has no attribute 'preach'"):
        rote.preach  # noqa: B018


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, rote; rote.FactTable, rote.load_table, rote.Config, rote.load_relations, rote.Record;"
        "rote.ReportContent, rote.render_report, rote.compute_summary, rote.build_questions;"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
