"""What goes to standard output: data, in the format that was asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def show(
    value: Any, form: str, path: str = '', table: Callable[[bool], str] | None = None
) -> None:
    """Write *value* as ``json``, ``yaml`` or (anything else) as *table* says, to *path* or standard output."""
    if form == 'json':
        text = json.dumps(value, separators=(',', ':'), ensure_ascii=False) + '\n'
    elif form == 'yaml' or table is None:
        text = yaml(value)
    else:
        text = table(not path and colour())
    if path:
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
    else:
        write(text)


def write(text: str) -> None:
    """Write *text* to standard output, as UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode('utf-8', 'surrogateescape'))
    sys.stdout.flush()


def yaml(value: Any) -> str:
    """*value* as block YAML, keys in their order."""
    import yaml as yaml_  # Slow to import, and JSON and tables do without.

    base: Any = getattr(yaml_, 'CSafeDumper', yaml_.SafeDumper)
    dumper: Any = type('Dumper', (base,), {})  # A class of our own, so that we may add to it.

    def text_of_lines(writer: Any, data: str) -> Any:
        """As a block, as people write it."""
        style = '|' if '\n' in data else None
        return writer.represent_scalar('tag:yaml.org,2002:str', data, style=style)

    dumper.add_representer(str, text_of_lines)
    return yaml_.dump(
        value, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True
    )


def load_yaml(text: str) -> Any:
    """What YAML says, where a date is text, as it is for Juju. Raises ``ValueError`` with the line of the mistake."""
    from ..core import yamltext

    return yamltext.load(text)


def colour() -> bool:
    """Whether a person with colours looks on."""
    return (
        sys.stdout.isatty()
        and not os.environ.get('NO_COLOR')
        and os.environ.get('TERM', 'dumb') != 'dumb'
    )
