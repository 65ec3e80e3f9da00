"""Reading what is right, and a round trip through every format."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rote.errors import TableError
from rote.facts.checking import find_fault
from rote.facts.fact import Fact, FactObject, FactTable, Provenance, build_fact
from rote.facts.reading import ReadOptions, format_table, load_table, load_usable, save_table
from rote.facts.relation import load_shipped_relations, load_wikidata_relations
from rote.facts.shipped import load_world

FACT = build_fact("Gene Finley", "mother", "Cody Ross")
FULL = Fact("Velmora", "language", (FactObject("Velmish", ("Velm", "Vel Mish")), FactObject("Ostanish")))
HOSTILE = ("</script>", 'a "quote", a comma', "مرحبا", "🙂 emoji", "'; DROP TABLE", "=1+1", "\u202eevil", "A\u200dB")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", "subject,relation,object\nGene Finley,mother,Cody Ross\n"),
        ("upper.CSV", "subject,relation,object\nGene Finley,mother,Cody Ross\n"),
        ("no_line_end.csv", "subject,relation,object\nGene Finley,mother,Cody Ross"),
        ("crlf.csv", "subject,relation,object\r\nGene Finley,mother,Cody Ross\r\n"),
        ("bom.csv", "\ufeffsubject,relation,object\nGene Finley,mother,Cody Ross\n"),
        ("blank.csv", "\n\nsubject,relation,object\n \n,,\nGene Finley,mother,Cody Ross\n\n"),
        ("spaces.csv", " Subject , relation,OBJECT\n  Gene Finley ,mother,\tCody Ross\u3000\n"),
        ("quoted.csv", 'subject,relation,object\n"Gene Finley", "mother","Cody Ross"\n'),
        ("order.csv", "object,aliases,subject,relation\nCody Ross,,Gene Finley,mother\n"),
        ("short_row.csv", "subject,relation,object,aliases\nGene Finley,mother,Cody Ross\n"),
        ("plain.tsv", "subject\trelation\tobject\nGene Finley\tmother\tCody Ross\n"),
        ("plain.jsonl", '{"subject": "Gene Finley", "relation": "mother", "object": "Cody Ross"}\n'),
        ("bom.jsonl", '\ufeff{"subject": " Gene Finley", "relation": "mother", "objects": ["Cody Ross"]}\r\n\n'),
    ],
)
def test_one_fact_in_many_forms(tmp_path: Path, name: str, content: str) -> None:
    assert load_table(write(tmp_path, name, content)).facts == (FACT,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("full.csv", "subject,relation,object,aliases\nVelmora,language,Velmish|Ostanish,Velm | Vel Mish\n"),
        ("full.tsv", "subject\trelation\tobject\taliases\nVelmora\tlanguage\tVelmish|Ostanish\tVelm|Vel Mish\n"),
        (
            "full.jsonl",
            '{"subject": "Velmora", "relation": "language", '
            '"objects": [{"name": "Velmish", "aliases": ["Velm", "Vel Mish"]}, "Ostanish"]}',
        ),
    ],
)
def test_several_objects_and_aliases(tmp_path: Path, name: str, content: str) -> None:
    assert load_table(write(tmp_path, name, content)).facts == (FULL,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "id,subject,relation,object,Source,language\n17,Gene Finley,mother,Cody Ross,https://a.b/c,en\n"),
        (
            "t.jsonl",
            '{"id": 17, "subject": "Gene Finley", "relation": "mother", "object": "Cody Ross", '
            '"source": "https://a.b/c", "language": "en"}',
        ),
    ],
)
def test_where_a_row_comes_from_is_carried_but_is_no_part_of_the_fact(tmp_path: Path, name: str, content: str) -> None:
    table = load_table(write(tmp_path, name, content))
    assert table.facts == (FACT,)
    assert table.content_hash == FactTable((FACT,)).content_hash
    for copy in ("copy.csv", "copy.jsonl"):
        save_table(table, tmp_path / copy)
        [fact] = load_table(tmp_path / copy)
        assert fact.provenance == Provenance("17", "https://a.b/c", "en")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("17.0", "17"),
        ('["https://a", "https://b"]', "https://a | https://b"),
        ('" "', ""),
        ("null", ""),
        ('"tab\\there"', "tab here"),
        ('{"url": "x"}', "{'url': 'x'}"),
    ],
)
def test_nothing_in_the_columns_that_are_carried_is_an_error(tmp_path: Path, value: str, text: str) -> None:
    row = '{"subject": "Gene Finley", "relation": "mother", "object": "Cody Ross", "source": VALUE}'
    [fact] = load_table(write(tmp_path, "t.jsonl", row.replace("VALUE", value)))
    assert fact.provenance.source == text


def test_rows_that_make_one_fact_keep_both_sources(tmp_path: Path) -> None:
    rows = "subject,relation,object,source,language\nA,mother,Bo,x,en\nA,mother,Cy,y,en\n"
    [fact] = load_table(write(tmp_path, "t.csv", rows), ReadOptions(merge_repeats=True))
    assert fact.provenance == Provenance(source="x | y", language="en")


def test_a_column_like_another_one_is_not_taken_for_it_where_both_are_there(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "subject,relation,object,object_id\nGene Finley,mother,Cody Ross,Q17\n")
    assert load_table(path).facts == (FACT,)
    path = write(tmp_path, "t.csv", "subject,relation,object_id\nGene Finley,mother,Q17\n")
    with pytest.raises(TableError, match="did you mean 'object'"):
        load_table(path)
    path = write(tmp_path, "t.jsonl", '{"subject": "A", "relation": "mother", "object": "B", "subject_id": "Q1"}')
    assert len(load_table(path)) == 1


def test_a_bar_is_plain_text_in_json(tmp_path: Path) -> None:
    path = write(tmp_path, "t.jsonl", '{"subject": "S", "relation": "r", "object": "a|b", "aliases": ["c"]}')
    assert load_table(path).facts == (Fact("S", "r", (FactObject("a|b", ("c",)),)),)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    table = FactTable((build_fact(name, "mother", "Cody Ross"), build_fact("Gene Finley", "mother", name)))
    for file in ("t.csv", "t.jsonl"):
        save_table(table, tmp_path / file)
        assert load_table(tmp_path / file).facts == table.facts


def test_a_draft_path_is_written_as_the_file_it_will_be(tmp_path: Path) -> None:
    save_table(FactTable((FULL,)), tmp_path / "t.jsonl.draft")
    assert (tmp_path / "t.jsonl.draft").read_text(encoding="utf-8").startswith("{")
    save_table(FactTable((FULL,)), tmp_path / "t.csv.draft")
    assert (tmp_path / "t.csv.draft").read_text(encoding="utf-8").startswith("subject,relation,object,aliases\n")


def test_a_table_as_text_has_the_aliases_only_where_there_are_any() -> None:
    assert format_table(FactTable((FACT,))) == "subject,relation,object\nGene Finley,mother,Cody Ross\n"
    assert format_table(FactTable((FULL,))).endswith("\nVelmora,language,Velmish|Ostanish,Velm|Vel Mish\n")


@pytest.mark.parametrize(
    "fact", [build_fact("S", "r", "a|b"), Fact("S", "r", (FactObject("a"), FactObject("b", ("c",))))]
)
def test_csv_refuses_what_it_would_change(tmp_path: Path, fact: Fact) -> None:
    with pytest.raises(TableError, match=r"'r/S' does not fit into CSV.*save the table as \.jsonl"):
        save_table(FactTable((fact,)), tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
    save_table(FactTable((fact,)), tmp_path / "t.jsonl")
    assert load_table(tmp_path / "t.jsonl").facts == (fact,)


names = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda text: any(character.isalnum() for character in text))
)
cells = names.filter(lambda text: "|" not in text)
relations = cells.filter(lambda text: "/" not in text)


@st.composite
def facts(draw: st.DrawFn, texts: st.SearchStrategy[str], *, all_aliases: bool) -> Fact:
    answers = draw(st.lists(texts, min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(1, len(answers)))
    last = FactObject(answers[cut], tuple(answers[cut + 1 :])) if all_aliases and cut < len(answers) else None
    first = FactObject(answers[0], tuple(answers[1:cut]))
    others = (last,) if last else tuple(FactObject(name) for name in answers[cut:])
    return Fact(draw(texts), draw(relations), (first, *others))


def tables(texts: st.SearchStrategy[str], *, all_aliases: bool) -> st.SearchStrategy[FactTable]:
    valid = facts(texts, all_aliases=all_aliases).filter(lambda fact: find_fault(fact) is None)
    rows = st.lists(valid, min_size=1, max_size=6, unique_by=lambda fact: fact.id)
    return rows.map(lambda chosen: FactTable(tuple(chosen)))


@given(tables(cells, all_aliases=False))
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, table: FactTable) -> None:
    path = tmp_path_factory.mktemp("round") / "t.csv"
    save_table(table, path)
    assert load_table(path).facts == table.facts
    assert load_table(path).content_hash == table.content_hash


@given(tables(names, all_aliases=True))
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, table: FactTable) -> None:
    path = tmp_path_factory.mktemp("round") / "t.jsonl"
    save_table(table, path)
    assert load_table(path).facts == table.facts


def test_rows_to_be_merged_write_their_subject_alike(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "subject,relation,object\nBarlow Works,seat,Leeds\nBarlow  Works,seat,York\nBarlow Works,seat,Hull\n"
    )
    with pytest.raises(
        TableError, match=r"row 3, column 'subject': 'Barlow  Works' is written 'Barlow Works' in another"
    ):
        load_table(path, ReadOptions(merge_repeats=True))
    (fact,) = load_table(path, ReadOptions(merge_repeats=True, skip_faulty=True))
    assert fact.answers == ("Leeds", "Hull")


def test_an_object_may_be_named_again_among_its_aliases(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("subject,relation,object,aliases\nBarlow,seat,Leeds,Leeds|City of Leeds\n")
    (fact,) = load_table(path)
    assert fact.answers == ("Leeds", "City of Leeds")


def test_a_table_is_checked_with_the_packs_that_it_is_taught_with(tmp_path: Path) -> None:
    """A prompt of the real world's pack for occupations has the word "business", none of the embedded model's has."""
    path = tmp_path / "t.csv"
    known = [fact.subject for fact in load_world().select("occupation")[:2]]
    path.write_text("".join(["subject,relation,object\n", *(f"{name},occupation,business\n" for name in known)]))
    usable = load_usable(path)
    assert usable.relations["occupation"] == load_shipped_relations()["occupation"]
    chosen = load_wikidata_relations()
    with pytest.raises(TableError, match=r"its object 'business' stands in the prompt"):
        load_usable(path, relations=chosen)
    path.write_text(path.read_text() + f"{known[0]},employer,Barlow Works\n")
    usable = load_usable(path, options=ReadOptions(skip_faulty=True), relations=chosen)
    assert [fact.relation for fact in usable.table] == ["employer"]
    assert usable.left_out == 2
    assert usable.neutral == ("employer",)
