// What a fund promises, measured, and a conventional token of the same start and side beside it.

import { fundPath, get } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { leverage, money, nav, number, percent, time } from "./format.js";

const part = (text) => (text === null || text === undefined ? null : Number(text));
const share = (text) => percent(part(text), 2);

/** Rows of the table: what, the fund's, the conventional token's. */
function rowsOf(told) {
  const shadow = told.shadow;
  const shadowReturn = shadow === null || shadow.nav === null ? null : Number(shadow.nav) - 1;
  const beside = (text) => (shadow === null ? "–" : text(shadow));
  return [
    ["Return since the start", share(told.nav_return), percent(shadowReturn, 2)],
    ["Underlying, times the side", share(told.side_return), ""],
    ["NAV of one that began at 1", told.nav_return === null ? "–" : nav(String(1 + Number(told.nav_return))), beside((s) => nav(s.nav))],
    ["Real leverage, on average and now", leverage(told.average_leverage, 2), beside((s) => `now ${leverage(s.real_leverage, 2)}`)],
    ["Rebalances", String(told.rebalances), beside((s) => String(s.rebalances))],
    ["Trading fees, USDT", money(told.fees), beside((s) => money(s.fees))],
    ["Funding, USDT (received is positive)", money(told.funding), beside((s) => money(s.funding))],
    ["Volatility drag", share(told.volatility_drag), ""],
  ];
}

/** How its days went with the underlying's. */
function describeDays(daily) {
  if (daily === null) return "How closely its days follow the underlying's is told after some days.";
  return `Over ${daily.days} days: a move of 1 % of the underlying moved it by ${number(daily.beta, 2)} %, correlation ${number(daily.correlation, 3)}, tracking error ${share(daily.tracking_error)} a day.`;
}

/** The panel, `often` which says how often the fund is to be expected to trade, and `read()` which fetches both. */
export function makePromise(name) {
  const since = h("p", { class: "note" });
  const days = h("p", { class: "note" });
  const often = h("p", { class: "often" });
  const body = h("tbody");
  const element = h(
    "section",
    { class: "card" },
    h("h2", {}, "What it promises, measured"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Beside a conventional token" },
      h(
        "table",
        { class: "facts" },
        h("caption", {}, "The conventional token: 3x, rebalanced daily and on moves of 10 %, with the same start, costs and funding."),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Since the start"), h("th", { scope: "col", class: "num" }, name), h("th", { scope: "col", class: "num" }, "Conventional 3x"))),
        body,
      ),
    ),
    days,
    since,
  );
  const read = async () => {
    const told = await get(fundPath(name, "/performance"));
    setText(often, told.expected ? `It trades only when its leverage leaves the band: ${told.expected}.` : "It trades by its own clock or rule, not by a band.");
    replace(body, rowsOf(told).map(([what, own, other]) => h("tr", {}, h("th", { scope: "row" }, what), h("td", { class: "num" }, own), h("td", { class: "num" }, other))));
    setText(days, describeDays(told.daily));
    setText(since, told.since ? `Measured from ${time(told.since)} to ${time(told.as_of)} UTC.` : "Measuring begins with the first full hour.");
  };
  return { element, often, read };
}
