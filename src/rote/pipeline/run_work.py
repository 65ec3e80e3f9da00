"""`RunWork`: one run under way, shared by its steps."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rote.config.run import RunConfig
from rote.models.loading import LoadOptions
from rote.pipeline.plan import RunPlan
from rote.pipeline.reporting import Advance, Reporter
from rote.runs.folder import RunFolder, read_json, write_json


@dataclass
class RunWork:
    """One run under way: what it shall do, where it keeps what is done, and how long that took."""

    config: RunConfig
    folder: RunFolder
    plan: RunPlan
    reporter: Reporter
    loading: LoadOptions
    timings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder.timings.is_file():
            self.timings = read_json(self.folder.timings)

    @contextmanager
    def step(self, label: str) -> Iterator[Advance]:
        """Show a step and add the time it took to the run's timings."""
        begin = time.monotonic()
        with self.reporter.step(label) as advance:
            yield advance
        self.timings[label] = self.timings.get(label, 0.0) + time.monotonic() - begin
        write_json(self.folder.timings, self.timings)
