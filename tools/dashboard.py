"""Proof that the dashboard works: log in as a browser does, and find the server in its list.

Source: Django's documentation of forms, for the token that a form carries; Horizon's pages of log-in and of instances.
"""

from __future__ import annotations

import html.parser
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import requests

LOGIN = 'auth/login/'
INSTANCES = 'project/instances/'


def lists(site: str, password: str, server: str, seconds: float, ca: str = '') -> str:
    """Log in at the dashboard at *site* as the administrator, and look for *server* in the list of instances.

    *ca*: the file with the authorities to be trusted; '': those of this machine.

    Raises:
        RuntimeError: the login page is none, the dashboard does not let us in, or does not list the server.
        OSError: nobody answers within *seconds*.
    """
    home = f'{site.rstrip("/")}/'
    with requests.Session() as session:
        session.trust_env = False  # No proxy, no account of ours from .netrc.
        session.verify = ca or True
        hidden = _Hidden(_text(session.get(urljoin(home, LOGIN), timeout=seconds))).fields
        if 'csrfmiddlewaretoken' not in hidden:
            raise RuntimeError(f'{urljoin(home, LOGIN)} is no page to log in at')
        said = {**hidden, 'username': 'admin', 'password': password, 'domain': 'Default'}
        inside = session.post(
            urljoin(home, LOGIN), said, headers={'Referer': home}, timeout=seconds
        )
        _text(inside)
        if asks_for_login(inside.url):
            raise RuntimeError('the dashboard does not let the administrator in')
        listed = session.get(urljoin(home, INSTANCES), timeout=seconds)
        if asks_for_login(listed.url):
            raise RuntimeError('the dashboard has forgotten who has just logged in')
        if server not in _text(listed):
            raise RuntimeError(f'the dashboard does not list the server {server}')
    return f'logged in at {home}, {server} is in its list'


def asks_for_login(url: str) -> bool:
    """Whether the page at *url* is that of the log-in, to which one who is not logged in is sent."""
    return urlsplit(url).path.rstrip('/').endswith(LOGIN.rstrip('/'))


def _text(response: requests.Response) -> str:
    if response.status_code != 200:
        raise RuntimeError(
            f'{urlsplit(response.url).path} of the dashboard answers {response.status_code}'
        )
    return response.text


class _Hidden(html.parser.HTMLParser):
    """What the hidden fields of a page's forms hold."""

    def __init__(self, page: str):
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a field's name and value."""
        said: Mapping[str, str] = {k: v or '' for k, v in attrs}
        if tag == 'input' and said.get('type') == 'hidden':
            self.fields[said.get('name', '')] = said.get('value', '')
