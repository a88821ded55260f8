from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qd.exporting.formats import FORMATS
from qd.metrics.active_parameters import active_parameters
from qd.metrics.macs import macs
from qd.metrics.parameters import parameters
from qd.metrics.routing import predict
from qd.metrics.uses import uses_of
from qd.testing import SpaceConformance
from qd.training import TrainingOptions, build_seeded, train_alone
from qd.training.inputs import draw_inputs, draw_targets
from search_spaces import Genotype, Task
from search_spaces.routed import Routed
from search_spaces.routed.network import RATE, RoutedNetwork, Step
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.base import Port, ShelfModule
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.identity import Identity
from search_spaces.task import Classes, NextToken, Series, Tokens

NEXT = Task(Tokens(9, 7), NextToken(7))
SERIES = Task(Series(12, 2), Classes(3))


def small() -> Routed:
    return Routed((Attention(), Dense()), width=(8, 16), steps=(1, 3), pool=(1, 4), fixed=(0, 1))


class TestRouted(SpaceConformance):
    samples = 8

    @pytest.fixture
    def space(self) -> Routed:
        return small()

    @pytest.fixture
    def task(self) -> Task:
        return SERIES


GENOTYPE: Genotype = {
    "width": 8,
    "positions": "learnt",
    "fixed": [{"kind": "attention", "heads": 1, "rotary": False}],
    "pool": [
        {"kind": "attention", "heads": 2, "rotary": False},
        {"kind": "dense", "hidden": 8, "activation": "silu"},
        {"kind": "attention", "heads": 1, "rotary": True},
    ],
    "steps": 3,
    "top_k": 2,
    "skip": 0.25,
}


def network(task: Task = NEXT, **genes: object) -> RoutedNetwork:
    """One whose routers have clear preferences."""
    genotype = {**GENOTYPE, **genes}
    built = build_seeded(lambda: small().build(genotype, task), 0)
    assert isinstance(built, RoutedNetwork)
    with torch.no_grad():
        for step in built.steps:
            assert isinstance(step, Step)
            step.router.weight.mul_(20)
            step.preference += 0.05
    return built.double()


def alone(genes: Genotype, steps: int, weights: nn.Module) -> nn.Module:
    """A module of the pool for as many tokens as are there."""
    module: ShelfModule = Attention() if genes["kind"] == "attention" else Dense()
    built = module.build(genes, Port("tokens", 8, (steps,), True)).double()
    built.load_state_dict(weights.state_dict())
    return built


@torch.no_grad()
@pytest.mark.parametrize("top_k", [1, 2])
def test_a_step_is_what_a_loop_over_tokens_computes(top_k: int) -> None:
    built = network(top_k=top_k)
    step = built.steps[1]
    assert isinstance(step, Step)
    x_BTW = torch.randn(5, 9, 8, dtype=torch.float64)
    output_BTW, went_BTM = step(x_BTW)
    for x_TW, output_TW, went_TM in zip(x_BTW, output_BTW, went_BTM, strict=True):
        places: dict[int, list[int]] = {}
        p_TE = (x_TW @ step.router.weight.T).softmax(-1)
        for token, p_E in enumerate(p_TE.numpy()):
            biased = p_E + np.concatenate([np.zeros(3), step.preference.numpy()])
            chosen = np.argsort(-biased)[:top_k].tolist()
            assert went_TM[token].nonzero().flatten().tolist() == sorted(one for one in chosen if one < 3)
            for one in chosen:
                places.setdefault(one, []).append(token)
        wanted_TW = torch.zeros_like(x_TW)
        for number, tokens in places.items():
            if number < 3:
                there = x_TW[tokens]
                module = alone(GENOTYPE["pool"][number], len(tokens), built.pool[number])
                weight_T1 = top_k * p_TE[tokens, number, None]
                wanted_TW[tokens] += there + weight_T1 * (module(there[None])[0] - there)
            else:
                wanted_TW[tokens] += x_TW[tokens]
        torch.testing.assert_close(output_TW, wanted_TW / top_k)
    shares = went_BTM.double().mean((0, 1))
    assert (shares > 0).all() and shares.sum() < top_k, "all modules are chosen, and some tokens skip"


@torch.no_grad()
def test_no_token_looks_at_a_later_one() -> None:
    built, x = network(), draw_inputs(NEXT, 6)
    output = built(x)
    for step in (1, 4, 8):
        changed = x.clone()
        changed[:, step:] = draw_inputs(NEXT, 6, seed=1)[:, step:]
        torch.testing.assert_close(built(changed)[:, :step], output[:, :step], rtol=1e-12, atol=1e-12)
    assert torch.cat([built(x[row : row + 1]) for row in range(6)]).allclose(output, rtol=1e-12)


def test_identity_modules_are_preferred_where_too_few_choose_them() -> None:
    built = network(skip=0.5, top_k=1)
    step = built.steps[0]
    assert isinstance(step, Step)
    step.preference.fill_(-1.0)
    built(draw_inputs(NEXT, 6))
    step.after_step(0, 5000)
    assert float(step.preference) == pytest.approx(-1 + RATE)
    step.preference.fill_(2.0)
    built(draw_inputs(NEXT, 6))
    step.after_step(1, 50)
    assert float(step.preference) == pytest.approx(2 - 1 / 50)


