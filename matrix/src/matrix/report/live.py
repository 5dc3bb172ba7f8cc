"""The live view: a run on the terminal, while it goes on or long after. Needs Textual (the extra `tui`).

It only reads the journal: closing it ends nothing, and a run never waits for it.
"""

from __future__ import annotations

import asyncio
import pathlib
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, RichLog, Sparkline, Static

from matrix.report import tail, watching, words

_SECONDS = 120  # of rate and latency that are shown
_AROUND = 10.0  # seconds around a chosen fault whose lines are shown
_PHASES = {
    'waiting': 'dim',
    'running': 'bold blue',
    'paused': 'blue',
    'complete': 'green',
    'failed': 'bold red',
    'broken': 'bold red',
    'stuck': 'bold red',
    'skipped': 'yellow',
    'cancelled': 'dim',
}
_STATUS = {
    'active': 'green',
    'blocked': 'bold red',
    'error': 'bold red',
    'lost': 'bold red',
    'waiting': 'cyan',
}


_ILL = frozenset({'blocked', 'error', 'lost', 'failed', 'down'})


class View(App[None]):
    """Shows the journal at a path, which may not be there yet."""

    TITLE = 'juju matrix'
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding('q', 'quit', 'quit'),
        Binding('n', 'choose(1)', 'next fault'),
        Binding('p', 'choose(-1)', 'previous fault'),
        Binding('escape', 'choose(0)', 'whole log'),
    ]
    CSS = """
    Screen { layout: vertical; }
    #head { height: 1; padding: 0 1; background: $panel; text-style: bold; }
    #top { height: 1fr; }
    #left { width: 40%; }
    .box { border: round $panel-lighten-2; border-title-color: $text-muted; padding: 0 1; height: auto; }
    #tests { max-height: 60%; } #units { height: 1fr; }
    #faults { max-height: 14; }
    Sparkline { height: 3; margin: 0 0 1 0; }
    #p95 > .sparkline--max-color { color: $warning; } #p95 > .sparkline--min-color { color: $warning-darken-2; }
    #log { height: 12; border: round $panel-lighten-2; padding: 0 1; }
    """

    def __init__(self, path: pathlib.Path, *, interval: float = 0.5):
        super().__init__()
        self._tail = tail.Tail(path)
        self._every = interval
        self._reading = False
        self._lines: list[tuple[float, str]] = []
        self._chosen: str | None = None
        self.watch_ = watching.Watch()

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id='head')
        with Horizontal(id='top'):
            with Vertical(id='left'):
                yield VerticalScroll(Static(id='rules'), id='tests', classes='box')
                yield VerticalScroll(Static(id='status'), id='units', classes='box')
            with VerticalScroll(id='right'):
                yield Static(id='faults', classes='box')
                with Vertical(id='load', classes='box'):
                    yield Static(id='rate-said')
                    yield Sparkline([], id='rate')
                    yield Static(id='p95-said')
                    yield Sparkline([], id='p95')
        yield RichLog(id='log', wrap=True, max_lines=5000)
        yield Footer()

    async def on_mount(self) -> None:
        """Begin to read."""
        self.query_one('#tests').border_title = 'tests and rules'
        self.query_one('#units').border_title = 'status'
        self.query_one('#faults').border_title = 'faults'
        self.query_one('#load').border_title = 'load'
        self.query_one('#log').border_title = 'log'
        self.set_interval(self._every, self.read)
        await self.read()

    async def read(self) -> None:
        """Take in what has come since, and show it."""
        if self._reading:
            return
        self._reading = True
        try:
            while entries := await asyncio.to_thread(self._tail.new):
                if not self.is_running:  # Somebody has left while the journal was read.
                    return
                for entry in entries:
                    if line := self.watch_.take(entry):
                        self._said(entry.at, line)
                self.show()
            if self.is_running:
                self.show()
        finally:
            self._reading = False

    def _said(self, at: float, line: str) -> None:
        self._lines.append((at, line))
        if self._chosen is None or self._near(at):
            self.query_one('#log', RichLog).write(Text(line))

    def _near(self, at: float) -> bool:
        band = self.watch_.bands.get(self._chosen or '')
        if band is None:
            return True
        end = self.watch_.now if band.healed is None else band.healed
        return band.start - _AROUND <= at <= end + _AROUND

    def action_choose(self, step: int) -> None:
        """Show the log around the next or previous fault; 0: all of it."""
        names = list(self.watch_.bands)
        if step == 0 or not names:
            self._chosen = None
        elif self._chosen not in names:
            self._chosen = names[0 if step > 0 else -1]
        else:
            self._chosen = names[(names.index(self._chosen) + step) % len(names)]
        log = self.query_one('#log', RichLog)
        log.border_title = (
            'log' if self._chosen is None else f'log, {_AROUND:g} s around {self._chosen}'
        )
        log.clear()
        for at, line in self._lines:
            if self._near(at):
                log.write(Text(line))
        self.show()

    def show(self) -> None:
        """Show what is known now."""
        seen = self.watch_
        head = Text(seen.headline())
        if self._tail.damaged:
            head.append(f'   {words.count(self._tail.damaged, "line")} cannot be read', 'bold red')
        self.query_one('#head', Static).update(head)
        self.query_one('#rules', Static).update(_rules(seen))
        self.query_one('#status', Static).update(_status(seen))
        faults = self.query_one('#faults', Static)
        faults.update(_faults(seen, self._chosen, max(faults.size.width - 2, 30)))
        self._sparks(seen)

    def _sparks(self, seen: watching.Watch) -> None:
        rate, p95, bad = seen.rate(_SECONDS), seen.p95(_SECONDS), sum(seen.failures(_SECONDS))
        self.query_one('#rate', Sparkline).data = rate
        self.query_one('#p95', Sparkline).data = p95
        said = Text(f'{rate[-1]:g} operations in the last second of load; so far ')
        said.append(f'{seen.counts["ok"]:,} ok', 'green')
        for how, name in (('fail', 'failed'), ('info', 'unanswered')):
            said.append(f', {seen.counts[how]:,} {name}', 'red' if seen.counts[how] else 'dim')
        self.query_one('#rate-said', Static).update(said)
        worst = max(p95, default=0.0)
        text = f'p95 of each of its last {_SECONDS} s, at most {words.took(worst)}; {bad:g} not ok'
        self.query_one('#p95-said', Static).update(Text(text))


