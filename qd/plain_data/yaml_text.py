"""The one dialect of YAML that is read and written here: the core schema of YAML 1.2, with merge keys.

What YAML 1.1, which many tools still read, takes for something else is refused unless it is quoted: `yes`, `017`,
`1_000`, `1:30`. Nothing is written that either version would read as another value. Keys are text.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.emitter import Emitter
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.representer import SafeRepresenter
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner, ScannerError
from yaml.serializer import Serializer

from .bounds import DEEPEST, MOST_VALUES, check_plain

_TAG = "tag:yaml.org,2002:"
_MERGE, _OTHERWISE = f"{_TAG}merge", "!otherwise"
_PLAIN = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}
_BOOLEANS_OF_1_1 = r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
_NUMBERS_OF_1_1 = r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?0[bxo][0-9a-fA-F_]+"
_DATES_OF_1_1 = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"


class _Dialect(BaseResolver):
    """What plain text stands for; the same for reading and writing."""


for _name, _pattern in _PLAIN.items():
    _Dialect.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), None)
_Dialect.add_implicit_resolver(_OTHERWISE, re.compile(rf"^(?:{_BOOLEANS_OF_1_1}|{_NUMBERS_OF_1_1})$"), None)


class _Loader(Reader, Scanner, Parser, Composer, SafeConstructor, _Dialect):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        _Dialect.__init__(self)
        self._merged = 0
        self._merging: list[MappingNode] = []

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        if self.flow_level > DEEPEST:
            raise ScannerError(None, None, f"nested deeper than {DEEPEST} levels", self.get_mark())
        Scanner.fetch_flow_collection_start(self, TokenClass)

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node = Composer.compose_mapping_node(self, anchor)
        assert isinstance(node, MappingNode)
        seen = set()
        for key, _ in node.value:
            if key.tag not in (f"{_TAG}str", _MERGE):
                written = f" {key.value}" if isinstance(key, ScalarNode) else ""
                raise _refusal(f"expected text for a key, got{written[:80] or ' a list'}; write it in quotes", key)
            if key.tag != _MERGE and key.value in seen:
                raise _refusal(f"the key {key.value[:80]!r} stands twice", key)
            seen.add(key.value)
        return node

    def flatten_mapping(self, node: MappingNode) -> None:
        """Put what `<<` names into the mapping, but for keys that it has itself."""
        merged = [value for key, value in node.value if key.tag == _MERGE]
        node.value = own = [(key, value) for key, value in node.value if key.tag != _MERGE]
        names = {key.value for key, _ in own}
        self._merging.append(node)
        for value in merged:
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                if not isinstance(source, MappingNode) or source in self._merging:
                    raise _refusal("expected keys and values of another place, or a list of those, behind <<", source)
                self.flatten_mapping(source)
                self._merged += len(source.value)
                if self._merged > MOST_VALUES:
                    raise _refusal(f"<< repeats more than {MOST_VALUES:,} values", source)
                inherited = [(key, item) for key, item in source.value if key.value not in names]
                names.update(key.value for key, _ in inherited)
                node.value = [*inherited, *node.value]
        self._merging.pop()

    def construct_scalar_of_core(self, node: ScalarNode) -> Any:
        """Null, a boolean or a number; also where a tag asks for it."""
        name, text = node.tag.removeprefix(_TAG), self.construct_scalar(node)
        if not re.fullmatch(_PLAIN[name], text):
            raise _refusal(f"expected {name}, got {text[:80]!r}", node)
        if name == "null":
            return None
        if name == "bool":
            return text.lower() == "true"
        if name == "float":
            number = float(re.sub(r"\.(?=[iInN])", "", text))
            if number in (float("inf"), float("-inf")) and "n" not in text.lower():
                raise _refusal(f"{text[:80]} is beyond the greatest number; write it in quotes if it is text", node)
            return number
        if len(text) > 400:
            raise _refusal(f"a number of {len(text):,} digits", node)
        return int(text, 0)

    def refuse_what_is_read_otherwise(self, node: ScalarNode) -> Any:
        """Of a value that other versions of YAML read as something else, say what to write."""
        instead = "true or false"
        if not re.fullmatch(_BOOLEANS_OF_1_1, node.value):
            instead = "a number without leading zeros, underscores and colons (0o17 is octal)"
        raise _refusal(
            f"versions of YAML differ about {node.value[:80]}; write {instead}, or in quotes if it is text", node
        )


_CONSTRUCTORS: dict[Any, Any] = {
    **{_TAG + name: _Loader.construct_scalar_of_core for name in ("null", "bool", "int", "float")},
    **{_TAG + name: getattr(SafeConstructor, f"construct_yaml_{name}") for name in ("str", "seq", "map")},
    _OTHERWISE: _Loader.refuse_what_is_read_otherwise,
    None: SafeConstructor.construct_undefined,
}
_Loader.yaml_constructors = _CONSTRUCTORS


class _Dumper(Emitter, Serializer, SafeRepresenter, _Dialect):
    def __init__(self, stream: Any, one_line: bool) -> None:
        Emitter.__init__(self, stream, width=sys.maxsize if one_line else 120)
        Serializer.__init__(self)
        flow: Any = True if one_line else None
        SafeRepresenter.__init__(self, default_flow_style=flow, sort_keys=False)
        _Dialect.__init__(self)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_number(self, number: float) -> Node:
        """The shortest digits that read back as the same float."""
        text = repr(number)
        return self.represent_scalar(f"{_TAG}float", text.replace("inf", ".inf").replace("nan", ".nan"))

    def represent_text(self, text: str) -> Node:
        """In double quotes where it holds line ends and the like, which then are escaped."""
        return self.represent_scalar(f"{_TAG}str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(float, _Dumper.represent_number)
_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_implicit_resolver(_OTHERWISE, re.compile(rf"^(?:{_DATES_OF_1_1}|=)$"), None)  # so text like it is quoted


def parse_yaml(text: str) -> Any:
    """Decode one document of YAML.

    Raises:
        ValueError: it is none, a key is no text or stands twice, or it is beyond the bounds of `check_plain`; the
            message names the line.
    """
    try:
        data = _Loader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        context = f"{error.context}, " if error.context else ""
        raise ValueError(f"not valid YAML: {context}{error.problem}{where}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ValueError(f"not valid YAML: it may not hold the character {error.character:#x} (line {line})") from None
    except RecursionError:
        raise ValueError("not valid YAML: nested too deeply, or an alias that holds itself") from None
    check_plain(data, infinite=True)
    return data


def dump_yaml(data: Any, one_line: bool = False) -> str:
    """Write plain data so that `parse_yaml` gives it back, floats to the bit.

    Args:
        data: lists and dicts with text for keys.
        one_line: all of it in one line; else only what is innermost.
    """
    stream = io.StringIO()
    dumper = _Dumper(stream, one_line)
    dumper.open()
    dumper.represent(data)
    dumper.close()
    return stream.getvalue()


def _refusal(problem: str, node: Node) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)
