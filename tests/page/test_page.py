"""The page as people see it: in real Chromium, on a real daemon."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect

from tests.page.conftest import LONG_MS, PATIENCE_MS, PHONE, TOKEN, Site, Visit
from tests.support.inband import Inband
from tests.support.market_leash import Leash
from tests.support.postgres import KEY, PostgresServer

pytestmark = pytest.mark.needs("chromium")

Open = Callable[..., Visit]
ANY_COUNT = re.compile(r"^\d+$")


def row(seen: Visit, fund: str) -> Locator:
    """The row of a fund in the overview."""
    return seen.page.locator(f"tr[data-fund={fund}]")


def card(seen: Visit, fund: str) -> Locator:
    """A fund in the operator's view."""
    return seen.page.locator(f"[data-operator-fund={fund}]")


def confirm(seen: Visit, action: str) -> None:
    """Say who, and why, and do it."""
    dialog = seen.page.get_by_role("dialog")
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_label("Reason").fill("a test of the page")
    dialog.get_by_role("button", name=action).click()
    expect(dialog).to_have_count(0)


HOLDABLE = """
window.held = false;
const unlessHeld = (act) => (...given) => window.held || act(...given);
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (name, act) { listen.call(this, name, unlessHeld(act)); };
const every = window.setInterval;
window.setInterval = (act, ms) => every(unlessHeld(act), ms);
window.asking = 0;
const ask = window.fetch;
window.fetch = (...given) => {
  window.asking += 1;
  return ask(...given).finally(() => { window.asking -= 1; });
};
"""
"""Before the page's own code: what comes in by events and clocks can be held back, questions are counted."""

AT_REST = """() => new Promise((resolve) => {
  window.held = true;
  const rested = () => {
    if (window.asking) timer = setTimeout(rested, 300);
    else { watch.disconnect(); resolve(); }
  };
  let timer = setTimeout(rested, 300);
  const watch = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(rested, 300); });
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
})"""


def assert_accessible(seen: Visit) -> None:
    """Have axe-core judge what is shown.

    It looks at one element after the other, for seconds on a busy machine. An element that an update takes
    away meanwhile has neither a colour nor a place, and would be complained about: so the page is at rest.
    """
    seen.page.evaluate(AT_REST)
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()
    seen.page.evaluate("window.held = false")


def background(seen: Visit) -> str:
    """The colour behind everything."""
    return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_overview_shows_every_fund_with_its_needle(visit: Open) -> None:
    """Name, mark, NAV and leverage within its band; the mode is on every view."""
    seen = visit()
    for fund in ("BTCUP", "BTCDOWN"):
        needle = row(seen, fund).get_by_role("img")
        expect(needle).to_have_attribute("aria-label", re.compile("real leverage .*, band 1.50x to 3.00x"))
    expect(seen.page.locator("#mode")).to_have_text("PAPER")


def test_every_view_has_the_badge_of_the_mode(visit: Open, operator: Open) -> None:
    """Also where nobody has logged in, and where there is no such fund."""
    for seen in (visit(), visit("#/fund/BTCUP"), visit("#/fund/NONE"), visit("#/operator"), operator()):
        expect(seen.page.locator("#mode")).to_have_text("PAPER")


def test_totals_never_mix_modes(visit: Open, site: Site) -> None:
    """What is paper and what is live are two sums, should one page ever show both."""
    funds = visit().page.request.get(f"{site.url}/api/v1/funds").json()
    for fund, mode, value in zip(funds, ("paper", "live"), ("1000", "20"), strict=True):
        fund |= {"mode": mode, "fund_value": value}
    seen = visit("#/operator")
    seen.page.route("**/api/v1/funds", lambda route: route.fulfill(json=funds))
    seen.page.route("**/api/v1/stream", lambda route: route.abort())
    seen.page.goto(f"{site.url}/?again#/")
    expect(seen.page.locator("main")).to_contain_text("1,000.00 USDT (paper), 20.00 USDT (live)")
    expect(seen.page.locator("#mode")).to_have_text("PAPER + LIVE")


