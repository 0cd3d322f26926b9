// Subscriptions and redemptions of one fund, as the operator sees them.

import { fundPath, get } from "./api.js";
import { h, replace } from "./dom.js";
import { money, nav, quantity, time } from "./format.js";

/** What a person may ask for; see confirm.js. */
export const FLOW_ACTIONS = [
  { word: "subscribe", label: "Subscribe", say: "Money on the account becomes units, at the NAV of the next dealing that it is there for.", asks: { name: "amount", label: "Amount in USDT", needed: true } },
  { word: "redeem", label: "Redeem", say: "Units become money that is payable, at the NAV of the next dealing.", asks: { name: "units", label: "Units", needed: true } },
  { word: "consolidate", label: "Consolidate", say: "So many units become one, worth as much together. Nothing is traded.", asks: { name: "ratio", label: "Units that become one", needed: true } },
  { word: "split", label: "Split", say: "One unit becomes so many, worth as much together. Nothing is traded.", asks: { name: "ratio", label: "Units that one becomes", needed: true } },
];

const COLUMNS = ["Asked (UTC)", "Kind", "State", "USDT", "Units", "NAV", "Fee", "Trading fee", "Fill cost", "Over (UTC)", "Tell holder from (UTC)", "Reference"];

const isNumber = (column) => column >= 3 && column <= 8;

/** The list, and `read()` which fetches it. */
export function makeFlows(name) {
  const body = h("tbody");
  const quiet = h("p", { class: "empty" }, "Nobody has subscribed or redeemed yet.");
  const table = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Flows of ${name}`, hidden: true },
    h("table", { class: "record" }, h("thead", {}, h("tr", {}, COLUMNS.map((title, i) => h("th", { scope: "col", class: isNumber(i) ? "num" : null }, title)))), body),
  );
  const told = (flow) => (flow.statement_at === null || flow.statement_open ? time(flow.statement_at) : `${time(flow.statement_at)}, not yet`);
  const row = (flow) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, time(flow.requested_at)),
      [flow.kind, flow.reason ? `${flow.state}: ${flow.reason}` : flow.state, money(flow.amount), quantity(flow.units), nav(flow.nav), money(flow.fee), money(flow.trading_fee), money(flow.fill_cost), time(flow.finished_at), told(flow)].map((text, i) => h("td", { class: isNumber(i + 1) ? "num" : null, "data-label": COLUMNS[i + 1] }, text)),
      h("td", { "data-label": "Reference" }, h("code", { class: "mono" }, flow.reference)),
    );
  const read = async () => {
    const flows = await get(fundPath(name, "/flows"));
    const key = JSON.stringify(flows);
    if (body.dataset.key === key) return;
    body.dataset.key = key;
    replace(body, [...flows].reverse().map(row));
    table.hidden = !flows.length;
    quiet.hidden = Boolean(flows.length);
  };
  return { element: h("div", {}, table, quiet), read };
}
