"""A load's operations as a plain list of requests, one JSON object a line, for other programs. Pure.

    {"at": 1795959969.8, "seconds": 0.004, "ok": true, "what": "token.validate 10.0.0.5:5000", "said": ""}

`at` is when it was due (seconds since the epoch), `seconds` how long until it was answered or given up. `juju lifecycle
upgrade --load-journal` reads it: see its reference, "The load's journal".
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection

from matrix.history import journal, notes, redact
from matrix.judge import trial
from matrix.load import outcome

NOT_THERE = 'what was made is not there'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """One operation from its planned moment to its end."""

    at: float
    """Seconds since the epoch."""
    seconds: float
    ok: bool
    what: str
    said: str = ''

    def line(self, known: redact.Secrets) -> str:
        """Its line of JSON, without an end of line and without secrets."""
        value = {**dataclasses.asdict(self), 'at': round(self.at, 3)}
        value['seconds'] = round(self.seconds, 6)
        return json.dumps(
            {k: redact.text(v, known) if isinstance(v, str) else v for k, v in value.items()}
        )


def answering(said: object) -> frozenset[str]:
    """Kinds of operation for which False is an answer, not a loss, by the value of a load's note.

    Those of a thing (`models`): a compare-and-set of another value, a transfer of more than there is. Not those that
    read back what was written.
    """
    value = trial.mapping(said)
    named = {
        kind
        for thing in trial.mapping(value.get('models')).values()
        for does, kind in trial.mapping(thing).items()
        if does not in {'is', 'first'} and isinstance(kind, str)
    }
    writes = value.get('writes')
    pairs = writes if isinstance(writes, list) else []
    reads = [pair[-1:] for pair in pairs if isinstance(pair, list)]
    return frozenset(named - {str(one) for some in reads for one in some})


def ended(
    began: float,
    invoke: journal.Operation,
    at: float,
    end: journal.Operation,
    may_be_false: Collection[str] = (),
) -> Request | None:
    """The request that was sent at *began* and ended at *at*; None where the load itself was told to stop.

    An operation that could not find what an earlier one was told is there has failed, however well it was answered;
    of the kinds in *may_be_false*, False is as good an answer as any.
    """
    if end.error == outcome.STOPPED:
        return None
    gone = end.phase == 'ok' and end.value is False and end.kind not in may_be_false
    return Request(
        at=began - invoke.late,
        seconds=at - began + invoke.late,
        ok=end.phase == 'ok' and not gone,
        what=f'{invoke.kind} {end.endpoint or invoke.endpoint}'.strip(),
        said=NOT_THERE if gone else end.error,
    )


@dataclasses.dataclass
class Tally:
    """Makes requests of what a load writes, counts them, and hands each on. `now`: seconds since the epoch."""

    now: Callable[[], float]
    hand_on: Callable[[Request], object] = lambda _: None
    count: int = 0
    lost: int = 0
    slowest: float = 0.0
    """Seconds, of all that were answered."""
    _begun: dict[str, tuple[float, journal.Operation]] = dataclasses.field(
        default_factory=dict[str, tuple[float, journal.Operation]]
    )
    _may_be_false: frozenset[str] = frozenset()

    def write(self, what: journal.What) -> None:
        """Take one entry of the load."""
        if isinstance(what, journal.Note) and what.kind == notes.LOAD:
            self._may_be_false = self._may_be_false | answering(what.value)
        if not isinstance(what, journal.Operation):
            return
        if what.phase == 'invoke':
            self._begun[what.id] = (self.now(), what)
            return
        at = self.now()
        began, invoke = self._begun.pop(what.id, (at, what))
        request = ended(began, invoke, at, what, self._may_be_false)
        if request is None:
            return
        self.count += 1
        self.lost += not request.ok
        if request.ok:
            self.slowest = max(self.slowest, request.seconds)
        self.hand_on(request)

    def __str__(self) -> str:
        """In words."""
        lost = f'{self.lost} lost' if self.lost else 'none lost'
        return f'{self.count} requests, {lost}, slowest {self.slowest:.2f} s'
