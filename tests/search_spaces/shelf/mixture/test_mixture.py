import torch
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.shelf import MixtureOfExperts, load_balance, top_k_mask


@given(
    st.integers(1, 8).flatmap(
        lambda experts: st.tuples(
            st.lists(st.lists(st.integers(-2, 2), min_size=experts, max_size=experts), min_size=1, max_size=9),
            st.integers(1, experts),
        )
    )
)
def test_top_k_prefers_high_scores_and_then_low_indices(case):
    scores, k = case
    chosen = top_k_mask(torch.tensor(scores, dtype=torch.float32), k)
    for row, marks in zip(scores, chosen.tolist(), strict=True):
        expected = sorted(range(len(row)), key=lambda index: (-row[index], index))[:k]
        assert [index for index, mark in enumerate(marks) if mark] == sorted(expected)


def mixture(top_k: int, balance: float = 0.01) -> MixtureOfExperts:
    torch.manual_seed(3)
    return MixtureOfExperts(4, [3, 5, 2], top_k, "relu", balance)


def test_silent_inputs_go_to_the_lowest_experts():
    silent = torch.zeros(6, 4)
    torch.testing.assert_close(mixture(1).route(silent), torch.tensor([[1 / 3, 0, 0]]).repeat(6, 1))
    torch.testing.assert_close(mixture(2).route(silent), torch.tensor([[0.5, 0.5, 0]]).repeat(6, 1))


def test_output_is_the_gated_sum_of_the_chosen_experts_alone():
    for top_k in (1, 2):
        layer, x = mixture(top_k), torch.randn(20, 4)
        probabilities = layer.router(x).softmax(-1)
        for row in range(20):
            values, chosen = probabilities[row].topk(top_k)
            gates = values if top_k == 1 else values / values.sum()
            expected = sum(gate * layer.experts[int(e)](x[row]) for gate, e in zip(gates, chosen, strict=True))
            torch.testing.assert_close(layer(x)[row], expected)


def test_an_expert_that_nobody_chose_has_a_zero_gradient_rather_than_none():
    layer = mixture(1)
    x = torch.randn(1, 4)
    layer(x).sum().backward()
    used = int(layer.route(x).argmax())
    for index, expert in enumerate(layer.experts):
        for parameter in expert.parameters():
            assert parameter.grad is not None
            assert index == used or not parameter.grad.any()
    down_bias = layer.get_parameter(f"experts.{used}.down.bias")
    assert down_bias.grad is not None and down_bias.grad.all()


def test_load_balance_is_one_for_even_use_and_the_number_of_experts_for_a_single_one():
    even = torch.full((8, 4), 0.25)
    each_in_turn = torch.eye(4, dtype=torch.bool).repeat(2, 1)
    torch.testing.assert_close(load_balance(even, each_in_turn), torch.tensor(1.0))
    first = torch.tensor([[1.0, 0, 0, 0]]).repeat(8, 1)
    torch.testing.assert_close(load_balance(first, first.bool()), torch.tensor(4.0))


def test_auxiliary_loss_is_there_in_training_mode_alone():
    layer, x = mixture(2, balance=0.5), torch.randn(9, 4)
    layer(x)
    probabilities = layer.router(x).softmax(-1)
    assert layer.auxiliary_loss is not None
    torch.testing.assert_close(layer.auxiliary_loss, 0.5 * load_balance(probabilities, layer.route(x) > 0))
    layer.eval()(x)
    assert layer.auxiliary_loss is None
