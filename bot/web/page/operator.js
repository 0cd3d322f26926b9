// The operator's view: true figures, control with confirmation, incidents with remedies, the configuration.

import { fundPath, get, post, unready } from "./api.js";
import { makeAttention } from "./attention.js";
import { confirmAction } from "./confirm.js";
import { h, replace, setText } from "./dom.js";
import { leverage, money, nav, price, quantity, time, words } from "./format.js";
import { FLOW_ACTIONS, makeFlows } from "./flows.js";
import { meaning } from "./incidents.js";
import { makeNeedle, makeTriggers } from "./needle.js";
import { makeState } from "./overview.js";
import { makeAllRebalances } from "./rebalances.js";
import { currentSession, login, logout } from "./session.js";
import { followStream } from "./stream.js";

const REREAD_MS = 2000;

const ACTIONS = [
  { word: "pause", label: "Pause", say: "Pausing stops every increase of the position. Delevering goes on." },
  { word: "resume", label: "Resume", say: "Resuming rearms what was stopped: read the open incidents first." },
  { word: "rebalance", label: "Rebalance", say: "The fund trades to a leverage in its target range, or to the one stated here.", asks: { name: "leverage", label: "Leverage (empty: drawn from the target range)" } },
  { word: "flatten", label: "Flatten", say: "The fund closes its whole position and takes redemptions only.", danger: true },
  { word: "halt", label: "Halt", say: "Halting stops everything, delevering included. Only an emergency calls for it.", danger: true },
];

