// All funds at a glance: one row each, changed in place as their figures come in.

import { unready } from "./api.js";
import { h, replace, setText } from "./dom.js";
import { leverage, money, nav, price, words } from "./format.js";
import { makeNeedle, makeTriggers } from "./needle.js";

const TONES = { active: "good", dead: "bad", emergency: "bad", flattened: "warn", halted: "bad", too_small: "bad", increases_stopped: "warn", paused: "warn" };

/** The tone of a fund's state: good, warn, bad, or none. */
export function tone(state) {
  return TONES[state] ?? "";
}

/** One fund's state as a badge, and `update(fund)`. */
export function makeState(fund) {
  const element = h("span", { class: "badge" });
  const update = (now) => {
    setText(element, words(now.state));
    element.dataset.tone = tone(now.state);
  };
  update(fund);
  return { element, update };
}

function makeRow(fund) {
  const needle = makeNeedle(fund);
  const triggers = makeTriggers(fund);
  const state = makeState(fund);
  const cells = { mark: h("td", { class: "num", "data-label": "mark" }), nav: h("td", { class: "num", "data-label": "NAV" }), lev: h("span", {}), value: h("td", { class: "num", "data-label": "value" }) };
  const name = h(
    "th",
    { scope: "row" },
    h("a", { href: `#/fund/${encodeURIComponent(fund.fund)}` }, fund.fund),
    h("span", { class: "under" }, h("span", { class: "side", "data-side": fund.side }, fund.side === "long" ? "UP" : "DOWN"), ` ${fund.underlying}`),
  );
  const incidents = h("span", { class: "badge", "data-tone": "warn", hidden: true });
  const element = h(
    "tr",
    { "data-fund": fund.fund },
    name,
    cells.mark,
    cells.nav,
    h("td", { class: "needle-cell" }, h("span", { class: "visually-hidden" }, "real leverage "), cells.lev, needle.element),
    h("td", { class: "wide" }, triggers.element),
    cells.value,
    h("td", {}, state.element, " ", incidents),
  );
  const update = (now) => {
    const open = now.condition?.incidents ?? [];
    incidents.hidden = !open.length;
    setText(incidents, open.map((incident) => incident.code).join(", "));
    setText(cells.mark, price(now.mark));
    setText(cells.nav, nav(now.nav));
    setText(cells.lev, leverage(now.real_leverage));
    setText(cells.value, money(now.fund_value));
    for (const part of [needle, triggers, state]) part.update(now);
  };
  update(fund);
  return { element, update };
}

/** What all funds are worth together: of one mode only, and named with it. */
function totalOf(funds) {
  const sums = new Map();
  for (const fund of funds) sums.set(fund.mode, (sums.get(fund.mode) ?? 0) + Number(fund.fund_value ?? 0));
  return [...sums].map(([mode, sum]) => `${money(String(sum))} USDT (${mode})`).join(", ");
}

/** The overview: mounts into `place`, follows `store`, and gives a function that ends it. */
export function mountOverview(place, store) {
  const rows = new Map();
  const body = h("tbody");
  const count = h("p");
  const table = h(
    "table",
    { class: "funds" },
    h("caption", { class: "visually-hidden" }, "All funds"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Fund"),
        h("th", { scope: "col", class: "num" }, "Mark"),
        h("th", { scope: "col", class: "num" }, "NAV"),
        h("th", { scope: "col" }, "Real leverage in its band"),
        h("th", { scope: "col" }, "Triggers"),
        h("th", { scope: "col", class: "num" }, "Fund value"),
        h("th", { scope: "col" }, "State"),
      ),
    ),
    body,
  );
  const quiet = h("p", { class: "empty" }, "No fund runs here yet.");
  replace(place, h("div", { class: "head" }, h("h1", {}, "Funds"), count), h("div", { class: "card" }, table, quiet));

  const draw = () => {
    const funds = store.funds();
    for (const fund of funds) {
      const row = rows.get(fund.fund);
      if (row) row.update(fund);
      else {
        const made = makeRow(fund);
        rows.set(fund.fund, made);
        body.append(made.element);
      }
    }
    for (const [name, row] of rows) {
      if (store.fund(name)) continue;
      row.element.remove();
      rows.delete(name);
    }
    const unusual = funds.filter((fund) => ["bad", "warn"].includes(tone(fund.state)) || fund.condition?.incidents.length).length;
    const how = unusual ? `, ${unusual} in an unusual state or with an incident` : ", all well";
    setText(count, `${funds.length} ${funds.length === 1 ? "fund" : "funds"}${funds.length ? how : ""}. ${totalOf(funds)}`);
    table.hidden = !funds.length;
    quiet.hidden = Boolean(funds.length);
  };
  // A host that stands by, or has lost its database, drives none; only it knows why.
  const ask = async () => {
    if (store.funds().length) return;
    const reasons = await unready().catch(() => []);
    setText(quiet, reasons.length ? `No fund runs here: ${reasons.join("; ")}.` : "No fund runs here yet.");
  };
  const asking = setInterval(ask, 2000);
  draw();
  const leave = store.follow(draw);
  return () => {
    clearInterval(asking);
    leave();
  };
}
