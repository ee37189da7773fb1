"""The page in a real browser: Debian's Chromium, driven by Playwright, with the network cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.report.situations import NAMES, page_named, report_named

CHROMIUM = os.environ.get("WHYFIT_CHROMIUM") or shutil.which("chromium")

if CHROMIUM is None:
    pytest.skip(
        "the browser tests were left out: there is no Chromium; install it (Debian, Ubuntu: "
        "apt-get install chromium) or set WHYFIT_CHROMIUM to one",
        allow_module_level=True,
    )

playwright = pytest.importorskip("playwright.sync_api")

PARTS = (
    "answer",
    "fit-part",
    "built",
    "training",
    "capacity-part",
    "causes",
    "luck",
    "takes",
    "fix",
    "method",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # Chromium's sandbox does not start for root, which is who runs CI.
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


class Visit:
    """A page opened from a file with the network cut; what it asked for and complained of."""

    def __init__(self, browser: Any, folder: Path, name: str, page: str = "", **options: Any):
        path = folder / f"{name}.html"
        path.write_text(page or page_named(name))
        self.context = browser.new_context(offline=True, **options)
        self.tab = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.complaints.append("dialog"))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())
        self.address = path.as_uri()

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.context.close()

    def asked_for_others(self) -> list[str]:
        return [url for url in self.requests if url != self.address and not url.startswith("data:")]


def width_of(tab: Any) -> int:
    return tab.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_without_network_and_without_complaint(browser: Any, folder: Path, name: str):
    with Visit(browser, folder, name, viewport={"width": 1280, "height": 900}) as visit:
        for part in PARTS:
            assert visit.tab.locator(f"#fit1-{part}").is_visible(), part
        assert visit.complaints == []
        assert visit.asked_for_others() == []
        assert width_of(visit.tab) <= 1280
        visit.tab.set_viewport_size({"width": 360, "height": 780})
        assert width_of(visit.tab) <= 360


@pytest.mark.parametrize("name", ["starting_case", "deep", "several_inputs"])
def test_it_is_whole_without_javascript(browser: Any, folder: Path, name: str):
    with Visit(browser, folder, name, java_script_enabled=False) as visit:
        for part in PARTS:
            section = visit.tab.locator(f"#fit1-{part}")
            assert section.is_visible(), part
            assert section.inner_text().strip()
        assert visit.tab.locator("figure .plot svg").first.is_visible()
        assert visit.tab.locator("button").count() == 0


AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("starting_case", "light"),
        ("starting_case", "dark"),
        ("several_inputs", "light"),
        ("unsupported", "dark"),
    ],
)
def test_axe_finds_nothing_serious(browser: Any, folder: Path, name: str, scheme: str):
    with Visit(browser, folder, name, color_scheme=scheme, bypass_csp=True) as visit:
        visit.tab.evaluate(
            "for (const each of document.querySelectorAll('details')) each.open = true"
        )
        visit.tab.evaluate(AXE)
        found = visit.tab.evaluate("axe.run().then(result => result.violations)")
    serious = [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_axe_can_find_something(browser: Any, folder: Path):
    page = "<!doctype html><title>x</title><img src='data:,'><p style='color:#ccc'>pale</p>"
    with Visit(browser, folder, "bad", page) as visit:
        visit.tab.evaluate(AXE)
        found = visit.tab.evaluate("axe.run().then(result => result.violations.map(v => v.id))")
    assert "html-has-lang" in found
    assert "color-contrast" in found


def test_a_request_would_be_seen(browser: Any, folder: Path):
    with Visit(browser, folder, "asks", "<img src='https://example.invalid/x.png'>") as visit:
        assert visit.asked_for_others() == ["https://example.invalid/x.png"]


def test_hostile_text_runs_nothing(browser: Any, folder: Path):
    from tests.report.test_hostile import HOSTILE, hostile, with_fix
    from whyfit.report import html

    for make in (hostile, with_fix):
        with Visit(browser, folder, "hostile", html.render(make(HOSTILE))) as visit:
            assert visit.complaints == []
            assert visit.asked_for_others() == []
            assert "<script>alert(1)</script>" in visit.tab.locator("body").inner_text()


def test_the_policy_stops_a_script_of_others(browser: Any, folder: Path):
    page = page_named("healthy").replace("</main>", "<script>window.hacked = 1</script></main>")
    with Visit(browser, folder, "injected", page) as visit:
        assert visit.tab.evaluate("window.hacked") is None
        assert "Content Security Policy" in visit.complaints[0]


def test_enhancements(browser: Any, folder: Path):
    with Visit(browser, folder, "starting_case", viewport={"width": 1280, "height": 900}) as visit:
        tab = visit.tab
        parts = tab.locator("#fit1-parts")
        assert parts.locator("input[type=checkbox]").count() == 4
        parts.locator("input[type=checkbox]").first.uncheck()
        assert not parts.locator(".plot .unit-1 path").first.is_visible()

        shots = tab.locator("#fit1-snapshots")
        slider = shots.locator("input[type=range]")
        slider.focus()
        tab.keyboard.press("End")
        last = report_named("starting_case").fits[0].training.snapshots[-1]
        assert f"epoch {last.epoch}" in shots.locator("output").inner_text()
        assert shots.locator("li:visible svg[viewBox='0 0 120 72']").count() == 1

        svg = tab.locator("#fit1-fit svg[data-frame]")
        svg.scroll_into_view_if_needed()
        box = svg.bounding_box()
        assert box is not None
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
        said = tab.locator("#fit1-fit .read").inner_text()
        x, target = (float(each.split()[-1]) for each in said.replace(":", ",").split(", ")[:2])
        curve = report_named("starting_case").fits[0].curve
        assert curve is not None
        near = min(range(len(curve.x)), key=lambda at: abs((curve.x[at] or 0.0) - x))
        assert target == pytest.approx(curve.target[near], abs=0.05)
        assert visit.complaints == []


def test_many_units_have_a_box_each(browser: Any, folder: Path):
    with Visit(browser, folder, "healthy") as visit:
        parts = visit.tab.locator("#fit1-parts")
        assert parts.locator("input[type=checkbox]").count() == 16
        parts.get_by_label("unit 16", exact=True).uncheck()
        assert not parts.locator(".plot .unit-16 path").first.is_visible()
        assert parts.locator(".plot .unit-1 path").first.is_visible()
        assert visit.complaints == []


def test_the_patch_can_be_copied(browser: Any, folder: Path):
    with Visit(browser, folder, "starting_case") as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.tab.locator("#fit1-fix button").first.click()
        visit.tab.get_by_text("Copied").wait_for()
        copied = visit.tab.evaluate("navigator.clipboard.readText()")
    diff = report_named("starting_case").fits[0].fixes[0].diff
    assert copied == diff


def test_print_shows_what_is_folded(browser: Any, folder: Path):
    with Visit(browser, folder, "healthy", color_scheme="dark") as visit:
        visit.tab.emulate_media(media="print", color_scheme="dark")
        paper = visit.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)"
        assert visit.tab.locator("#fit1-method details table").first.is_visible()
