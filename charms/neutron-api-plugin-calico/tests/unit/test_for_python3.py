"""What is mended in the driver, and what is not."""

from __future__ import annotations

import pytest
from charmkit.calico import for_python3

from charms.tests import wheels


def test_every_edit_says_why_and_changes_something():
    for edit in for_python3.EDITS:
        assert edit.why
        assert edit.old != edit.new


def test_nothing_of_python_2_is_left_where_an_edit_is_for_it():
    mended = ''.join(for_python3.mended(wheels.modules()).values())
    for edit in for_python3.EDITS:
        assert edit.new.strip() in mended
        assert edit.old in edit.new or edit.old not in mended


@pytest.mark.parametrize('edit', for_python3.EDITS, ids=lambda e: e.old.strip()[:30])
@pytest.mark.parametrize('more', [True, False], ids=['twice', 'gone'])
def test_files_that_an_edit_is_not_for_are_refused(edit: for_python3.Edit, more: bool):
    files = wheels.modules()
    path = edit.path or 'networking_calico/datamodel_v1.py'
    text = files[path]
    files[path] = f'{text}{edit.old}' if more else text.replace(edit.old, '', 1)
    with pytest.raises(ValueError, match='as its authors released it'):
        for_python3.mended(files)