def test_figures_move_by_themselves(visit: Open) -> None:
    """Marks come in by events, without a reload."""
    seen = visit()
    expect(seen.page.locator("#connection")).to_have_text("live")
    mark = row(seen, "BTCUP").locator("td").first
    before = mark.inner_text()
    expect(mark).not_to_have_text(before)


def test_the_page_says_so_when_updates_stop(visit: Open) -> None:
    """A page that shows old figures as if they were new would be worse than none."""
    seen = visit()
    seen.page.clock.install()
    seen.page.reload()
    connection = seen.page.locator("#connection")
    expect(connection).to_have_text("live")
    seen.page.route("**/api/v1/stream", lambda route: route.abort())
    seen.page.clock.fast_forward(25_000)
    expect(connection).to_have_text("updates stopped")
    expect(seen.page.get_by_role("alert")).to_contain_text("Updates stopped at")
    seen.page.unroute("**/api/v1/stream")
    seen.page.clock.fast_forward(25_000)
    expect(connection).to_have_text("live")
    expect(seen.page.get_by_role("alert")).to_be_hidden()


def test_a_rebalance_is_the_operators_at_once_and_the_publics_after_its_reveal(
    visit: Open, operator: Open, site: Site
) -> None:
    """Neither page is loaded again. It is asked for on the operator's page, where it shows as it runs."""
    public, told = visit("#/fund/BTCUP"), operator()
    expect(public.page.locator("tr[data-rebalance=BTCUP-1]")).to_be_visible(timeout=LONG_MS)
    expect(public.page.locator("tr[data-rebalance=BTCUP-2]")).to_have_count(0)
    seen = card(told, "BTCUP")
    seen.get_by_text("Rebalances, those not public included").click()
    with Leash(site.venue):  # the market waits: it is not over before we have looked
        seen.get_by_role("button", name="Rebalance").click()
        told.page.get_by_role("textbox", name="Leverage").fill("2.9")
        confirm(told, "Rebalance BTCUP")
        expect(seen.locator("tr[data-rebalance=BTCUP-2]")).to_contain_text("running")
        assert "BTCUP-2" not in public.page.request.get(f"{site.url}/api/v1/funds/BTCUP/rebalances").text()
        expect(public.page.locator("tr[data-rebalance=BTCUP-2]")).to_have_count(0)
    shown = public.page.locator("tr[data-rebalance=BTCUP-2]")
    expect(shown).to_contain_text("operator", timeout=LONG_MS)
    expect(shown).to_contain_text("2.900x")


def test_a_revealed_target_is_verified_in_the_browser(visit: Open) -> None:
    """The button hashes what was revealed, and works the target out of it."""
    seen = visit("#/fund/BTCDOWN")
    button = seen.page.get_by_role("button", name=re.compile("^Verify BTCDOWN-")).first
    button.wait_for(timeout=LONG_MS)
    button.click()
    expect(seen.page.get_by_text("✓ fixed beforehand, target follows")).to_be_visible()
    seen.page.get_by_role("button", name="Verify the whole record").click()
    expect(seen.page.get_by_text(re.compile("✓ all .* hold together"))).to_be_visible()


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("u", "✗ the draw is not the one that was committed to; the target does not follow"),
        ("salt", "✗ the draw is not the one that was committed to"),
        ("target", "✗ the target does not follow from the draw"),
    ],
)
def test_a_record_that_was_changed_on_the_way_is_found_out(
    visit: Open, site: Site, field: str, said: str
) -> None:
    """One digit more or less in what was revealed."""
    visit_first = visit("#/fund/BTCDOWN")
    visit_first.page.get_by_role("button", name=re.compile("^Verify BTCDOWN-")).first.wait_for(
        timeout=LONG_MS
    )
    answer = visit_first.page.request.get(f"{site.url}/api/v1/funds/BTCDOWN/rebalances")
    (record, *_) = [one for one in answer.json() if one["u"] is not None]
    record[field] = record[field][:2] + ("1" if record[field][2] != "1" else "2") + record[field][3:]
    seen = visit()
    seen.page.route("**/BTCDOWN/rebalances", lambda route: route.fulfill(json=[record]))
    row(seen, "BTCDOWN").get_by_role("link").click()
    seen.page.get_by_role("button", name=f"Verify {record['id']}").click()
    expect(seen.page.get_by_text(said)).to_be_visible()


