"""Every question that a command asks is one that the controller answers: a command's tests have a fake one."""

from __future__ import annotations

import pathlib
import re
from typing import Any, cast

import jujulet
from jujulet.controller import questions

_ASKED = re.compile(r"\.(?:ask|follow)\(\s*'([a-z-]+)'")


def asked() -> set[str]:
    """Names of questions in the code of the command line."""
    folder = pathlib.Path(jujulet.__file__).parent
    texts = [path.read_text() for path in (*folder.glob('cli/*.py'), folder / 'client.py')]
    return {name for text in texts for name in _ASKED.findall(text)}


def test_the_controller_answers_all_that_is_asked():
    known = questions.Questions(cast('Any', None), cast('Any', None)).table()
    assert {'status', 'doctor', 'why-no-machine'} <= asked()
    assert asked() <= known.keys()
