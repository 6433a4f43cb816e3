"""A headless Chromium, driven through its DevTools protocol: as much of it as the tests need."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from benchmark_tasks.testing.waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ANSWER_SECONDS = 30.0
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1400,1000",
    "--remote-debugging-port=0",
    # Frames in the page's own process, where this client can look into them.
    "--disable-site-isolation-trials",
    "--disable-features=IsolateSandboxedIframes,IsolateOrigins,site-per-process",
)


_MOVED_ON = ("navigated or closed", "context was destroyed", "Cannot find context", "No frame for given id")
"""What it answers for a page or frame that has just made way for another."""


class ProtocolError(Exception):
    """The browser refused a command."""


class Browser:
    """One page of a browser that runs."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol; events that come meanwhile are dropped.

        Raises:
            ProtocolError
        """
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_ANSWER_SECONDS))
            if answer.get("id") == number:
                if "error" in answer:
                    raise ProtocolError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def open(self, url: str) -> None:
        """Go there; does not wait."""
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str, frame: str | None = None) -> Any:
        """The value of an expression in the page, or in the frame whose address contains `frame`.

        `None` where that made way for another meanwhile.
        """
        try:
            context = {} if frame is None else {"contextId": self._world(frame)}
            answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, **context)
        except ProtocolError as error:
            if any(said in str(error) for said in _MOVED_ON):
                return None
            raise
        return dict(answer["result"]).get("value")

    def text(self, frame: str | None = None) -> str:
        """What a reader sees."""
        return self.evaluate("document.body ? document.body.innerText : ''", frame) or ""

    def until_text(self, wanted: str, frame: str | None = None, seconds: float = 60) -> str:
        """The text, once it contains `wanted`."""
        seen = ""

        def there() -> bool:
            nonlocal seen
            seen = self.text(frame)
            return wanted in seen

        try:
            until(there, seconds, f"{wanted!r} on the page")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it reads: {seen[:2000]}") from error
        return seen

    def until_drawn(self, address: str) -> None:
        """Wait until the picture with this in its address is loaded."""
        script = (
            "[...document.images].some((one) =>"
            f" one.src.includes({address!r}) && one.complete && one.naturalWidth > 0)"
        )
        until(lambda: self.evaluate(script), 60, f"the picture {address}")

    def fill(self, selector: str, value: str) -> None:
        """Type into a field, as a framework notices it."""
        until(lambda: self.evaluate(f"!!document.querySelector({selector!r})"), 60, f"a field {selector}")
        self.evaluate(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=value)

    def downloads_to(self, folder: Path) -> None:
        """Keep what is downloaded in this folder."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def click(self, text: str, frame: str | None = None, within: str = "body") -> None:
        """Click the link or button that reads `text`, once the page is loaded and it can be clicked.

        within: selector of what it is in.
        """
        selector = f"{within} a, {within} button"
        script = (
            f"(() => {{ if (document.readyState !== 'complete') return false;"
            f" const all = [...document.querySelectorAll({selector!r})];"
            f" const one = all.find((e) => !e.disabled && (e.innerText.trim() === {text!r}"
            f" || e.getAttribute('aria-label') === {text!r})); if (one) one.click(); return !!one; }})()"
        )
        until(lambda: self.evaluate(script, frame), 60, f"something to click that reads {text!r}")

    def screenshot(self, path: Path) -> Path:
        """Keep a picture of what is seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
        return path

    def _world(self, frame: str) -> int:
        frame_id = until(lambda: self._frame(frame), 60, f"a frame with {frame} in its address")
        return int(self.call("Page.createIsolatedWorld", frameId=frame_id)["executionContextId"])

    def _frame(self, part: str) -> str | None:
        waiting = [self.call("Page.getFrameTree")["frameTree"]]
        while waiting:
            node = waiting.pop()
            if part in node["frame"]["url"] and "parentId" in node["frame"]:
                return str(node["frame"]["id"])
            waiting += node.get("childFrames", [])
        return None


@contextmanager
def running_browser(profile: Path) -> Iterator[Browser]:
    """A browser with a fresh profile; ended with everything it started."""
    assert CHROMIUM is not None
    port_file = profile / "DevToolsActivePort"
    with subprocess.Popen(
        [CHROMIUM, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: port_file.exists() and port_file.read_text().count("\n"), 60, "the browser")
            port = port_file.read_text().split()[0]
            targets = httpx.get(f"http://127.0.0.1:{port}/json").json()
            (page,) = [target for target in targets if target["type"] == "page"]
            with connect(page["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.wait(20)
