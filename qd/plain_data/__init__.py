"""Plain data that others wrote, as JSON or YAML: read within bounds, or refused with the reason.

Everything that comes out is text, finite numbers, booleans, None, lists and dicts with text for keys, no deeper and no
larger than any of ours; so whoever reads it need not guard against it any more.
"""

from .bounds import check_plain
from .files import read_text
from .json_text import parse_json, read_json
from .typed import typed
from .yaml_text import dump_yaml, parse_yaml

__all__ = ["check_plain", "dump_yaml", "parse_json", "parse_yaml", "read_json", "read_text", "typed"]
