// One fund, as its holders see it.

import { fundPath, get } from "./api.js";
import { drawLeverage, drawNav, noChart, plotly } from "./charts.js";
import { h, replace, setText } from "./dom.js";
import { leverage, money, nav, percent, price, quantity, time, words } from "./format.js";
import { meaning } from "./incidents.js";
import { makeNeedle, makeTriggers } from "./needle.js";
import { makeState, tone } from "./overview.js";
import { makePromise } from "./promise.js";
import { makeRebalances } from "./rebalances.js";

const RANGES = [
  ["1h", "1m", 3600],
  ["6h", "1m", 6 * 3600],
  ["1d", "5m", 86400],
  ["1w", "1h", 7 * 86400],
  ["1M", "1h", 30 * 86400],
  ["1y", "1d", 365 * 86400],
  ["all", null, null],
];
const REFRESH_MS = 15_000;

function makeTiles(rows) {
  const tiles = rows.map(([label, value, note]) => ({ label, value, note, figure: h("span"), small: h("small") }));
  const element = h(
    "dl",
    { class: "tiles" },
    tiles.map((tile) => h("div", {}, h("dt", {}, tile.label), h("dd", {}, tile.figure, tile.note ? tile.small : null))),
  );
  const update = (now) => {
    for (const tile of tiles) {
      setText(tile.figure, tile.value(now));
      if (tile.note) setText(tile.small, tile.note(now));
    }
  };
  return { element, update };
}

const FIGURES = [
  ["Mark", (f) => price(f.mark), (f) => f.underlying],
  ["Net asset value", (f) => nav(f.nav), () => "USDT per unit"],
  ["Fund value", (f) => money(f.fund_value), () => "USDT"],
  ["Units outstanding", (f) => quantity(f.units)],
  ["Position", (f) => quantity(f.position), (f) => `notional ${money(f.notional)}`],
  ["Funding rate", (f) => (f.funding_rate === null ? "–" : percent(Number(f.funding_rate), 4)), () => "next, of notional"],
  ["Basket as of", (f) => time(f.basket_as_of), () => "UTC"],
];

/** The unusual, in plain words: what it is, since when, why, and whether holders can leave. */
function describeState(fund) {
  const told = fund.condition;
  const parts = [];
  if (told.since) parts.push(`since ${time(told.since)} UTC`);
  if (told.why) parts.push(told.why);
  parts.push(told.redemptions_open ? "units can be redeemed" : "units cannot be redeemed now");
  return parts.join("; ");
}

function makeRangeButtons(onChange) {
  const buttons = RANGES.map(([label], index) =>
    h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(index) }, label),
  );
  let chosen = 2;
  const mark = () => buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  const choose = (index) => {
    chosen = index;
    mark();
    onChange();
  };
  mark();
  return { element: h("div", { class: "ranges", role: "group", "aria-label": "Range of the charts" }, buttons), range: () => RANGES[chosen] };
}

function chartCard(title, extra) {
  const place = h("div", { class: "chart waiting", role: "img", "aria-label": title }, "Loading");
  return { place, card: h("section", { class: "card" }, h("div", { class: "chart-bar" }, h("h2", {}, title), extra), place) };
}

const figure = (text) => (text === null || text === undefined ? null : Number(text));

/** Bars at their end: NAV, and what goes with it, of the last `length_s` until `now`; all if it is null. */
async function readBars(name, interval, length_s, now) {
  const from = length_s === null ? 0 : Math.max(0, Date.parse(now) - length_s * 1000);
  const asked = `?interval=${interval}&from=${from}`;
  const [navs, rest] = await Promise.all([get(fundPath(name, `/nav${asked}`)), get(fundPath(name, `/series${asked}`))]);
  const beside = new Map(rest.map((row) => [row[0], row]));
  return navs.map(([t, , , , close]) => {
    const [, mark, lever, shadow] = beside.get(t) ?? [];
    return { t, nav: figure(close), mark: figure(mark), leverage: figure(lever), shadow: figure(shadow) };
  });
}

/** A range's bars. How fine those of "all" are depends on how long the fund has lived. */
async function readSeries(fund, [, interval, length_s]) {
  if (interval !== null) return readBars(fund.fund, interval, length_s, fund.updated_at);
  const days = await get(fundPath(fund.fund, "/nav?interval=1d"));
  return readBars(fund.fund, days.length < 3 ? "1m" : days.length < 10 ? "5m" : days.length < 120 ? "1h" : "1d", null, fund.updated_at);
}

