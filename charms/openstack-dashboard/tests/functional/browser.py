"""A real browser, driven over the WebDriver protocol (W3C): Chromium, without a screen, in the container."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from typing import Any

_ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
OPTIONS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--window-size=1280,900',
)


class Browser:
    """One window."""

    def __init__(self, driver: str):
        self.driver = driver
        wanted = {
            'browserName': 'chrome',
            'goog:chromeOptions': {'args': [*OPTIONS]},
        }
        made = self._ask('POST', '/session', {'capabilities': {'alwaysMatch': wanted}})
        self.session = f'/session/{made["sessionId"]}'

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {'Content-Type': 'application/json'}
        asked = urllib.request.Request(self.driver + path, data, headers, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asked, timeout=180) as answer:
            return json.load(answer)['value']

    def go(self, url: str) -> None:
        """Load a page."""
        self._ask('POST', f'{self.session}/url', {'url': url})

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self._ask('GET', f'{self.session}/url'))

    def find(self, css: str, within_s: float = 60) -> str:
        """The first element, once it is there. AssertionError when it does not come."""
        end = time.monotonic() + within_s
        while True:
            found = self._ask(
                'POST', f'{self.session}/elements', {'using': 'css selector', 'value': css}
            )
            if found:
                return str(found[0][_ELEMENT])
            assert time.monotonic() < end, f'no {css} in {self.url}'
            time.sleep(0.5)

    def type(self, css: str, text: str) -> None:
        """Type into a field."""
        self._ask('POST', f'{self.session}/element/{self.find(css)}/value', {'text': text})

    def click(self, css: str) -> None:
        """Click on an element."""
        self._ask('POST', f'{self.session}/element/{self.find(css)}/click', {})

    def text(self, css: str) -> str:
        """What is to be read in an element."""
        return str(self._ask('GET', f'{self.session}/element/{self.find(css)}/text'))

    def picture(self) -> bytes:
        """What it shows (PNG)."""
        return base64.b64decode(self._ask('GET', f'{self.session}/screenshot'))

    def close(self) -> None:
        """End it."""
        self._ask('DELETE', self.session)
