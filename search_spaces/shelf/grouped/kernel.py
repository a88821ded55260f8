"""The links of many groups of units in one pass, forward and backward: each group a product of its own true size.

No padding, and no weight that is not there. For CPUs; `stack.links` says the same in plain torch for other
devices, and a test holds the two together.

Axes: B examples, U units of the layer's groups, V units of the layer before (those of all networks, one after the
other), G groups, P weights of all groups, S sources (runs of units that a group reads).
"""

from __future__ import annotations

import numpy as np

from qd.compiled import njit

# The layout of G groups, passed to both kernels:
#   first_weight (G + 1,)  group g owns weights first_weight[g]:first_weight[g + 1], its units' rows one after the other
#   first_unit   (G,)      its first unit in U
#   width        (G,)      its units
#   first_source (G + 1,)  it reads the sources first_source[g]:first_source[g + 1]
#   source       (S, 2)    units source[s, 0]:source[s, 1] of V
#   most         int       units that the group reads which reads most

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def forward(h_VB, weight_P, bias_U, first_weight, first_unit, width, first_source, source, most, z_UB):
    """Fill the groups' sums z = W h + b."""
    buffer = np.empty((most, h_VB.shape[1]), h_VB.dtype)
    for g in range(len(width)):
        x_FB = _gather(h_VB, source[first_source[g] : first_source[g + 1]], buffer)
        start, stop = first_unit[g], first_unit[g] + width[g]
        np.dot(weight_P[first_weight[g] : first_weight[g + 1]].reshape(width[g], len(x_FB)), x_FB, z_UB[start:stop])
        for u in range(start, stop):
            for b in range(z_UB.shape[1]):
                z_UB[u, b] += bias_U[u]


@_compiled
def backward(
    dz_UB, h_VB, weight_P, first_weight, first_unit, width, first_source, source, most, dh_VB, dweight_P
):  # fmt: skip
    """Fill the gradients of inputs and weights; `dh_VB` comes in as zeros, or without columns where nobody wants it."""
    buffer, dbuffer = np.empty((most, h_VB.shape[1]), h_VB.dtype), np.empty((most, h_VB.shape[1]), h_VB.dtype)
    for g in range(len(width)):
        sources = source[first_source[g] : first_source[g + 1]]
        x_FB = _gather(h_VB, sources, buffer)
        dz = dz_UB[first_unit[g] : first_unit[g] + width[g]]
        weights = slice(first_weight[g], first_weight[g + 1])
        np.dot(dz, x_FB.T, dweight_P[weights].reshape(width[g], len(x_FB)))
        if dh_VB.shape[1] == 0:
            continue
        dx_FB = dbuffer[: len(x_FB)]
        np.dot(weight_P[weights].reshape(width[g], len(x_FB)).T, dz, dx_FB)
        row = 0
        for s in range(len(sources)):
            for v in range(sources[s, 0], sources[s, 1]):
                for b in range(dh_VB.shape[1]):
                    dh_VB[v, b] += dx_FB[row, b]
                row += 1


@_compiled
def _gather(h_VB, sources, buffer):
    """The units that a group reads, as one contiguous array."""
    if len(sources) == 1:
        return h_VB[sources[0, 0] : sources[0, 1]]
    row = 0
    for s in range(len(sources)):
        for v in range(sources[s, 0], sources[s, 1]):
            for b in range(h_VB.shape[1]):
                buffer[row, b] = h_VB[v, b]
            row += 1
    return buffer[:row]
