"""``juju``: finds the command, reads its flags, runs it, and turns what it raises into text and exit code.

Exit codes as Juju's: 0, 1 for what failed, 2 for what was typed wrongly. Errors are ``ERROR …`` on standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .. import client
from ..core import gnuflag, refusal
from . import command, commands, out


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; *argv* is without the program's name."""
    try:
        controller = client.Controller()
    except OSError as error:
        return _error(f'no folder for jujulet ($JUJULET_DATA): {_os_error(error)}', 1)
    try:
        return run(list(sys.argv[1:] if argv is None else argv), controller)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); Python must not complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def run(argv: Sequence[str], controller: client.Controller) -> int:
    """Run one command against *controller*."""
    try:
        return _run(argv, controller)
    except refusal.Refused as refused:
        if (
            not refused.code
        ):  # Said, but no failure: Juju 3.6 does so for a unit that is not there.
            print(refused, file=sys.stderr)
            return 0
        return _error(str(refused), refused.code)
    except gnuflag.FlagError as error:
        return _error(str(error), 2)
    except client.Unreachable as error:
        return _error(str(error), 1)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        return _error(_os_error(error), 1)
    except ValueError as error:
        from .. import codec
        from ..core import charm

        if isinstance(error, codec.Unknown):
            return _error(
                f'the controller that runs is another version than this command ({error}): '
                'run `jujulet controller stop`, then the command again',
                1,
            )
        if not isinstance(error, charm.Invalid):
            raise
        return _error(str(error), 1)


def _error(text: str, code: int) -> int:
    print(f'ERROR {text}', file=sys.stderr)
    return code


