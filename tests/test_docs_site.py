"""The built documentation: search finds what people look for, and no page is wider than the screen."""

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mkdocs", reason="the tools for the documentation are not installed")
ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages as `make check` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def search(site: Path) -> Any:
    """Search as the page does: lunr, with the same weights of titles and pages."""
    lunr = pytest.importorskip("lunr", reason="the package lunr is not installed").lunr
    told = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    documents = [
        ({"id": n, "title": one["title"], "text": one["text"]}, {"boost": one.get("boost", 1)})
        for n, one in enumerate(told)
    ]
    index = lunr(ref="id", fields=[{"field_name": "title", "boost": 1000}, "text"], documents=documents)

    def pages(query: str) -> list[str]:
        found = [told[int(hit["ref"])]["location"].partition("#")[0] for hit in index.search(query)]
        return list(dict.fromkeys(found))

    return pages


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("multiple workers", "shared/"),
        ("retry", "retries-and-limits/"),
        ("asyncio", "threads-and-asyncio/"),
        ("certificate", "tls/"),
        ("troubleshooting", "troubleshooting/"),
    ],
)
def test_the_page_that_people_look_for_is_found_first(search: Any, query: str, page: str) -> None:
    assert search(query)[0] == page


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


SOME = ["", "tutorial", "from-php", "receiver", "api/signal-delivery", "api/dto/device-management"]


@pytest.fixture(scope="module")
def screen() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.route("**/*.js", lambda route: route.abort())  # nothing of the search is needed here
        yield tab
        browser.close()


def too_wide(screen: Any, served: str, names: list[str]) -> list[tuple[str, object]]:
    found = []
    for name in names:
        screen.set_viewport_size({"width": 1400, "height": 900})
        screen.goto(f"{served}/{name}", wait_until="domcontentloaded")
        found += [(name, block) for block in screen.evaluate(WIDE)]
        screen.set_viewport_size({"width": 420, "height": 900})
        found += [(name, width) for width in screen.evaluate(PAGE_WIDE)]
    return found


def test_nothing_has_to_be_scrolled_sideways(screen: Any, served: str) -> None:
    assert too_wide(screen, served, [f"{name}/" if name else "" for name in SOME]) == []


@pytest.mark.chaos
def test_nothing_on_any_page_has_to_be_scrolled_sideways(site: Path, screen: Any, served: str) -> None:
    pages = sorted(page.parent.relative_to(site).as_posix() for page in site.rglob("index.html"))
    assert too_wide(screen, served, [f"{name}/" for name in pages]) == []


PAGE_WIDE = "document.documentElement.scrollWidth > innerWidth ? [document.documentElement.scrollWidth] : []"
"""The width of a page that scrolls sideways."""

WIDE = """[...document.querySelectorAll(".md-content pre > code")]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.split("\\n")[0])"""
"""The blocks of code that scroll sideways."""
