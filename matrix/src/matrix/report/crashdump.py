"""Takes logs at the moment of a failure, while they and the model are still there. Touches the world.

What could not be taken is said, and hides nothing: no error of a dump ever leaves this module.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import pathlib
import re
import shutil
import zlib
from collections.abc import Awaitable, Callable, Sequence

from matrix import programs
from matrix.blame import suspects
from matrix.history import journal, notes, redact
from matrix.judge import panel, verdict
from matrix.juju import link
from matrix.report import lanes, words, write

_NEAR = 12.0  # seconds around a failure whose lines go into the journal
_MOST_LINES = 400  # of a unit, into the journal; its file holds all that was taken
_MOST_UNITS = 8
_WITHIN = 60.0
_MOST = 4_000_000  # characters that a machine may send
_TOOL = 'juju-crashdump'
_FAIL = verdict.Outcome.FAIL

# Packed, because a link carries 64 KiB: that is about half a megabyte of logs. Cut here: a link would keep the end,
# and what is packed is read from its beginning.
SCRIPT = r"""
since=$(date -d "-$minutes minutes" '+%Y-%m-%d %H:%M:%S')
{
    echo "==> journal <=="
    journalctl --no-pager -o short-iso-precise --since "$since" 2>&1 | tail -n 3000
    find /var/log -type f ! -path '/var/log/journal/*' -newermt "$since" -size -200M 2>/dev/null | sort | head -n 40 |
    while read -r file; do
        printf '\n==> %s <==\n' "$file"
        tail -c 40000 "$file" 2>&1 | tr -d '\000'
    done
} | tail -c 900000 | { gzip -9 | base64 -w 0; } 2>/dev/null | head -c 65000
"""


@dataclasses.dataclass(frozen=True)
class Dump:
    """What was taken, and what was not and why."""

    files: tuple[pathlib.Path, ...]
    wrong: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Whether it is whole, for people."""
        taken = f'{words.count(len(self.files), "log")} taken at the moment of the failure'
        return f'{taken}; not taken: {"; ".join(self.wrong)}' if self.wrong else taken


def implicated(entries: Sequence[journal.Entry], evidence: Sequence[int] = ()) -> tuple[str, ...]:
    """The units whose logs matter, the most first: of suspects, with a bad status, struck by another fault, others."""
    ranked = suspects.rank(entries, evidence)
    blamed = [name for one in ranked if one.score > 0 for name in one.targets]
    targets = [name for one in ranked for name in one.targets]
    named = [one.what for one in entries if isinstance(one.what, journal.Status)]
    ill = [one.of for one in named if {one.workload, one.agent} & {'error', 'blocked', 'lost'}]
    everyone = sorted(one.of for one in named)
    found = dict.fromkeys(name for name in (*blamed, *ill, *targets, *everyone) if '/' in name)
    return tuple(found)[:_MOST_UNITS]


def moments(entries: Sequence[journal.Entry], evidence: Sequence[int] = ()) -> tuple[float, ...]:
    """When things went wrong, as seconds since 1970: the first failures of each kind, and where suspects began."""
    chosen = frozenset(evidence)
    blamed = {one.event for one in suspects.rank(entries, evidence)[:3] if one.score > 0}
    walls: dict[object, str] = {}
    for entry in entries:
        match entry.what:
            case journal.Fault(id=name, phase='armed') if name in blamed:
                walls.setdefault(name, entry.wall)
            case journal.Operation(kind=kind, phase='fail' | 'info', error=error):
                walls.setdefault((kind, error), entry.wall)
            case _:
                if entry.seq in chosen:
                    walls.setdefault(entry.seq, entry.wall)
    found = (lanes.seconds(wall) for wall in walls.values())
    return tuple(one for one in found if one is not None)


async def at_failure(
    on: link.Link,
    folder: pathlib.Path,
    read: journal.Journal,
    judged: panel.Judged,
    *,
    note: Callable[[journal.Note], object],
    redacted: Callable[[str], str] = lambda text: redact.text(text, redact.secrets(())),
) -> Dump | None:
    """What `take` takes for one test (its part of the journal) that did not pass; None for one that did."""
    if judged.ending == 'passed':
        return None
    evidence = tuple(
        seq for one in judged.verdicts if one.outcome is _FAIL for seq in one.evidence
    )
    entries = read.entries
    first = lanes.seconds(entries[0].wall) if entries else None
    last = lanes.seconds(entries[-1].wall) if entries else None
    minutes = 30 if first is None or last is None else int((last - first) / 60) + 2
    return await take(
        on,
        folder,
        units=implicated(entries, evidence),
        near=moments(entries, evidence),
        note=note,
        redacted=redacted,
        minutes=minutes,
    )


