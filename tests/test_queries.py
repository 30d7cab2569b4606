"""The questions of queries/: each against a plain loop over all designs, its header, and wherever it may be asked."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from sweep import catalogue, opensql
from sweep.database import Database
from sweep.lazyframe import scan
from sweep.querycolumns import THE_AXES
from sweep.queryfile import FIELDS, QueryFile, all_files, load, parse
from sweep.resolve import loads
from sweep.run import write
from sweep.sensitivity import sensitivities
from sweep.space import Space
from tests.query_oracles import ORACLES, Asked, Row

COLUMNS = """
columns = [
    "params_total", "params_active", "loss_nats", "tokens_per_param", "excess_loss_nats", "compute_optimal_tokens",
    "inference_optimal_tokens", "bits_per_char", "train_gpu_hours", "train_usd", "serve_bytes", "min_gpus_to_serve",
    "gpu_usable_bytes", "kv_cache_bytes_per_token", "decode_step_s", "decode_tokens_per_s",
    "serve_usd_per_million_tokens", "lifetime_usd", "num_experts", "vocab_size", "context_tokens", "train_tokens",
]
"""
DENSE = f"""
name = "dense"
{COLUMNS}
[axes]
hidden_size    = [1024, 2048, 4096]
num_layers     = [16, 32, 80]
vocab_size     = [32_000, 128_256]
train_tokens   = {{ log10 = [10, 13], points = 5 }}
context_tokens = [4096, 65_536]
precision      = ["bf16", "int4_g128"]
gpu            = ["v100_sxm2_32", "h100_sxm", "b200_sxm", "mi300x"]
[where]
"fits" = "min_gpus_to_serve <= 8"
"not the smallest of the deep" = "hidden_size > 1024 or num_layers < 80"
"""
MIXED = f"""
name = "mixed"
{COLUMNS}
[axes]
hidden_size  = [1024, 4096]
num_layers   = [16, 32]
num_experts  = [1, 8, 64]
train_tokens = {{ log10 = [10, 13], points = 5 }}
law          = ["besiroglu_2024", "hoffmann_a3_rounded", "gadre_c4"]
precision    = ["bf16", "fp8_e4m3", "nvfp4_w4a16"]
gpu          = ["a100_sxm_80", "h100_sxm", "b200_sxm"]
"""
SPECS = {"dense": DENSE, "mixed": MIXED}
FILES = {file.name: file for file in all_files()}
OF_A_SPACE = ["what_moves_it"]  # which ask a macro that plain tables have not
NAMES = [name for name in FILES if name not in OF_A_SPACE]

# beside the defaults: other ways to ask, for each spec
OTHERS: dict[str, list[dict[str, Any]]] = {
    "beaten_at_equal": [
        {"axis": "precision", "objective": "decode_tokens_per_s", "more_is_better": 1},
        {"axis": "gpu", "objective": "loss_nats"},
    ],
    "best_per": [{"axis": "num_layers", "cost": "train_gpu_hours", "max_loss_nats": 2.4}],
    "best_per_budget": [{"budgets_usd": [2e6, 1e3, 1e3, 5e8]}],
    "break_even": [{"first_id": 40, "second_id": 701}, {"first_id": 40, "second_id": 40}, {"second_id": 10**12}],
    "cheapest_to_reach": [{"cost": "serve_bytes", "losses_nats": [2.5, 2.3, 2.05]}],
    "deep_or_wide": [{"per_parameter": "decode_step_s"}],
    "fits_on": [{"num_gpus": 4}],
    "headroom": [{"max_rows": 5}],
    "largest_at_speed": [{"min_tokens_per_s": 2000.0}],
    "marginal_bests": [{"objective": "decode_tokens_per_s", "more_is_better": 1}, {"objective": "loss_nats"}],
    "moe_at_equal_loss": [{"cost": "train_gpu_hours"}],
    "near_optimal": [
        {"objective": "decode_tokens_per_s", "more_is_better": 1, "within": 0.3},
        {"objective": "params_total", "within": 0.0},
    ],
    "nearest_models": [{"design_id": 701, "max_rows": 7}],
    "never_on_frontier": [{"axis": "precision"}, {"axis": "num_layers", "cost": "serve_usd_per_million_tokens"}],
    "overtraining_pays": [{"max_loss_nats": 2.6, "demands_tokens": [1e12, 3e15]}],
    "price_change": [{"gpu": "b200_sxm", "price_factor": 3.0}],
    "price_of_a_limit": [
        {"limited": "serve_bytes", "limits": [1e9, 4e9, 3e10], "objective": "params_total", "more_is_better": 1}
    ],
    "price_of_the_next_step": [{"step_nats": 0.1, "cost": "train_usd"}],
    "price_of_trust": [{"times_outside": [1.0, 2.0], "max_loss_nats": 2.5, "cost": "train_usd"}],
    "regret_across": [{"axis": "num_layers", "across": "hidden_size", "max_loss_nats": 2.7}],
    "regret_across_budgets": [{"axis": "hidden_size"}],
    "serving_cost": [{"min_params": 3e9}],
    "spread": [{"axis": "hidden_size", "objective": "serve_bytes"}],
    "twins": [{"measured": ["decode_tokens_per_s"]}, {"measured": ["params_total", "serve_bytes"]}],
    "what_matters": [{"objective": "decode_tokens_per_s", "more_is_better": 1}],
    "winner_by_demand": [{"axis": "precision", "max_loss_nats": 2.3}],
}
LAWS = {"regret_across": {"across": "law", "max_loss_nats": 2.4}}  # where law is an axis
EVERYWHERE = {"longest_context": {"model_axis": "hidden_size"}}  # these specs have no axis of models


def asked_of(name: str, spec: str) -> list[dict[str, Any]]:
    """The ways in which a question is asked of a spec."""
    usual = EVERYWHERE.get(name, {})
    found = [usual, *({**usual, **other} for other in OTHERS.get(name, []))]
    return [*found, LAWS[name]] if spec == "mixed" and name in LAWS else found


class Place:
    """A space, its run, its designs as plain rows, and the databases that answer."""

    def __init__(self, text: str, folder: Path) -> None:
        self.space: Space = loads(text)
        write(self.space, folder / "run")
        self.folder = folder / "run"
        self.virtual = Database.open_space(self.space)
        self.kept = Database.open_run(self.folder)
        self.axes = [axis.name for axis in self.space.axes]
        frame = scan(self.space).select(c.name for c in self.kept.columns).collect()
        self.rows: list[Row] = frame.to_dicts()
        self.shuffled = frame.sample(fraction=1.0, shuffle=True, seed=7)
        self.bare = bare_duckdb(opensql.axes(self.kept.columns))

    def in_another_order(self, file: QueryFile, given: dict[str, Any]) -> list[tuple[Any, ...]]:
        """What plain DuckDB answers about the rows in another order, with the columns the header names alone."""
        needed = ["design_id", *file.needs(given), *(self.axes if THE_AXES in file.tables["designs"] else [])]
        self.bare.register("shuffled", self.shuffled.select(n for n in self.shuffled.columns if n in needed).to_arrow())
        self.bare.execute("create or replace view designs as select * from shuffled")
        return plainly(self.bare, file, given)


def bare_duckdb(axes: str) -> duckdb.DuckDBPyConnection:
    """A plain DuckDB with the catalogue and these axes, as its own shell would have them."""
    connection = duckdb.connect()
    connection.execute("\n".join((*map(opensql.table, opensql.CATALOGUE), axes)))
    return connection


def plainly(connection: duckdb.DuckDBPyConnection, file: QueryFile, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a plain connection answers: one statement after the other, as a shell does."""
    for parameter in file.parameters:
        connection.execute(f"reset variable {parameter.name}")
    for name, value in given.items():
        connection.execute(f"set variable {name} = $value", {"value": value})
    rows: list[tuple[Any, ...]] = []
    for statement in connection.extract_statements(file.sql):
        rows = connection.execute(statement.query).fetchall()
    return rows


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    found = {name: Place(text, tmp_path_factory.mktemp(name)) for name, text in SPECS.items()}
    yield found
    for place in found.values():
        place.virtual.close()
        place.kept.close()
        place.bare.close()


