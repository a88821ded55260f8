"""Genes: what holds for all that can be declared, then what each kind promises."""

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces import Choice, Gene, Genotype, Integer, Invalid, Real, Repeat, Struct, Variant
from search_spaces.genes import copy_tree, to_json

NAMES = st.sampled_from(["width", "x", "top_k", "order", "größe"])
SEEDS = st.integers(0, 2**32 - 1)

LAYERS = Struct(
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


@st.composite
def integers(draw: st.DrawFn) -> Integer:
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -1000, 1000))
    return Integer(low, low + draw(st.integers(0, 10_000)), log)


@st.composite
def reals(draw: st.DrawFn) -> Real:
    log = draw(st.booleans())
    low = draw(st.floats(1e-300 if log else -1e300, 1e300))
    return Real(low, low + abs(low) * draw(st.floats(1e-3, 1e3)) + 1e-3, log)


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    option = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return Choice(*draw(st.lists(option, min_size=1, max_size=4, unique=True)))


def structs(inner: st.SearchStrategy[Gene]) -> st.SearchStrategy[Struct]:
    return st.dictionaries(NAMES, inner, max_size=3).map(lambda fields: Struct(**fields))


@st.composite
def repeats(draw: st.DrawFn, inner: st.SearchStrategy[Gene]) -> Repeat:
    low = draw(st.integers(0, 3))
    return Repeat(draw(inner), low, low + draw(st.integers(0, 3)))


def variants(inner: st.SearchStrategy[Gene]) -> st.SearchStrategy[Variant]:
    named = st.dictionaries(st.sampled_from(["dense", "moe", "kind"]), structs(inner), min_size=1, max_size=3)
    return named.map(lambda structs: Variant(**structs))


GENES: st.SearchStrategy[Gene] = st.recursive(
    integers() | reals() | choices(),
    lambda inner: repeats(inner) | structs(inner) | variants(inner),
    max_leaves=6,
)


def allows_one_value(gene: Gene) -> bool:
    match gene:
        case Choice():
            return len(gene.options) == 1
        case Integer():
            return gene.low == gene.high
        case Repeat():
            return gene.low == gene.high and (gene.low == 0 or allows_one_value(gene.gene))
        case Struct():
            return all(map(allows_one_value, gene.fields.values()))
        case Variant():
            return len(gene.variants) == 1 and all(map(allows_one_value, gene.variants.values()))
        case _:
            return False


def all_values(gene: Gene) -> Iterator[Genotype]:
    match gene:
        case Choice():
            yield from gene.options
        case Integer():
            yield from range(gene.low, gene.high + 1)
        case Repeat():
            for size in range(gene.low, gene.high + 1):
                yield from map(list, itertools.product(all_values(gene.gene), repeat=size))
        case Struct():
            for values in itertools.product(*map(all_values, gene.fields.values())):
                yield dict(zip(gene.fields, values, strict=True))
        case Variant():
            for kind, struct in gene.variants.items():
                for value in all_values(struct):
                    yield {"kind": kind, **value}


def same_values(values: Iterator[Genotype], expected: Gene) -> bool:
    return {to_json(value) for value in values} == {to_json(value) for value in all_values(expected)}


# ------------------------------------------------- whatever is declared


