"""`qd import`: architectures that were found before seed a new search."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search_spaces import Genotype, Invalid
from search_spaces.genes import to_json
from search_spaces.genes.complete import complete

from ..analysis.run import open_run
from ..config import load, parse
from ..errors import UsageError
from ..exporting.architecture import FILE, Architecture
from ..plain_data import dump_yaml, read_text
from ..registry import Registry
from ..store.folder import write_atomically

logger = logging.getLogger(__name__)

KEY = "imported"


@dataclass
class Imported:
    """What came of an import.

    Args:
        added: genotypes that the run file has now and had not before.
        known: how many it had already.
        refused: what the space does not allow, with the reason.
    """

    added: list[Genotype] = field(default_factory=list)
    known: int = 0
    refused: list[str] = field(default_factory=list)


def import_into(
    run_file: Path | str,
    sources: Sequence[Path | str],
    *,
    plugins: Path | str | None = None,
) -> Imported:
    """Add architectures to a run file; a search with it proposes them first.

    Genes that the run file's space has and an architecture lacks take their defaults, which is said. The rest of the
    file stays as it is, comments too.

    Args:
        run_file: is rewritten.
        sources: folders of `qd export`, folders of such folders, or run folders, whose elites are taken.
        plugins: where the run file's space lies, where it is a plug-in; default: beside the run file.

    Raises:
        UsageError: bad input, or nothing that the space allows; the run file is unchanged.
    """
    run_file = Path(run_file)
    folder = Path(plugins) if plugins else run_file.resolve().parent
    registry = Registry(folder)
    config = load(run_file, kinds=registry)
    space = registry.build("spaces", config.space.kind, config.space.arguments, "space")
    registry.mention()
    known = {to_json(genotype) for genotype in config.imported}
    result = Imported()
    for source in map(Path, sources):
        for name, kind, genotype in _genotypes(source):
            if kind != config.space.kind:
                logger.info(f"{name}: of the space {kind}, taken into {config.space.kind}")
            completed, filled = complete(space.genes, genotype)
            try:
                space.genes.validate(completed)
            except Invalid as error:
                result.refused.append(f"{name}: {error}")
                continue
            if filled:
                logger.info(f"{name}: missing genes take their defaults: {', '.join(filled)}")
            if to_json(completed) in known:
                result.known += 1
                continue
            known.add(to_json(completed))
            result.added.append(completed)
    for line in result.refused:
        logger.info(f"refused: {line}")
    if not result.added and not result.known:
        raise UsageError(f"{run_file}: its space allows none of what was to be imported; the file is unchanged")
    if result.added:
        write_atomically(run_file, _with_genotypes(run_file, [*config.imported, *result.added]).encode())
    return result


def _genotypes(source: Path) -> Iterator[tuple[str, str, Genotype]]:
    """(name, kind of its space, genotype) of all that a folder holds."""
    if (source / FILE).is_file():
        architecture = Architecture.read(source)
        yield str(source), architecture.space["kind"], architecture.genotype
        return
    inside = sorted(path.parent for path in source.glob(f"*/{FILE}"))
    if inside:
        for folder in inside:
            yield from _genotypes(folder)
        return
    if not (source / "log.sqlite").is_file():
        raise UsageError(f"{source}: expected an export ({FILE} in it), a folder of exports, or a run's folder")
    run = open_run(source)
    for row in run.elites().to_dict("records"):
        yield f"{source} {row['id']}", run.config.space.kind, row["genotype"]


def _with_genotypes(path: Path, genotypes: Sequence[Genotype]) -> str:
    """The run file's text with its block `imported` replaced, or added at the end."""
    lines = read_text(path).rstrip("\n").split("\n")
    start = next((index for index, line in enumerate(lines) if re.match(rf"{KEY}\s*:", line)), len(lines))
    stop = start + 1
    while stop < len(lines) and (not lines[stop].strip() or lines[stop][0] in " -\t#"):
        stop += 1
    block = [f"{KEY}:  # written by qd import; the search proposes these first"]
    block += [f"  - {dump_yaml(genotype, one_line=True).strip()}" for genotype in genotypes]
    text = "\n".join([*lines[:start], *block, *lines[stop:]]) + "\n"
    if parse(text, str(path)).get(KEY) != list(genotypes):
        raise UsageError(f"{path}: the key `{KEY}` is written in a way that cannot be replaced; take it out first")
    return text
