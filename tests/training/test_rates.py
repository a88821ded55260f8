"""What a device can do is measured; here the processor."""

from __future__ import annotations

import torch

from qd.training.rates import measure_rates


def test_the_processor_is_measured_on_one_thread() -> None:
    threads = torch.get_num_threads()
    rates = measure_rates(torch.device("cpu"), seconds=0.2)
    assert torch.get_num_threads() == threads
    assert rates.tf32_flops_per_second is None  # a processor has none
    assert rates.bfloat16_flops_per_second is not None
    # orders of magnitude of any processor that runs this: a hundredfold error would show
    assert 1e8 < rates.copy_bytes_per_second < 1e13
    assert 1e8 < rates.float32_flops_per_second < 1e14
    assert 1e3 < rates.launches_per_second < 1e9
