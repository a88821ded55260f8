"""Which axes come out of each operation of torch, and which of those that go in it runs over.

An operation without a rule keeps the axes that it broadcasts, or those of equal size in equal places; others are new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .axes import Axes


@dataclass(frozen=True)
class Call:
    """An operation as the graph has it.

    Args:
        tensors: {argument: axes} of tensors; of lists of them, a list.
        arguments: the others.
        shapes: of what comes out.
    """

    tensors: Mapping[str, Any]
    arguments: Mapping[str, Any]
    shapes: Sequence[Sequence[int]]

    @property
    def first(self) -> list[int]:
        """The axes of its first tensor."""
        found = next(iter(self.tensors.values()))
        return found[0] if found and isinstance(found[0], list) else found

    def places(self, key: str = "dim") -> list[int]:
        """The places of its first tensor's axes that an argument names; all of them where it names none."""
        given = self.arguments.get(key)
        if given is None or given == []:
            return list(range(len(self.first)))
        return [place % max(1, len(self.first)) for place in (given if isinstance(given, list) else [given])]


Found = tuple[list[list[int]], list[int]]
"""The axes of each tensor that comes out, and those that the operation runs over."""


def linear(axes: Axes, call: Call) -> Found:
    """The last axis is contracted."""
    x, weight, bias = call.tensors["input"], call.tensors["weight"], call.tensors.get("bias")
    axes.join(x[-1], weight[-1])
    if bias:
        axes.join(weight[0], bias[0])
    return [[*x[:-1], *weight[:-1]]], [x[-1]]


def product(axes: Axes, call: Call) -> Found:
    """Matrix products: the last axis of the first and the last but one of the second are contracted."""
    *added, a, b = call.tensors.values()
    inner = axes.join(a[-1], b[-2] if len(b) > 1 else b[0])
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else []
    own = len(rows) + len(columns)
    shape = call.shapes[0]
    batch = axes.broadcast([a[:-2], b[:-2]], shape[: len(shape) - own])
    out = [*batch, *rows, *columns]
    return [axes.broadcast([out, *added], shape)], [inner]


def convolution(axes: Axes, call: Call) -> Found:
    """Channels and the kernel's window are contracted; sides of equal length stay what they are."""
    x, weight, bias = (call.tensors.get(name) for name in ("input", "weight", "bias"))
    assert x and weight
    if axes.size(weight[1]) == axes.size(x[1]):
        axes.join(x[1], weight[1])
    elif axes.size(weight[1]) == 1:  # one filter or more for each channel
        axes.join(x[1], weight[0])
    if bias:
        axes.join(weight[0], bias[0])
    return [[x[0], weight[0], *_kept(axes, x[2:], call.shapes[0][2:])]], x[1:]


def embedding(axes: Axes, call: Call) -> Found:
    """Rows of the first are looked up by the numbers in the second."""
    weight, numbers = call.tensors["weight"], call.tensors["indices"]
    return [[*numbers, weight[1]]], [weight[0]]


def attention(axes: Axes, call: Call) -> Found:
    """softmax(q kᵀ) v: the units of queries and keys, and the steps of keys, are contracted."""
    q, k, v = (call.tensors[name] for name in ("query", "key", "value"))
    for one, other in [(q[-1], k[-1]), (k[-2], v[-2])]:
        axes.join(one, other)
    return [[*axes.broadcast([q[:-2], k[:-2]], call.shapes[0][:-2]), q[-2], v[-1]]], [q[-1], k[-2]]


def normalisation(axes: Axes, call: Call) -> Found:
    """Over the last axes, as many as are named."""
    x, over = call.first, len(call.arguments["normalized_shape"])
    for name in ("weight", "bias"):
        for one, other in zip(x[-over:], call.tensors.get(name, []), strict=False):
            axes.join(one, other)
    return [x], x[-over:]


def by_channel(axes: Axes, call: Call) -> Found:
    """Normalisation whose parameters are one for each channel, axis 1; groups are within one example."""
    x = call.first
    for name in ("weight", "bias", "running_mean", "running_var"):
        for other in call.tensors.get(name, []):
            axes.join(x[1], other)
    return [x], x[1:]


def reshape(axes: Axes, call: Call) -> Found:
    """The same numbers in the same order."""
    return [axes.reshaped(call.first, call.shapes[0])], []


def permute(axes: Axes, call: Call) -> Found:
    """Axes in another order."""
    x = list(call.first)
    if "dims" in call.arguments:
        return [[x[place] for place in call.arguments["dims"]]], []
    one, other = (call.arguments.get(name, place) for name, place in (("dim0", -2), ("dim1", -1)))
    x[one], x[other] = x[other], x[one]
    return [x], []


def reduction(axes: Axes, call: Call) -> Found:
    """One number for all along the axes that are named."""
    x, over = call.first, call.places()
    keep = bool(call.arguments.get("keepdim"))
    left = [axes.new(1) if place in over else axis for place, axis in enumerate(x) if keep or place not in over]
    return [left for _ in call.shapes], [x[place] for place in over]


def along(axes: Axes, call: Call) -> Found:
    """The same shape; numbers along the axes that are named see one another."""
    places = call.places("dims" if "dims" in call.arguments else "dim")
    return [call.first for _ in call.shapes], [call.first[place] for place in places]