def same(found: Any, expected: Any) -> bool:
    """Equal, floats to what another order of the same operations may change."""
    if isinstance(expected, float) and isinstance(found, int | float):
        return (math.isnan(found) and math.isnan(expected)) or math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return bool(found == expected)


def assert_same(found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    for ours, theirs in zip(found, expected, strict=False):
        assert len(ours) == len(theirs), (ours, theirs)
        assert all(same(a, b) for a, b in zip(ours, theirs, strict=True)), f"\n{ours}\n{theirs}"
    assert len(found) == len(expected)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", NAMES)
def test_every_question_agrees_with_a_plain_loop(name: str, spec: str, places: dict[str, Place]) -> None:
    """Over the table that was never written, over the run, and over the header's columns in another order."""
    file, place = FILES[name], places[spec]
    for number, given in enumerate(asked_of(name, spec)):
        expected = list(ORACLES[name](Asked(place.rows, place.axes, {**file.defaults, **given})))
        for database in (place.virtual, place.kept):
            answer = database.ask(file, given).pl()
            assert answer.columns == file.columns(place.axes)
            assert_same(answer.rows(), expected)
        assert_same(place.in_another_order(file, {**file.defaults, **given}), expected)
        assert number or expected, "the defaults answer nothing"


# ---------------------------------------------------------------------------------- designs full of ties and of nan

WORDS = {"gpu": ["h100_sxm", "mi300x", "t4"], "precision": ["bf16", "int4_g128"]}
ALWAYS_KNOWN = ("serve_bytes", "kv_cache_bytes_per_token")
INTS = {"num_layers": [2, 4, 6], "hidden_size": [64, 128], "num_experts": [1, 1, 8], "vocab_size": [10, 20]}


def made_up(rng: np.random.Generator, file: QueryFile, given: dict[str, Any], n: int) -> tuple[list[Row], list[str]]:
    """So many designs with few different values, and the axes of their space."""
    axes = ["gpu", "precision", "num_layers", "hidden_size"]
    ids = rng.permutation(n * 3)[:n]
    data: dict[str, list[Any]] = {"design_id": [int(i) for i in ids]}
    # a space has one design at each place
    cells = rng.permutation(36)[:n] if n <= 36 else np.arange(n) % 36
    for k, axis in enumerate(axes):
        values: list[Any] = [*WORDS.get(axis, []), *INTS.get(axis, [])]
        stride = math.prod(len([*WORDS.get(a, []), *INTS.get(a, [])]) for a in axes[:k])
        data[axis] = [values[int(cell) // stride % len(values)] for cell in cells]
    for name in file.needs({**file.defaults, **given}):
        if name in data:
            continue
        if name in INTS or name == "context_tokens":
            data[name] = [int(v) for v in rng.choice(INTS.get(name, [4096, 8192]), n)]
        elif name.startswith("params"):
            data[name] = [int(v) for v in rng.choice([1e9, 2e9, 3e9, 7e10], n)]
        else:
            scale = {"loss_nats": 0.5, "train_gpu_hours": 1e5, "train_usd": 4e5}.get(name, 1.0)
            values = [*(scale * np.array([1.0, 2.0, 3.0, 4.0, 5.5])), 1.0 if name in ALWAYS_KNOWN else math.nan]
            data[name] = [float(v) for v in rng.choice(values, n)]
    return pl.DataFrame(data).to_dicts(), axes


@pytest.fixture(scope="module")
def bare() -> Iterator[duckdb.DuckDBPyConnection]:
    with bare_duckdb("create table axes (position int, name varchar)") as connection:
        yield connection


@pytest.mark.parametrize("name", NAMES)
def test_ties_and_nan_are_settled_as_the_header_says(name: str, bare: duckdb.DuckDBPyConnection) -> None:
    file = FILES[name]
    rng = np.random.default_rng(NAMES.index(name))
    few = {"budgets_usd": [4e5, 8e5, 3e6], "losses_nats": [0.5, 1.0, 1.7, 3.0], "max_loss_nats": 1.6}
    usual = {k: v for k, v in few.items() if k in file.defaults} | EVERYWHERE.get(name, {})
    usual |= {"max_days": 20.0} if "max_days" in file.defaults else {}
    for n in (60, 60, 60, 12, 6, 3, 2, 2, 1, 1):  # few enough that nothing but nan is left to some
        rows, axes = made_up(rng, file, usual, n)
        bare.register("made", pl.DataFrame(rows).to_arrow())
        bare.execute("create or replace view designs as select * from made; delete from axes")
        bare.executemany("insert into axes values (?, ?)", list(enumerate(axes)))
        expected = list(ORACLES[name](Asked(rows, axes, {**file.defaults, **usual})))
        assert_same(plainly(bare, file, usual), expected)


# ------------------------------------------------------------------------------------------------------ the header


@pytest.mark.parametrize("name", NAMES)
def test_a_header_is_kept(name: str) -> None:
    """The parameters named are those used, the defaults those set, the tables those read, one step a thought."""
    file = FILES[name]
    header = [line for line in file.sql.splitlines() if line.startswith("--")]
    body = "\n".join(line for line in file.sql.splitlines() if not line.startswith("--"))
    assert max(map(len, file.sql.splitlines())) <= 120
    assert [line[3:].split(":")[0] for line in header if re.match(r"-- [A-Z]\w+:", line)][:3] == list(FIELDS[:3])
    assert file.question.endswith("?")
    line = re.compile(r"^set variable (\w+) = coalesce\(getvariable\('\1'\), (.+)\)::(\w+(?:\[\])?);$", re.MULTILINE)
    types = {"number": "double", "whole number": "bigint", "text": "varchar"}
    sets = {name: (default, type_) for name, default, type_ in line.findall(body)}
    assert sets == {p.name: (p.default, types[p.kind] + "[]" * p.is_list) for p in file.parameters}
    used = set(re.findall(r"getvariable\('(\w+)'\)", re.sub(r"^set variable .*$", "", body, flags=re.MULTILINE)))
    assert used - {"axes", "sign"} == {p.name for p in file.parameters} - ({"more_is_better"} & sets.keys())
    assert ("sign" in used) == ("more_is_better" in sets)
    assert ("axes" in used) == ("set variable axes = (select list(name order by position) from axes);" in body)
    assert (THE_AXES in file.tables["designs"]) == ("axes" in used)
    for table in file.tables:
        assert re.search(rf"\b(from|join) {table}\b", body), table
    assert "$" not in body
    assert body.count(";") == len(sets) + len(used & {"axes", "sign"})  # one statement that answers, and no more


def test_a_parameter_has_the_same_default_wherever_it_is_asked_for() -> None:
    """Two questions in one shell: the default that the first has set is that of the second."""
    defaults: dict[str, str] = {}
    for file in FILES.values():
        for parameter in file.parameters:
            assert defaults.setdefault(parameter.name, parameter.default) == parameter.default, file.name


@pytest.mark.parametrize("name", NAMES)
def test_every_column_that_the_header_names_is_needed(name: str, places: dict[str, Place]) -> None:
    file, place = FILES[name], places["dense"]
    given = EVERYWHERE.get(name, {})
    needed = file.needs({**file.defaults, **given})
    known = {column.name: column for column in place.kept.columns}
    for gone in needed:
        left = [n for n in known if n != gone]
        types = {"int": "bigint", "float": "double", "bool": "boolean", "word": "varchar"}
        listed = ", ".join(f'null::{types[known[n].kind]} as "{n}"' for n in left)
        place.bare.execute(f"create or replace view designs as select {listed} where false")
        with pytest.raises(duckdb.BinderException):
            plainly(place.bare, file, given)


def test_a_wrong_header_is_refused() -> None:
    text = load("fits_on").sql
    for old, new, message in (
        ("-- Ties:", "-- Tie:", "no Ties"),
        ("-- Topic:     memory and speed", "-- Topic:     memory", "is no topic"),
        ("$num_gpus = 1, how", "$num_gpus how", r"is not \$name = default, meaning"),
        ("-- Question:", "-- Ties:      none\n-- Question:", "Ties is given twice"),
        ("designs (", "design (", "no columns of designs"),
        ("serve_bytes; one row", "serve_bytes, one row", "is no column"),
    ):
        assert old in text
        with pytest.raises(ValueError, match=message):
            parse("fits_on", text.replace(old, new))


# ------------------------------------------------------------------------------------------- wherever it is asked


def test_open_sql_answers_every_question_in_one_shell(
    places: dict[str, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them one after the other on one connection inside the run folder: nothing leaks from one to the next."""
    place = places["mixed"]
    monkeypatch.chdir(place.folder)
    with duckdb.connect() as connection:
        for statement in connection.extract_statements(Path("open.sql").read_text(encoding="utf-8")):
            connection.execute(statement.query)
        for name, file in FILES.items():
            given = EVERYWHERE.get(name, {})
            for variable, value in given.items():
                connection.execute(f"set variable {variable} = $value", {"value": value})
            rows: list[tuple[Any, ...]] = []
            for statement in connection.extract_statements(file.sql):
                rows = connection.execute(statement.query).fetchall()
            assert_same(rows, place.kept.ask(file, given).pl().rows())


@pytest.mark.parametrize(
    ("spec", "metric", "is_run"),
    [
        ("dense", "lifetime_usd", False),
        ("mixed", "decode_tokens_per_s", True),
        pytest.param("dense", "decode_tokens_per_s", True, marks=pytest.mark.slow),
        pytest.param("mixed", "lifetime_usd", False, marks=pytest.mark.slow),
    ],
)
def test_what_moves_a_number_is_what_its_slopes_say(
    spec: str, metric: str, is_run: bool, places: dict[str, Place]
) -> None:
    """Against the elasticities found in Python, which tests/test_sensitivity.py holds to designs evaluated anew.

    Each metric, spec and kind of database at least once: DuckDB takes seconds to read so many macros.
    """
    place = places[spec]
    file = FILES["what_moves_it"]
    design = next(int(row["design_id"]) for row in place.rows if not math.isnan(row[metric]))
    given = {"metric": metric, "design_id": design}
    slopes = sensitivities(place.space, design, metric).inputs
    expected = {i.input: i.elasticity for i in slopes if i.elasticity and not math.isnan(i.elasticity)}
    assert expected
    answer = (place.kept if is_run else place.virtual).ask(file, given).pl()
    assert answer.columns == file.columns(place.axes)
    assert set(answer["design_id"]) == {design}
    found = dict(zip(answer["input"], answer["elasticity"], strict=True))
    assert found == pytest.approx(expected, rel=1e-9)
    assert answer["elasticity"].abs().is_sorted(descending=True)


def test_what_one_question_sets_no_other_sees(places: dict[str, Place]) -> None:
    database = places["dense"].virtual
    file = FILES["best_per_budget"]
    assert len(database.ask(file, {"budgets_usd": [3e6]}).pl()) == 1
    assert len(database.ask(file).pl()) > 1
    assert len(database.query(file.sql).pl()) > 1  # pasted into `sweep sql`
    left = database.query("select getvariable('budgets_usd') as left_over").pl()
    assert left.item() is None


# ------------------------------------------------------------------- prices: asked anew, and evaluated anew


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_changed_price_is_that_of_a_spec_with_the_price_changed(factor: float) -> None:
    """The cheapest design to each loss, of specs with one GPU each: one at its new price, the others at theirs."""
    prices = {id_: record.values["gpu_usd_per_hour"] for id_, record in catalogue.records("gpu").items()}
    targets = [2.6, 2.3, 2.1]
    file, given = FILES["price_change"], {"gpu": "mi300x", "price_factor": factor, "losses_nats": targets}
    with Database.open_space(loads(DENSE)) as database:
        answer = database.ask(file, given).pl()
    best: dict[float, tuple[float, str]] = {}
    for gpu in ("h100_sxm", "b200_sxm", "mi300x"):
        price = float(prices[gpu]) * (factor if gpu == "mi300x" else 1.0)
        text = re.sub(r"gpu .*= \[.*\]", f'gpu = ["{gpu}"]', DENSE) + f"[fixed]\ngpu_usd_per_hour = {price!r}\n"
        frame = scan(loads(text)).select("loss_nats", "lifetime_usd").collect()
        for target in targets:
            usd = frame.filter((pl.col("loss_nats") <= target) & pl.col("lifetime_usd").is_not_nan())["lifetime_usd"]
            if len(usd):
                best[target] = min(best.get(target, (math.inf, "")), (float(usd.min()), gpu))  # type: ignore[arg-type]
    assert len(answer) == len(best) > 1
    for target, gpu, usd in answer.select("target_nats", "gpu_after", "usd_after").rows():
        assert usd == pytest.approx(best[target][0], rel=1e-12)
        assert gpu == best[target][1]


def test_a_demand_is_that_of_a_spec_with_the_demand_changed() -> None:
    asked = [1e11, 1e14]
    given = {"max_loss_nats": 2.3, "demands_tokens": asked}
    with Database.open_space(loads(DENSE)) as database:
        answer = database.ask(FILES["overtraining_pays"], given).pl()
        even = database.ask(FILES["break_even"], {"max_loss_nats": 2.3}).pl().row(0, named=True)
    demands = [*answer.select("demand_tokens", "design_id", "usd").rows()]
    demands += [
        (even["break_even_tokens"], even[f"{which}_id"], even["break_even_usd"]) for which in ("first", "second")
    ]
    for demand, design_id, usd in demands:
        frame = scan(loads(DENSE + f"[fixed]\ninference_tokens = {demand!r}\n"))
        own = frame.filter(pl.col("design_id") == design_id).select("lifetime_usd").collect().item()
        assert usd == pytest.approx(own, rel=1e-9)
        if demand in asked:
            good = frame.filter((pl.col("loss_nats") <= 2.3) & pl.col("lifetime_usd").is_not_nan())
            assert own == pytest.approx(good.select(pl.col("lifetime_usd").min()).collect().item(), rel=1e-9)
