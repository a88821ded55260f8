"""The largest and the smallest genotypes of a space, as far as its genes have an order."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from .base import Gene, Genotype
from .choice import Choice
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import KIND, Variant
from .vector import Vector


@singledispatch
def extreme(gene: Gene, rng: np.random.Generator, largest: bool) -> Genotype:
    """Draw a genotype whose numbers are all the greatest, or all the least, and whose lists the longest or shortest.

    What has no order is drawn: the struct of a `Variant`, and the option of a `Choice` that is not between numbers.

    Args:
        gene: what is drawn from; of a kind that this does not know it is an ordinary sample.
        rng: draws.
        largest: else the smallest.
    """
    return gene.sample(rng)


@extreme.register
def _(gene: Choice, rng: np.random.Generator, largest: bool) -> Genotype:
    numbers = [option for option in gene.options if type(option) in (int, float)]
    if len(numbers) < len(gene.options):
        return gene.sample(rng)
    return (max if largest else min)(numbers)  # pyright: ignore[reportArgumentType]


@extreme.register
def _(gene: Integer | Real, rng: np.random.Generator, largest: bool) -> Genotype:
    return gene.high if largest else gene.low


@extreme.register
def _(gene: Repeat, rng: np.random.Generator, largest: bool) -> Genotype:
    return [extreme(gene.gene, rng, largest) for _ in range(gene.high if largest else gene.low)]


@extreme.register
def _(gene: Struct, rng: np.random.Generator, largest: bool) -> Genotype:
    return {name: extreme(inner, rng, largest) for name, inner in gene.fields.items()}


@extreme.register
def _(gene: Variant, rng: np.random.Generator, largest: bool) -> Genotype:
    kind = gene.sample(rng)[KIND]
    return {KIND: kind, **extreme(gene.variants[kind], rng, largest)}


@extreme.register
def _(gene: Vector, rng: np.random.Generator, largest: bool) -> Genotype:
    return (gene.high if largest else gene.low).astype(gene.dtype).tolist()
