"""Registers that a majority of replicas agrees on, one for each key: what one replica promises and accepts.

CASPaxos (Rystsov, 2018): no leader and no log, so there is nothing to elect and nothing to replay.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

Ballot = tuple[int, str]
NEVER: Ballot = (0, '')


@dataclasses.dataclass(frozen=True)
class Record:
    """What a replica knows of one key. `version` grows with each change of the value."""

    promised: Ballot = NEVER
    accepted: Ballot = NEVER
    version: int = 0
    value: object = None

    def plain(self) -> list[object]:
        """As JSON holds it."""
        return [list(self.promised), list(self.accepted), self.version, self.value]


def record(plain: list) -> Record:
    """From what JSON holds."""
    promised, accepted, version, value = plain
    return Record(tuple(promised), tuple(accepted), version, value)


class Shelf:
    """All records of one replica, on disk before anybody hears of them."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self.records: dict[str, Record] = {}
        good = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                try:
                    key, plain = json.loads(line)
                    self.records[key] = record(plain)
                except ValueError:
                    break  # A write that a crash cut short was never acknowledged.
                good += len(line)
        self._file = path.open('ab')
        self._file.truncate(good)
        self._end = good

    def write(self, changed: dict[str, Record]) -> None:
        """Put records in place of those before; on disk when this returns, or not at all.

        Raises:
            OSError: the disk is full.
        """
        lines = [json.dumps([key, one.plain()]) + '\n' for key, one in changed.items()]
        data = ''.join(lines).encode()
        try:
            if os.write(self._file.fileno(), data) < len(data):
                raise OSError('the disk is full')
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(data)
        self.records |= changed

    def prepare(self, key: str, ballot: Ballot) -> tuple[bool, Record]:
        """Promise not to accept anything older, and say what was accepted; no promise if one outdoes it."""
        now = self.records.get(key, Record())
        if ballot <= now.promised:
            return False, now
        self.write({key: dataclasses.replace(now, promised=ballot)})
        return True, now

    def accept(self, key: str, ballot: Ballot, version: int, value: object) -> tuple[bool, Record]:
        """Accept a value, unless something newer was promised."""
        now = self.records.get(key, Record())
        if ballot < now.promised:
            return False, now
        new = Record(ballot, ballot, version, value)
        self.write({key: new})
        return True, new

    def absorb(self, records: dict[str, Record]) -> list[str]:
        """Accept what others have accepted, as if it came late; the keys for which a promise forbids it."""
        taken: dict[str, Record] = {}
        refused: list[str] = []
        for key, one in records.items():
            now = self.records.get(key, Record())
            if one.accepted > now.accepted:
                if one.accepted < now.promised:
                    refused.append(key)
                else:
                    taken[key] = dataclasses.replace(one, promised=one.accepted)
        if taken:
            self.write(taken)
        return refused
