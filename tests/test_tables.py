"""Tables out: readable in a terminal, whole or absent as files, and the same numbers when read back."""

import io
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import openpyxl
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter
from polars.testing import assert_frame_equal

from kernels.model import GRAPH
from kernels.quantiles import BASES, PERCENTS
from sweep.columns import Column, declare, leans_on_law, wanted
from sweep.errors import SweepError
from sweep.files import format_of, read, write
from sweep.lazyframe import scan
from sweep.resolve import loads
from sweep.space import Space
from sweep.tables import number, print_record, render
from sweep.workbook import MOST_SHEET_ROWS, export


@pytest.fixture(scope="module")
def space() -> Space:
    return loads("""
        name = "small"
        [axes]
        hidden_size = [1024, 4096]
        gpu = ["h100_sxm", "v100_sxm2_32"]
        train_tokens = [1e10, 1.5e13]
        [fixed]
        law = "besiroglu_2024"
        [where]
        "small" = "params_total < 1e11"
        [frontier]
        minimize = ["loss_nats", "lifetime_usd"]
    """)


@pytest.fixture(scope="module")
def frame(space: Space) -> pl.DataFrame:
    return scan(space).select(c.name for c in declare(space, wanted(space))).collect()


MIXED = pl.DataFrame(
    {
        "design_id": [1, 2**60, 3],
        "loss_nats": [2.5, math.nan, math.inf],
        "in_fitted_range": [True, False, None],
        "gpu": pl.Series(["a", "b", "a"], dtype=pl.Enum(["a", "b"])),
        "some words": ["x", 'with "quotes", and\ncommas', None],
    }
)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (70_553_706_496, "", "70.55 B"),
        (15_000_000_000_000, "", "15 T"),
        (128_256, "", "128,256"),
        (999_999_999.0, "", "1.000 B"),
        (16_060_522_496, "byte", "16.06 GB"),
        (141e9, "byte", "141 GB"),
        (512, "byte", "512"),
        (5.88e23, "FLOP", "5.880e+23"),
        (1_234_567.8, "USD", "1,234,568"),
        (0.04502086, "USD/Mtoken", "0.04502"),
        (2.7405693, "nat", "2.741"),
        (1.5e-5, "s", "1.500e-05"),
        (math.nan, "USD", "?"),
        (0, "", "0"),
        (-2.5, "", "-2.500"),
        (None, "", ""),
    ],
)
def test_numbers_are_readable(value: float | None, unit: str, shown: str) -> None:
    assert number(value, unit) == shown


