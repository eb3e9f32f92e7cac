"""The page in a real browser: keys, fingers, undo, sound, and what it looks like on a small screen."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from curating import gathered, served, synthesised
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from appliance.studio.ledger import Ledger

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 860}}
# The machine may have other things to do.
expect.set_options(timeout=15_000)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium; install it with 'apt install chromium'")

# What is really sounding: the loudest sample that any loop of the page has sent out since it was last asked.
LISTEN = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) {
    const meter = (this.context.meter ??= new AnalyserNode(this.context, { fftSize: 2048 }));
    globalThis.peak = () => {
      const samples = new Float32Array(2048);
      meter.getFloatTimeDomainData(samples);
      return Math.max(...samples.map(Math.abs));
    };
    connect.call(this, meter);
  }
  return connect.call(this, to, ...rest);
};
"""


class Visitor:
    """A page somebody looks at, and all that went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.forgiven = ""
        self.asked: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("response", lambda answer: self.asked.append(f"{answer.status} {answer.url.removeprefix(url)}"))
        page.add_init_script(LISTEN)
        page.goto(url)
        self.card = page.locator("#card")
        expect(self.card).to_be_visible()

    @property
    def row(self) -> int:
        return int(self.card.get_attribute("data-row") or -1)

    def tally(self, text: str) -> None:
        expect(self.page.locator("#tally")).to_have_text(text)

    def heard(self, kind: str) -> None:
        expect(self.card).to_have_attribute("data-heard", kind)

    def until(self, true: str) -> None:
        """Wait for an expression; the page itself forbids what playwright's own waiting is made of."""
        for _ in range(600):
            if self.page.evaluate(true):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"It never came to be that {true}.")

    def sounds(self) -> None:
        self.until("globalThis.peak !== undefined && peak() > 0.01")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return gathered(tmp_path)


@pytest.fixture
def visit(browser: Browser, corpus: Path) -> Iterator[Callable[..., Visitor]]:
    """Opens the page; at the end nothing may have gone wrong on any."""
    visitors, contexts = [], []
    with served(corpus) as (url, _):

        def opened(**screen: object) -> Visitor:
            contexts.append(browser.new_context(**(screen or DESK)))
            visitors.append(Visitor(contexts[-1].new_page(), url))
            return visitors[-1]

        yield opened
        for context in contexts:
            context.close()
    for visitor in visitors:
        assert [each for each in visitor.wrong if not visitor.forgiven or visitor.forgiven not in each] == []


def decided(corpus: Path) -> dict[int, bool]:
    """What is on disk, while the page is open."""
    with contextlib.closing(sqlite3.connect(corpus / "clips.db")) as database:
        rows = database.execute("SELECT row, kept FROM clip WHERE kept IS NOT NULL").fetchall()
    return {row: bool(kept) for row, kept in rows}


def swipe(page: Page, by_px: int, up_px: int = 0) -> None:
    """A finger put down on the card, moved and lifted, as the touch screen reports it."""
    box = page.locator("#curve").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger: CDPSession = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", (x, y))
    for step in range(1, 9):
        touch("touchMove", (x + by_px * step / 8, y - up_px * step / 8))
        # A slow finger: what counts is how far.
        page.wait_for_timeout(40)
    touch("touchEnd")
    finger.detach()


def test_keys_keep_reject_and_undo(visit: Callable[..., Visitor], corpus: Path) -> None:
    here = visit()
    rows = []
    for key in ("ArrowRight", "k", "ArrowLeft", "J"):
        rows.append(here.row)
        here.page.keyboard.press(key)
        expect(here.card).not_to_have_attribute("data-row", str(rows[-1]))
    here.tally("4 of 16 · 2 kept · 2 rejected")
    assert decided(corpus) == dict(zip(rows, (True, True, False, False), strict=True))

    here.page.keyboard.press("z")
    here.tally("3 of 16 · 2 kept · 1 rejected")
    assert here.row == rows[3]
    here.page.keyboard.press("U")
    here.tally("2 of 16 · 2 kept · 0 rejected")
    assert here.row == rows[2]
    assert decided(corpus) == {rows[0]: True, rows[1]: True}


