"""A service's files: sections in oslo.config's format, or a text of the charm's own."""

from __future__ import annotations

from charmkit import conf, config_files, relations, releases, spec, state
from charmkit.relations import subordinate

SECTIONS = subordinate.need('storage', 'demo')


def files(wanted: conf.Ini | str, **options: str) -> dict[str, str]:
    service = spec.ServiceSpec(
        name='demo',
        user='demo',
        packages=('demo',),
        needs=(),
        sections=(SECTIONS,),
        config={'/etc/demo.conf': lambda _: wanted},
    )
    theirs = subordinate.Contribution('store', {'/etc/demo.conf': {'lvm': {'b': '2'}}})
    inputs = state.Inputs(
        site=relations.Site(unit='demo/0', leader=True, address='10.0.0.2'), options=options
    )
    ready = spec.Ready(inputs, {SECTIONS: (theirs,)}, releases.ZED)
    return {f.path: f.content for f in config_files.files(service, ready)}


def test_sections_are_rendered_with_what_others_have_for_them():
    found = files({'a': {'x': 1}}, **{'config-flags': '[a]\ny = 3'})
    text = found['/etc/demo.conf']
    assert '[a]\nx = 1\ny = 3\n' in text
    assert '[lvm]\nb = 2\n' in text


def test_a_text_is_written_as_it_is():
    text = 'DEBUG = False\n'
    assert files(text, **{'config-flags': '[a]\ny = 3'}) == {'/etc/demo.conf': text}
