"""What is asked of a register, counter, set, list or bank, so that its history tells right from wrong. Pure.

Every value and element is made once, so that a read says whose it is. Many clients meet in a few keys, and the history
of one is still short enough to be searched: sets and lists are left behind when they have grown, and only read.
Some of what is asked must be refused (a compare-and-set of a value that is gone, a transfer of more than there is):
a service that never compares is otherwise right as long as nothing goes on at once. And something must go on at once:
at ten operations a second no two meet in a service that answers in milliseconds, and what one undoes of another is
never seen. So every second one has another beside it, at the same moment and on the same key.
"""

from __future__ import annotations

import collections
import zlib
from collections.abc import Collection, Mapping
from typing import cast

from matrix.grammar import located
from matrix.judge import histories

KEYS = 3
"""Keys that are changed at any time; a bank has one."""

MOST = 40
"""Elements of a set or a list, and half as many that go beside others; those after them go to new ones."""

ACCOUNTS: Mapping[str, int] = {'a': 100, 'b': 100, 'c': 100, 'd': 100, 'e': 100}
"""What the accounts of a bank hold at first."""

_TOO_MUCH = sum(ACCOUNTS.values()) + 1
_WRONG = 3  # one compare-and-set of so many asks for a value that is gone, and one transfer for what nobody has
_BESIDE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    'register': {'write': ('cas', 'read'), 'cas': ('cas',), 'read': ('cas', 'write')},
    'counter': {'add': ('add', 'read'), 'read': ('add',)},
    'set': {'add': ('add', 'read')},
    'list': {'append': ('append', 'read')},
    'bank': {'transfer': ('transfer', 'read'), 'read': ('transfer',)},
}
"""What meets what, in turn."""

_EVERY = 2  # of so many operations of a sort, one has another beside it
_EARLIER = 3  # one read of so many is of a set or list that is left behind