def test_a_held_key_or_one_with_control_decides_nothing_more(visit: Callable[..., Visitor]) -> None:
    here = visit()
    here.page.keyboard.down("k")
    here.page.keyboard.down("k")
    here.page.keyboard.down("k")
    here.page.keyboard.up("k")
    here.page.keyboard.press("Control+j")

    here.tally("1 of 16 · 1 kept · 0 rejected")


def test_keys_faster_than_the_server_lose_nothing(visit: Callable[..., Visitor], corpus: Path) -> None:
    here = visit()
    for number in range(12):
        here.until("!document.getElementById('card').hidden")
        here.page.keyboard.press("kj"[number % 2])

    here.tally("12 of 16 · 6 kept · 6 rejected")
    assert len(decided(corpus)) == 12


def test_the_codec_and_the_original_are_fetched_decoded_and_heard(visit: Callable[..., Visitor]) -> None:
    here = visit()
    assert not [asked for asked in here.asked if "clips" in asked], "nothing sounds before a touch"
    expect(here.page.locator("#note")).to_contain_text("to listen")
    here.page.keyboard.press("Space")
    here.heard("codec")
    expect(here.card).to_have_attribute("data-seconds", "2.000")
    here.sounds()
    assert f"200 /api/clips/{here.row}/codec.wav" in here.asked

    here.page.keyboard.press("o")
    here.heard("original")
    expect(here.card).to_have_attribute("data-seconds", "2.000")
    here.sounds()
    assert f"200 /api/clips/{here.row}/original.wav" in here.asked
    expect(here.page.locator("#original")).to_have_attribute("aria-pressed", "true")

    here.page.keyboard.press("Space")
    here.heard("")
    here.until("peak() === 0")
    here.page.locator("#codec").click()
    here.heard("codec")
    # The button was clicked, and the space bar is for playing all the same.
    here.page.keyboard.press("Space")
    here.heard("")


def test_the_next_clip_sounds_by_itself(visit: Callable[..., Visitor]) -> None:
    here = visit()
    here.page.keyboard.press("Space")
    here.sounds()
    first = here.row
    here.page.keyboard.press("k")
    expect(here.card).not_to_have_attribute("data-row", str(first))
    here.sounds()
    wanted = f"200 /api/clips/{here.row}/codec.wav"
    # What sounds at first may still be the end of the clip before.
    for _ in range(100):
        if wanted in here.asked:
            return
        here.page.wait_for_timeout(50)
    raise AssertionError(f"{wanted} is not among {here.asked}")


def test_a_reload_keeps_everything_and_undo_reaches_behind_it(visit: Callable[..., Visitor], corpus: Path) -> None:
    here = visit()
    first = here.row
    here.page.keyboard.press("k")
    here.tally("1 of 16 · 1 kept · 0 rejected")
    here.page.reload()

    here.tally("1 of 16 · 1 kept · 0 rejected")
    assert here.row != first
    here.page.locator("#undo").click()
    here.tally("0 of 16 · 0 kept · 0 rejected")
    assert here.row == first
    expect(here.page.locator("#undo")).to_be_disabled()
    assert decided(corpus) == {}


def test_a_finger_throws_the_card(visit: Callable[..., Visitor], corpus: Path) -> None:
    here = visit(**PHONE)
    first = here.row
    swipe(here.page, 160)
    here.tally("1 of 16 · 1 kept · 0 rejected")
    second = here.row
    swipe(here.page, -160)
    here.tally("2 of 16 · 1 kept · 1 rejected")
    assert decided(corpus) == {first: True, second: False}


def test_a_finger_that_comes_not_far_or_goes_up_decides_nothing(visit: Callable[..., Visitor]) -> None:
    here = visit(**PHONE)
    first = here.row
    swipe(here.page, 50)
    swipe(here.page, 10, up_px=200)
    here.page.wait_for_timeout(300)

    here.tally("0 of 16 · 0 kept · 0 rejected")
    assert here.row == first
    assert here.card.evaluate("card => getComputedStyle(card).transform") in ("none", "matrix(1, 0, 0, 1, 0, 0)")


