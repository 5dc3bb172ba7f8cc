"""What is published to Prometheus and Grafana: where to look, when to alert, and what to draw."""

from __future__ import annotations

import base64
import json
import lzma
import pathlib
from collections.abc import Sequence
from typing import Any

from charmkit.relations import Databag, Site, host_in_url

_FILES = pathlib.Path(__file__).parents[1] / 'observability'
_CHARM = 'openstack-loadbalancer'


def scrape_unit(site: Site, addresses: Sequence[str]) -> Databag:
    """Where this unit is to be asked (interface ``prometheus_scrape``)."""
    address = addresses[0] if addresses else site.address
    return {
        'prometheus_scrape_unit_address': host_in_url(address),
        'prometheus_scrape_unit_name': site.unit,
    }


def scrape_app(port: int, app: str, *, certificates: bool = False) -> Databag:
    """What is to be asked of every unit, and the alert rules."""
    where = [{'targets': [f'*:{port}']}]
    paths = ('/metrics', *(('/certificates',) if certificates else ()))
    jobs = [{'metrics_path': path, 'static_configs': where} for path in paths]
    return {
        'scrape_jobs': json.dumps(jobs, sort_keys=True),
        'scrape_metadata': json.dumps({'application': app, 'charm_name': _CHARM}, sort_keys=True),
        'alert_rules': json.dumps(alert_rules(), sort_keys=True),
    }


def alert_rules() -> dict[str, Any]:
    """The alert rules in Prometheus' own form."""
    return json.loads((_FILES / 'alerts.json').read_text())


def dashboards() -> Databag:
    """The dashboard (interface ``grafana_dashboard``): JSON, compressed, in base 64."""
    content = lzma.compress((_FILES / 'dashboard.json').read_bytes())
    template = {'charm': _CHARM, 'content': base64.b64encode(content).decode()}
    data = {'templates': {f'file:{_CHARM}': template}}
    return {'dashboards': json.dumps(data, sort_keys=True)}
