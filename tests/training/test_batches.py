import itertools

import torch

from qd.training import minibatches


def test_an_epoch_sees_no_example_twice_and_epochs_differ():
    batches = [batch.tolist() for batch in minibatches(103, 10, steps=20, seed=5)]
    assert [len(batch) for batch in batches] == [10] * 20
    first, second = batches[:10], batches[10:]
    for epoch in (first, second):
        seen = list(itertools.chain(*epoch))
        assert len(set(seen)) == 100 and set(seen) <= set(range(103))
    assert first != second


def test_order_depends_on_the_seed_and_not_on_the_number_of_steps():
    long, short = (torch.cat(list(minibatches(50, 7, steps, seed=1))) for steps in (30, 12))
    assert torch.equal(long[: len(short)], short)
    assert not torch.equal(short, torch.cat(list(minibatches(50, 7, 12, seed=2))))


def test_fewer_examples_than_a_minibatch_are_all_used():
    for batch in minibatches(4, 10, steps=3, seed=0):
        assert sorted(batch.tolist()) == [0, 1, 2, 3]