function loginForm(onDone) {
  const token = h("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true });
  const error = h("p", { class: "error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    setText(error, "");
    try {
      await login(token.value);
      await onDone();
    } catch (problem) {
      setText(error, problem.message);
      token.select();
    }
  };
  return h(
    "section",
    { class: "card" },
    h("h1", {}, "Operator"),
    h("p", { class: "note" }, "The token is in operator.token in the daemon's data directory. It is sent once and not kept by this page."),
    h("form", { class: "plain", onsubmit: submit }, h("input", { type: "text", name: "username", value: "operator", autocomplete: "username", hidden: true }), h("div", {}, h("label", { for: "token" }, "Operator's token"), token), error, h("div", {}, h("button", { class: "primary", type: "submit" }, "Log in"))),
  );
}

function incidentElement(fund, incident, act) {
  const seen = incident.acknowledged;
  return h(
    "div",
    { class: `incident${incident.stops_increases ? " stops" : ""}`, "data-incident": incident.code },
    h("p", {}, h("strong", {}, incident.code), ` since ${time(incident.since)} UTC `, incident.stops_increases ? h("span", { class: "badge", "data-tone": "warn" }, "stops increases") : null),
    h("p", {}, meaning(incident.code)),
    h("p", {}, incident.detail),
    h("p", { class: "remedy" }, `What to do: ${incident.remedy}`),
    seen
      ? h("p", { class: "remedy" }, `In hand since ${time(seen.at)} UTC: ${seen.author}, ${seen.why}`)
      : act === null
        ? null
        : h("div", { class: "actions" }, h("button", { type: "button", onclick: () => act(fund, incident) }, "Acknowledge")),
  );
}

/** Incidents of the daemon itself: they end by themselves once their cause is gone. */
function makeDaemon() {
  const list = h("div");
  const element = h("section", { class: "card", "data-daemon": "", "aria-label": "Daemon", hidden: true }, h("h2", {}, "Daemon"), list);
  const update = (incidents) => {
    element.hidden = !incidents.length;
    const key = JSON.stringify(incidents);
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    replace(list, incidents.map((incident) => incidentElement(null, incident, null)));
  };
  return { element, update };
}

/** A part that is read only while it is open: `soon()` reads it again, not more often than every other second. */
function makeDrawer(title, make) {
  const error = h("p", { class: "error" });
  let made = null;
  let read_ms = -REREAD_MS;
  let timer = 0;
  const soon = () => {
    timer ||= setTimeout(read, Math.max(0, read_ms + REREAD_MS - performance.now()));
  };
  const read = async () => {
    timer = 0;
    if (!element.open || !element.isConnected) return;
    read_ms = performance.now();
    if (!made) element.append((made = make()).element, error);
    try {
      await made.read();
      setText(error, "");
    } catch (problem) {
      setText(error, problem.message);
    }
  };
  const element = h("details", { ontoggle: read }, h("summary", {}, title));
  return { element, soon };
}

/** What a fund's life allows, and until when a flow waits. */
function describeLife({ life, state }) {
  const open = [life.subscriptions_open ? "Subscriptions open" : "Subscriptions closed", life.redemptions_open ? "redemptions open" : "redemptions closed"];
  const since = life.state === state ? `${words(state)} since ${time(life.since)} UTC: ` : "";
  const why = life.why ? `${since}${life.why}. ${life.remedy ? `What to do: ${life.remedy}. ` : ""}` : "";
  const said = `${why}${open.join(", ")}; next dealing ${time(life.next_dealing_at)} UTC.`;
  return said[0].toUpperCase() + said.slice(1);
}

function makeFund(fund, run, acknowledge) {
  const state = makeState(fund);
  const needle = makeNeedle(fund);
  const triggers = makeTriggers(fund);
  const control = h("p", { class: "note" });
  const life = h("p", { class: "note" });
  const incidents = h("div");
  const figures = {
    Mark: (f) => price(f.mark),
    NAV: (f) => nav(f.nav),
    Units: (f) => quantity(f.units),
    "Fund value": (f) => money(f.fund_value),
    Position: (f) => quantity(f.position),
    Notional: (f) => money(f.notional),
    Wallet: (f) => money(f.wallet_balance),
    Unallocated: (f) => money(f.unallocated),
    Payable: (f) => money(f.redemptions_payable),
    Fees: (f) => money(f.fees),
    Funding: (f) => money(f.funding),
    Rebalances: (f) => String(f.rebalances ?? "–"),
  };
  const values = Object.keys(figures).map(() => h("dd"));
  const lever = h("span", { class: "big" });
  const drawers = [makeDrawer("Rebalances, those not public included", () => makeAllRebalances(fund.fund)), makeDrawer("Subscriptions and redemptions", () => makeFlows(fund.fund))];
  const element = h(
    "section",
    { class: "card hero", "data-operator-fund": fund.fund, "aria-label": fund.fund, tabindex: "-1" },
    h("div", { class: "head" }, h("h2", {}, fund.fund), h("span", { class: "side", "data-side": fund.side }, fund.side === "long" ? "UP" : "DOWN"), state.element, lever),
    needle.element,
    triggers.element,
    h("dl", { class: "tiles" }, Object.keys(figures).map((label, i) => h("div", {}, h("dt", {}, label), values[i]))),
    life,
    control,
    incidents,
    h(
      "div",
      { class: "actions" },
      [...ACTIONS, ...FLOW_ACTIONS].map((action) => h("button", { type: "button", class: action.danger ? "danger" : null, onclick: () => run(fund.fund, action) }, action.label)),
    ),
    drawers.map((drawer) => drawer.element),
  );
  const update = (now) => {
    for (const part of [state, needle, triggers]) part.update(now);
    setText(lever, leverage(now.real_leverage));
    Object.values(figures).forEach((text, i) => setText(values[i], text(now)));
    const said = now.control;
    setText(control, said?.author ? `${words(said.state)} since ${time(said.since)} UTC by ${said.author}: ${said.why}` : "");
    const key = JSON.stringify(now.incidents);
    if (incidents.dataset.key !== key) {
      incidents.dataset.key = key;
      replace(incidents, (now.incidents ?? []).map((incident) => incidentElement(fund.fund, incident, acknowledge)));
    }
    setText(life, describeLife(now));
    for (const drawer of drawers) drawer.soon();
  };
  update(fund);
  return { element, update };
}

/** The settings that apply, and a button that has the daemon read them again: `reload()` resolves to what it told. */
function configuration(reload) {
  const body = h("tbody");
  const error = h("p", { class: "error" });
  const told = h("p", { role: "status" });
  const read = async () => {
    if (!details.open) return;
    try {
      const rows = await get("/api/v1/operator/configuration");
      setText(error, "");
      replace(body, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, row.name)), h("td", { "data-label": "Value" }, row.value ?? "not set"), h("td", { "data-label": "Set by" }, row.origin))));
    } catch (problem) {
      setText(error, problem.message);
    }
  };
  const again = async () => {
    const done = await reload();
    if (!done) return;
    const changed = done.changed.length ? `Taken over: ${done.changed.join(", ")}.` : "Nothing has changed.";
    setText(told, `${changed}${done.waiting.length ? ` After their rebalance: ${done.waiting.join(", ")}.` : ""}`);
    read();
  };
  const details = h(
    "details",
    { class: "card", ontoggle: read },
    h("summary", {}, "Effective configuration (secrets masked)"),
    h("div", { class: "actions" }, h("button", { type: "button", onclick: again }, "Reload settings"), told),
    error,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Effective configuration" }, h("table", { class: "record" }, h("thead", {}, h("tr", {}, ["Setting", "Value", "Set by"].map((t) => h("th", { scope: "col" }, t)))), body)),
  );
  return details;
}

