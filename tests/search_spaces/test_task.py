"""What a network is for: sizes are whole numbers, the loss follows, and it is plain data and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces import Task
from search_spaces.task import Classes, Image, NextToken, Series, Tokens, Values, Vector

TASKS = {
    Task(Image(1, 8, 9), Classes(10)): ((1, 8, 9), (10,), "cross_entropy"),
    Task(Series(50, 3), Values(2)): ((50, 3), (2,), "mean_squared_error"),
    Task(Vector(4), Values(1)): ((4,), (1,), "mean_squared_error"),
    Task(Tokens(16, 84), Classes(2)): ((16,), (2,), "cross_entropy"),
    Task(Tokens(16, 84), NextToken(84)): ((16,), (16, 84), "cross_entropy"),
}


@pytest.mark.parametrize(("task", "expected"), TASKS.items())
def test_shapes_and_loss_follow(task: Task, expected: tuple[Any, ...]) -> None:
    assert (task.input_shape, task.output_shape, task.loss) == expected
    assert task.outputs == expected[1][-1]


@pytest.mark.parametrize("task", TASKS)
def test_plain_data_and_back(task: Task) -> None:
    assert Task.from_plain(task.plain()) == task


@pytest.mark.parametrize(
    ("earlier", "task"),
    [
        (([1, 8, 8], 10, "cross_entropy"), Task(Image(1, 8, 8), Classes(10))),
        (([8], 1, "mean_squared_error"), Task(Vector(8), Values(1))),
        (([20, 2], 3, "cross_entropy"), Task(Series(20, 2), Classes(3))),
    ],
)
def test_tasks_of_earlier_logs_are_read(earlier: tuple[Any, ...], task: Task) -> None:
    assert Task.from_plain(dict(zip(("input_shape", "outputs", "loss"), earlier, strict=True))) == task


def test_sizes_are_whole_numbers_of_python() -> None:
    shape: Any = Image(np.int64(1), np.int32(8), 8)  # pyright: ignore[reportArgumentType]
    assert shape == Image(1, 8, 8)
    assert {*map(type, shape.shape)} == {int}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image(1, 8.5, 8), "Image: expected a whole number as height, got 8.5"),  # pyright: ignore
        (lambda: Classes(0), "Classes: expected count of at least 1, got 0"),
        (lambda: Task((1, 8, 8), Classes(2)), "Task: expected one of Image, Series, Tokens, Vector as input"),  # pyright: ignore
        (lambda: Task(Vector(3), 10), "Task: expected one of Classes, Values, NextToken as output, got 10"),  # pyright: ignore
        (lambda: Task(Vector(3), NextToken(3)), "NextToken needs Tokens of the same vocabulary"),
        (lambda: Task(Tokens(3, 5), NextToken(4)), "NextToken needs Tokens of the same vocabulary"),
    ],
)
def test_what_is_no_task_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"input": {"kind": "video"}, "output": {"kind": "classes", "count": 2}},
        {"input": {"kind": "vector", "features": 2}, "output": {"kind": "classes"}},
        {"input": {"kind": "vector", "features": 2}, "output": {"kind": "classes", "count": 2, "more": 1}},
        {"input": {"kind": "vector", "features": "2"}, "output": {"kind": "classes", "count": 2}},
        {"input_shape": [1, 2, 3, 4], "outputs": 2, "loss": "cross_entropy"},
        {"input_shape": [4], "outputs": 2, "loss": "hinge"},
        {"input_shape": [4], "loss": "cross_entropy"},
    ],
)
def test_damaged_plain_data_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        Task.from_plain(data)