SCALES = {"k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


@given(st.floats(1e-12, 1e18), st.sampled_from(["", "byte", "USD", "FLOP", "s"]))
def test_what_is_shown_is_the_value_to_three_digits_and_more(value: float, unit: str) -> None:
    text = number(value, unit)
    digits, _, scale = text.partition(" ")
    shown = float(digits.replace(",", "")) * SCALES.get(scale.removesuffix("B") or scale, 1.0)
    assert shown == pytest.approx(value, rel=6e-3 if unit == "USD" else 6e-4)


def test_a_table_has_names_units_and_marks_extrapolation(frame: pl.DataFrame, space: Space) -> None:
    lines = render(frame, declare(space, wanted(space)), 3, width=400).splitlines()
    assert lines[0].split() == frame.columns
    assert {"nat", "FLOP", "USD"} <= set(lines[1].split())
    assert sum("extrapolated" in line for line in lines) == sum(not fits for fits in frame["in_fitted_range"][:3])
    assert lines[-1] == f"... {len(frame) - 3} more rows"


@given(st.integers(1, 300))
def test_a_narrow_table_says_what_it_leaves_out(width: int) -> None:
    wide = pl.DataFrame({f"column_{k}": [k, 1000 * k] for k in range(12)} | {"loss_nats": [2.0, 3.0]})
    text = render(wide, width=width, first=["loss_nats"])
    assert "loss_nats" in text.splitlines()[0]
    _, said, left_out = text.partition("not shown for want of width: ")
    shown = text.splitlines()[0].split()
    assert sorted([*shown, *(left_out.split(", ") if said else [])]) == sorted(wide.columns)
    if len(shown) > 1:
        assert max(map(len, text.split("not shown")[0].splitlines())) <= width


def test_a_record_is_one_line_a_value(frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    print_record(frame.head(1))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == frame.columns


def stream(frame: pl.DataFrame) -> pa.RecordBatchReader:
    table = frame.to_arrow()
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("format_", ["csv", "json", "parquet", "xlsx"])
def test_what_was_written_reads_back(tmp_path: Path, format_: str, streamed: bool) -> None:
    path = tmp_path / f"out.{format_}"
    assert write(stream(MIXED) if streamed else MIXED, path) == 3
    words = MIXED.with_columns(pl.col("gpu").cast(pl.String))
    empty = words.with_columns(pl.when(pl.col("loss_nats").is_finite()).then(pl.col("loss_nats")).alias("loss_nats"))
    match format_:
        case "csv":
            assert_frame_equal(pl.read_csv(path), words)
        case "json":
            assert json.loads(path.read_text()) == empty.to_dicts()
        case "parquet":
            assert_frame_equal(pl.read_parquet(path).with_columns(pl.col("gpu").cast(pl.String)), words)
            with duckdb.connect() as connection:  # duckdb/duckdb#25521
                unknown = connection.execute(f"select count(*) from '{path}' where isnan(loss_nats)").fetchall()
            assert unknown == [(1,)]
        case "xlsx":
            assert_frame_equal(read(path), empty.with_columns(pl.col("design_id").cast(pl.String)))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("streamed", [False, True])
def test_text_of_a_workbook_computes_nothing(tmp_path: Path, streamed: bool) -> None:
    """Whatever it begins with: cells, names and meanings come from tables and specs of others."""
    frame = pl.DataFrame({"label": ["=1+1", "{=SUM(A1)}", "https://example.org", "plain"], "x": [1, 2, 3, 4]})
    columns = [Column("x", "int", "=2+2", '=HYPERLINK("https://example.org")', "=3+3")]
    write(stream(frame) if streamed else frame, tmp_path / "out.xlsx", columns=columns)
    assert read(tmp_path / "out.xlsx")["label"].to_list() == frame["label"].to_list()
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any("<f>" in sheet or "<hyperlink" in sheet for sheet in sheets)


def test_infinity_is_no_number_in_json_and_in_a_workbook(tmp_path: Path) -> None:
    infinite = pl.DataFrame({"a": [1.5, math.inf, -math.inf], "b": [1, 2, 3]})
    known = [(1.5, 1), (None, 2), (None, 3)]
    for name in ("out.json", "out.xlsx"):
        write(infinite, tmp_path / name)
    assert json.loads((tmp_path / "out.json").read_text()) == [{"a": a, "b": b} for a, b in known]
    assert read(tmp_path / "out.xlsx").rows() == known


@pytest.mark.parametrize("format_", ["csv", "json", "parquet", "xlsx"])
def test_no_rows_are_written_too(tmp_path: Path, format_: str) -> None:
    assert write(MIXED.head(0), tmp_path / f"out.{format_}") == 0
    assert write(stream(MIXED.head(0)), tmp_path / f"out.{format_}") == 0


def test_json_to_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write(MIXED, None, "json")
    assert len(json.loads(capsysbinary.readouterr().out)) == 3


@pytest.mark.parametrize("format_", ["csv", "json", "parquet", "xlsx"])
def test_a_failure_half_way_leaves_the_old_file(tmp_path: Path, format_: str) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield MIXED.to_arrow().to_batches()[0]
        raise RuntimeError("half way")

    path = tmp_path / f"out.{format_}"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="half way"):
        write(pa.RecordBatchReader.from_batches(MIXED.to_arrow().schema, broken()), path)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="cannot be written: No such file or directory"):
        write(MIXED, tmp_path / "missing" / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SweepError, match="cannot be written"):
        write(MIXED, tmp_path / "folder.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.csv"]


