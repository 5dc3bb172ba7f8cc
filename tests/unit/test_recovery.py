"""How soon a rate is back, as `make bench` reckons it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.bench import clients, tokencache


def seen(*stretches: tuple[float, float, int]) -> clients.Seen:
    """Answers at an even *rate* from one time to another."""
    return clients.Seen([(at, 0.01) for s in stretches for at in _even(*s)])


def _even(since: float, until: float, rate: int) -> Iterable[float]:
    return (since + (n + 0.5) / rate for n in range(int((until - since) * rate)))


def test_a_rate_that_never_fell_is_back_at_once():
    assert tokencache.recovery_s(seen((0, 40, 100)), 0, 40, 80) == 0


def test_it_is_back_when_the_rate_is():
    assert tokencache.recovery_s(seen((0, 7, 10), (7, 40, 100)), 0, 40, 80) in (6.75, 7)


def test_a_moment_of_it_does_not_count():
    flash = seen((0, 5, 10), (5, 6.5, 100), (6.5, 12, 10), (12, 40, 100))
    assert 11.5 <= tokencache.recovery_s(flash, 0, 40, 80) <= 12


def test_what_comes_and_goes_is_never_back():
    stretches = [(n, n + 1.0, 100 if n % 8 < 4 else 10) for n in range(40)]
    assert tokencache.recovery_s(seen(*stretches), 0, 40, 80) > 20
