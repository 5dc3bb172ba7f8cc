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

BAND, GAP, LEFT, COLUMN, BOX_W, BOX_H, ROW = 86, 12, 136, 180, 166, 44, 64
IN_A_ROW = 4
"""Applications that are in one network alone stand there in rows of so many, where there are more than that."""
COLOURS = ('#d9480f', '#1971c2', '#6741d9', '#2b8a3e', '#5c677d', '#9c36b5', '#0b7285')
SERVERS = {'external': 'floating addresses', 'data': 'networks of servers'}
"""What servers have of the space that a gateway's binding names."""
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
    servers: Mapping[str, str]
    """What servers have of a network, where this application brings them to it."""


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
    named = [s for w in said.split() if w.startswith('spaces=') for s in w[7:].split(',')]
    extra = [s for s in named if not s.startswith('^')]
    spaces = dict.fromkeys([bindings.get('', 'alpha'), *bindings.values(), *extra])
    vips: dict[str, str] = {}
    options: dict[str, Any] = app.get('options') or {}
    for vip in str(options.get('vip', '')).split():
        for space, subnet in subnets.items():
            if space in spaces and ipaddress.ip_address(vip) in ipaddress.ip_network(subnet):
                vips[space] = vip
    servers = {bindings[b]: what for b, what in SERVERS.items() if b in bindings}
    return Drawn(name, int(app.get('num_units', 0)), tuple(spaces), vips, servers)


def svg(networks: Sequence[str], applications: Sequence[Drawn], subnets: Mapping[str, str]) -> str:
    """The picture."""
    rows = _rows(networks, applications)
    of_servers = {space: what for app in applications for space, what in app.servers.items()}
    columns = max(sum(len(r[0]) for r in rows.values()), 1) + sum(
        len(a.spaces) > 1 for a in applications
    )
    width = LEFT + COLUMN * columns + 60 + GAP  # Room for the last label.
    top: dict[str, int] = {}
    height = GAP
    for name in networks:
        top[name] = height
        height += BAND + ROW * (max(len(rows[name]), 1) - 1) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f'<title>{len(applications)} applications on {len(networks)} networks</title>',
        f'<style>{STYLE}</style>',
    ]
    for i, name in enumerate(networks):
        colour = COLOURS[i % len(COLOURS)]
        deep = BAND + ROW * (max(len(rows[name]), 1) - 1)
        parts += [
            f'<rect x="{GAP}" y="{top[name]}" width="{width - 2 * GAP}" height="{deep}" rx="8" '
            f'fill="{colour}" fill-opacity=".13" stroke="{colour}" stroke-opacity=".6"/>',
            _text(GAP + 12, top[name] + 26, name, 'name'),
            _text(GAP + 12, top[name] + 44, subnets.get(name, ''), 'small'),
            _text(GAP + 12, top[name] + 60, of_servers.get(name, ''), 'small'),
        ]
    column = 0
    for app in applications:
        home = rows[app.spaces[0]]
        if len(app.spaces) > 1:
            parts += _draw(app, column, 0, top)
            column += 1
        elif app is home[0][0]:
            for down, row in enumerate(home):
                for i, one in enumerate(row):
                    parts += _draw(one, column + i, down, top)
            column += len(home[0])
    return '\n'.join([*parts, '</svg>', ''])


def _rows(networks: Sequence[str], applications: Sequence[Drawn]) -> dict[str, list[list[Drawn]]]:
    """By network: the applications that are in no other, in rows."""
    rows: dict[str, list[list[Drawn]]] = {}
    for name in networks:
        here = [app for app in applications if app.spaces == (name,)]
        many = IN_A_ROW if len(here) > IN_A_ROW else max(len(here), 1)
        rows[name] = [here[i : i + many] for i in range(0, len(here), many)] or [[]]
    return rows


def _draw(app: Drawn, column: int, row: int, top: Mapping[str, int]) -> list[str]:
    x = LEFT + COLUMN * column + (COLUMN - BOX_W) // 2
    middle = x + BOX_W // 2
    home = top[app.spaces[0]] + (BAND - BOX_H) // 2 + ROW * row
    feet = [top[space] + BAND // 2 for space in app.spaces]
    several = len(feet) > 1
    parts = [
        *(
            [f'<line class="foot" x1="{middle}" y1="{min(feet)}" x2="{middle}" y2="{max(feet)}"/>']
            if several
            else []
        ),
        *(f'<circle class="foot" cx="{middle}" cy="{y}" r="4"/>' for y in feet if several),
        *(
            _text(middle + 9, top[s] + BAND // 2 + 4, f'VIP {v}', 'small')
            for s, v in app.vips.items()
        ),
    ]
    parts += [  # One box behind the other for each further unit.
        f'<rect class="box" x="{x + 4 * back}" y="{home - 4 * back}" width="{BOX_W}" '
        f'height="{BOX_H}" rx="6"/>'
        for back in range(min(app.units, 3) - 1 if app.units else 0, -1, -1)
    ]
    units = (
        f'{app.units} unit{"s" * (app.units != 1)}' if app.units else 'subordinate, beside others'
    )
    return [
        *parts,
        _text(x + 8, home + 19, app.name, 'name'),
        _text(x + 8, home + 35, units, 'small'),
    ]


def _text(x: int, y: int, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{html.escape(text)}</text>'


def main(argv: list[str]) -> int:
    """Print the picture of the bundle that is the one argument. Exit code 2: it cannot, and why was said."""
    try:
        path = pathlib.Path(argv[1])
        bundle: Any = yaml.safe_load(path.read_text())
        beside = path.with_name(
            'spaces.yaml'
        )  # Subnets by space; a bundle without it has spaces alone.
        subnets: Any = yaml.safe_load(beside.read_text()) if beside.is_file() else {}
        picture = svg(*read(bundle, subnets), subnets)
    except IndexError:
        print('ERROR no bundle given: draw.py BUNDLE > PICTURE.svg', file=sys.stderr)
    except (OSError, yaml.YAMLError) as error:
        print(f'ERROR {argv[1]}: {error}', file=sys.stderr)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(f'ERROR {argv[1]} is no bundle: {type(error).__name__} {error}', file=sys.stderr)
    else:
        sys.stdout.write(picture)
        return 0
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv))
