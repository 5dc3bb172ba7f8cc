"""Writes the reports of a run: with `live` and `crashdump`, the part of this room that touches the world."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.resources
import os
import pathlib
from collections.abc import Callable, Generator, Mapping

from matrix.grammar import problem
from matrix.history import journal
from matrix.judge import panel
from matrix.report import github, junit, page, story

PAGE = 'report.html'
JUNIT = 'junit.xml'


def everything(
    folder: pathlib.Path,
    report: story.Story,
    *,
    xunit: pathlib.Path | None = None,
    places: Mapping[str, problem.Where] | None = None,
    environment: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> tuple[str, ...]:
    """Write the page and JUnit's file into the run's folder, and tell GitHub where there is one.

    Args:
        folder: of the run.
        report: the run.
        xunit: a further place for JUnit's file (`-x`).
        places: where each test stands, for GitHub's annotations.
        environment: of the process, by default its own: GITHUB_ACTIONS and GITHUB_STEP_SUMMARY.
        say: prints a workflow command of GitHub's.

    Returns:
        What could not be written and why, one sentence each: it must not hide what the run found.
    """
    environment = os.environ if environment is None else environment
    with calm():
        html, xml = page.render(report, assets()), junit.render(report)
    wanted = [(folder / PAGE, html), (folder / JUNIT, xml)]
    wanted += [(xunit, xml)] if xunit is not None else []
    wrong = [said for path, text in wanted if (said := file(path, text))]
    if environment.get('GITHUB_ACTIONS') == 'true':
        for line in github.commands(report, places):
            say(line)
    if summary := environment.get('GITHUB_STEP_SUMMARY'):
        try:
            with open(summary, 'a', encoding='utf-8') as out:
                out.write(github.summary(report))
        except OSError as error:
            wrong.append(f'{summary} cannot be written: {error.strerror or error}')
    return tuple(wrong)


def file(path: pathlib.Path, text: str) -> str:
    """Put a text into a file, whole or not at all, for its owner alone. '' or why it could not be done."""
    aside = path.with_name(f'.{path.name}.new')
    try:
        aside.unlink(missing_ok=True)
        with open(
            os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w', encoding='utf-8'
        ) as out:
            out.write(text)
        aside.replace(path)
    except OSError as error:
        return f'{path} cannot be written: {error.strerror or error}'
    return ''


def rebuilt(read: journal.Journal, folder: str) -> story.Story:
    """The story of a journal, judged anew."""
    with calm():
        return story.summarise(read, panel.judge_finished(read).tests, folder=folder)


@contextlib.contextmanager
def calm() -> Generator[None]:
    """Without garbage collection: a run of 100,000 operations makes many objects and no garbage in cycles."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@functools.cache
def assets() -> page.Assets:
    """The page's style and scripts, as this package ships them."""
    folder = importlib.resources.files('matrix.report') / 'assets'
    scripts = (folder.joinpath(name).read_text() for name in ('timeline.js', 'page.js'))
    timeline = folder.joinpath('timeline.html').read_text()
    template = folder.joinpath('page.html.jinja').read_text()
    return page.Assets(
        template, folder.joinpath('page.css').read_text(), '\n'.join(scripts), timeline
    )