def test_the_card_follows_the_finger(visit: Callable[..., Visitor]) -> None:
    here = visit(**PHONE)
    finger = here.page.context.new_cdp_session(here.page)
    at = {"x": 180, "y": 250}
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    for x in (200, 230, 260):
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at | {"x": x}]})

    here.until("new DOMMatrix(getComputedStyle(document.getElementById('card')).transform).e > 60")
    expect(here.page.locator("#card .stamp.keep")).not_to_have_css("opacity", "0")
    finger.send("Input.dispatchTouchEvent", {"type": "touchCancel", "touchPoints": []})
    here.until("new DOMMatrix(getComputedStyle(document.getElementById('card')).transform).e === 0")


def test_a_tap_begins_the_sound_and_buttons_are_big_enough_for_a_thumb(visit: Callable[..., Visitor]) -> None:
    here = visit(**PHONE)
    here.page.locator("#curve").tap()
    here.heard("codec")
    here.sounds()
    for name in ("keep", "reject", "undo", "play", "codec", "original"):
        box = here.page.locator(f"#{name}").bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 360, name
        assert box["y"] + box["height"] <= 740, name
    assert here.page.evaluate("document.documentElement.scrollWidth") == 360
    here.page.locator("#keep").tap()
    here.tally("1 of 16 · 1 kept · 0 rejected")
    here.page.locator("#reject").tap()
    here.tally("2 of 16 · 1 kept · 1 rejected")


def test_a_recording_that_is_gone_is_said_and_the_codec_is_heard(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    here = visit()
    # The browser itself notes what was not there.
    here.forgiven = "410 (Gone)"
    here.page.keyboard.press("Space")
    here.heard("codec")
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    here.page.keyboard.press("o")

    expect(here.page.locator("#note")).to_contain_text("The recording is no longer at")
    here.heard("codec")
    expect(here.page.locator("#original")).to_be_disabled()


def test_when_all_are_decided_it_says_what_comes_next(visit: Callable[..., Visitor]) -> None:
    here = visit()
    for number in range(16):
        here.page.keyboard.press("k")
        here.tally(f"{number + 1} of 16 · {number + 1} kept · 0 rejected")

    expect(here.page.locator("#done")).to_contain_text("latent studio train")
    expect(here.card).to_be_hidden()
    expect(here.page.locator("#keep")).to_be_disabled()
    here.page.keyboard.press("z")
    expect(here.card).to_be_visible()


def test_the_guess_is_offered_where_it_is_sure_and_undone(browser: Browser, tmp_path: Path) -> None:
    tones = synthesised(tmp_path, 400)
    with Ledger(tmp_path) as ledger:
        for row in range(160):
            ledger.decide(row, bool(tones[row]))
    with served(tmp_path) as (url, application):
        assert application.state.curation.doubt.settle(20.0)
        page = browser.new_context(**DESK).new_page()
        here = Visitor(page, url)
        expect(page.locator("#guess")).to_contain_text("The guess: ")
        page.locator("#offer").click()
        expect(page.locator("#ask")).to_contain_text("Undo takes all of it back.")
        page.get_by_role("button", name="Not yet").click()
        here.tally(f"160 of 400 · {tones[:160].sum()} kept · {(~tones[:160]).sum()} rejected")
        page.locator("#offer").click()
        page.get_by_role("button", name="Accept", exact=True).click()

        expect(page.locator("#tally")).to_contain_text("of them by guess")
        assert len(decided(tmp_path)) > 260
        page.keyboard.press("z")
        here.tally(f"160 of 400 · {tones[:160].sum()} kept · {(~tones[:160]).sum()} rejected")
        expect(page.locator("#said")).to_contain_text("Guesses taken back")
        assert here.wrong == []
        page.context.close()


def test_a_server_that_is_gone_is_said_and_the_card_comes_back(browser: Browser, corpus: Path) -> None:
    with served(corpus) as (url, _):
        page = browser.new_context(**DESK).new_page()
        here = Visitor(page, url)
        first = here.row
        page.route("**/api/decide", lambda route: route.abort())
        page.keyboard.press("k")

        expect(page.locator("#said")).to_contain_text("The studio does not answer")
        assert here.row == first
        page.unroute("**/api/decide")
        page.keyboard.press("k")
        here.tally("1 of 16 · 1 kept · 0 rejected")
        page.context.close()
    assert decided(corpus) == {first: True}