@given(GENES, SEEDS)
@example(LAYERS, 0)
def test_all_that_variation_yields_is_valid_and_leaves_parents_alone(gene: Gene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = gene.sample(rng), gene.sample(rng)
    before = to_json([a, b])
    for value in (a, b, gene.mutate(a, rng), gene.crossover(a, b, rng), gene.mutate(gene.crossover(a, b, rng), rng)):
        gene.validate(value)
    assert to_json([a, b]) == before


@given(GENES, SEEDS)
@example(LAYERS, 0)
def test_children_share_no_container_with_their_parents(gene: Gene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = gene.sample(rng), gene.sample(rng)
    before = to_json([a, b])
    for child in (gene.mutate(a, rng), gene.crossover(a, b, rng), copy_tree(a)):
        overwrite(child)
    assert to_json([a, b]) == before


def overwrite(value: Genotype) -> None:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            overwrite(item)
        value.clear()


@given(GENES, SEEDS)
@example(Repeat(Choice("a"), 0, 0), 0)
@example(Struct(), 0)
def test_mutation_changes_something_wherever_it_can(gene: Gene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = gene.sample(rng)
    assert (to_json(gene.mutate(value, rng)) == to_json(value)) == allows_one_value(gene)


@given(GENES, SEEDS)
@example(LAYERS, 0)
def test_values_survive_json(gene: Gene, seed: int) -> None:
    value = gene.sample(np.random.default_rng(seed))
    text = to_json(value)
    back = json.loads(text)
    gene.validate(back)
    assert back == value
    assert to_json(back) == text
    assert gene.readable(back) == gene.readable(value)
    assert len(gene.readable(value).splitlines()) <= 1


@given(GENES, SEEDS)
def test_equal_generators_give_equal_values(gene: Gene, seed: int) -> None:
    def draw() -> str:
        rng = np.random.default_rng(seed)
        a, b = gene.sample(rng), gene.sample(rng)
        return to_json([a, b, gene.mutate(a, rng), gene.crossover(a, b, rng)])

    assert draw() == draw()


SMALL = [
    Choice("a", True, 2, 3.5, None),
    Integer(-2, 2),
    Integer(1, 9, log=True),
    Repeat(Choice(0, 1), 0, 3),
    Variant(a=Struct(x=Integer(0, 1)), b=Struct(x=Integer(1, 2), y=Choice("u", "v"))),
    Struct(a=Choice(0, 1), inner=Struct(b=Integer(0, 2))),
]


@pytest.mark.parametrize("gene", SMALL, ids=repr)
def test_sampling_reaches_every_value(gene: Gene) -> None:
    rng = np.random.default_rng(0)
    assert same_values((gene.sample(rng) for _ in range(500)), gene)


@pytest.mark.parametrize("gene", SMALL, ids=repr)
def test_mutation_reaches_every_value_in_the_end(gene: Gene) -> None:
    rng = np.random.default_rng(0)
    walk = itertools.accumulate(range(2000), lambda value, _: gene.mutate(value, rng), initial=gene.sample(rng))
    assert same_values(walk, gene)


@pytest.mark.parametrize("gene", SMALL, ids=repr)
def test_what_is_not_declared_is_refused(gene: Gene) -> None:
    allowed = {to_json(value) for value in all_values(gene)}
    for other in SMALL:
        for value in all_values(other):
            if to_json(value) not in allowed:
                with pytest.raises(Invalid, match=r"expected|unknown entry|is missing"):
                    gene.validate(value)


# ------------------------------------------------- refusals name the place

GENOTYPE = {
    "width": 32,
    "layers": [
        {"kind": "dense", "hidden": 8},
        {"kind": "dense", "hidden": 128},
        {"kind": "moe", "experts": [8, 64], "top_k": 1},
    ],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["layers"][2].update(top_k=3), "layers[2].top_k: expected an integer in [1, 2], got 3"),
        (lambda g: g["layers"][2].update(top_k=True), "layers[2].top_k: expected an integer in [1, 2], got True"),
        (lambda g: g["layers"][2].update(top_k=1.0), "layers[2].top_k: expected an integer in [1, 2], got 1.0"),
        (lambda g: g["layers"][2]["experts"].append(7), "layers[2].experts[2]: expected an integer in [8, 64], got 7"),
        (lambda g: g["layers"][2]["experts"].pop(), "layers[2].experts: expected 2 to 8 entries, got 1"),
        (lambda g: g["layers"][2].update(experts=8), "layers[2].experts: expected a list, got 8"),
        (lambda g: g["layers"][1].update(kind="conv"), "layers[1].kind: expected one of 'dense', 'moe', got 'conv'"),
        (lambda g: g["layers"][1].update(kind=[]), "layers[1].kind: expected one of 'dense', 'moe', got []"),
        (lambda g: g["layers"][1].pop("kind"), "layers[1]: expected an object with 'kind', got {'hidden': 128}"),
        (lambda g: g["layers"][1].pop("hidden"), "layers[1]: entry 'hidden' is missing"),
        (lambda g: g["layers"][0].update(top_k=1), "layers[0]: unknown entry 'top_k'; expected hidden"),
        (lambda g: g.update(width=33), "width: expected one of 16, 32, 64, got 33"),
        (lambda g: g.update(width=32.0), "width: expected one of 16, 32, 64, got 32.0"),
        (lambda g: g.update(depth=1), "unknown entry 'depth'; expected width, layers"),
        (lambda g: g.pop("width"), "entry 'width' is missing"),
    ],
)
def test_a_refusal_names_the_place(change, message: str) -> None:
    genotype = copy_tree(GENOTYPE)
    LAYERS.validate(genotype)
    change(genotype)
    with pytest.raises(Invalid, match=f"^{re.escape(message)}$"):
        LAYERS.validate(genotype)


@pytest.mark.parametrize(
    ("gene", "value", "message"),
    [
        (Integer(0, 1), True, "expected an integer in [0, 1], got True"),
        (Real(0, 1), 1, "expected a real number in [0, 1], got 1"),
        (Real(0, 1), math.nan, "expected a real number in [0, 1], got nan"),
        (Real(0, 1), 1.5, "expected a real number in [0, 1], got 1.5"),
        (Choice(True, False), 1, "expected one of True, False, got 1"),
        (Struct(), [], "expected an object with no entries, got []"),
        (Struct(), {"x": 1}, "unknown entry 'x'; expected none"),
    ],
    ids=repr,
)
def test_a_refusal_at_the_root_has_no_path(gene: Gene, value: Genotype, message: str) -> None:
    with pytest.raises(Invalid, match=f"^{re.escape(message)}$"):
        gene.validate(value)


@pytest.mark.parametrize(
    ("declaration", "error", "message"),
    [
        ("Choice()", ValueError, "at least one option"),
        ('Choice("a", "b", "a")', ValueError, "two options are equal"),
        ("Choice(1, True)", ValueError, "two options are equal"),
        ("Choice(1.0, math.nan)", ValueError, "a number is finite, got nan"),
        ("Choice([1])", TypeError, r"a string, a number, a boolean or None, got \[1\]"),
        ("Choice(np.float64(1))", TypeError, "a string, a number, a boolean or None, got np.float64"),
        ("Integer(3, 2)", ValueError, "expected low <= high, got 3 > 2"),
        ("Integer(0, 2, log=True)", ValueError, "starts at 1 or more, got 0"),
        ("Integer(0, 2.5)", TypeError, "low and high are integers, got 2.5"),
        ("Real(1, 1)", ValueError, "expected finite low < high, got 1.0 and 1.0"),
        ("Real(0, math.inf)", ValueError, "expected finite low < high, got 0.0 and inf"),
        ("Real(math.nan, 1)", ValueError, "expected finite low < high, got nan and 1.0"),
        ("Real(0, 1, log=True)", ValueError, "starts above 0, got 0.0"),
        ("Repeat(Choice(1), 2, 1)", ValueError, "expected 0 <= low <= high, got 2 and 1"),
        ("Repeat(Choice(1), -1, 1)", ValueError, "expected 0 <= low <= high, got -1 and 1"),
        ('Repeat(Choice(1), 0, "9")', TypeError, "low and high are integers, got '9'"),
        ("Repeat(Choice, 0, 1)", TypeError, "Repeat: expected a gene .*, got <class"),
        ("Struct(x=3)", TypeError, r"Struct\(x=...\): expected a gene .*, got 3"),
        ("Variant()", ValueError, "at least one named Struct"),
        ("Variant(a=Choice(1))", TypeError, r"expected a Struct, got Choice\(1\); write a=Struct"),
        ("Variant(a=Struct(kind=Choice(1)))", ValueError, "'kind' is taken by the variant's own name"),
    ],
)
def test_bad_declarations_are_refused(declaration: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        eval(declaration)


def test_readable_form() -> None:
    assert LAYERS.readable(GENOTYPE) == (
        "width=32 layers=[dense(hidden=8), dense(hidden=128), moe(experts=[8, 64], top_k=1)]"
    )
    assert Struct(a=Struct(b=Real(0, 1)), c=Choice(None)).readable({"a": {"b": 0.123456}, "c": None}) == (
        "a=(b=0.1235) c=None"
    )


def test_declarations_are_shown_as_they_are_written() -> None:
    everything = Struct(
        a=Variant(b=Struct(c=Repeat(Real(0, 1.5), 0, 2))), d=Choice("x", None), e=Integer(1, 9, log=True)
    )
    assert eval(repr(everything)).__repr__() == repr(everything)


# ------------------------------------------------- each kind's own step


@pytest.mark.parametrize(
    ("gene", "middle"),
    [
        (Integer(8, 512, log=True), 64),
        (Real(1e-4, 1.0, log=True), 1e-2),
        (Integer(0, 1000), 500),
        (Real(-1, 3), 1.0),
    ],
    ids=repr,
)
def test_half_of_the_samples_lie_below_the_middle_of_the_scale(gene: Gene, middle: float) -> None:
    rng = np.random.default_rng(0)
    assert np.mean([gene.sample(rng) < middle for _ in range(2000)]) == pytest.approx(0.5, abs=0.04)


def test_steps_of_a_logarithmic_gene_grow_with_the_value() -> None:
    rng = np.random.default_rng(0)
    gene = Integer(1, 10_000, log=True)
    near_10, near_1000 = (np.std([gene.step(value, rng) for _ in range(500)]) for value in (10, 1000))
    assert near_1000 / near_10 == pytest.approx(100, rel=0.5)


@given(integers(), SEEDS)
def test_an_integer_moves_by_at_least_one(gene: Integer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for value in (gene.low, gene.high, gene.sample(rng)):
        assert (gene.step(value, rng) != value) == (gene.low < gene.high)


def test_a_list_is_lengthened_shortened_and_reordered() -> None:
    rng = np.random.default_rng(0)
    gene, parent = Repeat(Integer(0, 10**9), 1, 8), [1, 2, 3, 4]
    seen: Counter[str] = Counter()
    places: set[tuple] = set()
    for _ in range(400):
        child = gene.step(parent, rng)
        fresh = [item for item in child if item not in parent]
        if fresh:
            index = child.index(fresh[0])
            assert child[:index] + child[index + 1 :] == parent
            places.add(("insert", index))
            seen["insert"] += 1
        elif len(child) == 5:
            assert child in [sorted([*parent, item]) for item in parent]
            seen["duplicate"] += 1
        elif len(child) == 3:
            assert child == sorted(child)
            seen["delete"] += 1
        else:
            moved = [index for index in range(4) if parent[index] != child[index]]
            assert len(moved) == 2
            assert sorted(child) == parent
            places.add(("swap", *moved))
            seen["swap"] += 1
    assert set(seen) == {"insert", "duplicate", "delete", "swap"}
    assert min(seen.values()) > 60  # uniform would be 100
    assert places == {("insert", i) for i in range(5)} | {("swap", i, j) for i in range(4) for j in range(i + 1, 4)}


@pytest.mark.parametrize(
    ("gene", "value", "sizes"),
    [
        (Repeat(Choice(0, 1), 2, 4), [0, 0], {3}),
        (Repeat(Choice(0, 1), 2, 4), [0, 1, 0, 1], {3, 4}),
        (Repeat(Choice(0, 1), 0, 2), [], {1}),
        (Repeat(Choice(0, 1), 3, 3), [0, 1, 1], {3}),
    ],
)
def test_a_list_keeps_to_its_bounds(gene: Repeat, value: list, sizes: set[int]) -> None:
    rng = np.random.default_rng(0)
    assert {len(gene.step(value, rng)) for _ in range(100)} == sizes


def test_switching_a_variant_keeps_what_both_share() -> None:
    rng = np.random.default_rng(0)
    gene = Variant(
        a=Struct(x=Integer(0, 10**9), inner=Repeat(Integer(0, 10**9), 0, 4), only_a=Choice(1, 2)),
        b=Struct(x=Integer(0, 10**9), inner=Repeat(Integer(0, 10**9), 0, 4), only_b=Choice(1, 2)),
        small=Struct(x=Integer(0, 3)),
    )
    value = {"kind": "a", "x": 123_456_789, "inner": [5, 6], "only_a": 2}
    switched = {child["kind"]: child for child in (gene.step(value, rng) for _ in range(50))}
    assert set(switched) == {"b", "small"}
    assert switched["b"]["x"] == 123_456_789
    assert switched["b"]["inner"] == [5, 6]
    assert 0 <= switched["small"]["x"] <= 3  # 123,456,789 is not allowed there
    for child in switched.values():
        gene.validate(child)


def test_crossover_combines_aligned_parts() -> None:
    rng = np.random.default_rng(0)
    gene = Repeat(Struct(x=Integer(0, 99), y=Integer(0, 99)), 1, 4)
    a = [{"x": i, "y": 10 + i} for i in range(2)]
    b = [{"x": 50 + i, "y": 60 + i} for i in range(4)]
    children = [gene.crossover(a, b, rng) for _ in range(400)]
    assert {len(child) for child in children} == {2, 4}
    for child in children:
        for index, item in enumerate(child):
            for name, value in item.items():
                assert value in {parent[index][name] for parent in (a, b) if index < len(parent)}
    heads = {to_json(child[:2]) for child in children}
    assert len(heads) == 2**4  # every field comes from either parent, independently


def test_crossover_of_different_variants_takes_one_of_them() -> None:
    rng = np.random.default_rng(0)
    gene = Variant(a=Struct(x=Integer(0, 9)), b=Struct(x=Integer(0, 9)))
    a, b = {"kind": "a", "x": 1}, {"kind": "b", "x": 2}
    children = [gene.crossover(a, b, rng) for _ in range(50)]
    assert a in children
    assert b in children
    assert all(child in (a, b) for child in children)


def test_canonical_json_is_sorted_and_refuses_nan() -> None:
    assert to_json({"b": [1, 2.5, None], "a": True}) == '{"a":true,"b":[1,2.5,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"x": math.nan})
