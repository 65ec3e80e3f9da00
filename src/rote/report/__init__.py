"""The report: what a run found, as one HTML page that needs no network and no script to be read.

`ReportContent` is the plain data a report is made from; `render_report` turns it into the page. On the way each
section is prepared as plain data by its own module:

    answers    three questions in plain words                 curves     loss and recall by epoch
    headline   the verdict and the picture
    cube       facts x prompts x languages x moments          examples   right and wrong answers
    lines      relations, what was known, what else changed   manifest   how the run was made
    later_tables  how earlier tables are kept
    fact_rows  one row per fact, on the page and as CSV

`results_page` is a second page: the claims and figures of all experiments, from `ResultsContent`.

`drawing`, `dots` and `scatter` draw SVG from such data, `page` fills a template, `words`
holds every label and definition, `display` the form of numbers and text. All text is escaped where it meets HTML, in
the drawings and in the templates; no data ever enters a script.
"""

from rote.report.render import ReportContent, render_report

__all__ = ["ReportContent", "render_report"]
