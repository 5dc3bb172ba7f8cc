"""What holds for every bundle holds with an overlay over it, too."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from . import test_bundles

ROOT = test_bundles.ROOT
OVERLAYS = sorted((ROOT / 'overlays').glob('*.yaml'))
TLS = [path for path in OVERLAYS if path.stem.endswith('-tls')]
RULES = list(dict.fromkeys(rule for rule, *_ in test_bundles.RULES))


def laid_over(overlay: pathlib.Path) -> dict[str, Any]:
    """The bundle that the *overlay* says that it is for, with it; what it sets to nothing is gone."""
    text = overlay.read_text()
    named = [path for path in test_bundles.BUNDLES if f'./bundles/{path.name} --overlay' in text]
    (under,) = named
    bundle, over = yaml.safe_load(under.read_text()), yaml.safe_load(text)
    for name, app in over['applications'].items():
        if app is None:
            del bundle['applications'][name]
            continue
        more = {**app, 'charm': app['charm'].removeprefix('../')} if 'charm' in app else app
        bundle['applications'][name] = {**bundle['applications'].get(name, {}), **more}
    gone = {name for name, app in over['applications'].items() if app is None}
    kept = [r for r in bundle['relations'] if not {e.partition(':')[0] for e in r} & gone]
    bundle['relations'] = [*kept, *over.get('relations', ())]
    return bundle


@pytest.mark.parametrize('overlay', OVERLAYS, ids=lambda path: path.stem)
@pytest.mark.parametrize('rule', RULES, ids=lambda rule: rule.__name__)
def test_with_every_overlay_a_bundle_keeps_every_rule(overlay: pathlib.Path, rule: Any):
    assert [*rule(laid_over(overlay))] == []


def test_an_overlay_that_lacks_something_is_caught():
    bundle = laid_over(ROOT / 'overlays/calico.yaml')
    bundle['relations'].pop()
    missing = test_bundles.nothing_is_missing(bundle)
    assert [*missing] == ['nova-compute:neutron-plugin is not related']


def without_tls(bundle: dict[str, Any]) -> Iterator[str]:
    """Each endpoint over which a charm would get a certificate, or whom to trust, that is not related."""
    ends = {end for pair in test_bundles.related(bundle) for end in pair}
    for name, app in bundle['applications'].items():
        asks = {'certificates', *(() if app['charm'] == test_bundles.LB else ('receive-ca-cert',))}
        there = test_bundles.endpoints(test_bundles.charm(app['charm']), 'requires')
        for endpoint in sorted(asks & there.keys()):
            if (name, endpoint) not in ends:
                yield f'{name}:{endpoint} is not related'


@pytest.mark.parametrize('overlay', TLS, ids=lambda path: path.stem)
def test_with_tls_nobody_of_a_bundle_is_left_out(overlay: pathlib.Path):
    assert [*without_tls(laid_over(overlay))] == []


def test_one_that_is_left_out_of_tls_is_named():
    bundle = laid_over(ROOT / 'overlays/small-cloud-tls.yaml')
    left_out = ['rabbitmq-server:certificates', 'nova-compute:receive-ca-cert']
    for end in left_out:
        bundle['relations'] = [pair for pair in bundle['relations'] if end not in pair]
    assert [*without_tls(bundle)] == [f'{end} is not related' for end in left_out]
