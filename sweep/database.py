"""DuckDB over a space that was never written, or over a run: all that is known of DuckDB's client is kept here.

One cursor a query, no progress bar, as many threads as there are cores for us; the main thread only waits, so that
Ctrl-C stops a query, which DuckDB alone would not.
"""

from __future__ import annotations

import re
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from kernels.graph import Graph, near
from kernels.language import FormulaError, from_text, kind_of
from sweep import opensql, sqlcount, sqlends, sqlfolding, sqlpareto, sqlsafety, sqlsensitivity, whatif
from sweep.answer import Answer
from sweep.columns import Column
from sweep.dataset import Table
from sweep.errors import QueryError, RunError, SweepError
from sweep.execute import cores
from sweep.querycolumns import lacking
from sweep.resources import resource_dir
from sweep.shown import Shown, view, words_of
from sweep.space import Space
from sweep.sqlbeside import Beside
from sweep.sqlerrors import is_of_a_file, misnamed, told, with_the_place
from sweep.sqltext import literal, quoted, to_sql

if TYPE_CHECKING:
    import polars as pl

    from sweep.queryfile import QueryFile

T = TypeVar("T")

__all__ = ["Answer", "Database", "QueryError", "run_frontier"]
BATCH_ROWS = 1 << 17
MOST_OBJECTIVES = 8
OWN: dict[str, Callable[[Space, Sequence[Column]], str]] = {  # macros that a space or a run has for itself
    whatif.NAME: whatif.statement,
    sqlsensitivity.NAME: lambda space, columns: sqlsensitivity.statement(space, [c.name for c in columns]),
}