def test_a_format_is_named_or_seen_in_the_name(tmp_path: Path) -> None:
    assert format_of(Path("x.XLSX"), None) == "xlsx"
    assert format_of(Path("x.txt"), "json") == "json"
    with pytest.raises(SweepError, match="does not say a format"):
        write(MIXED, tmp_path / "out.txt")
    with pytest.raises(SweepError, match="name a file"):
        write(MIXED, None, "parquet")


def test_a_workbook_has_a_limit(tmp_path: Path, space: Space) -> None:
    many = pl.DataFrame({"design_id": range(MOST_SHEET_ROWS + 1)})
    for source in (many, many.to_arrow().to_reader()):
        with pytest.raises(SweepError, match="up to 100,000 rows"):
            write(source, tmp_path / "out.xlsx")
    with pytest.raises(SweepError, match="narrow it with --where"):
        export(many, space, tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_the_planning_workbook(tmp_path: Path, space: Space, frame: pl.DataFrame) -> None:
    path = tmp_path / "plan.xlsx"
    export(frame, space, path, ["losses are not comparable"])
    found = read(path)
    assert found.columns == frame.columns
    for name in ("design_id", "params_total", "lifetime_usd", "train_flops"):
        known = [None if math.isnan(value) else value for value in frame[name]]
        assert [None if value is None else pytest.approx(value, rel=1e-15) for value in found[name]] == known
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["designs", "columns", "assumptions"]
    sheet = book["designs"]
    assert list(sheet.tables) == ["designs"]
    assert sheet.freeze_panes == "A2"
    place = frame.columns.index("weight_bytes") + 1
    assert "GB" in sheet.cell(2, place).number_format
    assert "unit: byte" in sheet.cell(1, place).comment.text
    columns = list(book["columns"].values)
    assert columns[0] == ("column", "unit", "meaning", "source")
    assert [row[0] for row in columns[1:]] == frame.columns
    assumptions = list(book["assumptions"].values)
    assert ("note", "losses are not comparable") in assumptions
    assert ("chosen law", "besiroglu_2024") in assumptions
    assert any(what == "default vocab_size" for what, *_ in assumptions)
    export(frame, space, tmp_path / "again.xlsx", ["losses are not comparable"])
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()


def shading(path: Path) -> tuple[str, str, str]:
    """The range and the formula of the one conditional format of the designs, and its colour."""
    (region,) = openpyxl.load_workbook(path)["designs"].conditional_formatting
    (rule,) = region.rules
    return str(region.sqref), rule.formula[0], rule.dxf.fill.bgColor.rgb


def assumptions(path: Path) -> dict[str, str]:
    return dict(openpyxl.load_workbook(path)["assumptions"].values)


def test_a_workbook_shades_what_is_extrapolated(tmp_path: Path, space: Space, frame: pl.DataFrame) -> None:
    """Every data row, by its own mark; the range and the formula are relative to the first of them."""
    path = tmp_path / "plan.xlsx"
    export(frame, space, path)
    place, formula, colour = shading(path)
    assert place == f"A2:{get_column_letter(frame.width)}{len(frame) + 1}"
    mark = get_column_letter(frame.columns.index("in_fitted_range") + 1)
    assert formula == f"AND(ISLOGICAL(${mark}2),NOT(${mark}2))"
    assert colour == "FFFCE4D6"
    sheet = openpyxl.load_workbook(path)["designs"]
    marks = [sheet[f"{mark}{line}"].value for line in range(2, len(frame) + 2)]
    assert marks == frame["in_fitted_range"].to_list()
    assert set(marks) == {True, False}
    assert assumptions(path)["shaded rows"] == "extrapolated: outside the runs that their law was fitted on"


def test_a_table_written_as_a_workbook_is_shaded_too(tmp_path: Path) -> None:
    """Whatever its columns are called; an empty mark, of a row that was not evaluated, is no logical value."""
    write(MIXED, tmp_path / "out.xlsx")
    assert shading(tmp_path / "out.xlsx")[:2] == ("A2:E4", "AND(ISLOGICAL($C2),NOT($C2))")
    assert openpyxl.load_workbook(tmp_path / "out.xlsx")["designs"]["C4"].value is None
    assert list(assumptions(tmp_path / "out.xlsx")) == ["what", "shaded rows"]


@pytest.mark.parametrize("left", [MIXED.drop("in_fitted_range"), MIXED.head(0)])
def test_a_workbook_without_marks_is_not_shaded(tmp_path: Path, left: pl.DataFrame) -> None:
    write(left, tmp_path / "out.xlsx")
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    assert list(book["designs"].conditional_formatting) == []
    assert book.sheetnames == ["designs", "columns"]


MARKS = ("in_fitted_range", "times_outside_fitted_range")


@pytest.mark.parametrize(
    ("lines", "marked"),
    [
        ('columns = ["loss_nats"]', True),
        ('columns = ["loss_nats_p95"]', True),
        ('columns = ["compute_optimal_tokens"]', True),
        ('columns = ["bits_per_char"]', True),
        ('columns = ["params_total"]\n[where]\n"good" = "loss_nats < 2.6"', True),
        ('columns = ["params_total"]\n[frontier]\nminimize = ["excess_loss_nats", "train_usd"]', True),
        ('columns = ["params_total"]\n[metrics]\nmine = "2 * loss_nats"', True),
        ('columns = ["times_outside_fitted_range", "loss_nats"]', True),
        ('columns = ["params_total", "train_usd", "serve_bytes"]', False),
        ('columns = ["params_total"]\n[where]\n"small" = "params_total < 1e12"', False),
        ('columns = ["loss_nats"]\n[fixed]\nloss_nats = 2.0', False),
    ],
)
def test_what_follows_from_a_law_comes_with_both_marks(lines: str, marked: bool) -> None:
    space = loads(f"{lines}\n[axes]\nhidden_size = [1024, 4096]\ntrain_tokens = [1e10, 1e11]\n")
    names = wanted(space)
    assert len(set(names)) == len(names)
    assert [names.count(mark) for mark in MARKS] == [int(marked)] * 2
    assert scan(space).select(names).collect().columns == list(names)


@pytest.mark.parametrize("base", BASES)
def test_every_predicted_figure_leans_on_its_law(base: str) -> None:
    for name in (base, *(f"{base}_p{percent:02d}" for percent in PERCENTS)):
        assert leans_on_law(GRAPH, [name], ())


def test_designs_are_read_from_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    designs = pl.DataFrame({"hidden_size": [1024, 4096], "gpu": ["h100_sxm", None], "train_tokens": [1e10, 1.5e13]})
    for name in ("d.csv", "d.parquet", "d.xlsx"):
        write(designs, tmp_path / name)
        text = designs.cast(pl.String) if name == "d.csv" else designs  # the cells of a CSV stay the text they are
        assert_frame_equal(read(tmp_path / name), text, check_dtypes=False)
    assert read(tmp_path / "d.xlsx")["hidden_size"].dtype == pl.Int64
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "d.csv").read_bytes())))
    assert_frame_equal(read(Path("-")), designs.cast(pl.String))
    assert len(read(None)) == 1


@pytest.mark.parametrize("name", ["missing.csv", "missing.xlsx", "broken.parquet", "broken.xlsx", "what.txt"])
def test_a_table_that_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(SweepError, match=name.replace(".", r"\.")):
        read(tmp_path / name)
