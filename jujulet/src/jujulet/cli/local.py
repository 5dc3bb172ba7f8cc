"""What only jujulet has: the shim, the doctor, the cache, images, the daemon, names for charms, packing."""

from __future__ import annotations

import pathlib
import shlex
import sys
import time
from typing import Any

from .. import aside, paths
from ..core import display, table
from ..core import model as model_
from . import command, home, out
from .command import Call, Command, Flag


def _env(call: Call) -> None:
    folder = shim()
    out.write(f'export PATH={shlex.quote(str(folder))}:"$PATH"\n')


def shim() -> pathlib.Path:
    """A folder that holds nothing but ``juju`` and ``jujulet``, which are this program. Made anew when they differ.

    Raises ``model.Refused`` where the path would mislead: jubilant takes a path with ``/snap/`` for the snap's.
    """
    folder = paths.root() / 'bin'
    if '/snap/' in str(folder):
        raise model_.Refused(
            f'{folder} has "/snap/" in it, which clients take for the snap of Juju: set JUJULET_DATA'
        )
    folder.mkdir(exist_ok=True)
    python = shlex.quote(sys.executable)
    text = f'#!/bin/sh\nexec {python} -P -m jujulet.cli.main "$@"\n'
    for program in (folder / 'juju', folder / 'jujulet'):
        before = program.read_text() if program.exists() else ''
        if before != text:
            aside.write(program, text, mode=0o755)
            if program.name == 'jujulet' and (other := _still_there(before)):
                _say_so(other)
    return folder


def _still_there(shim_text: str) -> pathlib.Path | None:
    """The Python of another jujulet that a shim started, if that is still there."""
    for word in shlex.split(shim_text, comments=True):
        if word.startswith('/'):
            place = pathlib.Path(word)
            return place if place.exists() and place != pathlib.Path(sys.executable) else None
    return None


def _say_so(other: pathlib.Path) -> None:
    """Say that open shells mean another jujulet from now on: they have this folder on their PATH."""
    print(
        f'In all shells that have it on their PATH, juju is now that of {pathlib.Path(sys.executable).parent}, no '
        f'longer that of {other.parent}. Back: eval "$({other.with_name("jujulet")} env)"',
        file=sys.stderr,
    )


def _what_stays() -> list[str]:
    """Of the caches that ``prune`` leaves: what they are, how large, and how to be rid of them."""
    lines: list[str] = []
    for name, what in (('bases', 'bases'), ('venvs', 'environments of charms')):
        folder = paths.root() / name
        size = (
            sum(f.lstat().st_size for f in folder.rglob('*') if not f.is_dir())
            if folder.is_dir()
            else 0
        )
        if size:
            lines.append(
                f'{what} stay ({display.size(size >> 20)}): jujulet cache prune --all removes those that nothing '
                'stands on'
            )
    return lines


_MARKS = {'error': 'LACK', 'warning': 'warn'}


def _doctor(call: Call) -> int | None:
    findings: list[dict[str, Any]] = call.controller.ask('doctor')
    bad = [f for f in findings if not f['ok']]

    def as_table(colour: bool) -> str:
        del colour
        lines: list[str] = []
        for f in findings:
            lines.append(f'{_MARKS.get(f["level"], "ok  ")}  {f["name"]}: {f["says"]}')
            if f.get('cure'):
                lines.append(f'      {f["cure"]}')
        return '\n'.join(lines) + '\n'

    call.show(findings, as_table)
    return 1 if bad else None


def _cache(call: Call) -> None:
    verb = call.args[0] if call.args else 'list'
    if call['all'] and (verb != 'prune' or call.args[1:]):
        raise command.usage_error('--all is for prune without keys')
    layers: list[dict[str, Any]] = call.controller.ask('cache')
    if verb == 'prune':
        keys = [layer['key'] for layer in layers]
        chosen = [k for k in keys if not call.args[1:] or k.startswith(tuple(call.args[1:]))]
        call.controller.ask('drop-cache', keys=chosen)
        call.say(f'{len(chosen)} of {len(keys)} layers removed')
        for found in call.controller.ask('prune') if call['all'] else ():
            size = f' ({display.size(found["size"] >> 20)})' if found['size'] else ''
            call.say(f'{found["what"]}: {found["many"]} removed{size}')
        for line in _what_stays() if not call['all'] else ():
            call.say(line)
        return
    if verb != 'list':
        raise command.usage_error(f'unknown subcommand "{verb}": list or prune')

    def as_table(colour: bool) -> str:
        if not layers:
            return 'Nothing is cached.\n'
        rows = [
            (
                layer['key'][:12],
                str(layer.get('charm', '')),
                str(layer.get('base', '')),
                display.size(int(layer.get('size', 0)) >> 20) if layer.get('size') else '',
                display.since(float(layer['created'])) if layer.get('created') else '',
            )
            for layer in layers
        ]
        return table.render(('Key', 'Charm', 'Base', 'Size', 'Made'), rows, colour=colour)

    call.show(layers, as_table)