def test_a_verdict_stays_when_the_next_rebalance_is_published(visit: Open, site: Site) -> None:
    """The table is drawn anew, and what was asked of a record is still answered there."""
    seen = visit("#/fund/BTCDOWN")
    first = seen.page.get_by_role("button", name=re.compile("^Verify BTCDOWN-")).first
    first.wait_for(timeout=LONG_MS)
    answer = seen.page.request.get(f"{site.url}/api/v1/funds/BTCDOWN/rebalances").json()
    told = [one for one in answer if one["u"] is not None][:1]
    seen.page.route("**/BTCDOWN/rebalances", lambda route: route.fulfill(json=told))
    seen.page.reload()
    seen.page.get_by_role("button", name=f"Verify {told[0]['id']}").click()
    verdict = seen.page.get_by_text("fixed beforehand, target follows")
    expect(verdict).to_have_count(1)
    told.append({**told[0], "id": "BTCDOWN-999"})
    expect(seen.page.get_by_role("button", name="Verify BTCDOWN-999")).to_be_visible(timeout=LONG_MS)
    expect(verdict).to_have_count(1)


def test_charts_are_drawn(visit: Open) -> None:
    """NAV beside the underlying, and leverage with its band: plotly comes from the daemon itself."""
    seen = visit("#/fund/BTCDOWN")
    expect(seen.page.locator(".chart .main-svg").first).to_be_visible()
    expect(seen.page.locator(".chart .scatterlayer .trace")).not_to_have_count(0)
    assert seen.foreign == []


def test_charts_end_with_the_figures_of_now(visit: Open) -> None:
    """Without being read anew: the history cannot be had."""
    seen = visit("#/fund/BTCUP")
    chart = seen.page.locator("[data-chart=nav]")
    expect(chart).to_have_attribute("aria-label", re.compile(r"^Net asset value, from \d"))
    seen.page.route("**/nav?*", lambda route: route.abort())
    before = chart.get_attribute("aria-label") or ""
    expect(chart).not_to_have_attribute("aria-label", before)


def test_charts_are_seen_before_plotly_is_there(visit: Open) -> None:
    """Without plotly they stay sketches of the same lines, and say what they cannot do."""
    seen = visit()
    seen.page.route("**/plotly.min.js", lambda route: route.abort())
    row(seen, "BTCDOWN").get_by_role("link").click()
    for chart in ("nav", "leverage"):
        place = seen.page.locator(f"[data-chart={chart}]")
        expect(place.locator("svg.sketch path")).not_to_have_count(0)
        expect(place).to_have_attribute("aria-label", re.compile(r"\d"))
    expect(seen.page.get_by_text("It cannot be zoomed into: plotly could not be loaded.")).to_have_count(2)


def test_a_line_of_a_chart_is_put_away_and_had_back(visit: Open) -> None:
    """The legend is made of buttons, in the sketch and after it."""
    seen = visit("#/fund/BTCDOWN")
    lines = seen.page.locator("[data-chart=nav] .scatterlayer .trace")
    expect(lines).to_have_count(3)
    button = seen.page.get_by_role("button", name="underlying")
    button.click()
    expect(lines).to_have_count(2)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(lines).to_have_count(3)


def test_plotly_runs_twice_on_the_first_visit_alone(visit: Open) -> None:
    """Chromium keeps the compiled code of what ran twice, which makes the second visit faster."""
    seen = visit("#/fund/BTCDOWN")
    runs = seen.page.locator("script[src*=plotly]")
    expect(runs).to_have_count(2)
    seen.page.reload()
    seen.page.locator("[data-chart=leverage] .scatterlayer .trace").first.wait_for()
    seen.page.wait_for_timeout(500)
    expect(runs).to_have_count(1)
    assert seen.complaints == []


