"""Toys: small real plug-ins that tests share, each a file that a stranger could have written.

`copy_toy` puts one into a folder, where a run file names it as it names any plug-in:

    copy_toy("table", tmp_path)            # space: {kind: "table:Space"}, evaluator: {kind: "table:Table"}

| file       | what is in it                                                                         |
|------------|---------------------------------------------------------------------------------------|
| `table`    | a space of three genes, an evaluator that looks numbers up, one that gives weights too |
| `vectors`  | a space of vectors and one of trees, and an evaluator that sums a batch in one go      |
| `networks` | a space of small perceptrons, to be trained in milliseconds                            |
| `modules`  | modules of a shelf, one of them with genes that it cannot be built of                 |
| `free`     | evaluators that cost nothing, or sleep: for benchmarks of the engine                   |
| `climber`  | an emitter that mutates the best elite                                                 |
| `stripes`  | a data set that is computed                                                            |
| `rings`    | an archive of rings, and an executor that evaluates the last batch first               |
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """All toys."""
    return sorted(path.stem for path in HERE.glob("[a-z]*.py"))


def copy_toy(name: str, folder: Path, module: str | None = None) -> Path:
    """Copy a toy into a folder as a plug-in; returns its file.

    Args:
        name: of the toy.
        folder: where run files look for it.
        module: what the file is called there, without `.py`; default: as the toy. Python imports a module once in a
            process, so that two plug-ins that are to differ need different names.
    """
    path = folder / f"{module or name}.py"
    path.write_text(source(name))
    return path


def source(name: str) -> str:
    """The text of a toy."""
    path = HERE / f"{name}.py"
    if name not in names():
        raise ValueError(f"there is no toy {name!r}; known: {', '.join(names())}")
    return path.read_text()
