"""From a run folder to its report."""

from rote.records import MOMENTS, Record, load_records
from rote.report import ReportContent, render_report
from rote.runs.files import replace_file
from rote.runs.folder import RunFolder, read_json


def load_report_content(folder: RunFolder) -> ReportContent:
    """All that a report shows, read from a run folder."""
    identity, manifest = read_json(folder.identity), read_json(folder.manifest)
    histories = {phase: folder.history(phase) for phase in ("memorize", "generalize")}
    return ReportContent(
        title=f"{identity['table']['name']} taught to {identity['model']['name']}",
        table_name=identity["table"]["name"],
        model_name=identity["model"]["name"],
        summary=read_json(folder.summary),
        relations=read_json(folder.relations) if folder.relations.is_file() else {},
        records=load_all_records(folder),
        history={phase: read_json(path) for phase, path in histories.items() if path.is_file()},
        knowledge=read_json(folder.knowledge) if folder.knowledge.is_file() else (),
        side_effects=read_json(folder.side_effects) if folder.side_effects.is_file() else (),
        manifest=manifest,
    )


def write_report(folder: RunFolder) -> None:
    """Render the report of a run folder into it."""
    html = render_report(load_report_content(folder))
    with replace_file(folder.report) as draft:
        draft.write_text(html, encoding="utf-8")


def load_all_records(folder: RunFolder) -> list[Record]:
    """The records of every moment that was examined."""
    paths = [folder.records(moment) for moment in MOMENTS]
    return [record for path in paths if path.is_file() for record in load_records(path)]