def test_costs_are_told_by_rebalance_and_by_month(visit: Open) -> None:
    """What is public of them: the opening of the fund is among them."""
    seen = visit("#/fund/BTCDOWN")
    months = seen.page.get_by_role("region", name="Costs by month")
    expect(months.get_by_role("row").nth(1)).to_contain_text(re.compile(r"\d{4}-\d\d"), timeout=LONG_MS)
    seen.page.get_by_text("Each rebalance", exact=True).click()
    each = seen.page.get_by_role("region", name="Costs of each rebalance")
    expect(each.get_by_role("row", name=re.compile("BTCDOWN-1 open"))).to_contain_text(
        re.compile(r"\d\.\d\d")
    )


def test_what_a_fund_promises_is_measured_beside_a_conventional_token(visit: Open) -> None:
    """And the page says in plain words how often such a fund trades."""
    seen = visit("#/fund/BTCDOWN")
    expect(seen.page.get_by_text("tens of rebalances a year")).to_be_visible()
    beside = seen.page.get_by_role("region", name="Beside a conventional token")
    expect(beside.get_by_role("row", name="Return since the start")).to_contain_text(re.compile(r"\d %"))
    counts = beside.get_by_role("row", name="Rebalances").get_by_role("cell")
    expect(counts).to_have_text([ANY_COUNT, ANY_COUNT])


def test_flows_are_asked_for_and_listed(operator: Open) -> None:
    """A subscription goes on record with its reference; an amount that cannot be is refused in words."""
    seen = operator()
    fund = card(seen, "BTCDOWN")
    fund.get_by_text("Subscriptions and redemptions").click()
    fund.get_by_role("button", name="Subscribe").click()
    dialog = seen.page.get_by_role("dialog")
    dialog.get_by_label("Amount in USDT").fill("0.01")
    dialog.get_by_label("Your name").fill("Ada")
    dialog.get_by_label("Reason").fill("a test of the page")
    dialog.get_by_role("button", name="Subscribe BTCDOWN").click()
    expect(dialog.get_by_role("alert")).to_contain_text("BTCDOWN")
    dialog.get_by_label("Amount in USDT").fill("1000")
    dialog.get_by_role("button", name="Subscribe BTCDOWN").click()
    expect(dialog).to_have_count(0)
    flows = fund.get_by_role("region", name="Flows of BTCDOWN")
    expect(flows).to_contain_text("subscribe")
    expect(flows).to_contain_text("1,000.00")


def test_pause_and_resume(operator: Open) -> None:
    """Both ask for a name and a reason, and both are on record for everybody who looks."""
    seen = operator()
    fund = card(seen, "BTCDOWN")
    fund.get_by_role("button", name="Pause").click()
    confirm(seen, "Pause BTCDOWN")
    expect(fund).to_contain_text("paused since")
    expect(fund).to_contain_text("by Ada: a test of the page")
    attention = seen.page.get_by_role("region", name="Attention")
    expect(attention).to_contain_text("Attention: 1 of 2 funds")
    expect(fund).not_to_contain_text("Active since")
    attention.get_by_role("button", name="BTCDOWN: paused").click()
    expect(fund).to_be_focused()
    fund.get_by_role("button", name="Resume").click()
    confirm(seen, "Resume BTCDOWN")
    expect(fund).to_contain_text("running since")
    expect(attention).to_have_text("2 funds, all well")


