"""A grouped 3 x 3 convolution, stride 1, zeros beyond the edge, forward and backward.

For a row of pixels, one product gives what its left, middle and right taps make of the rows above, at and below; the
left and right results are then added one pixel further on. So each row is copied three times, where laying out every
pixel's neighbourhood would copy it nine times: at these sizes copies cost more than arithmetic.

Axes: B examples, C channels, H rows of pixels, W pixels of a row, N = W B, R = 3 x group rows that a group's row is
computed from (by channel in, then row of the kernel), T = 3 x group taps (by column of the kernel, then channel out).
"""

from __future__ import annotations

import numpy as np

from qd.compiled import njit

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def forward(x, weight, bias, group, out):
    """Fill `out`.

    Args:
        x: (C, H, W, B).
        weight: flat, starts with the (C, group, 3, 3) of this convolution.
        bias: starts with its (C,).
        group: channels of a group.
        out: (C, H, W, B).
    """
    channels, height, width, examples = x.shape
    rows_RN = np.empty((3 * group, width * examples), x.dtype)
    taps_TN = np.empty((3 * group, width * examples), x.dtype)
    for first in range(0, channels, group):
        weight_TR = _by_column(weight, first, group)
        for h in range(height):
            _copy_rows(x, first, h, rows_RN)
            np.dot(weight_TR, rows_RN, taps_TN)
            for c in range(group):
                line = out[first + c, h].reshape(width * examples)
                middle = taps_TN[group + c]
                for n in range(len(line)):
                    line[n] = middle[n] + bias[first + c]
                left, right = taps_TN[c], taps_TN[2 * group + c]
                for n in range(len(line) - examples):
                    line[n + examples] += left[n]
                for n in range(len(line) - examples):
                    line[n] += right[n + examples]


@_compiled
def backward(dout, x, weight, group, dx, dweight):
    """Add to `dx` (C, H, W, B) and to `dweight`, which is laid out as `weight`."""
    channels, height, width, examples = x.shape
    rows_RN = np.empty((3 * group, width * examples), x.dtype)
    taps_TN = np.empty((3 * group, width * examples), x.dtype)
    dweight_TR = np.empty((3 * group, 3 * group), x.dtype)
    for first in range(0, channels, group):
        weight_TR = _by_column(weight, first, group)
        for h in range(height):
            for c in range(group):
                line = dout[first + c, h].reshape(width * examples)
                left, middle, right = taps_TN[c], taps_TN[group + c], taps_TN[2 * group + c]
                for n in range(len(line)):
                    middle[n] = line[n]
                for n in range(len(line) - examples):
                    left[n] = line[n + examples]
                left[len(line) - examples :] = 0
                right[:examples] = 0
                for n in range(len(line) - examples):
                    right[n + examples] = line[n]
            _copy_rows(x, first, h, rows_RN)
            np.dot(taps_TN, rows_RN.T, dweight_TR)
            for c in range(group):
                for j in range(9 * group):
                    dweight[(first + c) * 9 * group + j] += dweight_TR[j % 3 * group + c, j // 3]
            np.dot(weight_TR.T, taps_TN, rows_RN)
            _add_rows(rows_RN, first, h, dx)


@_compiled
def _by_column(weight, first, group):
    """A group's weights as (T, R): by column of the kernel and channel out, and by channel in and row of the kernel."""
    weight_TR = np.empty((3 * group, 3 * group), weight.dtype)
    for c in range(group):
        for j in range(9 * group):
            weight_TR[j % 3 * group + c, j // 3] = weight[(first + c) * 9 * group + j]
    return weight_TR


@_compiled
def _copy_rows(x, first, h, rows_RN):
    """Fill in a group's rows of pixels above, at and below h, zeros beyond the edge."""
    height = x.shape[1]
    for r in range(len(rows_RN)):
        source, target = h + r % 3 - 1, rows_RN[r]
        if 0 <= source < height:
            line = x[first + r // 3, source].reshape(len(target))
            for n in range(len(target)):
                target[n] = line[n]
        else:
            target[:] = 0


@_compiled
def _add_rows(rows_RN, first, h, x):
    """The other way: add to the pixels."""
    height = x.shape[1]
    for r in range(len(rows_RN)):
        target, line = h + r % 3 - 1, rows_RN[r]
        if 0 <= target < height:
            row = x[first + r // 3, target].reshape(len(line))
            for n in range(len(line)):
                row[n] += line[n]
