"""Many small convolutional networks in one pass over the processor's caches, forward and backward.

Each network is computed in its own true size, block by block, while its maps are in the cache. Maps are (C, H, W, B):
a pixel's examples lie side by side, so that a pointwise convolution is one matrix product, and a 3 x 3 convolution is
one for each row of pixels. For CPUs; elsewhere the plain modules compute (`convolution`), and a test holds the two
together.

Axes: B examples, C channels in, D channels out, H rows of pixels, W pixels of a row, N pixels times examples, F
numbers that the stem reads of a patch, O outputs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qd.compiled import njit

from . import spatial_kernel


class Block(NamedTuple):
    """Sizes of a block, and where its parts lie: of parameters, and of maps as multiples of the number of examples."""

    inputs: int
    outputs: int
    group: int
    height: int
    width: int
    pool: int
    attention: int
    """Channels that a gate looks at; 0 without attention."""
    mergeable: int
    spatial_weight: int
    spatial_bias: int
    first_weight: int
    """Of the pointwise convolution, or of the first of the two that are mergeable."""
    first_bias: int
    second_weight: int
    second_bias: int
    attention_weight: int
    x: int
    """Maps: the input, and after the spatial convolution, between the mergeable two, before and after attention."""
    spatial: int
    between: int
    y: int
    mean: int
    gate: int
    output: int


class Network(NamedTuple):
    """Sizes of a network, and where its parts lie."""

    first_block: int
    blocks: int
    channels: int
    """Out of the stem."""
    features: int
    """Numbers of the last map, which the head reads."""
    stem_weight: int
    stem_bias: int
    head_weight: int
    head_bias: int


BLOCK, NETWORK = (np.dtype([(name, np.int64) for name in table._fields]) for table in (Block, Network))
"""How the kernels take them: as records of an array."""


_compiled = njit(cache=True, nogil=True, error_model="numpy")
_summing = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})  # sums by vector instructions


@_compiled
def forward(patches_FN, parameters, networks, blocks, blend, maps, outputs_KOB):
    """Fill the maps and the outputs.

    Args:
        patches_FN: the patches that stems read.
        parameters: of all networks.
        networks: (K,) of `NETWORK`.
        blocks: of `BLOCK`, of all networks.
        blend: how linear mergeable activations are, of the parameters' type.
        maps: filled.
        outputs_KOB: filled.
    """
    _, outputs, examples = outputs_KOB.shape
    for k in range(len(networks)):
        net = networks[k]
        first = blocks[net.first_block]
        stem_CN = _matrix(maps, first.x * examples, net.channels, patches_FN.shape[1])
        weight = _matrix(parameters, net.stem_weight, net.channels, len(patches_FN))
        _affine(weight, parameters[net.stem_bias :], patches_FN, stem_CN)
        _leaky(stem_CN, stem_CN.dtype.type(0))
        for index in range(net.first_block, net.first_block + net.blocks):
            _block_forward(blocks[index], parameters, blend, maps, examples)
        last = blocks[net.first_block + net.blocks - 1]
        features_B = _matrix(maps, last.output * examples, net.features, examples)
        weight = _matrix(parameters, net.head_weight, outputs, net.features)
        _affine(weight, parameters[net.head_bias :], features_B, outputs_KOB[k])


@_compiled
def _block_forward(block, parameters, blend, maps, examples):
    pixels = block.height * block.width
    columns = pixels * examples
    x = maps[block.x * examples :][: block.inputs * columns].reshape(block.inputs, block.height, block.width, examples)
    a_CN = _matrix(maps, block.spatial * examples, block.inputs, columns)
    spatial_kernel.forward(
        x, parameters[block.spatial_weight :], parameters[block.spatial_bias :], block.group, a_CN.reshape(x.shape)
    )
    _leaky(a_CN, a_CN.dtype.type(0))
    y_DN = _matrix(maps, block.y * examples, block.outputs, columns)
    weight = _matrix(parameters, block.first_weight, block.outputs, block.inputs)
    if block.mergeable:
        m_DN = _matrix(maps, block.between * examples, block.outputs, columns)
        _affine(weight, parameters[block.first_bias :], a_CN, m_DN)
        _leaky(m_DN, blend)
        weight = _matrix(parameters, block.second_weight, block.outputs, block.outputs)
        _affine(weight, parameters[block.second_bias :], m_DN, y_DN)
    else:
        _affine(weight, parameters[block.first_bias :], a_CN, y_DN)
    gate_DB = _matrix(maps, block.gate * examples, block.outputs, examples)
    if block.attention:
        mean_DB = _matrix(maps, block.mean * examples, block.outputs, examples)
        _pixel_means(y_DN.reshape(block.outputs, pixels, examples), mean_DB)
        _gates(mean_DB, parameters[block.attention_weight :][: block.attention], gate_DB)
    else:
        gate_DB[:] = 1
    _pool_forward(y_DN.reshape(block.outputs, block.height, block.width, examples), gate_DB, block.pool, maps, block)


@_compiled
def backward(
    doutputs_KOB, patches_FN, parameters, networks, blocks, blend, maps, most_map, dparameters
):  # fmt: skip
    """Fill the gradient of all parameters, which comes in as zeros; `most_map` is the size of the largest map."""
    _, outputs, examples = doutputs_KOB.shape
    gradient, other = np.empty(most_map * examples, maps.dtype), np.empty(most_map * examples, maps.dtype)
    for k in range(len(networks)):
        net = networks[k]
        last = blocks[net.first_block + net.blocks - 1]
        _affine_backward(
            doutputs_KOB[k],
            _matrix(parameters, net.head_weight, outputs, net.features),
            _matrix(maps, last.output * examples, net.features, examples),
            _matrix(gradient, 0, net.features, examples),
            dparameters[net.head_weight :],
            dparameters[net.head_bias :],
        )
        for index in range(net.first_block + net.blocks - 1, net.first_block - 1, -1):
            _block_backward(blocks[index], parameters, blend, maps, examples, gradient, other, dparameters)
        first = blocks[net.first_block]
        stem_CN = _matrix(maps, first.x * examples, net.channels, patches_FN.shape[1])
        dstem_CN = _matrix(gradient, 0, net.channels, patches_FN.shape[1])
        _leaky_backward(dstem_CN, stem_CN, stem_CN.dtype.type(0))
        np.dot(dstem_CN, patches_FN.T, _matrix(dparameters, net.stem_weight, net.channels, len(patches_FN)))
        _row_sums(dstem_CN, dparameters[net.stem_bias :])


@_compiled
def _block_backward(block, parameters, blend, maps, examples, gradient, other, dparameters):
    """From the output's gradient to the input's, both in `gradient`."""
    pixels = block.height * block.width
    columns = pixels * examples
    shape = (block.outputs, block.height, block.width, examples)
    y_DN = _matrix(maps, block.y * examples, block.outputs, columns)
    gate_DB = _matrix(maps, block.gate * examples, block.outputs, examples)
    dy_DN = _matrix(other, 0, block.outputs, columns)
    _pool_backward(gradient, y_DN.reshape(shape), gate_DB, block.pool, maps, block, dy_DN.reshape(shape))
    if block.attention:
        _attention_backward(
            y_DN.reshape(block.outputs, pixels, examples),
            _matrix(maps, block.mean * examples, block.outputs, examples),
            gate_DB,
            parameters[block.attention_weight :][: block.attention],
            dy_DN.reshape(block.outputs, pixels, examples),
            dparameters[block.attention_weight :],
        )
    a_CN = _matrix(maps, block.spatial * examples, block.inputs, columns)
    da_CN = _matrix(gradient, 0, block.inputs, columns)
    weight = _matrix(parameters, block.first_weight, block.outputs, block.inputs)
    dweight, dbias = dparameters[block.first_weight :], dparameters[block.first_bias :]
    if block.mergeable:
        m_DN = _matrix(maps, block.between * examples, block.outputs, columns)
        dm_DN = _matrix(gradient, 0, block.outputs, columns)
        second = _matrix(parameters, block.second_weight, block.outputs, block.outputs)
        _affine_backward(
            dy_DN, second, m_DN, dm_DN, dparameters[block.second_weight :], dparameters[block.second_bias :]
        )
        _leaky_backward(dm_DN, m_DN, blend)
        np.dot(dm_DN, a_CN.T, _matrix(dweight, 0, block.outputs, block.inputs))
        _row_sums(dm_DN, dbias)
        da_CN = _matrix(other, 0, block.inputs, columns)
        np.dot(weight.T, dm_DN, da_CN)
    else:
        _affine_backward(dy_DN, weight, a_CN, da_CN, dweight, dbias)
    _leaky_backward(da_CN, a_CN, a_CN.dtype.type(0))
    _row_sums(da_CN, dparameters[block.spatial_bias :])
    x = maps[block.x * examples :][: block.inputs * columns].reshape(block.inputs, block.height, block.width, examples)
    into = gradient if block.mergeable else other
    dx = into[: x.size].reshape(x.shape)
    dx[:] = 0
    spatial_kernel.backward(
        da_CN.reshape(x.shape), x, parameters[block.spatial_weight :], block.group, dx,
        dparameters[block.spatial_weight :],
    )  # fmt: skip
    if not block.mergeable:
        gradient[: x.size] = other[: x.size]


@_compiled
def _pool_forward(y, gate_DB, pool, maps, block):
    """Scale by the gates, take the maximum of 2 x 2 pixels if asked, then relu."""
    channels, height, width, examples = y.shape
    step = 2 if pool else 1
    rows, columns = height // step, width // step
    out = maps[block.output * examples :][: channels * rows * columns * examples].reshape(
        channels, rows, columns, examples
    )
    zero = y.dtype.type(0)
    for d in range(channels):
        for h in range(rows):
            for w in range(columns):
                for b in range(examples):
                    best = y[d, h * step, w * step, b] * gate_DB[d, b]
                    if pool:
                        best = max(best, y[d, h * 2, w * 2 + 1, b] * gate_DB[d, b])
                        best = max(best, y[d, h * 2 + 1, w * 2, b] * gate_DB[d, b])
                        best = max(best, y[d, h * 2 + 1, w * 2 + 1, b] * gate_DB[d, b])
                    out[d, h, w, b] = max(best, zero)


@_compiled
def _pool_backward(gradient, y, gate_DB, pool, maps, block, dscaled):
    """Fill the gradient of the scaled map; of equal pixels the first takes it, as in torch."""
    channels, height, width, examples = y.shape
    step = 2 if pool else 1
    rows, columns = height // step, width // step
    size = channels * rows * columns * examples
    out = maps[block.output * examples :][:size].reshape(channels, rows, columns, examples)
    dout = gradient[:size].reshape(channels, rows, columns, examples)
    if pool:
        dscaled[:] = 0  # an odd last row or column of pixels reaches no maximum
    zero = y.dtype.type(0)
    for d in range(channels):
        for h in range(rows):
            for w in range(columns):
                for b in range(examples):
                    value = dout[d, h, w, b] if out[d, h, w, b] > 0 else zero
                    if pool:
                        gate = gate_DB[d, b]
                        one, two = y[d, h * 2, w * 2, b] * gate, y[d, h * 2, w * 2 + 1, b] * gate
                        three, four = y[d, h * 2 + 1, w * 2, b] * gate, y[d, h * 2 + 1, w * 2 + 1, b] * gate
                        upper, lower = max(one, two), max(three, four)
                        dscaled[d, h * 2, w * 2, b] = value if upper >= lower and one >= two else zero
                        dscaled[d, h * 2, w * 2 + 1, b] = value if upper >= lower and one < two else zero
                        dscaled[d, h * 2 + 1, w * 2, b] = value if upper < lower and three >= four else zero
                        dscaled[d, h * 2 + 1, w * 2 + 1, b] = value if upper < lower and three < four else zero
                    else:
                        dscaled[d, h, w, b] = value


@_compiled
def _gates(mean_DB, weight, gate_DB):
    channels, examples = mean_DB.shape
    one = mean_DB.dtype.type(1)
    for d in range(channels):
        for b in range(examples):
            total = mean_DB.dtype.type(0)
            for j in range(len(weight)):
                c = d + j - len(weight) // 2
                if 0 <= c < channels:
                    total += weight[j] * mean_DB[c, b]
            gate_DB[d, b] = one / (one + math.exp(-total))


@_compiled
def _attention_backward(y, mean_DB, gate_DB, weight, dscaled, dweight):
    """Turn the scaled map's gradient into the map's own, in place, and add to the weight's."""
    channels, pixels, examples = y.shape
    dmean_DB = np.zeros_like(mean_DB)
    dgate_B = np.empty(examples, y.dtype)
    one, count = y.dtype.type(1), y.dtype.type(pixels)
    for d in range(channels):
        dgate_B[:] = 0
        for p in range(pixels):
            for b in range(examples):
                dgate_B[b] += dscaled[d, p, b] * y[d, p, b]
                dscaled[d, p, b] *= gate_DB[d, b]
        for b in range(examples):
            dgate_B[b] *= gate_DB[d, b] * (one - gate_DB[d, b])
        for j in range(len(weight)):
            c = d + j - len(weight) // 2
            if 0 <= c < channels:
                for b in range(examples):
                    dweight[j] += dgate_B[b] * mean_DB[c, b]
                    dmean_DB[c, b] += dgate_B[b] * weight[j]
    for d in range(channels):
        for p in range(pixels):
            for b in range(examples):
                dscaled[d, p, b] += dmean_DB[d, b] / count


