"""Every hook tool, as one pure function: :func:`call`.

A call is read by Juju's flag grammar, answered from the model and from what the hook has asked for so far, and its
effects are in the answer: on the model at once, or in the context until the hook succeeds. Source:
worker/uniter/runner/jujuc of Juju 3.6. Nothing that a charm sends raises; it gets ``ERROR`` and an exit code.
"""

from __future__ import annotations

import dataclasses
import re
import shlex

from .. import context as context_
from .. import formats, gnuflag
from .. import model as model_
from . import action, hook, network, relation, secret, secretowner, storage
from .tool import BAD_ARGUMENTS, Ask, Failure, NoValue, Reply, Tool, unrecognised

__all__ = [
    'MACHINE_NAMES',
    'NAMES',
    'STUBS',
    'TOOLS',
    'Failure',
    'call',
    'exec_words',
    'wants',
]

_GROUPS = (
    action.TOOLS,
    hook.TOOLS,
    network.TOOLS,
    relation.TOOLS,
    secret.TOOLS,
    secretowner.TOOLS,
    storage.TOOLS,
)

STUBS = {tool.name: tool for tool in hook.STUBS}
TOOLS = {tool.name: tool for tool in sorted((t for g in _GROUPS for t in g), key=lambda t: t.name)}
"""Every tool that works, by name."""

NAMES = tuple(sorted({*TOOLS, *STUBS}))
"""Every tool to link into a unit's tools dir. ``function-*`` must not be there: charms ask."""

MACHINE_NAMES = ('juju-exec', 'juju-run')
"""Linked into the machine's ``/usr/bin``; see :func:`exec_words`."""


def wants(argv: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """What a call needs from where its client runs: stdin or not, and which files.

    Nothing for a call that will be refused.
    """
    tool = TOOLS.get(argv[0]) if argv else None
    if tool is None:
        return False, ()
    try:
        args = gnuflag.parse(tool.flags, argv[1:])
    except gnuflag.FlagError:
        return False, ()
    if args.help:
        return False, ()
    files = tool.files(args)
    return '-' in files, tuple(f for f in files if f != '-')


def call(
    model: model_.Model,
    context: context_.Context,
    call: context_.Call,
    now: float,
    *,
    prefix: str = '',
) -> context_.Result:
    """Answer one call of one hook. *prefix* stands before paths on the machine (``Machines.prefix``)."""
    name = call.argv[0] if call.argv else ''
    call = dataclasses.replace(
        call,
        argv=tuple(formats.clean(word) for word in call.argv),
        files={formats.clean(path): data for path, data in call.files.items()},
    )
    try:
        return _call(model, context, call, now, prefix)
    except Failure as failure:
        error = f'ERROR {_shown(str(failure))}\n'.encode('utf-8', 'surrogateescape')
        return context_.Result(model, context, stderr=error, code=failure.code)
    except gnuflag.FlagError as error:
        text = f'ERROR {_shown(str(error))}\n'.encode('utf-8', 'surrogateescape')
        return context_.Result(model, context, stderr=text, code=BAD_ARGUMENTS)
    except KeyError as error:  # The unit or its application went away while its hook ran.
        text = f'ERROR {name}: {error.args[0]} is no longer there\n'.encode()
        return context_.Result(model, context, stderr=text, code=1)


def _call(
    model: model_.Model,
    context: context_.Context,
    call: context_.Call,
    now: float,
    prefix: str,
) -> context_.Result:
    name = call.argv[0] if call.argv else ''
    tool = TOOLS.get(name) or STUBS.get(name)
    if tool is None:
        raise Failure(f'unknown command: {name}')
    if context.unit not in model.units:
        raise Failure(f'{name}: there is no unit here')
    if name in STUBS and not {'--help', '-h'} & set(call.argv):
        tool.run(Ask(model, context, call, gnuflag.Parsed({}, (), {}), now))
    args = gnuflag.parse(tool.flags, () if name in STUBS else call.argv[1:])
    if args.help or name in STUBS:
        return context_.Result(model, context, stdout=tool.help().encode())
    if tool.most is not None and len(args.positionals) > tool.most:
        raise unrecognised(args.positionals[tool.most :])
    style = _style(tool, args)
    reply = tool.run(Ask(model, context, call, args, now, prefix))
    return _result(reply, style, args.values.get('output', ''))


def _style(tool: Tool, args: gnuflag.Parsed) -> str:
    """The output format. Raises Failure for one that the tool does not have."""
    flag = next((f for f in tool.flags if f.names[0] == 'format'), None)
    if flag is None or flag.initial == '':
        return 'smart'
    allowed = formats.SMART if flag.initial == 'smart' else ('json', 'yaml')
    style: str = args['format']
    if style not in allowed:
        raise Failure(
            f'invalid value {gnuflag.quote(style)} for option {args.given["format"]}: '
            f'unknown format {gnuflag.quote(style)}',
            BAD_ARGUMENTS,
        )
    return style


def _result(reply: Reply, style: str, output: str) -> context_.Result:
    out = '' if isinstance(reply.value, NoValue) else formats.render(reply.value, style)
    out += reply.text
    return context_.Result(
        reply.model,
        reply.context,
        stdout=out.encode('utf-8', 'surrogateescape'),
        stderr=reply.stderr.encode(),
        output=output,
        log=reply.log,
    )


def _shown(text: str) -> str:
    return ''.join(c if c.isprintable() or c in '\n\t' else '\ufffd' for c in text)


def exec_words(argv: tuple[str, ...]) -> tuple[str, str]:
    """The unit that a ``juju-exec`` on the machine names (empty: the one whose socket it came in by), and its command.

    Raises:
        Failure: the arguments cannot be read; exit code 2.
    """
    try:
        args = gnuflag.parse(_EXEC_FLAGS, argv[1:], interspersed=False)
    except gnuflag.FlagError as error:
        raise Failure(str(error), BAD_ARGUMENTS) from None
    unit: str = args['u']
    words = args.positionals
    if not unit and len(words) > 1 and (match := _UNIT.fullmatch(words[0])):
        unit, words = f'{match[1]}/{match[2]}', words[1:]
    elif match := _UNIT.fullmatch(unit):
        unit = f'{match[1]}/{match[2]}'
    if not words:
        raise Failure('missing commands', BAD_ARGUMENTS)
    return unit, words[0] if len(words) == 1 else shlex.join(words)


_UNIT = re.compile(r'(?:unit-)?([a-z][a-z0-9-]*)[/-]([0-9]+)', re.ASCII)
_EXEC_FLAGS = (
    gnuflag.Flag(('u', 'unit'), help='explicit unit-name, all other arguments are commands'),
    gnuflag.Flag(('no-context',), 'bool', help='do not run the command in a unit context'),
    gnuflag.Flag(('relation', 'r'), help='run the commands for a specific relation context'),
    gnuflag.Flag(('remote-unit',), help='run the commands for a specific remote unit'),
    gnuflag.Flag(('force-remote-unit',), 'bool', help='force the use of the remote unit'),
)