def cut(axes: Axes, call: Call) -> Found:
    """Parts along an axis, which is another one then; parts of one length have the same."""
    x, [place, *_] = call.first, call.places() if "dim" in call.arguments else [0]
    made: dict[int, int] = {axes.size(x[place]): x[place]}
    found = []
    for shape in call.shapes:
        if len(shape) < len(x):  # select, unbind
            found.append([*x[:place], *x[place + 1 :]])
        else:
            length = shape[place]
            made.setdefault(length, axes.new(length))
            found.append([*x[:place], made[length], *x[place + 1 :]])
    return found, []


def joined(axes: Axes, call: Call) -> Found:
    """Tensors one after the other along an axis; the others are the same."""
    tensors = call.tensors["tensors"]
    rank, place = len(call.shapes[0]), int(call.arguments.get("dim", 0)) % len(call.shapes[0])
    if len(tensors[0]) < rank:  # stack
        tensors = [[*one[:place], axes.new(1), *one[place:]] for one in tensors]
    found = axes.broadcast(tensors, call.shapes[0])
    whole = axes.size(found[place])
    return [[*found[:place], axes.new(whole), *found[place + 1 :]] if len(tensors) > 1 else found], []


def einsum(axes: Axes, call: Call) -> Found:
    """As the equation says."""
    inputs, _, output = call.arguments["equation"].replace(" ", "").partition("->")
    known: dict[str, int] = {}
    for letters, tensor in zip(inputs.split(","), call.tensors["tensors"], strict=True):
        for letter, axis in zip(letters, tensor, strict=True):
            known[letter] = axes.join(known[letter], axis) if letter in known else axis
    return [[known[letter] for letter in output]], [axis for letter, axis in known.items() if letter not in output]


def pooling(axes: Axes, call: Call) -> Found:
    """Windows over the last axes."""
    x = call.first
    sides = len(call.arguments.get("kernel_size") or call.arguments.get("output_size") or [0])
    return [[*x[:-sides], *_kept(axes, x[-sides:], shape[-sides:])] for shape in call.shapes], x[-sides:]


def recurrence(axes: Axes, call: Call) -> Found:
    """Over steps; what comes out has the steps that went in."""
    x = call.first
    out = [axis if axes.size(axis) == size and place < 2 else axes.new(size)
           for place, (axis, size) in enumerate(zip(x, call.shapes[0], strict=True))]  # fmt: skip
    steps = x[1] if call.arguments.get("batch_first") else x[0]
    return [out, *(axes.news(shape) for shape in call.shapes[1:])], [steps, x[2]]


def elsewise(axes: Axes, call: Call) -> Found:
    """Element by element where shapes allow that; else axes of equal length in equal places are taken for the same."""
    flat = [
        one for value in call.tensors.values() for one in (value if value and isinstance(value[0], list) else [value])
    ]
    found = []
    for shape in call.shapes:
        if all(_stretches([axes.size(axis) for axis in one], shape) for one in flat):
            found.append(axes.broadcast(flat, shape))
        else:
            found.append(_kept(axes, flat[0] if flat else [], shape))
    return found, []


def _stretches(sizes: Sequence[int], shape: Sequence[int]) -> bool:
    fits = zip(sizes, shape[len(shape) - len(sizes) :], strict=True)
    return len(sizes) <= len(shape) and all(size in (1, wanted) for size, wanted in fits)


def _kept(axes: Axes, before: Sequence[int], shape: Sequence[int]) -> list[int]:
    equal = len(before) == len(shape)
    return [
        before[place] if equal and axes.size(before[place]) == size else axes.new(size)
        for place, size in enumerate(shape)
    ]


RULES: dict[str, Callable[[Axes, Call], Found]] = {
    "linear": linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "addbmm"), product),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolution"), convolution),
    "embedding": embedding,
    "scaled_dot_product_attention": attention,
    **dict.fromkeys(("layer_norm", "native_layer_norm", "rms_norm"), normalisation),
    **dict.fromkeys(("group_norm", "batch_norm", "instance_norm"), by_channel),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "_unsafe_view", "squeeze", "unsqueeze", "unsafe_flatten"), reshape
    ),
    **dict.fromkeys(("transpose", "permute", "t", "mT", "numpy_T", "swapaxes", "adjoint"), permute),
    **dict.fromkeys(
        ("sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "prod", "logsumexp", "any", "all", "var",
         "std", "linalg_vector_norm", "norm"),
        reduction,
    ),
    **dict.fromkeys(
        ("softmax", "_softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "cummax", "sort", "argsort", "flip",
         "roll"),
        along,
    ),
    **dict.fromkeys(
        ("slice", "select", "narrow", "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "topk"), cut
    ),
    **dict.fromkeys(("cat", "stack", "concat"), joined),
    "einsum": einsum,
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d",
         "adaptive_avg_pool2d"),
        pooling,
    ),
    **dict.fromkeys(("gru", "lstm", "rnn_tanh", "rnn_relu"), recurrence),
}  # fmt: skip
"""{name of an operation of torch.ops.aten: its rule}."""