def _image(call: Call) -> None:
    for base in call.args:
        for said in call.controller.follow('image', base=base):
            if 'path' in said:
                print(said['path'])
            else:
                call.say(f'{base}: {said["progress"]}')


def _controller(call: Call) -> int | None:
    verb = call.args[0]
    if verb == 'stop':
        if call.controller.running() or call.controller.held():
            call.controller.ask('stop-controller')
            deadline = time.monotonic() + 15
            while call.controller.running() and time.monotonic() < deadline:
                time.sleep(0.02)
        call.say('stopped')
        return None
    if verb == 'start':
        call.controller.ask('info')
        return None
    if verb != 'status':
        raise command.usage_error(f'unknown subcommand "{verb}": start, stop or status')
    running = call.controller.running()
    value: dict[str, Any] = {'running': running, 'folder': str(paths.root())}
    if running:
        value |= call.controller.ask('info')
    lines = ''.join(f'{k}: {v}\n' for k, v in value.items())
    call.show(value, lambda _: lines)
    return None if running else 1


def _alias(call: Call) -> None:
    if not call.args:
        known: dict[str, str] = home.read().get('charms', {})
        rows = [(name, place) for name, place in sorted(known.items())]
        call.show(known, lambda colour: table.render(('Name', 'Path'), rows, colour=colour))
        return
    name, path = (*call.args, '')[:2]
    if not path and not call['remove']:
        raise command.usage_error('no path specified')
    place = pathlib.Path(path).expanduser().absolute()
    if not place.exists():
        raise model_.Refused(f'{place}: no such file or folder')
    with home.editing() as memory:
        known = memory.setdefault('charms', {})
        if not call['remove']:
            known[name] = str(place)
        elif known.pop(name, None) is None:
            raise model_.Refused(f'"{name}" is no alias')


_CHARM_FILES = ('charmcraft.yaml', 'metadata.yaml')


def _pack(call: Call) -> None:
    from .. import charmdir
    from ..core import bases

    wanted = [bases.parse(text) for text in command.commas(call['base'])]
    folders = [pathlib.Path(a) for a in call.args or ('.',)]
    if len(folders) > 1:  # `charms/*` has more in it than charms.
        folders = [f for f in folders if any((f / name).is_file() for name in _CHARM_FILES)]
        if not folders:
            raise model_.Refused(f'no charm folder in {" ".join(call.args)}')
    for folder in folders:
        print(charmdir.pack(folder, call['o'] or '.', *wanted))


COMMANDS = (
    Command(
        'env',
        _env,
        'Prints what makes `juju` mean jujulet in this shell: eval "$(jujulet env)".',
        model=False,
    ),
    Command(
        'doctor',
        _doctor,
        'Says what this machine lacks, and the one command that brings it.',
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'cache',
        _cache,
        'Lists, or prunes, what is kept of install hooks.',
        '[list | prune [<key> ...]]',
        flags=(
            Flag(
                ('all',),
                'bool',
                help='Prune bases, charms, resources and environments that nothing stands on, too',
            ),
        ),
        most=None,
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'image',
        _image,
        'Builds the image of a base now, so that the first machine need not wait for it; prints where it is.',
        '<base> ...',
        needs=('no base specified',),
        most=None,
        model=False,
    ),
    Command(
        'controller',
        _controller,
        'Starts, stops or shows the daemon that runs the models of this user.',
        'start | stop | status',
        needs=('no subcommand specified: start, stop or status',),
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'alias',
        _alias,
        'Lists, sets or removes names that stand for charms on this machine.',
        '[<name> [<path>]]',
        flags=(Flag(('remove',), 'bool', help='Remove the name'),),
        most=2,
        formats=('tabular', 'json', 'yaml'),
        model=False,
    ),
    Command(
        'pack',
        _pack,
        'Packs charm folders into .charm files, which Juju and jujulet take.',
        '[<folder> ...]',
        flags=(
            Flag(('o',), help='The folder to write to'),
            Flag(
                ('base',),
                'repeatable',
                help="The base to pack for, or several: one file for all; else the charm's first",
            ),
        ),
        most=None,
        model=False,
    ),
)