def test_training_skips_as_much_as_is_wanted() -> None:
    space, inputs, targets = small(), draw_inputs(NEXT, 100), draw_targets(NEXT, 100, 1)
    for skip in (0.0, 0.4):
        genotype = {**GENOTYPE, "skip": skip, "steps": 2, "pool": GENOTYPE["pool"][:2]}
        built = build_seeded(lambda genotype=genotype: space.build(genotype, NEXT), 0)
        train_alone(built, inputs, targets, TrainingOptions(10, 20), NEXT.loss, 0)
        outputs, _ = predict(built.eval(), inputs)
        assert space.measure(genotype, built, outputs)["skipped_share"] == pytest.approx(skip, abs=0.1)


def test_metrics_are_those_of_the_ways_that_tokens_take() -> None:
    space, built, x = small(), network().eval(), draw_inputs(NEXT, 25)
    outputs, routing = predict(built, x, batch_size=10)
    found = space.measure(GENOTYPE, built, outputs)
    gates = [routing[f"steps.{step}"] for step in range(3)]
    assert [one.shape for one in gates] == [(25 * 9, 5)] * 3
    skipped = np.mean([(one[:, 3:] > 0).sum(1).mean() / 2 for one in gates])
    assert found["skipped_share"] == pytest.approx(skipped)
    assert 0 < found["routing_entropy"] < 1 and found["path_exponent"] < 0
    ways = np.stack([one[:, :3] > 0 for one in gates], 1)
    _, counts = np.unique(ways, axis=0, return_counts=True)
    observed = built.paths.observed
    assert isinstance(observed, dict) and sum(observed.values()) == pytest.approx(9)
    assert sorted(25 * np.array([*observed.values()])) == pytest.approx(sorted(counts))


def test_parameters_and_macs_count_by_the_use_of_any_step() -> None:
    built, x = network().eval(), draw_inputs(NEXT, 20)
    _, routing = predict(built, x)
    gates = [routing[f"steps.{step}"] > 0 for step in range(3)]
    used = np.any(gates, 0).mean(0)[:3]
    sizes = [parameters(module) for module in built.pool]
    assert active_parameters(built, uses_of(routing), lambda: routing) == pytest.approx(
        parameters(built) - (1 - used) @ sizes
    )
    assert used.min() < 1
    cost = [9 * 4 * 8 * 8 + 2 * 9 * 9 * 8, 9 * 2 * 8 * 8]
    fixed_and_ends = cost[0] + 9 * 8 * 7 + 3 * 9 * 8 * 5
    steps = sum(one.mean(0)[:3] @ [cost[0], cost[1], cost[0]] for one in gates)
    assert macs(built, x[:1], uses_of(routing)) == pytest.approx(fixed_and_ends + steps)


def test_the_pool_is_in_a_state_once_and_copies_share_it_too() -> None:
    built = network()
    names = list(built.state_dict())
    assert sum(name.endswith("queries_keys_values.weight") for name in names) == 3
    twin = copy.deepcopy(built)
    with torch.no_grad():
        for parameter in twin.pool.parameters():
            parameter.zero_()
    x_BTW = torch.randn(2, 9, 8, dtype=torch.float64)
    assert all(step(x_BTW)[0].equal(x_BTW) for step in twin.steps)
    assert not built.steps[0](x_BTW)[0].equal(x_BTW)


@pytest.mark.parametrize("file", ["onnx", "torch"])
def test_it_comes_back_from_files(file: str, tmp_path) -> None:
    built = network(steps=1, pool=GENOTYPE["pool"][1:]).float().eval()
    FORMATS[file].write(built, draw_inputs(NEXT, 2), tmp_path)
    x: Tensor = draw_inputs(NEXT, 7)
    again = FORMATS[file].read(tmp_path, None)(x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(again, built(x).numpy(), rtol=1e-4, atol=1e-5)


def test_pools_of_any_order_are_one_architecture() -> None:
    space = small()
    assert space.key(GENOTYPE) == space.key({**GENOTYPE, "pool": GENOTYPE["pool"][::-1]})
    assert space.key(GENOTYPE) != space.key({**GENOTYPE, "pool": GENOTYPE["pool"][1:]})


def test_what_cannot_be_is_refused() -> None:
    class Looking(Attention):
        """Not causal."""

        causal = False

    class Routing(Attention):
        """Routes."""

        routes = True

    with pytest.raises(ValueError, match="looking looks at later tokens"):
        Routed((Looking(), Dense()))
    with pytest.raises(ValueError, match=r"routed modules do not nest; the shelf has .*attention"):
        Routed((Routing(),))
    with pytest.raises(ValueError, match="in every pool by itself"):
        Routed((Identity(), Dense()))
    with pytest.raises(ValueError, match="pool: expected 1 <= fewest <= most, got 0 and 3"):
        Routed(pool=(0, 3))
    with pytest.raises(ValueError, match="width: expected multiples of 8, got 12"):
        Routed(width=(12,))
    assert "identity" not in Routed().modules and {"attention", "dense"} <= set(Routed().modules)
