"""Workbooks: real tables with number formats, what every column means, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sweep.columns import Column
from sweep.errors import SweepError
from sweep.files import EXACT_IN_A_SHEET, flat, replacing
from sweep.tables import declared, known_columns

if TYPE_CHECKING:
    import polars as pl

    from sweep.space import Space

MOST_SHEET_ROWS = 100_000


def write_xlsx(frames: Iterable[pl.DataFrame], stream: IO[bytes], columns: Sequence[Column]) -> int:
    """Write frames as a workbook; the rows written. SweepError when there are more than a workbook takes."""
    import polars as pl

    taken: list[pl.DataFrame] = []
    count = 0
    for frame in frames:
        taken.append(frame)
        count += len(frame)
        if count > MOST_SHEET_ROWS:
            much = f"{count:,} rows" if len(taken) == 1 else f"more than {MOST_SHEET_ROWS:,} rows"
            raise SweepError(
                f"a workbook takes up to {MOST_SHEET_ROWS:,} rows and this is {much}: "
                "narrow it with a condition, or write csv or parquet"
            )
    _workbook(pl.concat(taken), columns, (), stream)
    return count


def export(frame: pl.DataFrame, space: Space, path: str | Path, notes: Iterable[str] = ()) -> None:
    """The planning workbook of a frontier: the designs, what each column means, and what was assumed."""
    path = Path(path)
    if path.suffix.lower() != ".xlsx":
        raise SweepError(f"{path}: a workbook's name ends in .xlsx")
    if len(frame) > MOST_SHEET_ROWS:
        raise SweepError(
            f"a workbook takes up to {MOST_SHEET_ROWS:,} rows and the frontier has {len(frame):,}: "
            "narrow it with --where, or write it with sweep frontier -o FILE.parquet"
        )
    assumed = [("note", note) for note in notes]
    assumed += [("spec", space.name), ("designs in the space", f"{space.size:,}")]
    assumed += [("minimized", name) for name in space.minimize] + [("maximized", name) for name in space.maximize]
    assumed += [("condition", f"{c.label}: {c.text}" if c.label != c.text else c.text) for c in space.conditions]
    assumed += [(f"chosen {name}", str(value)) for name, value in space.chosen.items()]
    assumed += [(f"default {name}", str(value)) for name, value in space.stated.items()]
    with replacing(path) as stream:
        _workbook(frame, declared(space, frame), assumed, stream)


def _workbook(
    frame: pl.DataFrame, columns: Sequence[Column], assumed: Sequence[tuple[str, str]], stream: IO[bytes]
) -> None:
    import polars as pl
    import xlsxwriter
    from xlsxwriter.utility import xl_col_to_name as column_letters

    known = known_columns(frame, columns)
    sheet = _for_a_sheet(frame)
    meanings = pl.DataFrame(
        [(c.name, c.unit, c.meaning, c.source) for c in known.values()],
        schema=dict.fromkeys(("column", "unit", "meaning", "source"), pl.String),
        orient="row",
    )
    as_text = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
    }  # a cell of a table that is read computes nothing
    book = xlsxwriter.Workbook(stream, {"in_memory": True, **as_text})
    book.set_properties({"created": datetime(2000, 1, 1)})  # the same numbers make the same file
    numeric = [name for name, dtype in sheet.schema.items() if dtype.is_numeric()]
    style: dict[str, Any] = {"autofit": True, "autofilter": True, "freeze_panes": (1, 0)}
    sheet.write_excel(
        book, "designs", table_name="designs", column_formats={n: _sheet_format(known[n]) for n in numeric}, **style
    )
    if "in_fitted_range" in sheet.columns and len(sheet):
        mark = f"${column_letters(sheet.columns.index('in_fitted_range'))}2"
        marked = {
            "type": "formula",
            "criteria": f"=AND(ISLOGICAL({mark}),NOT({mark}))",  # an empty cell equals FALSE too
            "format": book.add_format({"bg_color": "#FCE4D6"}),
        }
        page = book.get_worksheet_by_name("designs")
        page.conditional_format(1, 0, len(sheet), len(sheet.columns) - 1, marked)
        assumed = [("shaded rows", "extrapolated: outside the runs that their law was fitted on"), *assumed]
    for place, column in enumerate(known.values()):
        text = "\n".join(filter(None, [column.unit and f"unit: {column.unit}", column.meaning, column.source]))
        if text:
            book.get_worksheet_by_name("designs").write_comment(0, place, text, {"x_scale": 2, "y_scale": 1.5})
    meanings.write_excel(book, "columns", table_name="columns_", **style)
    if assumed:
        stated = pl.DataFrame(list(assumed), schema=dict.fromkeys(("what", "is"), pl.String), orient="row")
        stated.write_excel(book, "assumptions", table_name="assumptions", **style)
    book.close()


def _for_a_sheet(frame: pl.DataFrame) -> pl.DataFrame:
    """What a sheet can hold exactly: no nan and no infinity, whole numbers past 2**53 as text, words as text."""
    import polars as pl

    columns = []
    for series in flat(frame):
        if series.dtype.is_float():
            series = series.to_frame().select(
                pl.when(pl.col(series.name).is_finite()).then(pl.col(series.name)).alias(series.name)
            )[series.name]
        elif _too_long(series) or series.dtype in (pl.Enum, pl.Categorical):
            series = series.cast(pl.String)
        columns.append(series)
    return pl.DataFrame(columns)


def _too_long(series: pl.Series) -> bool:
    """Whether these are whole numbers that a sheet, which has floats only, would round."""
    if not series.dtype.is_integer():
        return False
    return not series.is_between(-EXACT_IN_A_SHEET, EXACT_IN_A_SHEET).all()


def _sheet_format(column: Column) -> str:
    """The number format of a column in a sheet: bytes as GB (1e9), money with separators, big counts as M and B."""
    if column.name == "design_id":
        return "0"
    if column.unit == "byte":
        return '[>=1000000000000]#,##0.00,,,," TB";[>=1000000]#,##0.00,,," GB";#,##0" B"'
    if column.unit == "USD":
        return "#,##0"
    if column.unit == "" and column.kind == "int":
        return '[>=1000000000]#,##0.00,,," B";[>=1000000]#,##0.00,," M";#,##0'
    return "[>=1000000]0.000E+00;[>=1]#,##0.000;0.00000"