/** The view: a login, or all funds with their true figures. Mounts into `place`; the result ends it. */
export function mountOperator(place) {
  let ended = false;
  let leave = () => {};

  const askLogin = () => {
    leave();
    if (!ended) replace(place, loginForm(() => enter().then(() => place.focus({ preventScroll: true }))));
  };

  const enter = async () => {
    const session = await currentSession();
    if (ended) return;
    if (!session.operator) {
      askLogin();
      return;
    }
    let stopped = false;
    const cards = new Map();
    const list = h("div", { class: "stack" });
    const daemon = makeDaemon();
    const attention = makeAttention((name) => cards.get(name).element);
    const error = h("p", { class: "error", role: "alert" });
    const leaveButton = h("button", { type: "button", class: "quiet", onclick: async () => (await logout(), askLogin()) }, "Log out");
    const show = (fund) => {
      if (!stopped) setText(error, "");
      daemon.update(fund.daemon_incidents);
      if (!cards.has(fund.fund)) {
        cards.set(fund.fund, makeFund(fund, run, acknowledge));
        list.append(cards.get(fund.fund).element);
      }
      cards.get(fund.fund).update(fund);
      attention.update(fund);
    };
    const said = (state) => {
      if (state === "live") setText(error, "");
      else if (state === "lost" && !stopped) {
        setText(error, `True figures stopped at ${new Date().toISOString().slice(11, 19)} UTC. What is shown is of then; trying again.`);
      }
      stopped = state === "lost";
      // Whoever is not the operator any more is not told so by a stream.
      if (stopped) currentSession().then((now) => now.operator || ended || askLogin(), () => {});
    };
    const carryOut = async (path, title, say, options, extra) => {
      let answer = null;
      await confirmAction({ title, say, ...options }, async (said) => {
        answer = await post(path, { ...extra, ...said }, session.csrf, crypto.randomUUID?.() ?? String(Math.random()));
      });
      if (answer?.life) show(answer); // the fund as it is now; the stream tells the rest
      return answer;
    };
    const reload = () =>
      carryOut("/api/v1/operator/reload", "Reload settings", "Settings are read again and judged. If they are right they apply, to a fund whose rebalance runs when that is over; if not, nothing changes.", {}, {});
    const run = (fund, action) => carryOut(fundPath(fund, `/${action.word}`), `${action.label} ${fund}`, action.say, { danger: action.danger, asks: action.asks }, {});
    const acknowledge = (fund, incident) =>
      carryOut(fundPath(fund, "/incidents/acknowledge"), `Acknowledge: ${incident.code}`, "It stays open until its cause is gone; others see who has it in hand.", {}, { code: incident.code });
    replace(place, h("div", { class: "head" }, h("h1", {}, "Operator"), h("p", {}, "True figures: not for the public."), leaveButton), h("div", { class: "stack" }, error, attention.element, daemon.element, list, configuration(reload)));
    const heartbeat = async ({ funds }) => {
      if ([...cards.keys()].every((name) => funds.includes(name))) return;
      const reasons = await unready().catch(() => []);
      setText(error, `No fund runs here (${reasons.join("; ")}). What is shown is of before.`);
    };
    leave = followStream("/api/v1/operator/stream", { fund: show, heartbeat }, said);
  };

  enter().catch((problem) => replace(place, h("p", { class: "error" }, problem.message)));
  return () => {
    ended = true;
    leave();
  };
}
