"""What the documents say is there, is there: links, make targets, and commands with their flags."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import shlex
from typing import Any

import charmkit
import pytest
import yaml

from jujulet.cli import commands, main
from jujulet.core import gnuflag, refusal
from lifecycle import commandline
from matrix.cli import flags, registry
from matrix.grammar import catalogue
from matrix.plans import planfile

from . import pages


def broken_links(page: pathlib.Path, text: str) -> list[str]:
    """Relative links of *text*, were it at *page*, that lead nowhere; headings are looked up too."""
    broken: list[str] = []
    for link in pages.LINK.findall(pages.prose(text)):
        if re.match(r'[a-z]+:', link):
            continue
        name, _, anchor = link.partition('#')
        target = (page.parent / name).resolve()
        there = target.exists() if name else True
        if not there or (anchor and anchor not in _anchors(target.read_text() if name else text)):
            broken.append(link)
    return broken


def _anchors(text: str) -> set[str]:
    titles = (re.sub(r'[`*]', '', title).lower() for title in pages.HEADING.findall(text))
    return {re.sub(r'[^\w -]', '', title).strip().replace(' ', '-') for title in titles}


def unknown_targets(text: str, makefile: str) -> list[str]:
    """Targets that *text* has one make, and that *makefile* lacks."""
    known = set(pages.TARGET.findall(makefile))
    typed = [line[1:] for line in pages.command_lines(text) if line[0] == 'make']
    typed += [
        i.split()[1:] for i in pages.INLINE.findall(pages.prose(text)) if i.startswith('make ')
    ]
    named = {word for words in typed for word in words[:1] if not pages.ASSIGNED.fullmatch(word)}
    return sorted(named - known)


def wrong_commands(text: str) -> list[str]:
    """Commands of juju and jujulet in *text* that our own command line would not take, and why."""
    wrong: list[str] = []
    for line in pages.command_lines(text):
        if line[0].rpartition('/')[2] not in ('juju', 'jujulet'):
            continue
        name, words = main.split(_without_redirections(line[1:]))
        if name == 'matrix':
            wrong += _wrong_for_matrix(line, words)
            continue
        if name == 'lifecycle':
            wrong += _wrong_for_lifecycle(words)
            continue
        found = commands.find(name)
        if found is None:
            if name not in ('', 'help', '--version', '--help'):
                wrong.append(f'{shlex.join(line)}: no such command')
            continue
        try:
            main.read(found, words)
        except (gnuflag.FlagError, refusal.Refused) as error:
            wrong.append(f'{shlex.join(line)}: {error}')
    return wrong


def _wrong_for_matrix(line: list[str], words: list[str]) -> list[str]:
    name = words[0] if words and words[0] in registry.COMMANDS else 'run'
    parser = argparse.ArgumentParser(prog=name, exit_on_error=False, add_help=False)
    registry.load(name).configure(parser)
    try:
        _, left = parser.parse_known_args(words[1:] if words[:1] == [name] else words)
    except argparse.ArgumentError as error:
        return [f'{shlex.join(line)}: {error}']
    except SystemExit:  # Something that it needs is missing; argparse says so by leaving.
        return [f'{shlex.join(line)}: not whole']
    return [f'{shlex.join(line)}: no such flag {one}' for one in left if one != '--help']


def _wrong_for_lifecycle(words: list[str]) -> list[str]:
    known = commandline.commands()
    if not words:
        return []  # The tool itself is spoken of.
    if words[0] not in known:
        return [f'juju lifecycle {" ".join(words)}: no such command']
    flags_ = {flag for action in known[words[0]]._actions for flag in action.option_strings}  # pyright: ignore[reportPrivateUsage]
    typed = (word.partition('=')[0] for word in words[1:] if word.startswith('-'))
    return [
        f'juju lifecycle {words[0]}: no such flag {flag}' for flag in typed if flag not in flags_
    ]


def _without_redirections(words: list[str]) -> list[str]:
    for at, word in enumerate(words):
        if word in ('>', '>>', '<'):
            return [*words[:at], *words[at + 2 :]]
    return words


def unknown_inline(text: str) -> list[str]:
    """Commands in backquotes that are not there, or that have no such flag; arguments may be left out."""
    wrong: list[str] = []
    for inline in pages.INLINE.findall(pages.prose(text)):
        if not re.match(r'juju(let)? \w', inline):
            continue
        name, *words = re.split(r'\s+', inline)[1:]
        found = commands.find(name)
        if name == 'matrix':
            found_wrong = _wrong_for_matrix(inline.split(), words)
            wrong += [one for one in found_wrong if 'no such flag -' in one]
        elif name == 'lifecycle':
            wrong += _wrong_for_lifecycle(words)
        elif found is None:
            wrong += [name] if name != 'help' else []
        else:
            try:
                main.read(found, words)
            except gnuflag.FlagError as error:
                wrong.append(f'{inline}: {error}')
            except refusal.Refused:
                pass  # Arguments are missing, or stand for themselves: `juju add-model NAME processes`.
    return wrong


def from_elsewhere(text: str) -> list[str]:
    """Charms of ours that *text* deploys by their name: it would be another's, from Charmhub, that comes."""
    return [
        word
        for line in pages.command_lines(text)
        if line[:2] == ['juju', 'deploy']
        for word in line[2:3]
        if (pages.ROOT / 'charms' / word / 'charmcraft.yaml').exists()
    ]


