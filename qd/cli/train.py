"""qd train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .counter import Counter
from .output import note


def train(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER|DIR", help="An export's folder, or a run's (with --id).", show_default=False),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make.", show_default=False)],
    id: Annotated[int | None, typer.Option(metavar="N", help="The candidate, where a run's folder is given.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over all training examples; default: ten times the search's.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="A,B", help="Some of safetensors,onnx,torch,circuit; default: all but the last."
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also model_raw.onnx: raw inputs in, class names or values out.")
    ] = False,
    plugins: Annotated[Path | None, typer.Option(help="Folder of plug-ins, where space or evaluator is one.")] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the model card.")] = "not stated",
) -> None:
    """Train an architecture from its seed for longer, on all training examples, and export the network.

    The epoch that is best on the validation split is kept; the test split is scored once, at the end. Ctrl-C keeps the
    last whole epoch: the same command goes on.

    Example: `qd train best_network --epochs 100 --to final_network`
    """
    from ..exporting.train import train as train_longer

    with Counter("epochs") as progress:
        tested = train_longer(
            source,
            to,
            id=id,
            epochs=epochs,
            device=device,
            formats=formats,
            raw=raw,
            plugins=plugins,
            licence=licence,
            progress=progress,
        )
    note(f"on the test split: {', '.join(f'{name} {value:.4g}' for name, value in tested.items())}")
    note(f"exported to {to}; how to load it: {to / 'README.md'}")
