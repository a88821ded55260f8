"""The small language in which a search space describes its genotypes.

A genotype is plain data (numbers, strings, lists, dicts) and nothing else; a gene says which plain data is allowed.
Sampling, mutation, crossover, validation, JSON and the readable form follow from the declaration, once, for all
spaces.

    genes = Struct(
        width=Choice(16, 32, 64),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Integer(8, 128, log=True)),
                moe=Struct(experts=Repeat(Integer(8, 64, log=True), 2, 8), top_k=Integer(1, 2)),
            ),
            1,
            6,
        ),
    )

The value of a `Struct` is a dict, of a `Repeat` a list, of a `Variant` the dict of the chosen struct with one more
entry, `kind`. All randomness comes from the `numpy.random.Generator` that is passed in.
"""

from .base import Gene, Genotype, Invalid, to_json
from .choice import Choice
from .columns import Genotypes, copy_tree
from .integer import Integer
from .real import Real
from .repeat import Repeat
from .struct import Struct
from .variant import KIND, Variant
from .vector import Vector

__all__ = [
    "KIND",
    "Choice",
    "Gene",
    "Genotype",
    "Genotypes",
    "Integer",
    "Invalid",
    "Real",
    "Repeat",
    "Struct",
    "Variant",
    "Vector",
    "copy_tree",
    "to_json",
]