@_compiled
def _pixel_means(x, mean_DB):
    channels, pixels, examples = x.shape
    count = x.dtype.type(pixels)
    mean_DB[:] = 0
    for d in range(channels):
        for p in range(pixels):
            for b in range(examples):
                mean_DB[d, b] += x[d, p, b]
        for b in range(examples):
            mean_DB[d, b] /= count


@_compiled
def _affine(weight, bias, x, out):
    np.dot(weight, x, out)
    for d in range(len(out)):
        for n in range(out.shape[1]):
            out[d, n] += bias[d]


@_compiled
def _affine_backward(dout, weight, x, dx, dweight, dbias):
    np.dot(dout, x.T, _matrix(dweight, 0, *weight.shape))
    _row_sums(dout, dbias)
    np.dot(weight.T, dout, dx)


@_compiled
def _leaky(x, slope):
    for row in range(len(x)):
        for n in range(x.shape[1]):
            x[row, n] = x[row, n] if x[row, n] > 0 else x[row, n] * slope


@_compiled
def _leaky_backward(dx, y, slope):
    """In place; `y` is the output, whose sign is the input's but where the slope is 0."""
    one = y.dtype.type(1)
    for row in range(len(y)):
        for n in range(y.shape[1]):
            dx[row, n] *= one if y[row, n] > 0 else slope


@_summing
def _row_sums(x, out):
    for row in range(len(x)):
        total = x.dtype.type(0)
        for n in range(x.shape[1]):
            total += x[row, n]
        out[row] = total


@_compiled
def _matrix(flat, start, rows, columns):
    return flat[start : start + rows * columns].reshape(rows, columns)