function makeProof(fund) {
  const list = h("ol", { class: "hashes" });
  const head = h("code", { class: "mono" });
  const late = h("p", { class: "error" });
  const element = h(
    "section",
    { class: "card" },
    h("h2", {}, "Proof"),
    h("p", { class: "note" }, "Each next band rebalance already has its target: these hashes commit the fund to it. The target is revealed after the rebalance."),
    list,
    h("p", { class: "note" }, "Head of the record's hash chain: ", head, ". Who keeps it can prove later that nothing before it was changed."),
    late,
  );
  const update = (now) => {
    const key = JSON.stringify(now.commitments);
    if (list.dataset.key !== key) {
      list.dataset.key = key;
      replace(list, now.commitments.map((c) => h("li", {}, `${c.sequence}: `, h("code", { class: "mono", title: c.commitment }, c.commitment))));
    }
    setText(head, now.chain_head ?? "none yet");
    late.hidden = !now.condition.overdue_reveals;
    setText(late, `Reveals that are late: ${now.condition.overdue_reveals}.`);
  };
  update(fund);
  return { element, update };
}

function makeIncidents() {
  const list = h("div");
  const element = h("section", { class: "card" }, h("h2", {}, "Incidents"), list);
  const update = (now) => {
    const incidents = now.condition?.incidents ?? [];
    element.hidden = !incidents.length;
    const key = JSON.stringify(incidents);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    replace(
      list,
      incidents.map((i) =>
        h("div", { class: `incident${i.stops_increases ? " stops" : ""}` }, h("p", {}, h("strong", {}, i.code), ` since ${time(i.since)} UTC`, i.stops_increases ? "; leverage is not raised meanwhile" : ""), h("p", {}, meaning(i.code))),
      ),
    );
  };
  return { element, update };
}

/** Follow both charts of a fund: drawn at once, on a new range, theme or rebalance, and every few seconds. */
function followCharts(name, store, assets, rebalances, promise) {
  const ranges = makeRangeButtons(() => draw());
  const value = chartCard("Net asset value", ranges.element);
  const lever = chartCard("Real leverage", null);
  let turn = 0;
  const draw = async () => {
    promise.read().catch(() => {});
    const mine = ++turn;
    try {
      const fund = store.fund(name);
      const series = await readSeries(fund, ranges.range());
      if (mine !== turn) return;
      if (!series.length) throw new Error("there is no history yet");
      await drawNav(value.place, assets, series);
      await drawLeverage(lever.place, assets, series, fund, rebalances());
    } catch (error) {
      if (mine === turn) for (const { place } of [value, lever]) noChart(place, error);
    }
  };
  const timer = setInterval(() => document.hidden || draw(), REFRESH_MS);
  const ends = [store.on("theme", draw), store.on("rebalance", draw), () => clearInterval(timer)];
  return { cards: [value.card, lever.card], draw, end: () => ends.forEach((end) => end()) };
}

/** The view of one fund: mounts into `place`, and gives a function that ends it. */
export function mountFund(place, store, name, assets) {
  const ends = [];
  plotly(assets).catch(() => {});
  const build = () => {
    const fund = store.fund(name);
    if (!fund) {
      replace(place, h("p", { class: "empty" }, `There is no fund ${name} here. `, h("a", { href: "#/" }, "All funds")));
      return null;
    }
    const state = makeState(fund);
    const stateNote = h("p");
    const needle = makeNeedle(fund);
    const triggers = makeTriggers(fund);
    const tiles = makeTiles(FIGURES);
    const big = h("span", { class: "big" });
    const proof = makeProof(fund);
    const incidents = makeIncidents();
    const rebalances = makeRebalances(name, store);
    const promise = makePromise(name);
    const charts = followCharts(name, store, assets, rebalances.rows, promise);
    ends.push(charts.end, rebalances.end);
    replace(
      place,
      h(
        "div",
        { class: "head" },
        h("h1", {}, fund.fund),
        h("span", { class: "side", "data-side": fund.side }, fund.side === "long" ? "UP" : "DOWN"),
        state.element,
        stateNote,
      ),
      h(
        "div",
        { class: "stack" },
        h("section", { class: "card hero", "aria-label": "Real leverage" }, h("h2", {}, "Real leverage"), big, needle.element, triggers.element),
        h("section", { class: "card", "aria-label": "Figures" }, tiles.element),
        incidents.element,
        h("div", { class: "columns" }, charts.cards),
        promise.element,
        rebalances.element,
        proof.element,
      ),
    );
    const update = (now) => {
      setText(big, leverage(now.real_leverage));
      setText(stateNote, tone(now.state) === "good" ? "" : describeState(now) || words(now.state));
      for (const part of [state, needle, triggers, tiles, proof, incidents]) part.update(now);
    };
    update(fund);
    rebalances
      .read()
      .catch(() => {})
      .then(charts.draw);
    return update;
  };
  let update = build();
  ends.push(
    store.follow(() => {
      const fund = store.fund(name);
      if (!update) update = fund ? build() : null;
      else if (fund) update(fund);
    }),
  );
  return () => ends.forEach((end) => end());
}