def _os_error(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f'{error.filename}: {(error.strerror or "").lower()}'
    return str(error)


def _run(argv: Sequence[str], controller: client.Controller) -> int:
    name, rest = split(argv)
    if not name or name in ('help', '--help', '-h'):
        return _help(rest)
    if name == '--version':
        name = 'version'
    found = commands.find(name)
    if found is None:
        return _plugin(name, rest)
    parsed = read(found, rest)
    if parsed.help:
        out.write(_help_text(found))
        return 0
    return found.run(command.Call(found, parsed, controller)) or 0


def read(found: command.Command, words: Sequence[str]) -> gnuflag.Parsed:
    """What was typed behind the name of a command. Raises ``gnuflag.FlagError`` and ``refusal.Refused``."""
    parsed = gnuflag.parse(found.all_flags, words, interspersed=found.interspersed)
    if parsed.help:
        return parsed
    _check_arguments(found, parsed)
    if found.formats and parsed['format'] not in found.formats:
        raise command.usage_error(
            f'invalid value {gnuflag.quote(parsed["format"])} for option --format: '
            f'unknown format {gnuflag.quote(parsed["format"])}'
        )
    return parsed


def split(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The command and what belongs to it. Flags before the command are moved behind it."""
    before: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith('-') and rest[0] not in ('--help', '-h', '--version'):
        before.append(rest.pop(0))
        if before[-1] in ('-m', '--model') and rest:
            before.append(rest.pop(0))
    return (rest[0] if rest else ''), [*before, *rest[1:]]


def _check_arguments(found: command.Command, parsed: gnuflag.Parsed) -> None:
    count = len(parsed.positionals)
    if count < len(found.needs):
        raise command.usage_error(found.needs[count])
    if found.most is not None:
        most = max(found.most, len(found.needs))
        if count > most:
            extra = ' '.join(gnuflag.quote(a) for a in parsed.positionals[most:])
            raise command.usage_error(f'unrecognized args: [{extra}]')


def _plugin(name: str, rest: list[str], missing: int = 1) -> int:
    """Run ``juju-NAME`` from the PATH with what follows, as Juju does; never returns if there is one.

    *missing* is the exit code if there is none.
    """
    import shutil

    # Beside this program too: whoever installs both together need not have them on the PATH.
    beside = os.path.dirname(sys.executable)
    path = f'{os.environ.get("PATH", os.defpath)}{os.pathsep}{beside}'
    program = shutil.which(f'juju-{name}', path=path)
    if program is None or '/' in name:
        return _error(_unknown(name), missing)
    environment = dict(os.environ)
    words = iter(rest)
    for word in words:
        if word in ('-m', '--model'):
            environment['JUJU_MODEL'] = next(words, '')
    os.execve(program, [program, *rest], environment)  # noqa: S606


def _unknown(name: str) -> str:
    import difflib

    from . import absent

    if name in absent.REASONS:
        return f'juju {name} is not provided by jujulet: {absent.REASONS[name]}'
    near = difflib.get_close_matches(name, commands.TABLE, n=1)
    hint = f'\n\nDid you mean:\n\t{near[0]}' if near else ''
    return f'juju: {gnuflag.quote(name)} is not a juju command. See "juju --help".{hint}'


def _help_text(found: command.Command) -> str:
    from . import examples

    usage = f'juju {found.name}'
    text = gnuflag.help_text(f'{usage} {found.usage}'.strip(), found.summary, (), found.details)
    options = gnuflag.options_text(found.all_flags)
    first, _, rest = text.partition('\n')
    first = first.replace(usage, f'{usage} [options]', 1)
    summary, _, details = rest.partition('\nDetails:\n')
    parts = [first + '\n' + summary.rstrip('\n'), 'Options:\n' + options]
    if details:
        parts.append('Details:\n' + details.rstrip('\n'))
    if example := examples.of(found.name):
        parts.append(f'Example:\n    {example}')
    return '\n\n'.join(parts) + '\n'


def _help(topics: Sequence[str]) -> int:
    from . import examples

    topic = topics[0] if topics else ''
    if topic == 'plugins':
        out.write(_plugins())
        return 0
    if text := examples.topic(topic):
        out.write(text)
        return 0
    if topic == 'commands':
        out.write(commands.listing())
        return 0
    found = commands.find(topic) if topic else None
    if found is not None:
        out.write(_help_text(found))
        return 0
    if topic:
        return _plugin(topic, ['--help'], missing=2)
    out.write(_INTRODUCTION)
    return 0


def _plugins() -> str:
    """Programs ``juju-NAME``: beside this one, and on the PATH. Source: cmd/juju/commands/plugin.go of Juju."""
    folders = [
        os.path.dirname(sys.executable),
        *os.environ.get('PATH', os.defpath).split(os.pathsep),
    ]
    found: dict[str, str] = {}
    for folder in filter(os.path.isdir, folders):
        for name in sorted(os.listdir(folder)):
            program = os.path.join(folder, name)
            if (
                name.startswith('juju-')
                and os.path.isfile(program)
                and os.access(program, os.X_OK)
            ):
                found.setdefault(name.removeprefix('juju-'), program)
    if not found:
        return 'There is no program called juju-NAME on the PATH.\n'
    width = max(map(len, found))
    return ''.join(f'{name:<{width}}  {program}\n' for name, program in sorted(found.items()))


_INTRODUCTION = """\
jujulet runs charms and bundles on this machine, with the commands of Juju and without a controller to bootstrap.

Usage: juju <command> [options] [arguments]

    juju add-model NAME            make a model, and switch to it
    juju deploy ./CHARM            a charm folder, a .charm file or a bundle
    juju integrate APP APP         let two applications talk
    juju status [--watch 1s]       what there is, and how it is
    juju run UNIT ACTION           run an action
    juju debug-log                 what charms say
    juju destroy-model NAME        remove all of it

    juju help commands             all commands
    juju help COMMAND              one command, with an example
    juju help topics               what else there is to read
    jujulet env                    how to have `juju` mean jujulet in this shell
    jujulet doctor                 what this machine lacks
"""


if __name__ == '__main__':
    sys.exit(main())
