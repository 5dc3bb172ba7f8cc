"""Names are the field's own: words that were found to puzzle readers do not come back as identifiers."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from . import pages

INSTEAD = {
    'also': 'extra',
    'answer': 'response, reply or output',
    'answered': 'parse, responded',
    'answers': 'responses, remote_databags',
    'bereft': 'orphaned',
    'carried': 'what is carried: required_by, environment_options',
    'checked': 'validated, check_done, check_passed',
    'comeback': 'recovery, resume',
    'ground': 'prerequisites',
    'leave': 'LeaveCluster, exclude or departing',
    'leave_out': 'exclude, drop_part',
    'leaves': 'departs',
    'leaving': 'removing, departing or lingering',
    'objection': 'refusal',
    'seeing': 'observed',
    'showings': 'status, table',
    'steer': 'drive, control',
    'tell': 'publish, report or databag',
    'told': 'published, reported or output',
    'whole': 'complete, document',
}
"""Words that say nothing by themselves, each with what to use in its place. A longer name may contain one."""

PHRASES = {
    r'\b(?:is|are|was|were|be|been)(?: not)? told\b(?! (?:apart|to (?:stop|end)))': 'published to, shown, asked',
    r'\bgoes (?:over|before) (?:what|the|`)': 'takes precedence over',
    r'\blets? in (?:too|as well)\b|\bboth(?: passwords)? let in\b': 'is accepted',
    r'\bcomes? by (?:it|this unit|the old unit) any more\b': 'is connected through it any more',
    r'\bunderlines?\b': 'underscores',
    r'\b(?:without|between|around) blanks\b': 'spaces',
    r'\bof unicast\b': 'unicast addresses',
    r'\b(?:is|are)(?: not)? whole\b': 'complete',
    r'\bstands? nowhere\b': 'is not named',
}
"""Turns of phrase that operators had to puzzle over in documents and in the descriptions of options and actions."""

TOLD = re.compile(
    r'\b(?:[Cc]lients|[Ss]ervices|nodes|others|[Nn]obody|somebody|cinder|nova|neutron-api|operator|user|server|balancers?)'
    r' (?:is|are|was|were)(?: not)? told\b(?! (?:apart|to\b))'
)
"""In a docstring: something is published to others, reported, or shown."""

ONE_OF_EACH = frozenset({'Event', 'Place', 'Rule', 'Run', 'Service', 'Site'})
"""Classes of these names meant several things: there is one at the most, any other says whose it is."""

EXCUSED = {
    'charms/mysql/src/galera.py: answered': 'a key of the peer relation, which units of other revisions read',
    'matrix/src/matrix/faults/scripts/probe.py: answer': 'a command of the probe, called by name on machines',
}
"""Names that stay, each with the reason."""

PARTS = ('charmkit/src/', 'charms/', 'jujulet/src/', 'lifecycle/src/', 'matrix/src/', 'tools/')


def names(text: str) -> Iterator[str]:
    """What *text*, Python, defines for its readers: functions, classes, methods, fields, parameters, constants."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case _:
                pass
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                yield from _assigned(statement)


