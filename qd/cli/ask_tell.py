"""qd ask-tell."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import QdError, UsageError, suggest

if TYPE_CHECKING:
    from ..search.ask_tell import AskTell


def ask_tell(
    path: Annotated[
        Path, typer.Argument(metavar="RUNFILE", help="The run file (YAML); or a run's folder.", show_default=False)
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Keys to change: budget.evaluations=50", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new run's folder; default: the first free results/RUNFILE-NNN.")
    ] = None,
    plugins: Annotated[
        Path | None, typer.Option(help="Folder of plug-ins named my_file:MyClass; default: the run file's.")
    ] = None,
) -> None:
    """Let a program in any language own the loop: requests on stdin and answers on stdout, one JSON object a line.

    `{"ask": 8}`, `{"tell": [{"evaluation": 1, "metrics": {"score": 0.5}}]}`, `{"propose": GENOTYPE}`, `{"show": true}`,
    `{"close": true}`. What was told is safe, whatever happens to the program; a wrong request is answered by
    `{"error": "..."}`, and changes nothing.

    Example: `qd ask-tell run.yaml --out results/mine`
    """
    from ..runs.open_search import open_search

    with open_search(path, out=out, plugins=plugins, overrides=overrides or ()) as search:
        for line in sys.stdin:
            if not line.strip():
                continue
            answer = _answer(search, line)
            print(json.dumps(answer, allow_nan=False), flush=True)
            if "closed" in answer:
                return


def _answer(search: AskTell, line: str) -> dict[str, Any]:
    try:
        return _carry_out(search, line)
    except UsageError as error:
        return {"error": str(error)}
    except QdError as error:  # such as a full disk: what follows would fail as well
        print(json.dumps({"error": str(error)}), flush=True)
        raise


def _carry_out(search: AskTell, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise UsageError(f'expected one JSON object a line, such as {{"ask": 8}}: {error}') from None
    verbs = [key for key in request if key in VERBS] if isinstance(request, dict) else []
    if len(verbs) != 1:
        near = suggest(str(next(iter(request), "")), list(VERBS)) if isinstance(request, dict) else ""
        raise UsageError(f"expected an object with one of the keys {', '.join(VERBS)}, got {line.strip()[:200]}{near}")
    verb = verbs[0]
    allowed = {"fidelity"} if verb in ("ask", "propose") else set()
    for key in request.keys() - {verb} - allowed:
        raise UsageError(f"{verb}: unknown key {key!r}{suggest(key, sorted(allowed))}")
    rest = {key: request[key] for key in request.keys() & allowed}
    return VERBS[verb](search, request[verb], **rest)


def _ask(search: AskTell, n: Any, **fidelity: Any) -> dict[str, Any]:
    found = search.ask(n, **fidelity)
    return {
        "candidates": [dataclasses.asdict(one) for one in found],
        "ending": search.ending.value if search.ending and len(found) < n else None,
    }


def _tell(search: AskTell, rows: Any) -> dict[str, Any]:
    from ..search.ask_tell import Outcome

    if not isinstance(rows, list):
        raise UsageError(f'tell: expected a list of {{"evaluation": …, "metrics": {{…}}}}, got {rows!r}')
    outcomes = [field.name for field in dataclasses.fields(Outcome)]
    candidates, results = [], []
    for index, row in enumerate(rows):
        named = [key for key in ("evaluation", "genotype") if isinstance(row, dict) and key in row]
        if len(named) != 1:
            raise UsageError(f"tell[{index}]: expected the key evaluation, or genotype of what nobody asked for")
        result = {key: value for key, value in row.items() if key != named[0]}
        for key in result:
            if key not in outcomes:
                raise UsageError(f"tell[{index}]: unknown key {key!r}{suggest(key, [*named, *outcomes])}")
        if named == ["genotype"] and not isinstance(row["genotype"], (dict, list)):
            raise UsageError(f"tell[{index}].genotype: expected an object or a list, got {row['genotype']!r}")
        candidates.append(row[named[0]])
        results.append(Outcome(**result))
    return {"told": [dataclasses.asdict(one) for one in search.tell(candidates, results)]}


def _propose(search: AskTell, genotype: Any, **fidelity: Any) -> dict[str, Any]:
    found = search.propose(genotype, **fidelity)
    return {"candidate": dataclasses.asdict(found) if found else None}


def _show(search: AskTell, _: Any) -> dict[str, Any]:
    archive, best = search.archive, search.archive.best
    return {
        "folder": str(search.folder),
        "metrics": {
            name: {
                "unit": one.unit,
                "low": one.low if math.isfinite(one.low) else None,
                "high": one.high if math.isfinite(one.high) else None,
                "direction": one.direction,
            }
            for name, one in search.metrics.items()
        },
        "evaluations": search.evaluations,
        "under_way": [one.evaluation for one in search.under_way],
        "elites": len(archive),
        "coverage": archive.coverage,
        "qd_score": archive.qd_score,
        "best": {"candidate": best.candidate, "objective": best.objective, "genotype": best.genotype} if best else None,
    }


def _close(search: AskTell, _: Any) -> dict[str, Any]:
    search.close()
    return {"closed": str(search.folder)}


VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "ask": _ask,
    "tell": _tell,
    "propose": _propose,
    "show": _show,
    "close": _close,
}
