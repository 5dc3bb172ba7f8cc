"""Somebody who comes to the dashboard with a browser that keeps cookies, fills in forms and runs no scripts."""

from __future__ import annotations

import dataclasses
import html.parser
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request


@dataclasses.dataclass(frozen=True)
class Page:
    """What came back, once all redirections were followed."""

    status: int
    url: str
    text: str
    kind: str

    @property
    def asks_for_login(self) -> bool:
        """It is the login page."""
        return urllib.parse.urlsplit(self.url).path == '/auth/login/'


class Parts(html.parser.HTMLParser):
    """What a page loads, and what its hidden fields hold."""

    def __init__(self, text: str):
        super().__init__()
        self.loads: list[str] = []
        self.hidden: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {k: v or '' for k, v in attrs}
        if tag == 'script' and 'src' in said:
            self.loads.append(said['src'])
        if tag == 'link' and said.get('rel') == 'stylesheet':
            self.loads.append(said['href'])
        if tag == 'input' and said.get('type') == 'hidden':
            self.hidden[said.get('name', '')] = said.get('value', '')


class Visitor:
    """One of them, with cookies of their own."""

    def __init__(self, address: str):
        self.home = f'http://{address}'
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def ask(self, path: str, form: dict[str, str] | None = None, *, host: str = '') -> Page:
        """Go there; with *form*, send that."""
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        headers = {'Referer': self.home, **({'Host': host} if host else {})}
        url = urllib.parse.urljoin(self.home, path)
        asked = urllib.request.Request(url, body, headers)  # noqa: S310 -- of the test's own machine.
        try:
            answer = self._opener.open(asked, timeout=120)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            text = answer.read().decode(errors='replace')
            kind = answer.headers.get_content_type()
            return Page(answer.status or 0, answer.url, text, kind)

    def log_in(self, password: str) -> Page:
        """As the cloud's admin."""
        form = Parts(self.ask('/auth/login/').text).hidden
        said = {'username': 'admin', 'password': password, 'domain': 'Default'}
        return self.ask('/auth/login/', {**form, **said})
