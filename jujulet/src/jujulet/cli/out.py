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
    import yaml as yaml_

    base: Any = getattr(yaml_, 'CSafeLoader', yaml_.SafeLoader)
    loader: Any = type('Loader', (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, shape) for tag, shape in known if not tag.endswith(':timestamp')]
        for first, known in base.yaml_implicit_resolvers.items()
    }
    try:
        value = yaml_.load(text, Loader=loader)  # noqa: S506 -- both bases are the safe ones
        json.dumps(value)
    except yaml_.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f'it holds what is neither text, number, list nor mapping ({error})'
        ) from None
    return value


def colour() -> bool:
    """Whether a person with colours looks on."""
    return (
        sys.stdout.isatty()
        and not os.environ.get('NO_COLOR')
        and os.environ.get('TERM', 'dumb') != 'dumb'
    )
