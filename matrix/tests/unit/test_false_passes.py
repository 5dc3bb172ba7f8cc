# ruff: noqa: E501  # a table is read by its lines
"""Ways to make a run pass that proves nothing: none of them does. Beside each stands the honest run, which passes.

A way is either a journal that the panel judges, or something that a run is asked for and refuses before it begins.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable

import pytest
from chronicle import Line, fault, note, of_parts, op, ops, units

from matrix import cli
from matrix.grammar import located, problem
from matrix.history import journal
from matrix.judge import panel, verdict
from matrix.run import bundlefile, defaults, options, prepare

PASS = verdict.Outcome.PASS
_CHAOS = 'matrix.tasks.chaos'
_LOAD: dict[str, located.Plain] = {'kinds': ['get'], 'weights': [1], 'rate': 2, 'sentence': 'gets', 'writes': []}  # fmt: skip
_PAIR: dict[str, located.Plain] = {**_LOAD, 'kinds': ['put', 'get'], 'weights': [1, 1], 'rate': 4, 'writes': [['put', 'get']]}  # fmt: skip


def planned(*names: str, kind: str = 'freeze') -> Line:
    """The plan of these events."""
    events: list[located.Plain] = [{'id': name, 'fault': kind, 'targets': ['api/0']} for name in names]  # fmt: skip
    return note(9, 'plan', {'format': 'v2', 'seed': 1, 'bundle': '', 'events': events})


def done(task: str = _CHAOS, phase: str = 'complete', at: float = 69, message: str = '') -> Line:
    """A rule that is over."""
    return note(at, 'rule.done', {'task': task, 'phase': phase, 'message': message, 'gates': True})


def fingerprints(*moments: str) -> Line:
    """The model as it was looked at."""
    found: Line = []
    for moment in moments:
        value: located.Plain = {'moment': moment, 'applications': {'api': {'units': ['a', 'a']}}}
        found += note(8 if moment == 'before' else 68, 'fingerprint', value)
    return found


STATUS: Line = [(0.2, journal.Status('api/0', 'active'))]
END: Line = [*note(70, 'test.complete', 'test')]
START: Line = [*note(0, 'test.start', 'test'), *units(api=2)]
LOADED: Line = [*note(0.3, 'load', _LOAD), *ops(0.5, 68), *note(69, 'load.end', {'seconds': 68.7})]
STRUCK: Line = [*planned('e1'), *fault()]
MODEL: Line = [*STATUS, *fingerprints('before', 'after'), *done()]


def writes(read: Callable[[int], bool], *, control: bool | None = None) -> Line:
    """A load that writes and reads back, where each read finds what `read` says of its number."""
    found: Line = [*note(0.3, 'load', {**_PAIR, 'nothing': [['get', 'get of nothing']]})]  # fmt: skip
    for n in range(130):
        at = 0.5 + n / 2
        found += op(at, 'put', value=f'k{n}', answer=f'k{n}')
        found += op(at + 0.2, 'get', value=f'k{n}', answer=read(n))
        found += op(66 + n / 100, 'get', value=f'k{n}', answer=read(n))
        if control is not None and n % 10 == 0:
            found += op(at + 0.3, 'get of nothing', value=f'no{n}', answer=control)
    return [*found, *note(69, 'load.end', {'seconds': 68.7})]


def judged(*parts: Line) -> panel.Judgement:
    """What the panel says of a journal that has been written and read again."""
    return panel.judge(of_parts(*parts))


def expects(**said: located.Plain) -> Line:
    """What the test is held to."""
    return note(0.1, 'expect', dict(said))


def _mute() -> Line:
    said: located.Plain = {'kinds': [], 'rate': 0, 'sentence': 'own', 'writes': [], 'own': True}
    return [*note(0.3, 'load', said), *note(69, 'load.end', {'seconds': 68.7})]


END_OF_LOAD: Line = note(69, 'load.end', {'seconds': 68.7})
OWN: Line = note(
    0.3, 'load', {'kinds': [], 'rate': 0, 'sentence': 'own', 'writes': [], 'own': True}
)


def own_writes(
    value: Callable[[int], located.Plain],
    read: Callable[[int], bool],
    *,
    missed: bool | None = None,
) -> Line:
    """A load of the bundle's own; `missed`: what it says of what was never written."""
    said: located.Plain = {'kinds': [], 'rate': 0, 'sentence': 'own', 'writes': [['put', 'get']], 'own': True}  # fmt: skip
    if missed is not None:
        said = {**said, 'nothing': [['get', 'get of nothing']]}
    found: Line = [*note(0.3, 'load', said)]
    for n in range(130):
        found += op(0.5 + n / 2, 'put', value=value(n))
        found += op(0.7 + n / 2, 'get', value=value(n), answer=read(n))
        found += op(66 + n / 100, 'get', value=value(n), answer=read(n))
        if missed is not None:
            found += op(0.8 + n / 2, 'get of nothing', value='no', answer=missed)
    return [*found, *END_OF_LOAD]