def not_to_be_fetched(text: str) -> list[str]:
    """Files of root's that *text* fetches with `juju scp`, which comes as the user `ubuntu`."""
    of_roots = re.compile(r'[a-z][\w-]*/(?:\d+|leader):/(?:etc|root|var/(?:backups|log|lib))/')
    return [
        word
        for line in pages.command_lines(text)
        if line[:2] == ['juju', 'scp']
        for word in line[2:]
        if of_roots.match(word)
    ]


def by_chance(text: str) -> list[str]:
    """Runs in *text* that look for a planted bug with faults from a seed: those change with each kind that comes."""
    lines = (line for line in pages.command_lines(text) if line[:2] == ['juju', 'matrix'])
    return [
        shlex.join(line)
        for line in lines
        if any('/bugs/' in word for word in line) and not {'-g', '--chaos-plan'} & {*line}
    ]


REFUSES = frozenset({'upgrade-machine'})
"""Commands that are there to say why not."""


def provided_after_all(text: str) -> list[str]:
    """Commands that are there, and of which *text* says that they are not."""
    said = re.findall(r'((?:`[\w-]+`(?:,| and|\*\*)? *)+)(?:is|are) not provided', text)
    named = [name for names in said for name in re.findall(r'[\w-]+(?=`)', names)]
    return [name for name in named if name not in REFUSES and commands.find(name)]


STORE = ('charms', 'docs/reference/charms')
"""Pages of charms as they stand in the store, where a name is theirs."""


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda p: str(p.relative_to(pages.ROOT)))
def test_every_page_speaks_of_what_is_there(page: pathlib.Path):
    text = page.read_text()
    assert broken_links(page, text) == []
    assert unknown_targets(text, (pages.ROOT / 'Makefile').read_text()) == []
    assert wrong_commands(text) == []
    assert unknown_inline(text) == []
    assert provided_after_all(text) == []
    assert not_to_be_fetched(text) == []
    assert by_chance(text) == []
    if not str(page.relative_to(pages.ROOT)).startswith(STORE):
        assert from_elsewhere(text) == []


def test_a_charm_of_ours_by_its_name_alone_is_caught():
    text = (
        '```sh\njuju deploy mysql\njuju deploy ./charms/mysql\njuju deploy postgresql mysql\n```\n'
    )
    assert from_elsewhere(text) == ['mysql']


def test_a_file_of_roots_that_scp_would_fetch_is_caught():
    text = '```sh\njuju scp mysql/0:/var/backups/mysql-charm/x.gz .\njuju scp x.gz mysql/0:/tmp/\n```\n'
    assert not_to_be_fetched(text) == ['mysql/0:/var/backups/mysql-charm/x.gz']


