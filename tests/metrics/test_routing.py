import numpy as np
import torch
from torch import nn

from qd.metrics.routing import predict
from search_spaces.shelf import MixtureOfExperts


def test_predict_gives_outputs_and_gates_of_all_examples():
    torch.manual_seed(0)
    layer = MixtureOfExperts(4, [2, 5, 3], 2, "relu", 0.1)
    network = nn.Sequential(nn.Linear(3, 4), layer, nn.Linear(4, 2)).eval()
    inputs = torch.randn(25, 3)
    outputs, gates = predict(network, inputs, batch_size=10)
    with torch.no_grad():
        torch.testing.assert_close(outputs, network(inputs))
        hidden = network[0](inputs)
    assert list(gates) == ["1"]
    np.testing.assert_allclose(gates["1"], layer.route(hidden).detach().numpy(), rtol=1e-6)
    assert ((gates["1"] > 0).sum(1) == 2).all()
    assert not layer._forward_hooks
