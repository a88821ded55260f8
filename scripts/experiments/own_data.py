"""Takes data of five kinds the way of a person, and prints what came of it; see scripts/own_data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas

import qd
from evaluators.data import Part
from evaluators.data.reviews import Reviews
from evaluators.data.ucr import UCR


def main() -> int:
    """Write what is missing, search each, print a row for each."""
    parser = argparse.ArgumentParser(prog="scripts/own_data", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2, help="of each search (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="of the verification (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/own_data"), help="folder (default: %(default)s)")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    heads = ("data", "score", "networks", "guess", "linear", "best elite", "verified, test split")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, (write, keys) in JOURNEYS.items():
        print(_journey(given.out, name, write, keys, given.minutes, given.seeds), flush=True)
    return 0


def _journey(
    out: Path,
    name: str,
    write: Callable[[Path], Path],
    keys: Mapping[str, Any],
    minutes: float,
    seeds: int,
) -> str:
    """One row of the table. The folder must hold no run of that name."""
    path = write(out / name)
    file = qd.init(path, **keys, out=out / f"{name}.yaml", minutes=minutes)
    looked = qd.data(file)
    run = qd.run(file, out=out / f"{name}_run")
    best, metric = run.summary()["best"], looked.main
    verification = qd.verify(run.folder.path, top=1, seeds=seeds)
    verified = verification.elites.iloc[0]
    baselines = [one.scores[metric] for one in looked.baselines]
    examples = looked.facts["parts"]["validation"]
    qd.export(run.folder.path, out / f"{name}_network", best=True)
    return (
        f"| {name} | `{metric}`, {examples} examples | {run.count} | {baselines[0]:.3f} | {baselines[-1]:.3f} |"
        f" {best['objective']:.3f}, with {best['metrics']['parameters']:,.0f} parameters |"
        f" {verified['mean']:.3f} ± {verified['spread']:.3f} |"
    )


def breast_cancer(to: Path) -> Path:
    """569 rows of 30 numbers; two classes."""
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer(as_frame=True)
    table = data.frame.assign(diagnosis=data.target_names[data.target]).drop(columns="target")
    table.to_csv(to.with_suffix(".csv"), index=False)
    return to.with_suffix(".csv")


def diabetes(to: Path) -> Path:
    """442 rows of 10 numbers; a value."""
    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes(as_frame=True, scaled=False)
    data.frame.rename(columns={"target": "progression"}).to_csv(to.with_suffix(".csv"), index=False)
    return to.with_suffix(".csv")


def pictures(to: Path) -> Path:
    """1,797 pictures of digits, 8 x 8, in a folder for each class."""
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    for number, (row, label) in enumerate(zip(pixels, labels, strict=True)):
        folder = to / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((row.reshape(8, 8) * 15).astype(np.uint8)).save(folder / f"{number}.png")
    return to


def series(to: Path) -> Path:
    """ItalyPowerDemand of the UCR archive, as an .npz file: a day of 24 hours, two seasons."""
    data = UCR("ItalyPowerDemand")
    splits = data.splits()
    x = {f"x_{part.name.lower()}": splits.part(part).inputs[:] for part in Part if part is not Part.VALIDATION}
    y = {f"y_{part.name.lower()}": splits.part(part).targets for part in Part if part is not Part.VALIDATION}
    np.savez(to.with_suffix(".npz"), **x, **y)  # pyright: ignore[reportArgumentType]
    return to.with_suffix(".npz")


def texts(to: Path) -> Path:
    """5,000 reviews of food, good or not."""
    found = Reviews().open()
    table = pandas.DataFrame({"review": found.texts, "opinion": found.labels})
    table.to_csv(to.with_suffix(".csv"), index=False)
    return to.with_suffix(".csv")


JOURNEYS: dict[str, tuple[Callable[[Path], Path], Mapping[str, Any]]] = {
    "breast_cancer": (breast_cancer, {"target": "diagnosis"}),
    "diabetes": (diabetes, {"target": "progression"}),
    "pictures": (pictures, {}),
    "series": (series, {}),
    "reviews": (texts, {"kind": "text", "target": "opinion", "keys": ("text=review",)}),
}
"""{name: what writes its files, and what `qd.init` is told}."""


if __name__ == "__main__":
    sys.exit(main())
