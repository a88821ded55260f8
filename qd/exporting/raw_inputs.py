"""What the model card says of raw inputs, in the words of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 12
"""Categories of a column that are listed."""

TOKENS = {"characters": "characters", "words": "words in small letters and punctuation marks"}


def describe_inputs(plain: Mapping[str, Any], shape: Sequence[int]) -> str:
    """Return Markdown.

    Args:
        plain: of the preprocessing.
        shape: of one input of the network.
    """
    if plain["kind"] == "table":
        return _table(plain)
    if plain["kind"] == "text":
        return (
            f"Text, of which the {plain['keep']} {plain['steps']:,} tokens count. It is cut into"
            f" {TOKENS.get(plain['tokens'], 'tokens as preprocessing.json says')}; training texts had"
            f" {len(plain['vocabulary']):,} different ones, and others are one."
        )
    size = f"(batch, {', '.join(map(str, shape))})"
    if plain["kind"] == "standardise":
        return (
            f"Numbers {size} as the data set has them. What training examples are on average is taken off, and the rest"
            " divided by how far they scatter; what is missing (NaN) is taken for the average."
        )
    if plain["kind"] == "as_it_is":
        return f"Numbers {size}, which go in as they are."
    return f"As the data set has them; `load.py` makes numbers {size} of them."


def _table(plain: Mapping[str, Any]) -> str:
    rows = []
    for column in plain["columns"]:
        name = column["name"].replace("|", "\\|")
        if column["kind"] == "number":
            rows.append((name, "number", f"{column['mean']:.4g} ± {column['scale']:.3g}", _gap(column)))
            continue
        shown = [f"`{text}`" for text in column["categories"][:SHOWN]]
        more = len(column["categories"]) - len(shown)
        listed = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        others = "others are one category" if column["other"] else "others count as none of them"
        rows.append((name, "category", f"{listed}; {others}".replace("|", "\\|"), _missing_category(column)))
    lines = [("column", "kind", "values", "where it is missing"), ("---",) * 4, *rows]
    tokens = ", ".join(f"`{text}`" for text in plain["missing"] if text)
    return (
        "A row of a table with these columns; others are left out of account.\n\n"
        + "\n".join(f"| {' | '.join(line)} |" for line in lines)
        + f"\n\nMissing is what is empty or one of {tokens}; to the ONNX file NaN, or an empty text."
    )


def _gap(column: Mapping[str, Any]) -> str:
    told = ", and the network is told so" if column["indicator"] else "; never so in training"
    return f"the median, {column['median']:.4g}{told}"


def _missing_category(column: Mapping[str, Any]) -> str:
    return "a category of its own" if column["missing"] else "as any other category; never so in training"
