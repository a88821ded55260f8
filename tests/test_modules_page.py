"""docs/modules.md is what scripts/modules_page.py makes of the docstrings."""

from __future__ import annotations

from qd.registry import own_names
from scripts.modules_page import PAGE, PICTURES, page, prose


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert text == page(text), "python scripts/modules_page.py writes it again"


def test_every_module_has_its_picture() -> None:
    assert {path.stem for path in PICTURES.glob("*.svg")} == {*own_names("modules")}, "python scripts/modules_page.py"


def test_a_docstring_becomes_markdown() -> None:
    text = "Does it (arXiv 1706.03762).\n\nArgs:\n    rate: of drops,\n        in [0, 1].\n    size: of all.\n"
    assert prose(text) == (
        "Does it ([arXiv 1706.03762](https://arxiv.org/abs/1706.03762)).\n\n"
        "Keys beside `kind`:\n\n- `rate`: of drops, in [0, 1].\n- `size`: of all."
    )
