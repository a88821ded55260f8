"""Mixtures of experts of many networks in one pass over the processor's caches, forward and backward.

Only the chosen experts compute, each on just the examples that chose it, in matrix products of its own true size: no
padding, nothing gated away. A dense layer is a mixture of one expert without a router. For CPUs; `stack.mixture` says
the same in plain torch for other devices, and a test holds the two together.

Axes: R rows (one network's layer each), B examples, W width, G experts of all rows one after the other, U hidden units
of all experts one after the other, C choices (an example's 1 or 2 experts), T choices of all examples.
"""

from __future__ import annotations

import math

import numpy as np

from qd.compiled import njit

RELU, SILU, TANH = 0, 1, 2
ACTIVATION_CODES = {"relu": RELU, "silu": SILU, "tanh": TANH}

# The layout of R rows, passed to both kernels:
#   first_expert (R + 1,)  row r owns experts first_expert[r]:first_expert[r + 1]
#   first_unit   (G + 1,)  expert g owns units first_unit[g]:first_unit[g + 1]
#   top_k        (R,)      0 where the row has no router, else 1 or 2
#   activation   (R,)      one of ACTIVATION_CODES
#   residual     (R,)      bool
#   balance      (R,)      weight of the load-balancing loss

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def route(x_RBW, router_GW, first_expert, top_k, balance, probability_BG, choice_RBC, gate_RBC, share_G, loss_R):
    """Fill probabilities, choices (-1: none), gates, shares of the choices, and the weighted load-balancing losses."""
    rows, examples = x_RBW.shape[0], x_RBW.shape[1]
    for r in range(rows):
        first, stop = first_expert[r], first_expert[r + 1]
        if top_k[r] == 0:
            choice_RBC[r, :, 0] = first
            choice_RBC[r, :, 1] = -1
            gate_RBC[r, :, 0] = 1
            continue
        score_BE = np.dot(x_RBW[r], router_GW[first:stop].T)
        for b in range(examples):
            best, second = 0, -1
            for e in range(1, stop - first):  # among equal scores the lowest index wins
                if score_BE[b, e] > score_BE[b, best]:
                    second, best = best, e
                elif second < 0 or score_BE[b, e] > score_BE[b, second]:
                    second = e
            total = x_RBW.dtype.type(0)
            for e in range(stop - first):
                p = math.exp(score_BE[b, e] - score_BE[b, best])
                probability_BG[b, first + e] = p
                total += p
            for e in range(stop - first):
                probability_BG[b, first + e] /= total
            choice_RBC[r, b, 0] = first + best
            share_G[first + best] += 1
            gate = probability_BG[b, first + best]
            if top_k[r] == 2:
                other = probability_BG[b, first + second]
                choice_RBC[r, b, 1] = first + second
                share_G[first + second] += 1
                gate_RBC[r, b, 0] = gate / (gate + other)
                gate_RBC[r, b, 1] = other / (gate + other)
            else:
                choice_RBC[r, b, 1] = -1
                gate_RBC[r, b, 0] = gate
        loss = x_RBW.dtype.type(0)
        for e in range(first, stop):
            share_G[e] /= examples * top_k[r]
            mean = x_RBW.dtype.type(0)
            for b in range(examples):
                mean += probability_BG[b, e]
            loss += share_G[e] * mean / examples
        loss_R[r] = balance[r] * (stop - first) * loss


@_compiled
def forward(
    x_RBW, up_UW, up_U, down_UW, down_GW, choice_RBC, gate_RBC, first_expert, first_unit, activation, residual,
    count_G, example_T, slot_T, hidden, slope, y_RBW,
):  # fmt: skip
    """Fill the list of each expert's examples, hidden activations with their slopes, and the output."""
    rows, examples, width = x_RBW.shape
    input_BW, output_BW = np.empty_like(x_RBW[0]), np.empty_like(x_RBW[0])
    listed, filled = 0, 0
    for r in range(rows):
        if residual[r]:
            y_RBW[r] = x_RBW[r]
        else:
            y_RBW[r] = 0
        for g in range(first_expert[r], first_expert[r + 1]):
            start, stop = first_unit[g], first_unit[g + 1]
            units, size = stop - start, count_G[g]
            if size == 0:
                continue
            taken = 0
            for b in range(examples):
                for c in range(2):
                    if choice_RBC[r, b, c] == g:
                        example_T[listed + taken] = b
                        slot_T[listed + taken] = c
                        input_BW[taken] = x_RBW[r, b]
                        taken += 1
            h = hidden[filled : filled + size * units].reshape(size, units)
            s = slope[filled : filled + size * units].reshape(size, units)
            np.dot(input_BW[:size], up_UW[start:stop].T, h)
            _activate(h, s, up_U[start:stop], activation[r])
            np.dot(h, down_UW[start:stop], output_BW[:size])
            for i in range(size):
                b = example_T[listed + i]
                gate = gate_RBC[r, b, slot_T[listed + i]]
                for w in range(width):
                    y_RBW[r, b, w] += gate * (output_BW[i, w] + down_GW[g, w])
            listed += size
            filled += size * units


