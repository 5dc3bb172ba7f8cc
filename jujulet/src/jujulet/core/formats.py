"""Output as hook tools and commands print it: ``smart``, ``json`` and ``yaml``, in the style of Go's encoders.

Source: ``cmd.DefaultFormatters`` of Juju's cmd package. Keys are sorted, as Go sorts them.
"""

from __future__ import annotations

import decimal
import json
import re
from typing import Any, cast

import yaml

SMART = ('json', 'smart', 'yaml')
"""Names of all formats, as error messages list them."""

_SURROGATE = re.compile('[\ud800-\udfff]')


def clean(text: str) -> str:
    """*text* with what is no Unicode, such as bytes of another encoding, as U+FFFD."""
    return _SURROGATE.sub('\ufffd', text)


def render(value: Any, style: str) -> str:
    """*value* (None, str, bool, int, float, list, dict) in one of :data:`SMART`; empty, or ending in a newline."""
    if style == 'json':
        return json_text(value) + '\n'
    if value is None:
        return ''
    if style == 'yaml':
        return yaml_text(value)
    return _smart(value)


def json_text(value: Any) -> str:
    """Compact JSON on one line, escaped as Go escapes it. Bytes that are no UTF-8 become U+FFFD."""
    text = json.dumps(value, separators=(',', ':'), sort_keys=True, ensure_ascii=False)
    for char in '<>&\u2028\u2029':
        text = text.replace(char, f'\\u{ord(char):04x}')
    return clean(text)


def yaml_text(value: Any) -> str:
    """YAML in block style, strings that look like something else in double quotes."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=True,
        width=2**31,
    )
    return text.removesuffix('...\n')


def number_text(value: float) -> str:
    """A float with as many digits as it needs and no exponent."""
    return format(decimal.Decimal(repr(value)), 'f').removesuffix('.0')


def _smart(value: Any) -> str:
    if isinstance(value, str):
        return clean(value) + '\n'
    if isinstance(value, bool):
        return f'{value}\n'
    if isinstance(value, int):
        return f'{value}\n'
    if isinstance(value, float):
        return number_text(value) + '\n'
    if isinstance(value, (list, tuple)):
        items: list[Any] = list(cast('Any', value))
        if all(isinstance(item, str) for item in items):
            return ''.join(f'{item}\n' for item in items)
    return yaml_text(value)


class _Dumper(yaml.SafeDumper):
    """Strings as Go quotes them, no aliases, lists level with their key."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: Any, value: str) -> yaml.ScalarNode:
    value = clean(value)
    style = None
    if '\n' in value and value.strip(' \n'):
        style = '|'
    elif dumper.resolve(yaml.ScalarNode, value, (True, False)) != 'tag:yaml.org,2002:str' or (
        value in ('', 'y', 'n', 'Y', 'N', '~')
    ):
        style = '"'
    return dumper.represent_scalar('tag:yaml.org,2002:str', value, style=style)


def _float(dumper: Any, value: float) -> yaml.ScalarNode:
    text = repr(value)
    if 'e' not in text:
        text = number_text(value)
    elif '.' not in text:  # Without a point it would be read as text.
        text = text.replace('e', '.0e')
    return dumper.represent_scalar('tag:yaml.org,2002:float', text)


def _tuple(dumper: Any, value: tuple[Any, ...]) -> yaml.SequenceNode:
    return dumper.represent_list(list(value))


_Dumper.add_representer(str, _string)
_Dumper.add_representer(float, _float)
_Dumper.add_representer(tuple, _tuple)
