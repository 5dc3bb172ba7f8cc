"""Draws a bundle as an SVG: networks as bands, applications as boxes with a foot in each network that they are in.

``python tools/draw.py bundles/dmz.yaml > docs/dmz.svg``. Pure but for reading the bundle and printing.
"""

from __future__ import annotations

import dataclasses
import html
import ipaddress
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

BAND, GAP, LEFT, COLUMN, BOX_W, BOX_H = 86, 12, 120, 150, 128, 44
COLOURS = ('#d9480f', '#1971c2', '#6741d9', '#2b8a3e', '#5c677d', '#9c36b5', '#0b7285')
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
  .name { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .box { fill: #ffffff; stroke: #57606a } .foot { stroke: #57606a; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9da7b3 }
    .box { fill: #161b22; stroke: #9da7b3 } .foot { stroke: #9da7b3 }
  }
"""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One application, ready to be drawn."""

    name: str
    units: int
    spaces: tuple[str, ...]
    """Networks that it has an address in; the first is where its box stands."""
    vips: Mapping[str, str]
    """Virtual address by network."""


def read(bundle: Mapping[str, Any], subnets: Mapping[str, str]) -> tuple[list[str], list[Drawn]]:
    """Networks from the outside in, and applications in the order of the bundle."""
    applications: dict[str, Mapping[str, Any]] = bundle['applications']
    drawn = [_application(name, app, subnets) for name, app in applications.items()]
    used = {space for app in drawn for space in app.spaces}
    order = [s for s in subnets if s in used]
    return [*order, *sorted(used - set(order))], drawn


def _application(name: str, app: Mapping[str, Any], subnets: Mapping[str, str]) -> Drawn:
    bindings: dict[str, str] = app.get('bindings') or {'': 'alpha'}
    said = str(app.get('constraints', ''))
    extra = [s for w in said.split() if w.startswith('spaces=') for s in w[7:].split(',')]
    spaces = dict.fromkeys([bindings.get('', 'alpha'), *bindings.values(), *extra])
    vips: dict[str, str] = {}
    options: dict[str, Any] = app.get('options') or {}
    for vip in str(options.get('vip', '')).split():
        for space, subnet in subnets.items():
            if space in spaces and ipaddress.ip_address(vip) in ipaddress.ip_network(subnet):
                vips[space] = vip
    return Drawn(name, int(app.get('num_units', 0)), tuple(spaces), vips)


def svg(networks: Sequence[str], applications: Sequence[Drawn], subnets: Mapping[str, str]) -> str:
    """The picture."""
    width = LEFT + COLUMN * len(applications) + 60 + GAP  # Room for the last label.
    height = GAP + (BAND + GAP) * len(networks)
    top = {name: GAP + i * (BAND + GAP) for i, name in enumerate(networks)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f'<title>{len(applications)} applications on {len(networks)} networks</title>',
        f'<style>{STYLE}</style>',
    ]
    for i, name in enumerate(networks):
        colour = COLOURS[i % len(COLOURS)]
        parts += [
            f'<rect x="{GAP}" y="{top[name]}" width="{width - 2 * GAP}" height="{BAND}" rx="8" '
            f'fill="{colour}" fill-opacity=".13" stroke="{colour}" stroke-opacity=".6"/>',
            _text(GAP + 12, top[name] + 26, name, 'name'),
            _text(GAP + 12, top[name] + 44, subnets.get(name, ''), 'small'),
        ]
    for i, app in enumerate(applications):
        parts += _draw(app, LEFT + COLUMN * i + (COLUMN - BOX_W) // 2, top)
    return '\n'.join([*parts, '</svg>', ''])


def _draw(app: Drawn, x: int, top: Mapping[str, int]) -> list[str]:
    middle = x + BOX_W // 2
    home = top[app.spaces[0]] + (BAND - BOX_H) // 2
    feet = [top[space] + BAND // 2 for space in app.spaces]
    parts = [
        f'<line class="foot" x1="{middle}" y1="{min(feet)}" x2="{middle}" y2="{max(feet)}"/>',
        *(f'<circle class="foot" cx="{middle}" cy="{y}" r="4"/>' for y in feet),
        *(
            _text(middle + 9, top[s] + BAND // 2 + 4, f'VIP {v}', 'small')
            for s, v in app.vips.items()
        ),
    ]
    parts += [  # One box behind the other for each further unit.
        f'<rect class="box" x="{x + 4 * back}" y="{home - 4 * back}" width="{BOX_W}" '
        f'height="{BOX_H}" rx="6"/>'
        for back in range(min(app.units, 3) - 1, -1, -1)
    ]
    units = f'{app.units} unit{"s" * (app.units != 1)}'
    return [
        *parts,
        _text(x + 12, home + 19, app.name, 'name'),
        _text(x + 12, home + 35, units, 'small'),
    ]


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{html.escape(text)}</text>'


def main(argv: list[str]) -> int:
    """Print the picture of the bundle that is the one argument."""
    path = pathlib.Path(argv[1])
    subnets: dict[str, str] = yaml.safe_load(path.with_name('spaces.yaml').read_text())
    networks, applications = read(yaml.safe_load(path.read_text()), subnets)
    sys.stdout.write(svg(networks, applications, subnets))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
