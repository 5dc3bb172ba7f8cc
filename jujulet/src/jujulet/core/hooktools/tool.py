"""What a hook tool is: a name, declared flags and arguments, and a pure function from what it sees to a reply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NoReturn

from .. import charm as charm_
from .. import context as context_
from .. import gnuflag, relations
from .. import model as model_

BAD_ARGUMENTS = 2
"""Exit code for arguments that cannot be, unknown relations among them."""

OUTPUT = (
    gnuflag.Flag(('format',), 'string', 'smart', 'Specify output format (json|smart|yaml)'),
    gnuflag.Flag(('output', 'o'), 'string', '', 'Specify an output file'),
)
YAML_OUTPUT = (
    gnuflag.Flag(('format',), 'string', 'yaml', 'Specify output format (json|yaml)'),
    OUTPUT[1],
)
RELATION = gnuflag.Flag(('relation', 'r'), 'string', '', 'Specify a relation by id')


class Failure(Exception):  # noqa: N818 -- it is an answer, not a fault of ours
    """What the tool prints after ``ERROR``, and its exit code."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


class NoValue:
    """A reply without a value: nothing is printed."""


NOTHING = NoValue()


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a tool leaves behind and says."""

    model: model_.Model
    context: context_.Context
    value: Any = NOTHING
    """Printed in the format that the call asks for."""
    text: str = ''
    """Printed as it is."""
    stderr: str = ''
    log: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Ask:
    """One call with everything that a tool may look at."""

    model: model_.Model
    context: context_.Context
    call: context_.Call
    args: gnuflag.Parsed
    now: float
    prefix: str = ''
    """Put before paths on the machine; empty but for process machines."""

    @property
    def unit(self) -> model_.Unit:
        """The unit whose hook runs."""
        return self.model.units[self.context.unit]

    @property
    def application(self) -> model_.Application:
        """Its application."""
        return self.model.applications[self.unit.application]

    @property
    def charm(self) -> charm_.Charm:
        """Its charm."""
        return self.model.charm_of(self.unit.application)

    @property
    def leads(self) -> bool:
        """Whether the unit is its application's leader."""
        return self.application.leader == self.context.unit

    @property
    def writes(self) -> context_.Writes:
        """What the hook has asked for and not yet got."""
        return self.context.writes

    def says(self, value: Any) -> Reply:
        """A reply that changes nothing."""
        return Reply(self.model, self.context, value)

    def buffers(self, **writes: Any) -> Reply:
        """A reply without words, after which the hook has asked for more."""
        new = dataclasses.replace(self.context.writes, **writes)
        return Reply(self.model, dataclasses.replace(self.context, writes=new))

    def changes(self, model: model_.Model) -> Reply:
        """A reply without words, after which the model is another at once."""
        return Reply(model, self.context)

    def relation(self) -> model_.Relation:
        """The relation that ``-r`` names, else that of the hook. Only the number behind the colon counts.

        Raises Failure with the texts that charms match on.
        """
        found = self.relation_or_none()
        if found is None:
            raise Failure('no relation id specified', BAD_ARGUMENTS)
        return found

    def relation_or_none(self) -> model_.Relation | None:
        """As :meth:`relation`, but None when neither the call nor the hook names one."""
        spelt = self.args.given.get('relation')
        if spelt is None:
            hook = self.context.hook
            if hook.relation is None or not hook.kind.startswith('relation-'):
                return None
            return self.model.relations.get(hook.relation)
        text: str = self.args['relation']
        number = text.rpartition(':')[2]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise _invalid(text, spelt, 'invalid relation id')
        found = self.model.relations.get(int(number))
        if found is None or not self.sees(found):
            raise _invalid(text, spelt, 'relation not found')
        return found

    def sees(self, relation: model_.Relation) -> bool:
        """Whether the unit's charm may know of a relation: its own, and it has been told."""
        if self.context.unit in relation.units:
            return True
        return self.context.hook.relation == relation.id and any(
            e.application == self.unit.application for e in relation.endpoints
        )

    def endpoint(self, relation: model_.Relation) -> model_.Endpoint:
        """The unit's own side of a relation."""
        return relations.own_side(relation, self.unit.application)

    def require_action(self) -> model_.Task:
        """The task of the action that runs. Raises Failure outside of one."""
        if self.context.hook.kind != 'action':
            raise Failure('not running an action')
        return self.model.tasks[self.context.hook.task]

    def contents(self, path: str) -> bytes:
        """What the client found in a file, or on stdin for ``-``. Raises Failure."""
        if path == '-':
            if self.call.stdin is None:
                raise Failure('no stdin attached')
            return self.call.stdin
        try:
            return self.call.files[path]
        except KeyError:
            raise Failure(f'open {path}: no such file or directory') from None


def _no_files(args: gnuflag.Parsed) -> tuple[str, ...]:
    return ()


@dataclasses.dataclass(frozen=True)
class Tool:
    """One hook tool."""

    name: str
    run: Callable[[Ask], Reply]
    summary: str
    usage: str = ''
    """Arguments, as ``--help`` shows them."""
    flags: tuple[gnuflag.Flag, ...] = ()
    most: int | None = None
    """Most positional arguments that it takes; None for any number."""
    files: Callable[[gnuflag.Parsed], tuple[str, ...]] = _no_files
    """Files that a call names; ``-`` stands for stdin."""
    details: str = ''

    def help(self) -> str:
        """What ``--help`` prints."""
        return gnuflag.help_text(
            f'{self.name} {self.usage}'.strip(), self.summary, self.flags, self.details
        )


def unrecognised(extra: tuple[str, ...]) -> Failure:
    """For arguments beyond those that a tool takes."""
    words = ' '.join(gnuflag.quote(word) for word in extra)
    return Failure(f'unrecognized args: [{words}]', BAD_ARGUMENTS)


def pairs(words: tuple[str, ...], *, allow_empty: bool = True) -> dict[str, str]:
    """``key=value`` arguments as a map. Raises Failure, exit code 2."""
    out: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition('=')
        if not equals or not key or not (value or allow_empty):
            raise Failure(f'expected "key=value", got {gnuflag.quote(word)}', BAD_ARGUMENTS)
        if key in out:
            raise Failure(f'key {gnuflag.quote(key)} specified more than once', BAD_ARGUMENTS)
        out[key] = value
    return out


def not_provided(ask: Ask) -> NoReturn:
    """For tools that exist in Juju and do nothing on a machine of ours."""
    raise Failure(f'{ask.call.argv[0]} is not provided by jujulet')


def _invalid(text: str, spelt: str, why: str) -> Failure:
    return Failure(f'invalid value {gnuflag.quote(text)} for option {spelt}: {why}', BAD_ARGUMENTS)