def test_alerts_that_do_not_arrive_are_among_the_incidents(operator: Open, site: Site) -> None:
    """Of the daemon itself, in words and with the remedy; gone when they arrive again."""
    seen = operator()
    trouble = {
        "code": "alerts not delivered: PHONE",
        "since": "2026-11-01T08:00:00.000Z",
        "detail": "no answer",
        "remedy": "correct the address",
        "stops_increases": False,
        "acknowledged": None,
    }
    daemon = seen.page.get_by_role("region", name="Daemon")
    expect(daemon).to_have_count(0)

    funds = seen.page.request.get(f"{site.url}/api/v1/operator/funds").json()
    told = "".join(
        f"event: fund\ndata: {json.dumps({**fund, 'daemon_incidents': [trouble]})}\n\n" for fund in funds
    )
    with_trouble = {"content_type": "text/event-stream", "body": told}
    seen.page.route("**/api/v1/operator/stream", lambda route: route.fulfill(**with_trouble))
    seen.page.reload()
    expect(daemon).to_contain_text("alerts not delivered: PHONE since")
    expect(daemon).to_contain_text("A route of alerts takes nothing")
    expect(daemon).to_contain_text("What to do: correct the address")
    seen.page.unroute("**/api/v1/operator/stream")
    expect(daemon).to_have_count(0)


def test_true_figures_come_by_events(operator: Open) -> None:
    """Nothing is asked for again and again: one stream brings them."""
    seen = operator()
    asked: list[str] = []
    # The public's figures, and files, may still be on their way.
    true = re.compile("/api/v1/(operator|incidents|session)")
    seen.page.on("request", lambda request: asked.append(request.url) if true.search(request.url) else None)
    mark = card(seen, "BTCDOWN").locator("dd").first
    before = mark.inner_text()
    expect(mark).not_to_have_text(before)
    assert asked == []


def test_the_operators_page_says_so_when_true_figures_stop(operator: Open) -> None:
    """With the time; and goes on by itself."""
    seen = operator()
    seen.page.clock.install()
    seen.page.reload()
    stopped = seen.page.get_by_text("True figures stopped at")
    card(seen, "BTCUP").wait_for()
    seen.page.route("**/api/v1/operator/stream", lambda route: route.abort())
    seen.page.clock.fast_forward(25_000)
    expect(stopped).to_be_visible()
    seen.page.unroute("**/api/v1/operator/stream")
    seen.page.clock.fast_forward(25_000)
    expect(stopped).to_have_count(0)


def test_who_is_logged_out_elsewhere_is_asked_for_the_token(operator: Open, site: Site) -> None:
    """The open page neither goes on nor pretends to."""
    seen = operator()
    session = seen.page.request.get(f"{site.url}/api/v1/session").json()
    seen.page.request.delete(f"{site.url}/api/v1/session", headers={"X-CSRF-Token": session["csrf"]})
    expect(seen.page.get_by_label("Operator's token")).to_be_visible()
    expect(seen.page.locator("[data-operator-fund]")).to_have_count(0)


STREAMS_COUNTED = """
window.streams = [];
const Source = window.EventSource;
window.EventSource = class extends Source { constructor(url) { super(url); window.streams.push(this); } };
"""
"""Before the page's own code: every stream that it opens is known."""

OPEN_STREAMS = "window.streams.filter((stream) => stream.readyState !== EventSource.CLOSED).length"


def test_a_page_that_nobody_sees_reads_no_stream(visit: Open) -> None:
    """A browser has few connections to one daemon; seen again, the page goes on."""
    seen = visit()
    seen.page.add_init_script(STREAMS_COUNTED)
    seen.page.reload()
    connection = seen.page.locator("#connection")
    expect(connection).to_have_text("live")
    assert seen.page.evaluate(OPEN_STREAMS) == 1
    show = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    show += " document.dispatchEvent(new Event('visibilitychange')); }"
    seen.page.evaluate(show, arg=True)
    assert seen.page.evaluate(OPEN_STREAMS) == 0
    expect(connection).to_have_text("connecting")
    mark = row(seen, "BTCUP").locator("td").first
    before = mark.inner_text()
    seen.page.evaluate(show, arg=False)
    expect(connection).to_have_text("live")
    expect(mark).not_to_have_text(before)