HONEST: dict[str, tuple[Line, ...]] = {
    'a fault under load': (START, LOADED, STRUCK, MODEL, END),
    'writes that are read back': (START, writes(lambda _: True, control=True), STRUCK, MODEL, END),
    'a client of the bundle that may miss': (
        START, own_writes(lambda n: f'k{n}', lambda _: True, missed=True), STRUCK, MODEL, END,
    ),
    'a test without chaos': (note(0, 'test.start', 'test'), STATUS, done('matrix.tasks.deploy'), END),
    'no fault, as was asked': (
        START, LOADED, planned(), note(9, 'control.run'), MODEL, END,
    ),
}  # fmt: skip

WAYS: dict[str, tuple[tuple[Line, ...], str]] = {
    'a plan of nothing': ((START, LOADED, planned(), MODEL, END), 'no fault'),
    'a plan shorter than was asked': (
        (START, LOADED, STRUCK, note(9, 'short', {'asked': 5, 'planned': 1, 'why': 'nothing else can land'}), MODEL, END),
        '1 of 5 faults',
    ),
    'chaos that is skipped': (
        (START, LOADED, STATUS, done(phase='skipped', message='until x held before it could start'), END),
        'never ran',
    ),
    'a load that is skipped': (
        (START, STRUCK, MODEL, done('matrix.tasks.end_to_end', 'skipped', message='until x held'), END),
        'never ran',
    ),
    'a check of the bundle that is skipped': (
        (note(0, 'test.start', 'test'), STATUS, done('tests.mine.check', 'skipped', message='until x held'), END),
        'never ran',
    ),
    'a plan that strikes nobody': (
        (START, LOADED, planned('e1', kind='sleep'), fault(kind='sleep'), MODEL, END),
        'nothing was broken',
    ),
    'a load that says nothing': ((START, _mute(), STRUCK, MODEL, END), 'no single operation'),
    'a load that did nothing': (
        (START, note(0.3, 'load', _LOAD), STRUCK, MODEL, END), 'the load did nothing',
    ),
    'no load where one was asked': (
        (START, note(0.3, 'load.none', 'no port speaks HTTP'), STRUCK, MODEL, END), 'no port',
    ),
    'a load that ended before the faults': (
        (START, note(0.3, 'load', _LOAD), ops(0.5, 9), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'no operation ran while faults struck|only 0%|0 of',
    ),
    'a load that rests while faults strike': (
        (START, note(0.3, 'load', _LOAD), ops(0.5, 9), ops(51, 68), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'while faults struck',
    ),
    'half of a load': (
        (START, note(0.3, 'load', {**_LOAD, 'rate': 5}), ops(0.5, 68), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'of the planned operations',
    ),
    'a kind that never ran': (
        (START, note(0.3, 'load', {**_LOAD, 'kinds': ['get', 'put'], 'weights': [1, 1]}), ops(0.5, 68), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'no put ran',
    ),
    'a runner that is too slow': (
        (START, note(0.3, 'load', _LOAD), ops(0.5, 68, late=0.5), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'too slow',
    ),
    'a fault that is refused': (
        (START, LOADED, planned('e1'), note(10, 'refused', {'event': 'e1', 'fault': 'freeze', 'reason': 'no nft'}), MODEL, END),
        'no nft',
    ),
    'a fault that never comes': ((START, LOADED, planned('e1'), MODEL, END), 'never armed'),
    'a fault that is not seen to land': (
        (START, LOADED, planned('e1'), fault(landed=None), MODEL, END), 'not seen to land',
    ),
    'a fault that is not seen to heal': (
        (START, LOADED, planned('e1'), fault(healed=None), MODEL, END), 'not seen to heal',
    ),
    'a fault that healed before it landed': (
        (START, LOADED, planned('e1'), fault(landed=21, healed=20), MODEL, END), 'not seen to heal',
    ),
    'one fault of two': (
        (START, LOADED, planned('e1', 'e2'), fault(), MODEL, END), 'e2',
    ),
    'a server that stores nothing': (
        (START, writes(lambda _: False), STRUCK, MODEL, END), 'lost',
    ),
    'a server that finds everything': (
        (START, writes(lambda _: True, control=False), STRUCK, MODEL, END), 'never written',
    ),
    'writes that nobody reads': (
        (START, note(0.3, 'load', _PAIR), ops(0.5, 68), *(op(n / 2 + 0.6, 'put', value=f'k{n}') for n in range(130)), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'never read back',
    ),
    'an effect that nobody saw': (
        (START, expects(effects=['leader']), LOADED, STRUCK, MODEL, END), 'leader',
    ),
    'everything ignored': (
        (START, expects(ignore=['rules', 'load', 'errors', 'latency', 'faults', 'fingerprint', 'quiet']), LOADED, STRUCK, MODEL, END),
        'nothing was checked',
    ),
    'a model that is looked at once': (
        (START, LOADED, STRUCK, STATUS, fingerprints('before'), done(), END), 'before and after',
    ),
    'statuses that nobody saw': (
        (START, LOADED, STRUCK, fingerprints('before', 'after'), done(), END), 'was ever seen',
    ),
    'a test that did not end': ((START, LOADED, STRUCK, MODEL), 'did not come to its end'),
    'an empty journal': ((), 'nothing ran'),
    'a load of which nobody can read what it was to do': (
        (START, note(0.3, 'load', 'x'), ops(0.5, 68), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END), "the note 'load' is no mapping",
    ),
    'a load without a rate': (
        (START, note(0.3, 'load', {'kinds': ['get']}), ops(0.5, 68), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END), "the note 'load' has no 'rate'",
    ),
    'a plan without events': ((START, LOADED, note(9, 'plan', {'format': 'v3'}), fault(), MODEL, END), "the note 'plan' has no 'events'"),
    'a history of a thing that is misspelt': (
        (START, note(0.3, 'load', {**_LOAD, 'models': {'kv': {'is': 'registr', 'write': 'put', 'read': 'get'}}}), ops(0.5, 68), END_OF_LOAD, STRUCK, MODEL, END),
        "did you mean 'register'?",
    ),
    'a history of what nobody wrote': (
        (START, note(0.3, 'load', {**_LOAD, 'models': {'kv': {'is': 'register', 'write': 'put', 'read': 'get'}}}), ops(0.5, 68), END_OF_LOAD, STRUCK, MODEL, END),
        'after it had been written',
    ),
    'a VIP that nobody was seen to hold': (
        (START, LOADED, STRUCK, note(5, 'owners', {'address': '10.0.0.9', 'units': [], 'unseen': []}), MODEL, END),
        'nobody was ever seen',
    ),
    'tokens that nobody shows': (
        (START, note(0.3, 'load', {**_LOAD, 'kinds': ['token.issue', 'token.validate'], 'weights': [1, 1]}), ops(0.5, 68, 'token.issue', answer='t'), ops(0.7, 68, 'token.validate', 'info'), note(69, 'load.end', {'seconds': 68.7}), STRUCK, MODEL, END),
        'token.validate failed',
    ),
    'a load that rests while a fault bites, and works while it recovers': (
        (START, OWN, ops(0.5, 9.8, 'x'), ops(20.1, 68, 'x'), END_OF_LOAD, STRUCK, MODEL, END),
        'no operation ran while freeze struck api/0',
    ),
    'a load that begins after the faults': (
        (START, note(51, 'load', _LOAD), ops(51, 68), note(69, 'load.end', {'seconds': 18}), STRUCK, MODEL, END),
        'before any fault',
    ),
    'a fault for which no load was there': (
        (START, LOADED, planned('e1'), fault(69.3, 69.4, 69.5), MODEL, END), 'no operation ran once the faults were healed',
    ),
    'a service that stays dead until the test ends': (
        (START, expects(ha=False), note(0.3, 'load', _LOAD), ops(0.5, 9.9), ops(10, 48, how='fail'), note(48, 'load.end', {'seconds': 47.7}), STRUCK, note(48, 'test.complete', 'test'), STATUS, fingerprints('before'), note(47, 'fingerprint', {'moment': 'after', 'applications': {'api': {'units': ['a', 'a']}}}), done(at=47)),
        'never worked again once the faults were healed',
    ),
    'a fault that strikes nobody': ((START, LOADED, planned('e1'), fault(targets=()), MODEL, END), 'struck nobody'),
    'a fault of another kind': (
        (START, LOADED, planned('e1', kind='netsplit'), fault(kind='kill'), MODEL, END), 'was to be netsplit, and was kill',
    ),
    'a model without applications': (
        (note(0, 'test.start', 'test'), LOADED, STRUCK, STATUS, note(8, 'fingerprint', {'moment': 'before', 'applications': {}}), note(68, 'fingerprint', {'moment': 'after', 'applications': {}}), done(), END),
        'had no application',
    ),
    'statuses of machines alone': (
        (START, LOADED, STRUCK, [(0.2, journal.Status('machine 0', 'started'))], fingerprints('before', 'after'), done(), END),
        'was ever seen',
    ),
    'a test in which no rule was done': ((START, LOADED, STRUCK, STATUS, fingerprints('before', 'after'), END), 'no rule came to its end'),
    'chaos that was broken off': (
        (START, LOADED, STRUCK, STATUS, fingerprints('before', 'after'), done(phase='cancelled'), END), 'was broken off',
    ),
    'a second test of nothing': (
        (START, LOADED, STRUCK, MODEL, END, note(71, 'test.start', 'other'), note(72, 'test.complete', 'other')), 'no rule came',
    ),
    'writes that all write the same': (
        (START, own_writes(lambda _: 'k', lambda _: True, missed=True), STRUCK, MODEL, END), 'nothing tells one from another',
    ),
    'writes that do not say what': (
        (START, own_writes(lambda _: None, lambda _: True, missed=True), STRUCK, MODEL, END), 'does not say what it wrote',
    ),
    'a client that finds everything': (
        (START, own_writes(lambda n: f'k{n}', lambda _: True), STRUCK, MODEL, END), 'has ever missed anything',
    ),
    'a client that finds what was never written': (
        (START, own_writes(lambda n: f'k{n}', lambda _: True, missed=False), STRUCK, MODEL, END), 'never written',
    ),
    'a client that asks nobody': (
        (START, OWN, ops(0.5, 68, 'x', took=0.00001), END_OF_LOAD, STRUCK, MODEL, END), 'asks nobody',
    ),
}  # fmt: skip


def history(kind: str, **said: located.Plain) -> Line:
    """What a load of the bundle's own says of a thing: what `c` and `r` do to it."""
    models: located.Plain = {'it': {'is': kind, **said}}
    return note(0.2, 'load', {'kinds': [], 'rate': 0, 'sentence': 'o', 'writes': [], 'own': True, 'models': models})  # fmt: skip


def changes_and_reads(
    asked: Callable[[int], located.Plain], did: located.Plain, read: located.Plain
) -> Line:
    """A change and a read, again and again."""
    found: Line = []
    for n in range(60):
        found += op(1 + n, 'c', value=asked(n), answer=did) + op(1.5 + n, 'r', answer=read)
    return found


def tokens(valid: bool = True, invented: bool | None = True) -> Line:
    """Tokens that are issued and shown; `invented`: what is said of those that nobody issued, None: none is shown."""
    kinds: located.Plain = ['token.issue', 'token.validate', 'token.validate of nothing']
    said: dict[str, located.Plain] = {**_LOAD, 'kinds': kinds, 'weights': [1, 1, 0.1]}
    found = note(0.3, 'load', {**said, 'nothing': [['token.validate', 'token.validate of nothing']]})  # fmt: skip
    for n in range(68):
        found += op(0.5 + n, 'token.issue', answer=f't{n}')
        found += op(0.8 + n, 'token.validate', value=f't{n}', answer=valid)
        if invented is not None and n % 5 == 0:
            found += op(0.9 + n, 'token.validate of nothing', value=f'no{n}', answer=invented)
    return [*found, *END_OF_LOAD]


def probed(*errors: str) -> Line:
    """A probe of each unit of an application, of which some cannot be asked."""
    found = note(0.2, 'probes', [{'name': 'p', 'command': 'true', 'on': 'api'}])
    for at in range(1, 68):
        for n, error in enumerate(errors):
            found += note(at, 'probe', {'name': 'p', 'on': f'api/{n}', 'error': error})
    return found


_TRANSFER: dict[str, located.Plain] = {'from': 'a', 'to': 'b', 'amount': 99}
HONEST.update({
    'tokens of which an invented one is refused': (START, tokens(), STRUCK, MODEL, END),
    'a probe of each unit': (START, LOADED, probed('', ''), STRUCK, MODEL, END),
    'a register that is written': (
        START, history('register', cas='c', read='r', first=0), LOADED, STRUCK, MODEL, END,
        [line for n in range(60) for line in op(1 + n, 'c', value={'old': n, 'new': n + 1}, answer=True) + op(1.5 + n, 'r', answer=n + 1)],
    ),
})  # fmt: skip
WAYS.update({
    'a compare and set that is always refused': (
        (START, history('register', cas='c', read='r'), LOADED, changes_and_reads(lambda n: {'old': 5, 'new': n}, False, None), STRUCK, MODEL, END),
        'changes nothing',
    ),
    'a bank that refuses every transfer': (
        (START, history('bank', transfer='c', read='r', first={'a': 1, 'b': 1}), LOADED, changes_and_reads(lambda _: _TRANSFER, False, {'a': 1, 'b': 1}), STRUCK, MODEL, END),
        'changes nothing',
    ),
    'a counter that nothing is added to': (
        (START, history('counter', add='c', read='r'), LOADED, changes_and_reads(lambda _: {'value': 0}, None, 0), STRUCK, MODEL, END),
        'changes nothing',
    ),
    'a register that is set to what it was at first': (
        (START, history('register', write='c', read='r', first=3), LOADED, changes_and_reads(lambda _: {'value': 3}, None, 3), STRUCK, MODEL, END),
        'changes nothing',
    ),
    'a register that is always set to the same': (
        (START, history('register', write='c', read='r'), LOADED, changes_and_reads(lambda _: {'value': 3}, None, 3), STRUCK, MODEL, END),
        'nothing tells one from another',
    ),
    'a register that makes truth of a number': (
        (START, history('register', write='c', read='r'), LOADED, changes_and_reads(lambda _: {'value': 1}, None, True), STRUCK, MODEL, END),
        'read → true',
    ),
    'a set that answers with a word of its elements': (
        (START, history('set', add='c', read='r'), LOADED, changes_and_reads(lambda _: {'value': 'a'}, None, 'a'), STRUCK, MODEL, END),
        "answered 'a' at 1.5 s, which is no set",
    ),
    'a bank that answers with what is no account': (
        (START, history('bank', transfer='c', read='r', first={'a': 1, 'b': 1}), LOADED, changes_and_reads(lambda _: _TRANSFER, False, [1, 2]), STRUCK, MODEL, END),
        'which is no bank',
    ),
    'a counter that adds what is no number': (
        (START, history('counter', add='c', read='r'), LOADED, changes_and_reads(lambda _: {'value': 'x'}, None, 0), STRUCK, MODEL, END),
        'does not say by how much',
    ),
    'writes of two values in turn': (
        (START, own_writes(lambda n: f'k{n % 2}', lambda _: True, missed=True), STRUCK, MODEL, END), 'nothing tells most of them from another',
    ),
    'a control that is said and never made': (
        (START, [one for one in own_writes(lambda n: f'k{n}', lambda _: True, missed=True) if 'of nothing' not in str(one)] , note(0.2, 'load', {**_PAIR, 'nothing': [['get', 'get of nothing']]}), STRUCK, MODEL, END),
        'no get of nothing was answered',
    ),
    'a control of matrix that never comes': (
        (START, writes(lambda _: True), STRUCK, MODEL, END), 'no get of nothing was answered',
    ),
    'an operation before the fault that was over only when it struck': (
        (START, LOADED, planned('e1'), fault(0.52, 1.5, 10), MODEL, END), 'before any fault',
    ),
    'operations after the faults that nobody answers': (
        (START, note(0.3, 'load', _LOAD), ops(0.5, 55), op(56, how=None), note(69, 'load.end', {'seconds': 55}), planned('e1'), fault(60, 61, 69), MODEL, END),
        'no operation ran once the faults were healed',
    ),
    'operations after the faults of which none works': (
        (START, note(0.3, 'load', _LOAD), ops(0.5, 67.5), op(69.2, how='fail'), op(69.4, how='fail'), note(69, 'load.end', {'seconds': 68.7}), planned('e1'), expects(ha=False), fault(60, 61, 69), MODEL, END),
        'no operation worked once the faults were healed',
    ),
    'two faults of one name': ((START, LOADED, planned('e1', 'e1'), fault(), MODEL, END), 'nobody can tell which was seen'),
    'an identity service that takes every token': (
        (START, tokens(invented=False), STRUCK, MODEL, END), 'a token that nobody issued was taken for valid',
    ),
    'tokens of which no invented one is shown': (
        (START, tokens(invented=None), STRUCK, MODEL, END), 'no token.validate of nothing was answered',
    ),
    'a probe that one unit never answers': (
        (START, LOADED, probed('', 'no ssh'), STRUCK, MODEL, END), 'p was never asked on api/1',
    ),
    'a threshold of nothing': (
        (START, expects(thresholds={}), LOADED, STRUCK, MODEL, END), 'names no kind of operation',
    ),
})  # fmt: skip


def again(kind: str = 'freeze', name: str = 'e1') -> Line:
    """The plan of a second chaos, which names its fault as the first does."""
    events: list[located.Plain] = [{'id': name, 'fault': kind, 'targets': ['api/1']}]
    return note(30, 'plan', {'format': 'v2', 'seed': 1, 'bundle': '', 'events': events})


def second(kind: str = 'freeze', *, landed: float | None = 32, healed: float | None = 40) -> Line:
    """Its fault."""
    return fault(31, landed, healed, kind=kind, targets=('api/1',))


def flags(keys: int, *, read: bool = True) -> Line:
    """Each key is set to `on`, as often as 120 writes of so many keys come to, and read (or another is)."""
    found: Line = []
    for n in range(120):
        key = f'k{n % keys}'
        found += op(1 + n / 2, 'c', value={'key': key, 'value': 'on'}, answer=True)
        asked: located.Plain = {'key': key if read else 'another'}
        found += op(1.2 + n / 2, 'r', value=asked, answer='on' if read else None)
    return found


def constants() -> Line:
    """Two keys, of which each is always set to the same."""
    found: Line = []
    for n in range(60):
        key = f'k{n % 2}'
        found += op(1 + n, 'c', value={'key': key, 'value': n % 2}, answer=True)
        found += op(1.5 + n, 'r', value={'key': key}, answer=n % 2)
    return found


def resets(swapped: bool) -> Line:
    """A register that is reset to 0 and swapped for another number, again and again; or the swap is refused."""
    found: Line = []
    for n in range(1, 60):
        found += op(n, 'c', value={'value': 0}, answer=True)
        found += op(n + 0.3, 's', value={'old': 0 if swapped else -1, 'new': n}, answer=swapped)
        found += op(n + 0.6, 'r', answer=n if swapped else 0)
    return found


def read_back_alone(before: int = 0) -> Line:
    """Writes that are read only when they are read back, and so many reads before; of nothing, none asks."""
    said: dict[str, located.Plain] = {'weights': [1, 0.001, 0.0001], 'kinds': ['put', 'get', 'get of nothing'], 'nothing': [['get', 'get of nothing']]}  # fmt: skip
    found = note(0.3, 'load', {**_PAIR, **said})
    for n in range(240):
        found += op(0.5 + n / 4, 'put', value=f'k{n}', answer=f'k{n}')
        found += op(62 + n / 100, 'get', value=f'k{n}', took=0.01, answer=True)
        if n < before:
            found += op(0.7 + n / 4, 'get', value=f'k{n}', answer=True)
    return [*found, *note(61, 'phase', 'readback'), *END_OF_LOAD]


_FLAGS = history('register', write='c', read='r')
_SWAPS = history('register', write='c', cas='s', read='r')
HONEST.update({
    'chaos that runs twice': (START, LOADED, STRUCK, again(), second(), MODEL, END),
    'chaos of two kinds': (START, LOADED, STRUCK, again('kill'), second('kill'), MODEL, END),
    'chaos of two kinds, whose names are told apart': (
        START, LOADED, STRUCK, again('kill', '2-e1'), fault(31, 32, 40, id='2-e1', kind='kill'), MODEL, END,
    ),
    'a register that is reset and swapped': (START, _SWAPS, LOADED, resets(swapped=True), STRUCK, MODEL, END),
    'a flag for each key': (START, _FLAGS, LOADED, flags(120), STRUCK, MODEL, END),
    'a rare read, of which nearly all read back': (START, read_back_alone(before=3), STRUCK, MODEL, END),
})  # fmt: skip
WAYS.update({
    'a second chaos that never strikes': ((START, LOADED, STRUCK, again(), MODEL, END), 'was seen to land 1 of 2 times'),
    'a second chaos that never lands': (
        (START, LOADED, STRUCK, again(), second(landed=None), MODEL, END), 'was seen to land 1 of 2 times',
    ),
    'a second chaos that never heals': (
        (START, LOADED, STRUCK, again(), second(healed=None), MODEL, END), 'was seen to heal 1 of 2 times',
    ),
    'a second chaos of another kind': (
        (START, LOADED, STRUCK, again('kill'), second(), MODEL, END), 'e1 is of 2 plans: kill was seen to land 0 of 1 times',
    ),
    'a register that is reset, and never swapped': (
        (START, _SWAPS, LOADED, resets(swapped=False), STRUCK, MODEL, END), 'nothing tells one from another',
    ),
    'a flag for each of few keys, set again and again': (
        (START, _FLAGS, LOADED, flags(10), STRUCK, MODEL, END), 'nothing tells one from another',
    ),
    'two keys, of which each is always set to the same': (
        (START, _FLAGS, LOADED, constants(), STRUCK, MODEL, END), 'all writes of each key of it wrote the same',
    ),
    'a flag for each key, and one key read that nobody sets': (
        (START, _FLAGS, LOADED, flags(120, read=False), STRUCK, MODEL, END), 'after it had been written',
    ),
    'reads enough before reading back, and no control': (
        (START, read_back_alone(before=60), STRUCK, MODEL, END), 'no get of nothing was answered in 60 get',
    ),
})  # fmt: skip


@pytest.mark.parametrize('name', HONEST)
def test_an_honest_run_passes(name: str) -> None:
    found = judged(*HONEST[name])
    assert found.outcome is PASS, found.tests


def test_there_are_thirty_ways_and_none_passes() -> None:
    passed = [name for name, (parts, _) in WAYS.items() if judged(*parts).outcome is PASS]
    assert (len(WAYS) >= 30, passed) == (True, [])


@pytest.mark.parametrize('name', WAYS)
def test_the_headline_says_what_could_not_be_believed(name: str) -> None:
    parts, said = WAYS[name]
    sentence = judged(*parts).sentence
    assert any(one in sentence for one in said.split('|')), sentence


# What is refused before anything is deployed, by the run and by `lint` alike.

_BUNDLE = 'applications: {web: {charm: ./web, num_units: 2}, db: {charm: ./db}}\n'
_SUITE = 'tests:\n- name: t\n  rules:\n'
_RULE = '  - do:\n      task: matrix.tasks.chaos\n'
_PLAN_FILE = 'format: v2\nseed: 1\nevents:\n- {id: e1, fault: FAULT, at: 1, hold: 1, selectors: [], targets: [TARGET]}\n'
_PUT = 'load:\n  http:\n  - {name: put, url: "http://{web}/{key}", method: PUT BODY}\n  - {name: get, url: "http://{web}/{key}", reads: put}\n'

REFUSED: dict[str, tuple[dict[str, str], str]] = {
    'a test without rules': (
        {'matrix.yaml': 'tests:\n- name: t\n  rules: []\n'}, "matrix.yaml:3: error: a test needs 'rules'",
    ),
    'an unknown kind': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      kinds: [freze]\n'},
        "matrix.yaml:6: error: there is no fault 'freze'; did you mean 'freeze'?",
    ),
    'an unknown application': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      applications: webb\n'},
        "matrix.yaml:6: error: the bundle has no application 'webb'; did you mean 'web'?",
    ),
    'an unknown application among strikes': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      strikes:\n      - {{applications: [dbb], kinds: [kill]}}\n'},
        "matrix.yaml:6: error: the bundle has no application 'dbb'; did you mean 'db'?",
    ),
    'a count that is no number': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      count: many\n'}, "matrix.yaml:6: error: 'count' is a whole number from 1",
    ),
    'a count of nothing': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      count: 0\n'}, "matrix.yaml:6: error: 'count' is a whole number from 1",
    ),
    'a gap that is no time': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      gap: soon\n'}, "matrix.yaml:6: error: 'gap' is a number of seconds",
    ),
    'a truth that is none': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      serial: perhaps\n'}, "matrix.yaml:6: error: 'serial' is true or false",
    ),
    'a plan that is not there': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      plan: "{{bundle}}/tests/plann.yaml"\n', 'plan.yaml': 'actions: []\n'},
        "matrix.yaml:6: error: the plan {bundle}/tests/plann.yaml cannot be read: No such file or directory; did you mean 'plan.yaml'?",
    ),
    'a plan with an unknown fault': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      plan: tests/p.yaml\n', 'p.yaml': _PLAN_FILE.replace('FAULT', 'kil').replace('TARGET', 'web/0')},
        "p.yaml:4: error: there is no fault 'kil'; did you mean 'kill'?",
    ),
    'a plan that strikes what the bundle lacks': (
        {'matrix.yaml': f'{_SUITE}{_RULE}      plan: tests/p.yaml\n', 'p.yaml': _PLAN_FILE.replace('FAULT', 'kill').replace('TARGET', 'wob/0')},
        "p.yaml:4: error: the bundle has no application 'wob'; did you mean 'web'?",
    ),
    'a check to ignore that there is not': (
        {'test.yaml': 'expect:\n  ignore: [latencies]\n'},
        "test.yaml:2: error: there is no check 'latencies' to ignore; did you mean 'latency'?",
    ),
    'an effect that can never come': (
        {'test.yaml': 'expect: {effects: [failover]}\n'}, "test.yaml:1: error: nothing ever says 'failover'",
    ),
    'changes of what the bundle lacks': (
        {'test.yaml': 'expect: {changes: [wep]}\n'},
        "test.yaml:1: error: the bundle has no application 'wep'; did you mean 'web'?",
    ),
    'writes without a body': (
        {'test.yaml': _PUT.replace(' BODY', '')}, "test.yaml:3: error: the body of 'put' does not tell one write from another",
    ),
    'writes with one body for all': (
        {'test.yaml': _PUT.replace(' BODY', ', body: x')}, "test.yaml:3: error: the body of 'put' does not tell",
    ),
    'a key that is misspelt': (
        {'test.yaml': 'load: none\nexspect: {ran: 1}\n'}, "test.yaml:2: error: unknown key 'exspect'; did you mean 'expect'?",
    ),
    'one key alone, misspelt': (
        {'test.yaml': 'probe: {command: "true"}\n'}, "test.yaml:1: error: unknown key 'probe'; did you mean 'probes'?",
    ),
    'a load of what the bundle lacks': (
        {'test.yaml': 'load:\n  http:\n  - "http://{wob}/"\n'}, "test.yaml:3: error: the bundle has no application 'wob'; did you mean 'web'?",
    ),
    'a named load of what the bundle lacks': (
        {'test.yaml': 'load: {http: [{name: get, url: "http://{wep/0}/{key}"}]}\n'}, "error: the bundle has no application 'wep'; did you mean 'web'?",
    ),
    "a rule's load of what the bundle lacks": (
        {'matrix.yaml': f'{_SUITE}  - do:\n      task: matrix.tasks.end_to_end\n      http: "http://{{dbb}}/"\n'},
        "matrix.yaml:6: error: the bundle has no application 'dbb'; did you mean 'db'?",
    ),
    'a probe of what the bundle lacks': (
        {'test.yaml': 'probes:\n- http: "http://{wob}/"\n'}, "test.yaml:2: error: the bundle has no application 'wob'",
    ),
    'a Prometheus that the bundle lacks': (
        {'test.yaml': 'probes:\n- {promql: up, least: 1, prometheus: "http://{wob}:9090"}\n'}, "test.yaml:2: error: the bundle has no application 'wob'",
    ),
    'a status that HTTP has not': (
        {'test.yaml': 'load: {http: [{url: "http://{web}/", expect: [2000]}]}\n'}, "test.yaml:1: error: 'expect' is one status or several",
    ),
    'a status of a probe that HTTP has not': (
        {'test.yaml': 'probes: [{http: "http://{web}/", expect: 20}]\n'}, "test.yaml:1: error: 'expect' is one status or several",
    ),
    'a threshold of nothing': (
        {'test.yaml': 'expect: {thresholds: {get: {}}}\n'}, "test.yaml:1: error: the threshold of 'get' has none of",
    ),
    'an abort that never comes': (
        {'test.yaml': 'abort: {errors: 1}\n'}, "test.yaml:1: error: 'errors' is less than 1",
    ),
    'an action on what the bundle lacks': (
        {'matrix.yaml': f'{_SUITE}  - do: {{task: matrix.tasks.run_action, application: webs, action: x}}\n'},
        "matrix.yaml:4: error: the bundle has no application 'webs'; did you mean 'web'?",
    ),
}  # fmt: skip