async def take(
    on: link.Link,
    folder: pathlib.Path,
    *,
    units: Sequence[str],
    near: Sequence[float],
    note: Callable[[journal.Note], object],
    redacted: Callable[[str], str],
    minutes: int = 30,
    tool: str | None = None,
) -> Dump:
    """Take the logs of some units, Juju's own log and the status, and what juju-crashdump takes where it is installed.

    Args:
        on: the model.
        folder: where the files go; made when it is not there.
        units: whose logs.
        near: moments (seconds since 1970) around which lines go into the journal, for the reports.
        note: writes into the journal.
        redacted: takes secrets out of a text.
        minutes: how far back.
        tool: juju-crashdump's path; by default the one on the PATH. Its archive is its own, and is not redacted.
    """
    files: list[pathlib.Path] = []
    wrong: list[str] = []

    async def one(name: str, what: str, asked: Awaitable[str]) -> str:
        try:
            text = redacted(await asked)
            await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            path = folder / name
            if said := await asyncio.to_thread(write.file, path, text):
                wrong.append(said)
            else:
                files.append(path)
        except (
            Exception
        ) as error:  # Whatever it is, the failure that it was taken for matters more.
            wrong.append(redacted(f'{what}: {error or type(error).__name__}'))
            return ''
        return text

    async def unit(name: str) -> None:
        text = await one(f'{name.replace("/", "-")}.log', name, _logs(on, name, minutes))
        if lines := excerpt(text, near):
            note(journal.Note(notes.LOG, {'unit': name, 'lines': list(lines)}))

    await asyncio.gather(
        one('status.txt', 'juju status', on.cli('status', within=_WITHIN)),
        one(
            'debug-log.txt',
            'juju debug-log',
            on.cli('debug-log', '--no-tail', '--limit', '5000', within=_WITHIN),
        ),
        *(unit(name) for name in units),
    )
    tool = tool or shutil.which(_TOOL)
    if tool is not None:
        wrong += await _crashdump(tool, on.model, folder)
    return Dump(tuple(sorted(files)), tuple(wrong))


async def _logs(on: link.Link, unit: str, minutes: int) -> str:
    ran = await on.script(unit, SCRIPT, env={'minutes': str(minutes)}, within=_WITHIN)
    if ran.code:
        raise link.LinkError(f'exit code {ran.code}: {ran.output[-200:].strip()}')
    return unpacked(ran.output)


def unpacked(output: str) -> str:
    """What `gzip | base64` packed, as far as it came.

    Raises:
        link.LinkError: it is something else.
    """
    text = output.strip()
    try:
        data = base64.b64decode(text[: len(text) // 4 * 4], validate=True)
        text = zlib.decompressobj(31).decompress(data, _MOST)
    except (binascii.Error, zlib.error) as error:
        raise link.LinkError(f'the logs cannot be unpacked: {error}') from error
    return text.decode(errors='replace')


_FILE = re.compile(r'==> (.+) <==')


def excerpt(text: str, near: Sequence[float]) -> tuple[str, ...]:
    """The lines near some moments (the last ones, without any), each with the time that it goes by."""
    kept: list[str] = []
    at: float | None = None
    for line in text.splitlines():
        if _FILE.fullmatch(line) or not line.strip():
            at = None if _FILE.fullmatch(line) else at
            continue
        own = lanes.seconds(line)
        at = own if own is not None else at
        if near and (at is None or min(abs(at - one) for one in near) > _NEAR):
            continue
        kept.append(line[:2000])
    return tuple(kept[-_MOST_LINES:] if not near else _spread(kept, _MOST_LINES))


def _spread(lines: list[str], most: int) -> list[str]:
    """So many of the lines: those that speak of trouble first, in their order."""
    if len(lines) <= most:
        return lines
    ill = [n for n, line in enumerate(lines) if _ILL.search(line)][:most]
    rest = [n for n in range(len(lines)) if n not in set(ill)][: most - len(ill)]
    return [lines[n] for n in sorted((*ill, *rest))]


_ILL = re.compile(r'error|fail|traceback|exception|refused|lost|down\b|critical|timed? ?out', re.I)


async def _crashdump(tool: str, model: str, folder: pathlib.Path) -> list[str]:
    arguments = ('-m', model, '-u', model.replace('/', '-'), '-s', '-o', str(folder))
    try:
        async with programs.running(tool, *arguments) as process:
            _, said = await asyncio.wait_for(process.communicate(), 300)
    except TimeoutError:
        return [f'{_TOOL}: not done in 300 s']
    except OSError as error:
        return [f'{_TOOL}: {error.strerror or error}']
    last = said.decode(errors='replace').strip().splitlines()[-1:]
    return (
        [f'{_TOOL}: exit code {process.returncode}: {"".join(last)[:200]}']
        if process.returncode
        else []
    )
