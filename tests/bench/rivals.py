"""Other ways to evaluate all columns of a space, each from the same formulas, each on one thread."""

from tests.bench.arrays import Jax, Numba, NumExpr, NumPy
from tests.bench.job import Job, Rival, shortened
from tests.bench.tables import DuckDB, Joined, Polars, PolarsStreaming

ALL: tuple[type[Rival], ...] = (NumPy, NumExpr, Polars, PolarsStreaming, DuckDB, Jax, Numba)

__all__ = ["ALL", "Job", "Joined", "Rival", "shortened"]