class Database:
    """An in-memory DuckDB with the table designs, the catalogue, metrics, inputs and the macros.

    Made by open_space or open_run; close it, or use it in a with statement. Queries read what is in it and no other
    file, unless unsafe; memory is what DuckDB may take before it spills to disk, such as "4GB", by default its own
    limit.
    """

    def __init__(self, unsafe: bool = False, memory: str | None = None, threads: int | None = None) -> None:
        spill = str(Path(tempfile.gettempdir()) / "llm-sweep-duckdb")
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": str(threads or cores()),
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "temp_directory": spill,
        }
        if memory is not None:
            settings["memory_limit"] = memory
        try:
            self._connection = duckdb.connect(config=settings)
        except duckdb.Error as error:
            raise told(error) from None
        self._connection.execute("set enable_progress_bar = false")  # of a connection, and of its cursors
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="duckdb")
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._shown: Shown | None = None  # of the virtual table of a space; a run has its columns
        self._unsafe = unsafe
        self._own: Callable[[str, str], str | None] = lambda _macro, _sql: None
        self._read: set[str] = set()
        self._damaged: Callable[[], list[Path]] = list  # the parts of a run that are not what was written
        self.columns: tuple[Column, ...] = ()
        self._made: list[Any] = []

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop whatever runs and let everything go."""
        for answer in list(self._open):
            answer.close()
        self._pool.shutdown(wait=True)
        self._connection.close()

    @property
    def evaluated(self) -> int:
        """How many designs of a space have been evaluated for all queries so far; 0 over a run."""
        return self._shown.table.evaluated if self._shown is not None else 0

    # ---------------------------------------------------------------------------------------------- what is in it

    @classmethod
    def open_space(cls, space: Space, unsafe: bool = False, memory: str | None = None) -> Database:
        """With the virtual table of a space as designs: evaluated as queries ask."""
        self = cls(unsafe, memory)
        shown = self._shown = Shown(Table(space))
        self._connection.register("_designs", shown.table)
        self._connection.execute(view("_designs", shown.usual))
        columns = shown.table.columns
        self._fill(space.graph, tuple(columns.values()), shown=shown.usual)
        self._own = lambda macro, text: OWN[macro](space, [columns[name] for name in shown.names(text)])
        return self

    @classmethod
    def open_run(cls, folder: str | Path, unsafe: bool = False, memory: str | None = None) -> Database:
        """With the rows of a run folder as designs. RunError where a part of it is missing or has another size."""
        from sweep.manifest import columns_of, read_manifest
        from sweep.parts import sha256_of

        folder = Path(folder)
        manifest = read_manifest(folder)
        if not manifest.complete:
            raise RunError(
                f"{folder}: is not complete yet; sweep run {folder / 'spec.toml'} -o {folder} goes on with it"
            )
        parts = {folder / "parts" / part.name: part for part in manifest.parts}
        for path, part in parts.items():
            there = path.stat().st_size if path.is_file() else None
            if there != part.bytes:
                found = "is missing" if there is None else f"has {there:,} bytes and was written with {part.bytes:,}"
                raise RunError(f"{path}: {found}; {_written_again(folder)}")
        self = cls.open_parts(sorted(parts), columns_of(manifest), unsafe, memory)
        self._damaged = lambda: [path for path, part in parts.items() if sha256_of(path) != part.sha256]
        self._own = lambda macro, _: self._own_of_run(folder / opensql.NAME, macro)
        return self

    @classmethod
    def open_parts(
        cls, parts: Sequence[Path], columns: Sequence[Column], unsafe: bool = False, memory: str | None = None
    ) -> Database:
        """With the rows of these Parquet files as designs, wherever the process goes next."""
        from kernels.model import GRAPH

        self = cls(unsafe, memory)
        if parts:
            files = [_not_a_pattern(path.absolute()) for path in parts]
            paths = ", ".join(map(literal, files))
            made = opensql.view(f"[{paths}]")
        else:  # a space without a single design
            files = []
            types = {"int": "bigint", "float": "double", "bool": "boolean", "word": "varchar"}
            nothing = ", ".join(f"cast(null as {types[c.kind]}) as {quoted(c.name)}" for c in columns)
            made = f"create or replace view designs as select {nothing} where false"
        try:
            self._connection.execute(made)
        except duckdb.Error as error:
            raise told(error) from None
        self._fill(GRAPH, tuple(columns), [*files, *(str(path.absolute()) for path in parts)])
        return self

    def _fill(
        self, graph: Graph, columns: tuple[Column, ...], files: Sequence[str] = (), shown: Collection[str] | None = None
    ) -> None:
        self.columns = columns
        self._connection.execute(opensql.macros())
        self._beside = Beside(graph, columns, [c for c in columns if shown is None or c.name in shown])
        self._made = sqlpareto.made(self._connection)
        for setting in () if self._unsafe else sqlsafety.closed(files):
            self._connection.execute(setting)

    # -------------------------------------------------------------------------------------------------- questions

    def query(self, sql: str, params: Mapping[str, Any] | Sequence[Any] | None = None) -> Answer:
        """Run SQL, one statement or several, and return the rows of the last one as they come.

        params are values for $name (a mapping) or for ? in the last statement (a sequence). QueryError with DuckDB's
        own message where it has something to say.
        """
        cursor = self._cursor()
        text = " ".join([sql, *words_of(params)])
        advice, views = self._show(cursor, text)
        try:
            statements = cursor.extract_statements(sql)
        except duckdb.Error as error:
            raise told(error) from None
        if not statements:
            raise QueryError("the query is empty")
        if not self._unsafe:
            sqlsafety.check(statements, cursor.extract_statements)
        self._prepare(cursor, text)
        named = set().union(*(statement.named_parameters for statement in statements))
        if isinstance(params, Mapping) and (unknown := [name for name in params if name not in named]):
            asked = f"it asks for {', '.join(f'${name}' for name in sorted(named))}" if named else "it asks for none"
            raise QueryError(f"the query has no parameter ${unknown[0]}; {asked}{near(unknown[0], named)}")
        for statement in statements[:-1]:
            self.wait(lambda s=statement: _finish(cursor, s, _given(s, params, False)), cursor)  # type: ignore[misc]
        last = statements[-1]
        try:
            query = self._faster(cursor, last, _given(last, params, True), views, text)
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) or QueryError(str(error)) from None
        try:
            reader = self.wait(lambda: _reader(cursor, query, _given(last, params, True)), cursor, last.query)
        except QueryError as error:
            from kernels.model import GRAPH

            advice += misnamed(str(error), [column.name for column in self.columns], GRAPH.metrics, GRAPH.inputs)
            raise QueryError("\n".join([str(error), *advice])) from None
        answer = Answer(self.wait, cursor, reader)
        self._open.add(answer)
        return answer

    def _own_of_run(self, file: Path, macro: str) -> str | None:
        """What makes a macro of the run, the first time."""
        if macro in self._read:
            return None
        self._read.add(macro)
        return _statement_of(file, macro)

    def _prepare(self, cursor: Any, sql: str) -> None:
        """Make what a query names, before it is asked."""
        made = self._beside.named(sql)
        for macro in OWN:
            if (macro in sql.lower() or "duckdb_functions" in sql.lower()) and (own := self._own(macro, sql)):
                made += [*self._beside.needed(own), own]
        for statement in made:
            cursor.execute(statement)

    def _faster(self, cursor: Any, statement: Any, params: Any, views: list[Any], text: str) -> str:
        """The text of a statement, with the frontiers, the number and the ends of designs it asks for found by us."""
        if self._shown is None:
            return sqlpareto.answered(cursor, statement.query, self.columns, None, [], views)
        table = self._shown.table
        asked = sqlcount.answered(cursor, statement.query, table, views)
        asked = sqlends.answered(cursor, asked, params, table, views)
        return sqlpareto.answered(cursor, asked, self.columns, table.space, self._shown.names(text), views)

    def ask(self, file: QueryFile, given: Mapping[str, Any] | None = None) -> Answer:
        """The rows that answer a question of ``queries/``, with what is given of its parameters.

        They are variables of the query's own connection, so no other query sees them. SweepError names a parameter it
        has not, a value it cannot be, and the columns that designs lacks for it.
        """
        values = file.values(given or {})
        missing = lacking(file, values, self.columns, evaluated=self._shown is not None)
        if missing is not None:
            raise SweepError(missing)
        settings = "".join(f"set variable {quoted(name)} = ${name};\n" for name in values)
        return self.query(settings + file.sql, values)

    def frontier(
        self, minimize: Sequence[str], maximize: Sequence[str] = (), where: str | Sequence[str] = ()
    ) -> pl.DataFrame:
        """The designs that no other one beats on all objectives, whole rows, by objectives and then design_id.

        where are conditions in the language of the metrics, over the columns of designs. Ties are all kept; a design
        with an objective that is nan is not on the frontier.
        """
        import polars as pl

        goals = [self._objective(name, 1.0) for name in minimize] + [self._objective(name, -1.0) for name in maximize]
        if not goals:
            raise SweepError("a frontier needs an objective: name a column to minimize or to maximize")
        if len(goals) > MOST_OBJECTIVES:
            raise SweepError(f"a frontier takes up to {MOST_OBJECTIVES} objectives, not {len(goals)}")
        conditions = [self.condition(text) for text in ([where] if isinstance(where, str) else where)]
        kept = f" where {' and '.join(conditions)}" if conditions else ""
        cursor = self._cursor()
        self._show(cursor, " ".join([*minimize, *maximize, kept]))
        ids = self.wait(lambda: sqlfolding.folded(cursor, f"designs{kept}", goals), cursor)
        if ids is None:
            return self._frontier_in_sql(goals, kept)
        order = pa.table({"design_id": ids})
        cursor.register("_frontier", order)
        query = "from designs where design_id in (select design_id from _frontier)"
        found = Answer(self.wait, cursor, self.wait(lambda: _reader(cursor, query, None), cursor)).pl()
        return pl.DataFrame(order).join(found, on="design_id", how="left", maintain_order="left")[found.columns]

    def _frontier_in_sql(self, goals: Sequence[sqlfolding.Goal], kept: str) -> pl.DataFrame:
        """The same from the macros, which compare whole numbers as they are."""
        listed = [f"-{goal.sql}" if goal.sign < 0 else goal.sql for goal in goals]
        listed += ["0"] * (MOST_OBJECTIVES - len(goals))
        named = ", ".join(f"{goal} as o{k}" for k, goal in enumerate(listed, start=1))
        question = (resource_dir("queries") / "frontier.sql").read_text(encoding="utf-8").strip().removesuffix(";")
        order = ", ".join(f"o{k}" for k in range(1, MOST_OBJECTIVES + 1))
        return self.query(
            f"create or replace temp view objectives as select design_id, {named} from designs{kept};\n"
            f"with frontier as (\n{question}\n)\n"
            f"select designs.* from designs join frontier using (design_id) order by {order}, design_id"
        ).pl()

    def condition(self, text: str) -> str:
        """A condition in the language of the metrics as SQL over designs. SweepError names what is wrong with it."""
        kinds = {column.name: column.kind for column in self.columns}
        words = {column.name: column.words for column in self.columns if column.kind == "word"}
        try:
            formula = from_text("where", text)
            for name in formula.parameters:
                self._known(name, f'"{text}"')
            if kind_of(formula, kinds, words) != "bool":  # type: ignore[arg-type]
                raise FormulaError("it is not a condition: compare it with something")
            return to_sql(formula, kinds)  # type: ignore[arg-type]
        except FormulaError as error:
            raise SweepError(f'"{text}": {error}') from None

    def _objective(self, name: str, sign: float) -> sqlfolding.Goal:
        column = self._known(name, "objective")
        if column.kind == "word":
            raise SweepError(f"{name} holds words, and an objective is a number")
        sql = f"cast({quoted(name)} as bigint)" if column.kind == "bool" else quoted(name)
        return sqlfolding.Goal(sql, sign, column.kind == "int")

    def _known(self, name: str, place: str) -> Column:
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            hint = near(name, [column.name for column in self.columns])
            raise SweepError(f"{place}: {name} is not a column of designs{hint}")
        return found

    # ------------------------------------------------------------------------------------------------ how it runs

    def _cursor(self) -> Any:
        """A connection of its own to the same tables: a query left half read blocks nobody else."""
        return self._connection.cursor()

    def _show(self, cursor: Any, text: str) -> tuple[list[str], list[Any]]:
        """Let designs of a space hold what this query names; advice on its names, and the views there are then.

        DuckDB reads the types of all columns of a table whenever it is named, so it sees no more of them than that.
        """
        if self._shown is None:
            return [], self._made
        table, advice = self._shown.widened(text)
        is_wider = table is not self._shown.table
        names, of = self._shown.names(text), "_wider" if is_wider else "_designs"
        cursor.register("_designs", self._shown.table.of(names))
        if is_wider:
            names += [name for name in table.columns if name not in self._shown.table.columns]
            cursor.register(of, table.of(names))
        if len(names) == len(self._shown.usual):
            return advice, self._made
        is_ours = not is_wider and sqlpareto.made(cursor) == self._made  # kernels know no elasticities here
        cursor.execute(view(of, names, "temp view"))
        return advice, sqlpareto.made(cursor) if is_ours else self._made

    def wait(self, work: Callable[[], T], cursor: Any, sql: str = "") -> T:
        """The result of work done on another thread, so that Ctrl-C reaches us and stops the query."""
        future = self._pool.submit(work)
        try:
            return _result(future)
        except KeyboardInterrupt:
            cursor.interrupt()
            future.exception()
            raise
        except duckdb.Error as error:
            raise (self._broken(error) if is_of_a_file(error) else None) or told(error, sql) from None
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) or QueryError(str(error)) from None

    def _broken(self, error: Exception) -> SweepError | None:
        """What to say of rows that could not be read where a part of the run is damaged; None where none is."""
        damaged = self._damaged()
        if not damaged:
            return None
        again = f"remove it, and {_written_again(damaged[0].parent.parent)}"
        return RunError(f"{damaged[0]}: is not what was written, and cannot be read ({error}); {again}")


def run_frontier(
    folder: str | Path, minimize: Sequence[str], maximize: Sequence[str] = (), where: str | Sequence[str] = ()
) -> pl.DataFrame:
    """The frontier of a run, whole rows, by objectives and then design_id; see Database.frontier."""
    with Database.open_run(folder) as database:
        return database.frontier(minimize, maximize, where)


def _written_again(folder: Path) -> str:
    """How to have a part of a run that is not there."""
    return f"sweep run {folder / 'spec.toml'} -o {folder} writes it again"


def _result(future: Future[T]) -> T:
    while True:
        try:
            return future.result(timeout=0.1)
        except NotYet:
            if future.done():
                return future.result()


def _given(statement: Any, params: Mapping[str, Any] | Sequence[Any] | None, is_last: bool) -> Any:
    """The values among params that a statement asks for."""
    if params is None:
        return None
    if isinstance(params, Mapping):
        return {name: params[name] for name in statement.named_parameters if name in params} or None
    return list(params) if is_last else None


def _finish(cursor: Any, statement: Any, params: Any) -> None:
    cursor.execute(statement.query, params).fetchall()


def _reader(cursor: Any, query: str, params: Any) -> pa.RecordBatchReader:
    try:
        relation = cursor.sql(query, params=params)
    except duckdb.Error as error:
        raise with_the_place(error, cursor, query, params) from None
    if relation is None:  # a statement that returns no rows
        return pa.RecordBatchReader.from_batches(pa.schema([]), [])
    reader: pa.RecordBatchReader = relation.to_arrow_reader(BATCH_ROWS)
    return reader


def _statement_of(file: Path, macro: str) -> str | None:
    """The statement of an open.sql that makes this macro; None where an earlier version wrote it."""
    try:
        statements = duckdb.extract_statements(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror}") from None
    makes = f"create or replace macro {macro}("
    return next((s.query for s in statements if re.search(rf"^{re.escape(makes)}", s.query, re.MULTILINE)), None)


def _not_a_pattern(path: Path) -> str:
    """A path in which DuckDB sees no pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
