"""Counts floating-point operations of whatever torch does, on any device, the one without memory included."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def _of_lstm(inputs_TBW: Tensor, into: Tensor, recurrent: Tensor, *_: Any, **__: Any) -> int:
    return 2 * inputs_TBW.shape[0] * inputs_TBW.shape[1] * (into.numel() + recurrent.numel())


FORMULAS: dict[Any, Any] = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        torch.ops.aten._scaled_dot_product_flash_attention
    ],
    torch.ops.aten.mkldnn_rnn_layer: _of_lstm,
}
"""{operation: its FLOPs by shapes}: torch's, which leave out attention and layers of LSTMs on CPUs."""


class FlopCounter(TorchDispatchMode):
    """`flops`: what torch's `FlopCounterMode` counts in all, without its costly record of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        formula = FORMULAS.get(func.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=output)
        return output
