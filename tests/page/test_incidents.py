"""An incident through the page: a holder reads what it means, an operator takes it in hand."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from tests.page.conftest import LONG_MS, TOKEN, Site, Visit, venue_of
from tests.support.inband import Inband

pytestmark = pytest.mark.needs("chromium")

Open = Callable[..., Visit]
KEY, SECRET = "key-of-the-account", "secret-of-the-account"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A daemon on whose account UP somebody else has traded."""
    settings = {"ACCOUNTS__UP__API_KEY": KEY, "ACCOUNTS__UP__SECRET": SECRET}
    inband = Inband(tmp_path_factory.mktemp("site"), PAPER__SPEED="600", WEB__TOKEN=TOKEN, **settings)
    with inband.start() as process:
        url = process.until_said("serving")["url"]
        # An incident amid the opening would stop it, and what is not over is not revealed.
        opened = {"event": "rebalance_finished", "fund": "BTCUP"}
        process.until(
            lambda: any(line.items() >= opened.items() for line in process.lines()), what="BTCUP opened"
        )
        trade(venue_of(process))
        yield Site(process, url, venue_of(process))


def trade(venue: str) -> None:
    """Buy with the account's key, past the daemon."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    query = urlencode({**order, "recvWindow": 60_000, "timestamp": int(time.time() * 1000)})
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    connection = HTTPConnection(urlsplit(venue).netloc)
    connection.request("POST", f"/fapi/v1/order?{query}&signature={signature}", headers={"X-MBX-APIKEY": KEY})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def test_an_incident_is_acknowledged_with_a_name_and_a_reason(operator: Open, visit: Open) -> None:
    """Who has it in hand is seen by every operator; it stays open, and holders see it when it is public."""
    first, second = operator(), operator()
    incident = first.page.locator("[data-operator-fund=BTCUP] [data-incident='external trade']")
    expect(incident).to_contain_text("What to do:")
    button = incident.get_by_role("button", name="Acknowledge")
    button.click()
    dialog = first.page.get_by_role("dialog")
    first.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(incident).not_to_contain_text("In hand")
    button.click()
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_be_visible()  # not without a name and a reason
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_label("Reason").fill("my own hedge, closed at noon")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_have_count(0)
    expect(button).to_have_count(0)
    for seen in (first, second):
        shown = seen.page.locator("[data-operator-fund=BTCUP] [data-incident='external trade']")
        expect(shown).to_contain_text("Ada, my own hedge, closed at noon")
    public = visit("#/fund/BTCUP")
    expect(public.page.get_by_text("Somebody else traded on the account")).to_be_visible(timeout=LONG_MS)
    expect(public.page.locator("main")).not_to_contain_text("my own hedge")