def _assigned(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case _:
            pass


def puzzling(file: str, text: str) -> list[str]:
    """The names in *file*, and that of the file itself, for which there is a better word: `file: name: the word`."""
    found = {*names(text), pathlib.PurePath(file).stem}
    bare = {name.strip('_').lower(): name for name in sorted(found)}
    return [
        f'{file}: {name}: {INSTEAD[word]}'
        for word, name in sorted(bare.items())
        if word in INSTEAD and f'{file}: {name}' not in EXCUSED
    ]


def several(files: Iterable[tuple[str, str]]) -> list[str]:
    """Names of :data:`ONE_OF_EACH` that more than one class has, with the files."""
    found: dict[str, list[str]] = {}
    for file, text in files:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name in ONE_OF_EACH:
                found.setdefault(node.name, []).append(file)
    return [f'{name}: {", ".join(there)}' for name, there in found.items() if len(there) > 1]


def sources() -> list[tuple[str, str]]:
    """What is not a test, with its text."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '*.py'],
        cwd=pages.ROOT, check=True, capture_output=True, text=True,
    ).stdout.split('\0')  # fmt: skip
    return [
        (name, (pages.ROOT / name).read_text(encoding='utf-8'))
        for name in listed
        if name.startswith(PARTS) and '/tests/' not in name and (pages.ROOT / name).exists()
    ]


def descriptions(charmcraft: Mapping[str, Any]) -> Iterator[str]:
    """What `juju config` and `juju actions` show of a charm, and what it says of itself."""
    yield from (str(charmcraft.get(key, '')) for key in ('summary', 'description'))
    yield from (
        option['description']
        for option in charmcraft.get('config', {}).get('options', {}).values()
    )
    actions: dict[str, Any] = charmcraft.get('actions', {})
    for action in actions.values():
        yield action['description']
        params: dict[str, Any] = action.get('params', {})
        yield from (one.get('description', '') for one in params.values())


def puzzling_phrases(text: str) -> list[str]:
    """The phrases of *text* for which there is a plainer one: `the phrase: the other`."""
    plain = ' '.join(text.split())
    return [
        f'{found[0]}: {instead}'
        for phrase, instead in PHRASES.items()
        for found in re.finditer(phrase, plain)
    ]


def edited() -> list[pathlib.Path]:
    """The pages that say how things are. Decisions and what changed say how they were, and stay."""
    past = (pages.ROOT / 'docs/adr', pages.ROOT / 'CHANGES.md', pages.ROOT / 'charmkit/CHANGES.md')
    return [page for page in pages.PAGES if not any(map(page.is_relative_to, past))]


@pytest.mark.parametrize('page', edited(), ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_no_page_puzzles_its_reader(page: pathlib.Path) -> None:
    assert puzzling_phrases(page.read_text()) == []


@pytest.mark.parametrize(
    'charm', sorted(pages.ROOT.glob('charms/*/charmcraft.yaml')), ids=lambda c: c.parent.name
)
def test_no_description_puzzles_its_reader(charm: pathlib.Path) -> None:
    shown = list(descriptions(yaml.safe_load(charm.read_text())))
    assert len(shown) > 2
    assert [found for text in shown for found in puzzling_phrases(text)] == []


@pytest.mark.parametrize(
    'text',
    [
        'clients are not told of TLS',
        'It goes over what the charm says.',
        'the former one lets in\n    as well',
        'digits, dashes and underlines',
        'wait until no client comes by it any more',
    ],
)
def test_sabotaged_a_puzzling_phrase_is_found(text: str) -> None:
    assert len(puzzling_phrases(text)) == 1
    (found,) = [
        puzzling_phrases(one)
        for one in descriptions(
            {'actions': {'go': {'description': '', 'params': {'x': {'description': text}}}}}
        )
        if one
    ]
    assert len(found) == 1


def test_plain_words_are_no_puzzle() -> None:
    assert (
        puzzling_phrases('names by which they are told apart; it takes precedence over the rest')
        == []
    )


def docstrings(text: str) -> Iterator[str]:
    """The sentences that *text*, Python, has for its readers: docstrings, also of fields and constants."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(said))):
                yield ' '.join(said.split())
            case _:
                pass


def test_docstrings_say_what_is_done() -> None:
    found = [
        (file, one) for file, text in sources() for one in docstrings(text) if TOLD.search(one)
    ]
    assert found == []


def test_sabotaged_a_docstring_that_does_not_say_what_is_done_is_found() -> None:
    module = '"""What clients\nare told."""\nA = 1\n"""Nodes that others are not told of."""\n'
    assert [bool(TOLD.search(one)) for one in docstrings(module)] == [True, True]
    assert not TOLD.search('users are told apart; the user is told to stop')


def test_no_name_puzzles_its_reader() -> None:
    assert [found for file, text in sources() for found in puzzling(file, text)] == []


def test_a_class_of_a_common_name_is_the_only_one() -> None:
    assert several(sources()) == []


def test_what_is_excused_is_there() -> None:
    texts = dict(sources())
    for entry in EXCUSED:
        file, _, name = entry.partition(': ')
        assert name in names(texts[file])


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ('def told(): ...', 'told'),
        ('class Told: ...', 'Told'),
        ('class A:\n    def answers(self): ...', 'answers'),
        ('class A:\n    leaving: bool', 'leaving'),
        ('def f(*, also=()): ...', 'also'),
        ('ANSWER = 1', 'ANSWER'),
        ('def _whole(): ...', '_whole'),
    ],
)
def test_sabotaged_a_puzzling_name_is_found(text: str, name: str) -> None:
    assert puzzling('a/b.py', text) == [f'a/b.py: {name}: {INSTEAD[name.strip("_").lower()]}']


def test_sabotaged_a_puzzling_module_is_found() -> None:
    assert puzzling('a/ground.py', '') == [f'a/ground.py: ground: {INSTEAD["ground"]}']


def test_a_longer_name_says_what_it_means() -> None:
    assert puzzling('a/b.py', 'def leave_cluster(): ...\nclass NoAnswerError: ...') == []


def test_sabotaged_a_second_class_of_a_common_name_is_found() -> None:
    one, two = ('a.py', 'class Service: ...'), ('b.py', 'class Service: ...')
    assert several([one]) == []
    assert several([one, two]) == ['Service: a.py, b.py']