def test_a_planted_bug_that_a_seed_is_to_find_is_caught():
    run = 'juju matrix -p here --overlay here/bugs/no-retry.yaml'
    assert by_chance(f'```sh\n{run} --seed 2\n{run} \\\n  -g here/plans/one.yaml\n```\n') == [
        f'{run} --seed 2'
    ]


def test_the_plan_of_the_tutorial_has_the_faults_that_it_shows():
    path = pages.ROOT / 'bundles/tests/control/plans/three-faults.yaml'
    plan = planfile.read(path.read_text(), str(path))
    found = [(one.id, one.fault, one.targets) for one in plan.events]
    page = (pages.ROOT / 'docs/tutorial/break-a-bundle.md').read_text()
    assert [name for name, fault, (target,) in found if f'{name} {fault} {target}' in page] == [
        'e1',
        'e2',
    ]
    assert found[2] == ('e3', 'hard-stop', ('store/0',))


def test_a_command_that_came_is_not_said_to_be_missing():
    assert provided_after_all('`deploy` and `refresh` are not provided, and say so') == [
        'deploy',
        'refresh',
    ]
    assert provided_after_all('- **`status`** is not provided') == ['status']
    assert provided_after_all('`upgrade-machine` is not provided') == []


def test_every_page_can_be_reached_from_the_readme():
    seen, left = set[pathlib.Path](), [pages.ROOT / 'README.md']
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in pages.LINK.findall(pages.prose(page.read_text())):
            target = (page.parent / link.partition('#')[0]).resolve()
            if target.is_dir():
                left += target.glob('*.md')
            elif target.suffix == '.md' and target.exists():
                left.append(target)
    assert [str(p.relative_to(pages.ROOT)) for p in pages.PAGES if p not in seen] == []


def undocumented(page: str, charmcraft: dict[str, Any]) -> list[str]:
    """Options (and defaults) and actions (and parameters) that *page* lacks, or has otherwise."""
    rows = {line.rpartition(' | ')[0] for line in page.splitlines() if line.startswith('| `')}
    wanted: list[str] = []
    for name, option in charmcraft['config']['options'].items():
        default = option.get('default', '')
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        wanted.append(f'| `{name}` | {f"`{shown}`" if shown else ""}')
    for name, action in charmcraft['actions'].items():
        params = ', '.join(f'`{p}`' for p in action.get('params', {}))
        wanted.append(f'| `{name}` | {params}')
    return [row for row in wanted if row not in rows]


def test_the_load_balancers_reference_has_its_options_and_actions():
    page = (pages.ROOT / 'docs/reference/openstack-loadbalancer.md').read_text()
    charmcraft = yaml.safe_load(
        (pages.ROOT / 'charms/openstack-loadbalancer/charmcraft.yaml').read_text()
    )
    assert undocumented(page, charmcraft) == []
    charmcraft['config']['options']['linger']['default'] += 1
    assert undocumented(page, charmcraft) == ['| `linger` | `121`']


def not_told_of_matrix(page: str) -> list[str]:
    """Commands, flags and tasks of juju matrix that *page* does not speak of."""
    parser = argparse.ArgumentParser(add_help=False)
    flags.configure(parser)
    listed = re.findall(r'`(--?[a-zA-Z-]+)`', page)
    missing = [
        action.option_strings[-1]
        for action in parser._actions  # pyright: ignore[reportPrivateUsage]
        if action.option_strings and not set(action.option_strings) & set(listed)
    ]
    missing += [
        name for name in registry.COMMANDS if name != 'run' and f'juju matrix {name}' not in page
    ]
    return missing + [name for name in catalogue.TASKS if f'| `{name}` |' not in page]


def test_the_reference_of_matrix_has_its_commands_flags_and_tasks():
    page = (pages.ROOT / 'docs/reference/matrix.md').read_text()
    assert not_told_of_matrix(page) == []
    less = page.replace('`--seed`', '').replace('juju matrix heal', '').replace('tasks.reset', '')
    assert not_told_of_matrix(less) == ['--seed', 'heal', 'matrix.tasks.reset']


