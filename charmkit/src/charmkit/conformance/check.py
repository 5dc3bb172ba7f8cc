"""``charmkit check``: read charms, ask the rules, report. Exit status: 0 kept, 1 something is found, 2 not read."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Iterable

from . import (
    Verdict,
    identity_rules,
    interface_rules,
    judge,
    reading,
    report,
    service_rules,
    trial,
)

RULES = (*identity_rules.RULES, *interface_rules.RULES, *service_rules.RULES)
"""All of them, in the order in which they are explained."""
_REPORTS = {'text': report.as_text, 'json': report.as_json, 'junit': report.as_junit}


def main(asked: argparse.Namespace) -> int:
    """The command, with its arguments as :mod:`charmkit.command` has them."""
    every = (*RULES, *trial.RULES)
    if asked.rules:
        print(report.as_list(every), end='')
        return 0
    if unknown := sorted({*asked.ignore} - {rule.name for rule in every}):
        return _refuse(f'there is no rule {unknown[0]!r}: charmkit check --rules lists them')
    if not asked.charms:
        return _refuse('name a charm: its folder, or a packed .charm')
    verdicts: list[Verdict] = []
    wrong = False
    for path in asked.charms:
        try:
            verdicts.append(_verdict(path, asked.ignore, run=asked.run))
        except (reading.NoCharmError, trial.RefusedError) as e:
            wrong = True
            _refuse(str(e))
        except Exception as e:  # Of a charm that nobody has thought of; what was found of others is still reported.
            wrong = True
            _refuse(
                f'{path}: it could not be checked, which is a fault of charmkit ({e!r:.200}): please report it'
            )
    text = _REPORTS[asked.format](verdicts, strict=asked.strict)
    if not _write(text, asked.output) or wrong:
        return 2
    return 1 if any(v.failed(strict=asked.strict) for v in verdicts) else 0


def _verdict(path: str, ignored: Iterable[str], *, run: bool) -> Verdict:
    view = reading.read(path)
    if not reading.is_charm(view):
        raise reading.NoCharmError(
            f'{path} has neither charmcraft.yaml nor metadata.yaml nor src/charm.py: it is no charm'
        )
    rules = [rule for rule in RULES if rule.name not in ignored]
    verdict = judge(view, rules)
    return trial.try_out(view, verdict, ignored) if run else verdict


def _write(text: str, output: str | None) -> bool:
    if not output:
        sys.stdout.write(
            text.encode(sys.stdout.encoding or 'utf-8', 'replace').decode(
                sys.stdout.encoding or 'utf-8'
            )
        )
        return True
    try:
        pathlib.Path(output).write_text(text, encoding='utf-8')
    except OSError as e:
        _refuse(f'{output}: the report cannot be written: {e.strerror or e}')
        return False
    return True


def _refuse(text: str) -> int:
    print(f'charmkit: {"".join(c if c.isprintable() else "?" for c in text)}', file=sys.stderr)
    return 2


if __name__ == '__main__':  # pragma: no cover -- for whoever changes a rule
    print(report.as_page((*RULES, *trial.RULES)), end='')
