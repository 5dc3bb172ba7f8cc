"""Looking at the catalogue with several requests at a time, at a keystone that may not bear that yet."""

from __future__ import annotations

import threading
import time

import catalogue
import pytest
import rest

SESSION = rest.Session(
    'http://127.0.0.1:5000', catalogue.Admin(user='u', project='p', domain='d'), 'token'
)


class Keystone:
    """Answers, unless it is asked several things at once before it has loaded."""

    def __init__(self, *, bears: bool = False, always_refuses: str = '') -> None:
        self.bears, self.refused = bears, always_refuses
        self.asked: list[str] = []
        self.most = self._now = 0
        self._lock = threading.Lock()

    def request(self, method: str, _: str, path: str, *__: str) -> tuple[object, str]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            alone = self._now == 1
        time.sleep(0.02)
        with self._lock:
            self._now -= 1
        kind = path.strip('/').partition('?')[0]
        self.asked.append(kind)
        if kind == self.refused or not (alone or self.bears):
            raise rest.KeystoneError(method, path, 403, 'You are not authorized')
        return {kind: [{'id': f'{kind}-1'}] if kind in ('domains', 'projects') else []}, ''


@pytest.mark.parametrize('bears', [True, False])
def test_what_it_has_is_found_whether_it_bears_that_or_not(
    monkeypatch: pytest.MonkeyPatch, bears: bool
):
    keystone = Keystone(bears=bears)
    monkeypatch.setattr(rest, '_request', keystone.request)
    seen = rest.observe(SESSION)
    assert [d['id'] for d in seen.domains] == ['domains-1']
    assert [p['id'] for p in seen.projects] == ['projects-1']
    assert keystone.most > 1
    assert (len(keystone.asked) > 9) is not bears


def test_what_it_refuses_even_so_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rest, '_request', Keystone(bears=True, always_refuses='roles').request)
    with pytest.raises(rest.KeystoneError, match='not authorized'):
        rest.observe(SESSION)