SABOTAGED = """\
# A page

[nowhere](nowhere.md), [no heading](#another-page), [a page](#a-page), and `make mistakes`; `juju frobnicate`,
`juju deploy --wiat`, and `juju matrix --sead 3`.

```sh
make up && make trouble
juju status --wacth 1s | head -n 3
if A=1 .venv/bin/jujulet deploy; then eval "$(jujulet envy)"; fi
juju debug-log --limit 3 > log   # as it is
juju matrix -p here --sead 3 && juju matrix report
juju matrix replay plan.yaml --seed 3
```

    juju config
"""


def test_a_page_that_is_wrong_is_caught(tmp_path: pathlib.Path):
    assert broken_links(tmp_path / 'page.md', SABOTAGED) == ['nowhere.md', '#another-page']
    assert unknown_targets(SABOTAGED, 'up: ready\n') == ['mistakes', 'trouble']
    wrong = wrong_commands(SABOTAGED)
    assert sorted(w.partition(':')[0] for w in wrong) == [
        '.venv/bin/jujulet deploy',
        'juju config',
        'juju matrix -p here --sead 3',
        'juju matrix report',
        'juju status --wacth 1s',
        'jujulet envy',
    ]
    assert unknown_inline(SABOTAGED) == [
        'frobnicate',
        'juju deploy --wiat: option provided but not defined: --wiat',
        'juju matrix --sead 3: no such flag --sead',
    ]


def undescribed(page: str, *nouns: type) -> list[str]:
    """Fields of dataclasses that no row of a table on *page* names."""
    rows = ' '.join(line.split('|')[1] for line in page.splitlines() if line.startswith('| `'))
    return [
        f'{noun.__name__}.{field.name}'
        for noun in nouns
        for field in dataclasses.fields(noun)
        if f'`{field.name}`' not in rows
    ]


def test_the_reference_of_charmkit_has_every_field():
    page = (pages.ROOT / 'docs/reference/charmkit.md').read_text()
    assert undescribed(page, charmkit.ServiceSpec, charmkit.WsgiApp, charmkit.Daemon) == []
    less = page.replace('| `refusal` |', '| `objection` |')
    assert undescribed(less, charmkit.ServiceSpec) == ['ServiceSpec.refusal']


def undefined(page: str, source: pathlib.Path) -> list[str]:
    """Functions that a block of *page* shows below a comment ``# a/file.py``, and that this file in *source* lacks."""
    missing: list[str] = []
    shown, where = '', ''
    for line in '\n'.join(pages.blocks(page)).splitlines():
        if found := re.match(r'# ([\w/]+\.py)\b', line):
            where = found[1]
            shown = (source / where).read_text() if (source / where).exists() else ''
        names = re.findall(r'(?:^def |; )(\w+)\(', line.partition('#')[0]) if where else []
        missing += [
            f'{where}: {n}' for n in names if not re.search(rf'^def {n}\b', shown, re.MULTILINE)
        ]
    return missing


def test_what_is_shown_of_jujulets_inside_is_there():
    source = pages.ROOT / 'jujulet/src/jujulet'
    page = (source / 'ARCHITECTURE.md').read_text()
    assert undefined(page, source) == []
    assert undefined(page.replace('def due(', 'def over('), source) == ['core/schedule.py: over']
    assert undefined(page.replace('# core/settle.py', '# core/settled.py'), source) == [
        'core/settled.py: settle'
    ]


def test_commands_and_flags_of_lifecycle_that_are_not_there_are_found():
    text = '```sh\njuju lifecycle plan --to debian@13\njuju lifecycle plam\njuju lifecycle upgrade --tto x\n```\n'
    assert wrong_commands(text) == [
        'juju lifecycle plam: no such command',
        'juju lifecycle upgrade: no such flag --tto',
    ]
    assert unknown_inline(
        '`juju lifecycle status` and `juju lifecycle skip STEP --reson WHY`'
    ) == ['juju lifecycle skip: no such flag --reson']