def test_units_are_split_and_consolidated(operator: Open) -> None:
    """Twice as many units; and back."""
    seen = operator()
    fund = card(seen, "BTCUP")
    units = fund.get_by_text("Units", exact=True).locator("xpath=following-sibling::dd")
    expect(units).to_have_text("100,000")
    for action, after in (("Split", "200,000"), ("Consolidate", "100,000")):
        fund.get_by_role("button", name=action).click()
        dialog = seen.page.get_by_role("dialog")
        dialog.get_by_role("button", name=f"{action} BTCUP").click()
        expect(dialog).to_be_visible()  # not without a ratio
        dialog.get_by_label(re.compile("^Units that")).fill("2")
        confirm(seen, f"{action} BTCUP")
        expect(units).to_have_text(after)


def test_an_action_can_be_left(operator: Open) -> None:
    """Escape closes the question, and nothing was done."""
    seen = operator()
    card(seen, "BTCUP").get_by_role("button", name="Halt").click()
    seen.page.keyboard.press("Escape")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)
    expect(card(seen, "BTCUP")).not_to_contain_text("halted since")


def test_a_wrong_token_is_refused_in_words(visit: Open) -> None:
    """Nothing of the operator's is shown, and the field is ready for the next try."""
    seen = visit("#/operator")
    seen.page.get_by_label("Operator's token").fill("wrong")
    seen.page.get_by_role("button", name="Log in").click()
    expect(seen.page.get_by_role("alert").filter(has_text="token")).to_be_visible()
    expect(seen.page.locator("[data-operator-fund]")).to_have_count(0)


def test_the_configuration_masks_secrets(operator: Open) -> None:
    """The token that opened this page is not on it."""
    seen = operator()
    seen.page.get_by_text("Effective configuration").click()
    expect(seen.page.get_by_text("INBAND_FUNDS__BTCUP__BAND")).to_be_visible()
    assert TOKEN not in seen.page.content()


def test_settings_are_reloaded_with_a_reason(operator: Open, site: Site) -> None:
    """As by the command line, on record with who asked and why."""
    seen = operator()
    seen.page.get_by_text("Effective configuration").click()
    seen.page.get_by_role("button", name="Reload settings").click()
    confirm(seen, "Reload settings")
    expect(seen.page.get_by_role("dialog")).to_have_count(0)
    expect(seen.page.get_by_text("Nothing has changed.")).to_be_visible()
    site.process.until_said("reloaded")
    (line,) = site.process.lines("reloaded")
    assert (line["author"], line["why"], line["changed"]) == ("Ada", "a test of the page", [])


def test_a_phone_shows_it_without_sideways_scrolling(visit: Open) -> None:
    """Every view fits a width of 390."""
    for view in ("#/", "#/fund/BTCUP", "#/operator"):
        seen = visit(view, viewport=PHONE)
        seen.page.get_by_role("heading", level=1).wait_for()
        seen.page.wait_for_timeout(300)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view


def test_dark_follows_the_system_and_the_button(visit: Open) -> None:
    """The button's choice is kept."""
    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert background(light) != background(dark)
    dark.page.get_by_role("button", name="Use light colours").click()
    assert background(dark) == background(light)
    dark.page.reload()
    assert background(dark) == background(light)


def test_it_can_be_used_without_a_mouse(visit: Open) -> None:
    """Tab reaches the skip link, then the funds; Enter opens one."""
    seen = visit()
    row(seen, "BTCUP").wait_for()
    seen.page.keyboard.press("Tab")
    expect(seen.page.locator(":focus")).to_have_text("Skip to content")
    row(seen, "BTCUP").get_by_role("link").focus()
    seen.page.keyboard.press("Enter")
    expect(seen.page.get_by_role("heading", name="BTCUP")).to_be_visible()
    seen.page.reload()
    seen.page.get_by_role("heading", name="BTCUP").wait_for()
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator("main")).to_be_focused()
    expect(seen.page.get_by_role("heading", name="BTCUP")).to_be_visible()  # skipping leaves no view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible(operator: Open, scheme: str) -> None:
    """No violation of axe-core's rules, contrast included: login, operator, overview, a fund, a question."""
    seen = operator(color_scheme=scheme, reduced_motion="reduce")
    seen.page.add_init_script(HOLDABLE)
    seen.page.reload()
    charts = seen.page.locator("[data-chart=leverage] .main-svg").first
    for view, there in (
        ("#/operator", card(seen, "BTCUP")),
        ("#/", row(seen, "BTCUP")),
        ("#/fund/BTCUP", charts),
    ):
        seen.page.evaluate(f"location.hash = '{view}'")
        there.wait_for()
        assert_accessible(seen)
    seen.page.evaluate("location.hash = '#/operator'")
    card(seen, "BTCUP").get_by_role("button", name="Halt").click()
    assert_accessible(seen)
    seen.page.keyboard.press("Escape")
    seen.page.get_by_role("button", name="Log out").click()
    seen.page.get_by_label("Operator's token").wait_for()
    assert_accessible(seen)