def _bundle(folder: pathlib.Path, files: dict[str, str]) -> bundlefile.Bundle:
    (folder / 'tests').mkdir()
    (folder / 'bundle.yaml').write_text(_BUNDLE)
    for name, text in files.items():
        (folder / 'tests' / name).write_text(text)
    return bundlefile.find(folder)


@pytest.mark.parametrize('name', REFUSED)
def test_a_run_and_lint_refuse_the_same(
    name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, said = REFUSED[name]
    bundle = _bundle(tmp_path, files)
    with pytest.raises(problem.RefusedError) as refused:
        extra = defaults.read(bundle.folder)
        prepare.prepare(options.Options(), bundle, extra, 1)
    assert said in str(refused.value)
    assert cli.main(['lint', *(str(tmp_path / 'tests' / one) for one in files)]) == 1
    assert said in capsys.readouterr().out


def test_a_bundles_own_files_are_looked_at_where_none_is_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = _bundle(tmp_path, {'test.yaml': 'load: none\nexspect: {}\n', 'matrix.yaml': 'tests:\n- name: t\n  rules: []\n'})  # fmt: skip
    assert cli.main(['lint', '-p', str(bundle.file)]) == 1
    said = capsys.readouterr().out
    assert "test.yaml:2: error: unknown key 'exspect'" in said
    assert "matrix.yaml:3: error: a test needs 'rules'" in said
    for path in (tmp_path / 'tests').iterdir():
        path.unlink()
    for words in (['lint', '-p', str(bundle.file)], ['lint']):
        assert cli.main(words) == 2
        assert 'there is nothing to look at' in capsys.readouterr().err


def test_a_charm_to_go_to_is_one_of_an_application_that_is_there(tmp_path: pathlib.Path) -> None:
    bundle = _bundle(tmp_path, {})
    (tmp_path / 'other').mkdir()
    for name, charm, said in (
        ('wob', 'other', "the bundle has no application 'wob'; did you mean 'web'?"),
        ('web', 'none', 'there is no such charm'),
    ):
        asked = options.Options(replace=((name, str(tmp_path / charm)),))
        with pytest.raises(problem.RefusedError, match=re.escape(said)):
            prepare.prepare(asked, bundle, None, 1)
    asked = options.Options(replace=(('web', str(tmp_path / 'other')),))
    assert prepare.prepare(asked, bundle, None, 1).options is asked


def test_what_is_right_is_refused_by_neither(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = f'{_SUITE}{_RULE}      kinds: [freeze, net*]\n      applications: web db\n      count: 3\n      gap: 5\n      plan: tests/p.yaml\n'
    plan = _PLAN_FILE.replace('FAULT', 'kill').replace('TARGET', 'web/0')
    extra = 'packages: [x]\nprobes: [{http: "http://{web/0}/", expect: [200, 599]}]\nabort: {errors: 0.99}\n'
    extra += _PUT.replace(' BODY', ', body: "{key}"') + 'expect: {ignore: [latency, acknowledged put], effects: [leader], changes: [db]}\n'  # fmt: skip
    bundle = _bundle(tmp_path, {'matrix.yaml': good, 'p.yaml': plan, 'test.yaml': extra})
    prepare.prepare(options.Options(), bundle, defaults.read(bundle.folder), 1)
    files = [str(one) for one in (tmp_path / 'tests').iterdir()]
    assert (cli.main(['lint', *files]), capsys.readouterr().out) == (0, '')


def test_a_model_that_is_destroyed_is_nobodys_failure() -> None:
    gone = note(30, 'lost', 'model m is gone: somebody destroyed it while the test ran')
    failing = ops(31, 60, how='fail')
    found = judged(START, LOADED, STRUCK, MODEL, failing, gone, END)
    assert (found.outcome, found.tests[0].ending) == (verdict.Outcome.UNKNOWN, 'infrastructure')
    assert 'is gone' in found.sentence
    served = judged(START, note(0.3, 'load', _LOAD), ops(0.5, 68, how='fail'), STRUCK, MODEL, END)
    assert (served.outcome, 'before any fault' in served.sentence) == (
        verdict.Outcome.FAIL,
        True,
    )


def test_a_finished_run_whose_last_lines_are_gone_is_unknown() -> None:
    parts = (note(0, 'run', {}), START, LOADED, STRUCK, MODEL, END)
    whole = panel.judge_finished(of_parts(*parts, note(71, 'run.end', {'ending': 'passed'})))
    cut = panel.judge_finished(of_parts(*parts))
    assert (whole.outcome, cut.outcome) == (PASS, verdict.Outcome.UNKNOWN)
    assert 'the journal has no end' in cut.sentence
    failed = panel.judge_finished(of_parts(*parts, op(65, 'get', 'fail')))
    assert (failed.outcome, 'get failed once' in failed.sentence) == (verdict.Outcome.FAIL, True)
    # A part of a run, or one that is under way, is judged as far as it goes.
    assert panel.judge_finished(of_parts(*parts[1:])).outcome is PASS
