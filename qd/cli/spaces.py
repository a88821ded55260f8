"""qd spaces."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from .output import stdout


def spaces() -> None:
    """List the search spaces that a run file may name, with their genes; `qd modules` has those of modules.

    Example: `qd spaces`
    """
    from search_spaces import Struct

    from ..runs.listing import in_words
    from ..runs.listing import spaces as find

    table = Table(box=None, pad_edge=False)
    for name in ("space", "gene", "values"):
        table.add_column(name, no_wrap=name != "values")
    for name, genes in find().items():
        fields = genes.fields if isinstance(genes, Struct) else {"": genes}
        for place, (field, gene) in enumerate(fields.items()):
            table.add_row("" if place else name, field, escape(in_words(gene)), end_section=place == len(fields) - 1)
    stdout().print(table)