class Thing:
    """One register, counter, set, list or bank; its keys begin with `prefix`."""

    def __init__(self, prefix: str, kind: str) -> None:
        self.kind = kind
        self.prefix = prefix
        self._asked: collections.Counter[str] = collections.Counter()
        self._met: collections.Counter[str] = collections.Counter()
        self._beside: collections.Counter[str] = collections.Counter()
        self._changed: dict[str, None] = {}  # keys, in the order in which they were first changed
        self._values: dict[
            str, tuple[str, ...]
        ] = {}  # of each register, the last two, the newest last

    @property
    def does(self) -> tuple[str, ...]:
        """What can be done to it."""
        return histories.NAMES[self.kind]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a register or counter."""
        return tuple(f'{self.prefix}-{number}' for number in range(KEYS))

    def model(self, names: Mapping[str, str]) -> located.Plain:
        """What is said of it, as `judge.histories` reads it; `names` are the kinds of operation by what they do."""
        first: located.Plain = None
        if self.kind == 'counter':
            first = 0
        elif self.kind == 'bank':
            first = {**ACCOUNTS}
        return {'is': self.kind, 'first': first, **names}

    def last_reads(self) -> list[located.Plain]:
        """What reads are asked once all is over: every key that something was changed of, once."""
        return [{'key': key} for key in self._changed]

    def asked(self, does: str) -> located.Plain:
        """The next operation of this kind; None where there is nothing to do yet."""
        found = self._next(does)
        if isinstance(found, dict) and does != 'read':
            self._changed[str(found['key'])] = None
        return found

    def _next(self, does: str) -> located.Plain:
        number = self._asked[does]
        self._asked[does] += 1
        which = _which(does, number)
        key = f'{self.prefix}-{which}'
        match self.kind, does:
            case 'register', 'write':
                return {'key': key, 'value': f'{self.prefix}-w{number}'}
            case 'register', 'cas':
                return self._cas(key, number)
            case 'counter', 'add':
                return {'key': key, 'value': number % 5 + 1}
            case (('set' | 'list'), 'read'):
                return {'key': f'{self.prefix}-{self._generation(number)}-{which}'}
            case (('set' | 'list'), _):
                key = f'{self.prefix}-{number // (KEYS * MOST)}-{which}'
                return {'key': key, 'value': f'{self.prefix}-{number}'}
            case 'bank', 'transfer':
                return self._transfer(number)
            case 'bank', _:
                return {'key': self.prefix}
            case _:
                return {'key': key}

    def beside(
        self, does: str, asked: located.Plain, able: Collection[str] | None = None
    ) -> tuple[str, located.Plain] | None:
        """What is done at the same moment to the same key, and what it is asked; None where nothing is.

        Args:
            does: what is asked.
            asked: of which key, and so on.
            able: what can be done to it; None: all.
        """
        number = self._met[does]
        self._met[does] += 1
        partners = [one for one in _BESIDE[self.kind].get(does, ()) if able is None or one in able]
        if number % _EVERY or not partners or not isinstance(asked, dict):
            return None
        other = partners[number // _EVERY % len(partners)]
        said = self._meeting(other, asked)
        if said is not None and other != 'read':
            self._changed[str(asked['key'])] = None
        return None if said is None else (other, {'key': asked['key'], **said})

    def _meeting(
        self, does: str, asked: Mapping[str, located.Plain]
    ) -> Mapping[str, located.Plain] | None:
        """What is asked beside another: of two compare-and-sets of one value one is done, of two transfers both."""
        number = self._beside[does]
        self._beside[does] += 1
        match self.kind, does:
            case _, 'read':
                return {}
            case 'register', 'cas':
                known = self._values.get(str(asked['key']))
                old = asked.get('old') or (known[-1] if known else None)
                return None if old is None else {'old': old, 'new': f'{self.prefix}-d{number}'}
            case 'counter', _:
                return {'value': number % 5 + 1}
            case 'bank', _:
                names = [one for one in ACCOUNTS if one != asked.get('from')]
                source = asked.get('from') or names.pop(number % len(names))
                target = names[number % len(names)]
                return {'from': source, 'to': target, 'amount': number % 7 + 1}
            case _:
                return {'value': f'{self.prefix}-b{number}'}

    def learn(self, does: str, asked: Mapping[str, located.Plain], value: located.Plain) -> None:
        """Take note of an answer, so that what a register has can be compared with."""
        found = {'write': asked.get('value'), 'read': value, 'cas': asked.get('new')}.get(does)
        if self.kind != 'register' or not isinstance(found, str) or value is False:
            return
        key = str(asked['key'])
        known = self._values.get(key, ())
        if found not in known:
            self._values[key] = (*known, found)[-2:]

    def _cas(self, key: str, number: int) -> located.Plain:
        known = self._values.get(key)
        if not known:
            return None
        # By rounds of all keys, so that each key has both.
        old = known[0] if number // KEYS % _WRONG == 0 else known[-1]
        return {'key': key, 'old': old, 'new': f'{self.prefix}-c{number}'}

    def _generation(self, number: int) -> int:
        """Of the sets or lists so far, which is read: mostly the newest."""
        made = self._asked[next(one for one in self.does if one != 'read')]
        newest = max(0, made - 1) // (KEYS * MOST)
        block = number // KEYS
        return block // _EARLIER % newest if newest and block % _EARLIER == 0 else newest

    def _transfer(self, number: int) -> located.Plain:
        names = [*ACCOUNTS]
        source = number % len(names)
        target = (source + 1 + number // len(names) % (len(names) - 1)) % len(names)
        amount = _TOO_MUCH if number % _WRONG == 0 else number % 7 + 1
        asked = {'key': self.prefix, 'from': names[source], 'to': names[target], 'amount': amount}
        return cast('dict[str, located.Plain]', asked)


def _which(does: str, number: int) -> int:
    """The key of the nth operation of a kind: each once in so many, in an order that is another for each kind.

    Were it the same, a key would always be written right before it is read, and what was done between never be seen.
    """
    return (number + zlib.crc32(f'{does}.{number // KEYS}'.encode())) % KEYS