@_compiled
def _activate(h, s, bias, activation):
    size, units = h.shape
    one = h.dtype.type(1)
    for i in range(size):
        if activation == RELU:
            for u in range(units):
                a = h[i, u] + bias[u]
                h[i, u] = a if a > 0 else 0
                s[i, u] = one if a > 0 else 0
        elif activation == SILU:
            for u in range(units):
                a = h[i, u] + bias[u]
                sigmoid = one / (one + math.exp(-a))
                h[i, u] = a * sigmoid
                s[i, u] = sigmoid + a * sigmoid * (one - sigmoid)
        else:
            for u in range(units):
                t = one - 2 / (math.exp(2 * (h[i, u] + bias[u])) + one)  # tanh
                h[i, u] = t
                s[i, u] = one - t * t


@_compiled
def backward(
    dy_RBW, dloss_R, x_RBW, router_GW, up_UW, down_UW, down_GW, probability_BG, choice_RBC, gate_RBC, share_G,
    first_expert, first_unit, top_k, residual, balance, count_G, example_T, slot_T, hidden, slope,
    dx_RBW, drouter_GW, dup_UW, dup_U, ddown_UW, ddown_GW,
):  # fmt: skip
    """Fill the gradients; those of parameters come in as zeros."""
    rows, examples, width = x_RBW.shape
    input_BW, dy_BW, gated_BW = np.empty_like(x_RBW[0]), np.empty_like(x_RBW[0]), np.empty_like(x_RBW[0])
    dgate_BC = np.empty((examples, 2), x_RBW.dtype)
    zero = x_RBW.dtype.type(0)
    listed, filled = 0, 0
    for r in range(rows):
        if residual[r]:
            dx_RBW[r] = dy_RBW[r]
        else:
            dx_RBW[r] = 0
        dgate_BC[:] = 0
        for g in range(first_expert[r], first_expert[r + 1]):
            start, stop = first_unit[g], first_unit[g + 1]
            units, size = stop - start, count_G[g]
            if size == 0:
                continue
            for i in range(size):
                b, c = example_T[listed + i], slot_T[listed + i]
                gate, dgate = gate_RBC[r, b, c], zero
                for w in range(width):
                    d = dy_RBW[r, b, w]
                    input_BW[i, w] = x_RBW[r, b, w]
                    dy_BW[i, w] = d
                    gated_BW[i, w] = d * gate
                    ddown_GW[g, w] += d * gate
                    dgate += d * down_GW[g, w]
                dgate_BC[b, c] = dgate
            h = hidden[filled : filled + size * units].reshape(size, units)
            s = slope[filled : filled + size * units].reshape(size, units)
            np.dot(h.T, gated_BW[:size], ddown_UW[start:stop])
            da = np.dot(dy_BW[:size], down_UW[start:stop].T)
            for i in range(size):
                b, c = example_T[listed + i], slot_T[listed + i]
                gate, dgate = gate_RBC[r, b, c], zero
                for u in range(units):
                    d = da[i, u]
                    dgate += d * h[i, u]
                    da[i, u] = d * gate * s[i, u]
                    dup_U[start + u] += da[i, u]
                dgate_BC[b, c] += dgate
            np.dot(da.T, input_BW[:size], dup_UW[start:stop])
            np.dot(da, up_UW[start:stop], dy_BW[:size])
            for i in range(size):
                b = example_T[listed + i]
                for w in range(width):
                    dx_RBW[r, b, w] += dy_BW[i, w]
            listed += size
            filled += size * units
        if top_k[r]:
            _route_backward(
                r, dgate_BC, dloss_R[r] * balance[r], x_RBW, router_GW, probability_BG, choice_RBC, gate_RBC, share_G,
                first_expert[r], first_expert[r + 1], top_k[r], dx_RBW, drouter_GW,
            )  # fmt: skip


@_compiled
def _route_backward(
    r, dgate_BC, dloss, x_RBW, router_GW, probability_BG, choice_RBC, gate_RBC, share_G, first, stop, top_k,
    dx_RBW, drouter_GW,
):  # fmt: skip
    examples = x_RBW.shape[1]
    experts = stop - first
    dscore_BE = np.empty((examples, experts), x_RBW.dtype)
    for b in range(examples):
        for e in range(experts):  # of the probabilities at first
            dscore_BE[b, e] = dloss * experts * share_G[first + e] / examples
        one, two = choice_RBC[r, b, 0] - first, choice_RBC[r, b, 1] - first
        if top_k == 2:
            both = probability_BG[b, first + one] + probability_BG[b, first + two]
            mean = gate_RBC[r, b, 0] * dgate_BC[b, 0] + gate_RBC[r, b, 1] * dgate_BC[b, 1]
            dscore_BE[b, one] += (dgate_BC[b, 0] - mean) / both
            dscore_BE[b, two] += (dgate_BC[b, 1] - mean) / both
        else:
            dscore_BE[b, one] += dgate_BC[b, 0]
        mean = x_RBW.dtype.type(0)
        for e in range(experts):
            mean += probability_BG[b, first + e] * dscore_BE[b, e]
        for e in range(experts):
            dscore_BE[b, e] = probability_BG[b, first + e] * (dscore_BE[b, e] - mean)
    np.dot(dscore_BE.T, x_RBW[r], drouter_GW[first:stop])
    dx_RBW[r] += np.dot(dscore_BE, router_GW[first:stop])
