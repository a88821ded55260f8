"""Every module of the shelf for tokens keeps the contract; one for several ports is tested at all of them, once."""

from __future__ import annotations

import pytest

from qd.testing import ModuleConformance
from search_spaces.shelf.base import ShelfModule
from search_spaces.shelf.kinds import modules_of

MODULES = {module.name: module for module in modules_of("tokens") if module.ports[0] == "tokens"}


@pytest.mark.parametrize("name", MODULES)
class TestModules(ModuleConformance):
    @pytest.fixture
    def module(self, name: str) -> ShelfModule:
        return MODULES[name]
