"""SQL over finished trials, with DuckDB (extra `sql`).

>>> view = open_view(TrialStore(Path("runs/trials")))
>>> view.sql('''
...     SELECT config->>'$.memorize.epochs' AS epochs, avg(correct::int) AS accuracy, count(*) AS questions
...     FROM records JOIN trials ON job = name
...     WHERE moment = 'generalize' AND fact_set = 'held_out' AND prompt_set = 'held_out'
...     GROUP BY epochs
... ''')
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rote.errors import ConfigError, RunError
from rote.pipeline.trial_store import TrialStore

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def open_view(store: TrialStore) -> "DuckDBPyConnection":
    """A connection to an empty database in memory with two views over the trials that are finished now.

    `records` has the columns of a `Record` and `job`, the name of the job; `trials` has `name`, `config` (JSON) and
    `training_tokens`. The module's docstring shows a query. Raises `RunError` where no job is finished and
    `ConfigError` where DuckDB is missing.
    """
    duckdb = _import_duckdb()
    outcomes = sorted((store.path / "trials").glob("*.json"))
    if not outcomes:
        raise RunError(f"{store.path}: has no finished job")
    view: DuckDBPyConnection = duckdb.connect(":memory:")
    view.execute(
        "CREATE VIEW records AS SELECT parse_filename(filename, true) AS job, * EXCLUDE (filename) "
        f"FROM read_parquet({_quote([path.with_suffix('.parquet') for path in outcomes])}, filename = true)"
    )
    view.execute(
        f"CREATE VIEW trials AS SELECT * FROM read_json({_quote(outcomes)}, format = 'unstructured', "
        "columns = {name: 'VARCHAR', config: 'JSON', training_tokens: 'BIGINT'})"
    )
    return view


def _quote(paths: list[Path]) -> str:
    """A list of paths as SQL; a view takes no parameters."""
    return "[" + ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in paths) + "]"


def _import_duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError("a view needs duckdb; install it with: pip install 'rote[sql]'") from error
    return duckdb
