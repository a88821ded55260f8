"""A bank of weights that all networks of a space share: each of their tensors is a prefix slice of one of the bank's.

Networks need not know of it: what a tensor is called in the bank follows from its name and the classes of the modules
that hold it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Slots = Mapping[str, Sequence[int]]
"""{name of a routed module in a network: the bank's slot for each of its experts}; a module that is not named has the
first ones."""

NO_SLOTS: Slots = {}
SHOWN = 3
"""Names in a message."""


class Place(NamedTuple):
    """Where a tensor of a network lies in the bank.

    Args:
        key: the bank's tensor.
        part: which of its numbers: the first of each axis, but for a router's rows, which are its experts'.
        shape: that the bank's tensor has at least.
    """

    key: str
    part: tuple[slice | Tensor, ...]
    shape: tuple[int, ...]


Places = Mapping[str, Place]
"""Of the parameters of a network, by name."""


class Bank:
    """Weights of all networks of a space, one tensor for each place in them.

    Two networks share a tensor where its name and the classes of all modules on the way to it are equal: what a dense
    layer has learnt is of no use to an attention layer in its place. Kernels of convolutions are shared at equal sizes
    alone. A network has the first rows, columns, ... of each tensor, as in AutoMoE (Jawahar et al., arXiv 2210.07535)
    and once-for-all networks (Cai et al., arXiv 1908.09791); maps that a module packs into one tensor are cut as if
    they were one. Buffers are never shared.

    Args:
        tensors: {key: values} to begin with.
    """

    def __init__(self, tensors: Mapping[str, Tensor] | None = None) -> None:
        self.tensors = {key: nn.Parameter(tensor) for key, tensor in (tensors or {}).items()}

    def __len__(self) -> int:
        """How many numbers it holds."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    def check(self, network: nn.Module, places: Places) -> None:
        """Refuse a network of another space.

        Raises:
            ValueError: tensors of equal names have other numbers of axes; names them.
        """
        wrong = []
        for name, place in places.items():
            own, shared = network.get_parameter(name), self.tensors.get(place.key)
            if shared is not None and shared.ndim != own.ndim:
                wrong.append(f"{place.key} has {shared.ndim} axes, and the network's {own.ndim}")
        if wrong:
            more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise ValueError(f"the bank does not fit this space: {'; '.join(wrong[:SHOWN])}{more}")

    @torch.no_grad()
    def grow(self, network: nn.Module, places: Places) -> list[str]:
        """Make room for a network; what is new has the network's own values.

        A part that neither the bank nor the network has, such as where one is longer and the other is wider, is drawn
        from the network's values, from torch's global generator.

        Args:
            network: is not changed.
            places: of its parameters, as `places_of` gives them.

        Returns:
            The keys of tensors that are new, or were replaced by larger ones.

        Raises:
            ValueError: it does not fit, see `check`.
        """
        self.check(network, places)
        grown = []
        for name, place in places.items():
            own, old = network.get_parameter(name).detach(), self.tensors.get(place.key)
            shape = place.shape if old is None else tuple(map(max, place.shape, old.shape))
            if old is not None and shape == old.shape:
                continue
            drawn = torch.randint(max(1, own.numel()), shape, device=own.device)
            new = own.flatten()[drawn] if own.numel() else own.new_zeros(shape)
            new[place.part] = own
            if old is not None:
                new[tuple(slice(0, size) for size in old.shape)] = old
            self.tensors[place.key] = nn.Parameter(new)
            grown.append(place.key)
        return grown

    @torch.no_grad()
    def slices(self, places: Places) -> dict[str, Tensor]:
        """The parameters of a network that has grown into the bank, by name: views or copies."""
        return {name: self.tensors[place.key].detach()[place.part] for name, place in places.items()}

    @torch.no_grad()
    def add_gradients(self, places: Places, gradients: Mapping[str, Tensor]) -> None:
        """Add the gradients of a network's parameters to those of the bank's tensors."""
        for name, place in places.items():
            tensor = self.tensors[place.key]
            if tensor.grad is None:
                tensor.grad = torch.zeros_like(tensor)
            tensor.grad[place.part] += gradients[name]

    @torch.no_grad()
    def inherit(self, network: nn.Module) -> float:
        """Copy into a network all that the bank has of it.

        Returns:
            The share of its parameters that come from the bank, in [0, 1]; the others stay as they are.

        Raises:
            ValueError: it does not fit, see `check`.
        """
        places = places_of(network)
        self.check(network, places)
        found = total = 0
        for name, place in places.items():
            own = network.get_parameter(name)
            total += own.numel()
            if place.key in self.tensors:
                shared = self.tensors[place.key]
                both = tuple(slice(0, min(sizes)) for sizes in zip(own.shape, shared.shape, strict=True))
                own[both] = shared[both].to(own)
                found += own[both].numel()
        return found / total if total else 1.0

    def slots(self, network: nn.Module) -> dict[str, int]:
        """{name of a routed module: its experts, or those in its place in the bank where they are more}."""
        routed = {name: module for name, module in network.named_modules() if experts_of(module)}
        places, found = places_of(network) if routed else {}, {}
        for name, module in routed.items():
            tensor = self.tensors.get(places[".".join(filter(None, (name, router_rows(module)[0])))].key)
            found[name] = max(experts_of(module), 0 if tensor is None else len(tensor))
        return found

    def save(self, path: Path) -> None:
        """Write it as safetensors, to another name first."""
        from safetensors.torch import save

        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(save({key: tensor.detach().cpu().contiguous() for key, tensor in self.tensors.items()}))
        beside.replace(path)


def places_of(network: nn.Module, slots: Slots = NO_SLOTS) -> dict[str, Place]:
    """Where the parameters of a network lie.

    Args:
        network: any.
        slots: of its experts.
    """
    modules = dict(network.named_modules())
    titles = {name: _title(module) for name, module in modules.items()}
    of_routers = {
        ".".join(filter(None, (name, row))): chosen
        for name, chosen in slots.items()
        for row in router_rows(modules[name])
    }
    numbers = {
        ".".join(filter(None, (name, "experts", str(expert)))): str(slot)
        for name, chosen in slots.items()
        for expert, slot in enumerate(chosen)
    }
    holders: dict[str, str] = {"": ""}  # of each module, how it is called in keys, with a point behind
    for name in modules:
        if name:
            above, _, own = name.rpartition(".")
            holders[name] = f"{holders[above]}{numbers.get(name, own)}({titles[name]})."
    found = {}
    for name, parameter in network.named_parameters():
        above, _, own = name.rpartition(".")
        part: list[slice | Tensor] = [slice(0, size) for size in parameter.shape]
        shape = list(parameter.shape)
        if name in of_routers:
            rows = of_routers[name]
            part[0], shape[0] = torch.as_tensor(rows, device=parameter.device), max(rows) + 1
        found[name] = Place(holders[above] + own, tuple(part), tuple(shape))
    return found


def experts_of(module: nn.Module) -> int:
    """How many experts a routed module has of its own, between which places in a bank can be exchanged; 0: it has none.

    Its `experts` are a list of modules, and its `router` ends in a linear map with one output for each.
    """
    experts = module._modules.get("experts")
    return len(experts) if isinstance(experts, nn.ModuleList) and router_rows(module) else 0


def router_rows(module: nn.Module) -> list[str]:
    """The parameters of a routed module whose rows belong to one expert each."""
    router, experts = module._modules.get("router"), module._modules.get("experts")
    if router is None or not isinstance(experts, nn.ModuleList):
        return []
    linear = [(name, part) for name, part in router.named_modules() if isinstance(part, nn.Linear)]
    if not linear or linear[-1][1].out_features != len(experts):
        return []
    name, last = linear[-1]
    return [".".join(filter(None, ("router", name, own))) for own, _ in last.named_parameters()]


def _title(module: nn.Module) -> str:
    name = type(module).__name__
    return f"{name} {'x'.join(map(str, module.kernel_size))}" if isinstance(module, _ConvNd) else name
