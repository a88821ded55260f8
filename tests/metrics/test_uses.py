import numpy as np
import pytest
import torch

from qd.metrics.uses import UseCounter, uses_of

GATES = np.array([[0.5, 0.5, 0.0], [0.2, 0.0, 0.6], [0.0, 0.0, 1.0], [0.9, 0.0, 0.0]])
CLASSES = np.array([0, 0, 1, 1])


def test_the_use_of_a_module_at_known_values():
    [use] = uses_of({"a": GATES}, CLASSES, 2).values()
    assert use.chosen.tolist() == [0.75, 0.25, 0.5]
    assert use.weight == pytest.approx([(0.5 + 0.25 + 1) / 4, 0.5 / 4, (0.75 + 1) / 4])
    assert use.by_class is not None
    assert use.by_class == pytest.approx(np.array([[0.75, 1], [0.5, 0], [0.75, 1]]) / 4)
    assert uses_of({"a": GATES})["a"].by_class is None
    assert uses_of({}, CLASSES, 2) == {}


def test_batches_and_modules_of_other_sizes_change_nothing():
    rng = np.random.default_rng(0)
    sizes, steps = [2, 5, 3, 5], [1, 1, 4, 4]  # the last two route the four steps of an example by themselves
    gates = [rng.random((60 * parts, size)) * (rng.random((60 * parts, size)) > 0.6) + 1e-3
             for size, parts in zip(sizes, steps, strict=True)]  # fmt: skip
    classes = rng.integers(3, size=60)
    counter = UseCounter(3)
    for rows in (slice(0, 7), slice(7, 50), slice(50, 60)):
        batch = [torch.from_numpy(one[rows.start * parts : rows.stop * parts])
                 for one, parts in zip(gates, steps, strict=True)]  # fmt: skip
        counter.add(batch, torch.from_numpy(classes[rows]))
    for found, one in zip(counter.found(), gates, strict=True):
        [alone] = uses_of({"": one}, classes, 3).values()
        np.testing.assert_array_equal(found.chosen, alone.chosen)
        np.testing.assert_allclose(found.weight, alone.weight, rtol=1e-12)
        assert found.by_class is not None and alone.by_class is not None
        np.testing.assert_allclose(found.by_class, alone.by_class, rtol=1e-12)
        assert found.by_class.sum() == pytest.approx(1)


def test_tokens_of_a_text_have_classes_of_their_own():
    classes = np.array([[0, 1], [1, 1]])
    [use] = uses_of({"a": GATES}, classes, 2).values()
    [flat] = uses_of({"a": GATES}, classes.ravel(), 2).values()
    assert use.by_class is not None and flat.by_class is not None
    np.testing.assert_array_equal(use.by_class, flat.by_class)


def test_counting_stays_where_the_gates_are():
    counter = UseCounter(2)  # the device "meta" refuses tensors of any other
    for _ in range(2):
        counter.add(
            [torch.from_numpy(GATES).to("meta"), torch.ones(4, 2, device="meta")], torch.from_numpy(CLASSES).to("meta")
        )
    sums = counter._sums[1]
    assert [tuple(one.shape) for one in sums] == [(2, 3), (2, 3), (2, 2, 3)]
    assert all(one.device.type == "meta" for one in sums)
