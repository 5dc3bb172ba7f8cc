"""The pipeline of requests: a keystone that cannot be asked is told as such."""

from __future__ import annotations

from typing import Any, cast

import image_service


def test_a_token_that_cannot_be_checked_is_not_taken_for_a_bad_one():
    ini = image_service.paste(cast('Any', None))
    assert ini['filter:authtoken']['delay_auth_decision'] is False


def test_every_part_of_the_pipeline_is_there():
    """Paste looks for what a pipeline, and what a composite of another file, names in the file at hand."""
    ini = image_service.paste(cast('Any', None))
    *filters, app = str(ini['pipeline:glance-api-keystone']['pipeline']).split()
    assert {f'filter:{name}' for name in filters} <= ini.keys()
    assert {f'app:{name}' for name in (app, 'apiversions', 'apiv2app')} <= ini.keys()
