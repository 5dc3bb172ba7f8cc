"""Configuration that the operator writes: sections of oslo.config, and rules of oslo.policy. Pure.

Both are text in an option, checked for their form; what a service makes of them its trial shows
(:mod:`charmkit.trial_wsgi`) before any of its processes takes them up.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

_SECTION = re.compile(r'\[([A-Za-z0-9_.:-]{1,64})\]')
_KEY = re.compile(r'[A-Za-z0-9_-]{1,128}')
_RULE = re.compile(r'[A-Za-z0-9_:.-]{1,128}')
_CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f]')
_DEEPEST = 16
_ATTRIBUTE = re.compile(r'%\([^()]*\)s')
_TERM = re.compile(r'[@!]|[^():]*:[^()]*')
_SHAPE = re.compile(r'(?:[(!]*x\)*&)*[(!]*x\)*')
"""Of a check: x for a term, & for ``and`` and ``or``, ! for ``not``, and parentheses, which match."""
OWN = frozenset(
    {
        ('database', 'connection'),
        ('placement_database', 'connection'),
        ('api_database', 'connection'),
        ('DEFAULT', 'transport_url'),
        ('keystone_authtoken', 'auth_url'),
        ('keystone_authtoken', 'username'),
        ('keystone_authtoken', 'password'),
        ('keystone_authtoken', 'memcached_servers'),
        ('keystone_authtoken', 'memcache_security_strategy'),
        ('keystone_authtoken', 'memcache_secret_key'),
        ('fernet_tokens', 'key_repository'),
        ('credential', 'key_repository'),
    }
)
"""What follows from relations and secrets, and no operator can know better. oslo.config takes names of sections, all
but ``DEFAULT``, in any case."""


def sections(text: str) -> dict[str, dict[str, str]]:
    """The sections in *text*: ``[section]`` and ``key = value`` lines, ``#`` for comments.

    Raises:
        ValueError: naming the line that is neither, or sets what is the charm's own.
    """
    found: dict[str, dict[str, str]] = {}
    section = ''
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in '#;':
            continue
        if header := _SECTION.fullmatch(line):
            section = header[1]
            continue
        key, equals, value = line.partition('=')
        key = key.strip()
        if not (section and equals and _KEY.fullmatch(key)) or _CONTROL.search(line):
            raise ValueError(f'line {number} is neither [section] nor key = value in one')
        if (section, key) in OWN or (section.lower(), key) in OWN:
            raise ValueError(f"line {number}: {key} in [{section}] is the charm's own")
        if key in found.get(section, {}):  # The last one alone would count, without a word.
            raise ValueError(f'line {number}: {key} is in [{section}] already')
        found.setdefault(section, {})[key] = value.strip()
    return found


def yaml_map(text: str) -> dict[str, Any]:
    """*text* as a YAML map; nothing is an empty one. Of YAML there is what an operator writes: no aliases and no tags.

    Raises:
        ValueError: saying what it is instead, without quoting it: there may be a password in it.
    """
    return yaml_lines(text)[0]


def yaml_lines(text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """What :func:`yaml_map` makes of *text*, and in which line, from 1 on, each of its names is. Raises the same."""
    import yaml  # It costs each hook a hundredth of a second, and most charms have no such text.

    if not text.strip():
        return {}, {}
    try:
        depth = 0
        tokens = cast('Iterator[Any]', yaml.scan(text))  # pyright: ignore[reportUnknownMemberType]
        for token in tokens:
            line = int(token.start_mark.line) + 1
            # A few lines of aliases can stand for more than any memory holds.
            if (kind := type(token).__name__) in ('AliasToken', 'TagToken'):
                raise ValueError(
                    f'line {line} has an alias or a tag: quote what begins with * or !'
                )
            depth += _opens(kind)
            if depth > _DEEPEST:  # PyYAML's time grows with the square of it.
                raise ValueError(f'line {line} is nested too deeply')
        loader = cast('Any', yaml.SafeLoader(text))
        node = loader.get_single_node()
        lines = _lines(node)
        data: object = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as e:
        mark = getattr(e, 'problem_mark', None)
        raise ValueError(f'line {mark.line + 1 if mark else 1} is not YAML') from None
    if not isinstance(data, Mapping):
        raise ValueError('it is no map of names to values')
    found = {str(key): value for key, value in cast('Mapping[object, Any]', data).items()}
    return found, lines


def _lines(node: Any) -> dict[str, int]:
    """The line of each name in the map *node*; nothing for another kind. No map in it may have a name twice.

    YAML forbids that, and PyYAML takes the last one without a word.
    """
    found: dict[str, int] = {}
    if getattr(node, 'id', '') == 'sequence':
        for each in node.value:
            _lines(each)
    elif getattr(node, 'id', '') == 'mapping':
        for key, value in node.value:
            _lines(value)
            line = int(key.start_mark.line) + 1
            name = str(key.value) if key.id == 'scalar' else ''
            if key.id == 'scalar' and name in found:
                raise ValueError(f'line {line}: {name[:40]!r} is in line {found[name]} already')
            found[name] = line
    return found


def _opens(token: str) -> int:
    """1 for a kind of YAML token that opens a collection, -1 for one that closes it, else 0."""
    if token.endswith(('SequenceStartToken', 'MappingStartToken')):
        return 1
    return -1 if token.endswith('EndToken') and not token.startswith(('Stream', 'Document')) else 0


def rules(text: str) -> dict[str, str]:
    """The rules in *text*: YAML, each rule's name and its check string.

    Raises:
        ValueError: saying what it is instead.
    """
    found = yaml_map(text)
    for name, check in found.items():
        if not _RULE.fullmatch(name):
            raise ValueError(f'{name[:40]!r} is no name of a rule')
        if not isinstance(check, str) or _CONTROL.search(check):
            raise ValueError(f'the check of {name} is not a text')
        if wrong := _wrong_in_check(check):
            raise ValueError(f'the check of {name}: {wrong}')
    return found


def _wrong_in_check(check: str) -> str:
    """'' for a check that oslo.policy can read, else what is wrong with it. What it cannot read it denies to everybody.

    Source: oslo.policy's documentation of policy rule expressions.
    """
    shape = ''
    for word in check.split():
        bare = word.lstrip('(')
        term = bare.rstrip(')')
        kind = {'and': '&', 'or': '&', 'not': '!'}.get(term.lower(), 'x' if term else '')
        if kind == 'x' and not _TERM.fullmatch(_ATTRIBUTE.sub('', term)):
            return f'{term[:40]!r} is neither kind:match, such as role:admin, nor @ or !'
        shape += '(' * (len(word) - len(bare)) + kind + ')' * (len(bare) - len(term))
    depths = [*itertools.accumulate({'(': 1, ')': -1}.get(c, 0) for c in shape)]
    if min(depths, default=0) < 0 or depths[-1:] not in ([], [0]):
        return 'its parentheses do not match'
    if shape and not _SHAPE.fullmatch(shape):
        return 'wanted: terms such as role:admin, with `and`, `or` and `not`'
    return ''


def render_rules(checks: Mapping[str, str]) -> str:
    """A policy file; JSON is YAML, and quotes everything."""
    return json.dumps(dict(checks), indent=1, sort_keys=True) + '\n'