def test_no_view_complains_or_asks_another_host(visit: Open, operator: Open) -> None:
    """The console stays empty, and everything comes from the daemon."""
    for seen in (visit(), visit("#/fund/BTCUP"), operator()):
        seen.page.wait_for_timeout(700)
        assert seen.complaints == []
        assert seen.foreign == []


@pytest.mark.needs("postgresql")
def test_a_host_that_drives_no_fund_says_why(chromium: Browser, tmp_path: Path) -> None:
    """One that lost its database shows no figures of before, and is not "all well"."""
    with (
        PostgresServer() as server,
        Inband(tmp_path, DATABASE_URL=server.url(), JOURNAL_KEY=KEY).start() as process,
    ):
        process.until_said("running")
        context = chromium.new_context()
        page = context.new_page()
        context.set_default_timeout(PATIENCE_MS)
        page.goto(process.until_said("serving")["url"])
        expect(page.locator("main")).to_contain_text("2 funds, all well")
        view, complaints = context.new_page(), list[str]()
        view.on("pageerror", lambda error: complaints.append(str(error)))
        view.goto(f"{page.url}#/fund/BTCUP")
        expect(view.locator("h1")).to_contain_text("BTCUP")
        desk = context.new_page()
        desk.goto(f"{page.url}#/operator")
        desk.get_by_label("Operator's token").fill((tmp_path / "data" / "operator.token").read_text().strip())
        desk.get_by_role("button", name="Log in").click()
        desk.get_by_role("heading", name="BTCUP").wait_for()
        server.kill()
        gone = "No fund runs here: the database is not reached."
        expect(page.locator(".empty")).to_have_text(gone, timeout=LONG_MS)
        expect(page.locator("main")).not_to_contain_text("all well")
        expect(view.get_by_text("There is no fund BTCUP here.")).to_be_visible()
        expect(desk.get_by_role("alert")).to_contain_text("No fund runs here (the database is not reached)")
        assert complaints == []
        context.close()


def test_the_public_view_holds_nothing_of_the_operators(visit: Open, site: Site) -> None:
    """Without a login no request for true figures succeeds."""
    seen = visit("#/fund/BTCUP")
    for path in ("/api/v1/operator/funds", "/api/v1/operator/configuration", "/api/v1/incidents", "/metrics"):
        answer = seen.page.request.get(site.url + path)
        assert answer.status == 401, path


def test_the_readmes_pictures(visit: Open, operator: Open, pictures: Path) -> None:
    """They are of this page: it still makes each of them (`pictures` says how they get into docs/)."""
    seen = visit("#/fund/BTCDOWN", viewport={"width": 1280, "height": 1060})
    seen.page.get_by_role("button", name=re.compile("^Verify BTCDOWN-")).first.wait_for(timeout=LONG_MS)
    seen.page.locator(".chart .main-svg").first.wait_for()
    seen.page.wait_for_timeout(1000)
    seen.page.screenshot(path=pictures / "fund.png")
    seen = visit(viewport={"width": 1280, "height": 420})
    row(seen, "BTCUP").wait_for()
    seen.page.screenshot(path=pictures / "overview.png")
    seen = operator()
    seen.page.screenshot(path=pictures / "operator.png")
    for name in ("fund", "overview", "operator"):
        assert (pictures / f"{name}.png").stat().st_size > 10_000