def _rules(seen: watching.Watch) -> Text:
    text = Text()
    for name, state in seen.tests.items():
        text.append(f'{words.clean(name)}  ', 'bold')
        text.append(f'{state}\n', 'blue' if state == 'running' else 'dim')
        for rule in seen.rules[name]:
            phase = words.clean(rule.phase)
            text.append('  ')
            text.append(f' {phase} ', f'{_PHASES.get(phase, "")} reverse')
            text.append(f' {words.clean(rule.task)}\n')
            if rule.message:
                text.append(f'      {words.short(rule.message, 200)}\n', 'dim')
    for one in () if seen.ending else seen.waits:
        text.append(f'  … {words.short(one, 200)}\n', 'yellow')
    return text


def _status(seen: watching.Watch) -> Text:
    text = Text(no_wrap=True, overflow='ellipsis')
    for name, (word, message) in sorted(seen.statuses.items()):
        # Applications and machines say what their units say, but where something is wrong.
        if '/' not in name and word not in _ILL:
            continue
        text.append(f'{words.clean(name):<18} ')
        text.append(f'{words.clean(word):<12}', _STATUS.get(word, ''))
        text.append(f' {words.short(message, 120)}\n', 'dim')
    return text


def _faults(seen: watching.Watch, chosen: str | None, width: int) -> Text:
    if not seen.bands:
        return Text('none yet', 'dim')
    text = Text()
    room = max(width - 34, 10)
    rows = watching.timeline(seen.bands, seen.now, room)
    for (name, pieces), band in zip(rows, seen.bands.values(), strict=True):
        text.append(f'{words.short(name, 32):<33}', 'bold reverse' if band.id == chosen else '')
        line = [(' ', '')] * (room + 1)
        for start, end, kind in pieces:
            for n in range(start, min(end, room + 1)):
                line[n] = ('█', 'cyan') if kind == 'proven' else ('░', 'yellow')
        for cell, style in line:
            text.append(cell, style)
        text.append('\n')
    return text
