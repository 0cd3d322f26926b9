// The page: which view is shown, whether figures still come in, and the theme.

import { get } from "./api.js";
import { replace, setText, h } from "./dom.js";
import { mountOverview } from "./overview.js";
import { time } from "./format.js";
import { makeStore } from "./store.js";
import { followStream } from "./stream.js";

const ASSETS = new URL(".", import.meta.url).pathname.replace(/\/$/, "");
const store = makeStore();
const main = document.querySelector("#main");
let leave = () => {};

const LOADERS = {
  fund: () => import("./fund.js").then((module) => module.mountFund),
  operator: () => import("./operator.js").then((module) => module.mountOperator),
};

async function show() {
  const [, view = "", name = ""] = location.hash.match(/^#\/(\w*)\/?(.*)$/) ?? [];
  leave();
  leave = () => {};
  for (const link of document.querySelectorAll(".views a")) {
    const current = link.dataset.view === (view === "operator" ? "operator" : "overview");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.querySelector(".foot").hidden = view === "operator"; // it tells of public figures
  const shown = location.hash;
  if (view === "fund" || view === "operator") {
    const mount = await LOADERS[view]();
    if (shown !== location.hash) return;
    leave = mount(main, store, decodeURIComponent(name), ASSETS);
    document.title = view === "fund" ? `${decodeURIComponent(name)} · Inband` : "Operator · Inband";
  } else {
    leave = mountOverview(main, store);
    document.title = "Inband";
  }
}

const MODES = { paper: "PAPER", "dry-run": "DRY-RUN", testnet: "TESTNET", live: "LIVE" };

function showMode() {
  const badge = document.querySelector("#mode");
  const modes = [...new Set(store.funds().map((fund) => fund.mode))];
  badge.hidden = !modes.length;
  if (!modes.length) return;
  setText(badge, modes.map((mode) => MODES[mode] ?? mode.toUpperCase()).join(" + "));
  badge.dataset.mode = modes.includes("live") ? "live" : modes[0];
  badge.title = modes.includes("live") ? "real money" : "no real money: these figures are never added to live ones";
}

const SAID = { connecting: "connecting", live: "live", lost: "updates stopped" };

function showConnection(state) {
  const place = document.querySelector("#connection");
  const banner = document.querySelector("#banner");
  if (place.dataset.state === state) return;
  place.dataset.state = state;
  setText(place, SAID[state]);
  banner.hidden = state !== "lost";
  if (state === "lost") {
    setText(banner, `Updates stopped at ${new Date().toISOString().slice(11, 19)} UTC. What is shown is of then; trying again.`);
  }
}

function setUpTheme() {
  const button = document.querySelector("#theme");
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const label = () => {
    setText(button, dark() ? "Light" : "Dark");
    button.setAttribute("aria-label", dark() ? "Use light colours" : "Use dark colours");
  };
  button.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("inband-theme", next);
    label();
    store.happened("theme", next);
  });
  label();
}

/** Paper mode: the market's time, and how far a replay is. */
function followMarket({ speed, start, end }) {
  const place = document.querySelector("#market");
  const bar = place.querySelector("progress");
  const [from, to] = [Date.parse(start), Date.parse(end)];
  bar.hidden = end === null;
  store.follow(() => {
    const now = store.funds().reduce((latest, fund) => (fund.updated_at > latest ? fund.updated_at : latest), "");
    place.hidden = speed === null || !now;
    if (place.hidden) return;
    const at = `market time ${time(now)} UTC, ${speed === "max" ? "as fast as possible" : `${Number(speed)}x`}`;
    if (end === null) {
      setText(place.querySelector("span"), at);
      return;
    }
    const done = Math.min(1, Math.max(0, (Date.parse(now) - from) / (to - from)));
    setText(place.querySelector("span"), `replay ${Math.floor(done * 100)} %, ${at}`);
    bar.value = done;
  });
}

async function readAll() {
  store.putAll(await get("/api/v1/funds"));
}

/** What the first view needs is fetched while the funds are; what the next one may need, when there is time. */
function expectFirst() {
  const [, name] = location.hash.match(/^#\/fund\/(.+)$/) ?? [];
  if (name) import("./fund.js").then((module) => module.expectFund(decodeURIComponent(name), ASSETS), () => {});
  else if (!navigator.connection?.saveData) {
    (window.requestIdleCallback ?? setTimeout)(() => import("./fund.js").then((module) => module.expectPlotly(ASSETS), () => {}));
  }
}

async function begin() {
  setUpTheme();
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the hash says which view is shown
    main.focus();
  });
  expectFirst();
  store.follow(showMode);
  addEventListener("hashchange", () => {
    show();
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  try {
    await readAll();
  } catch (error) {
    replace(main, h("p", { class: "empty" }, `The funds could not be read: ${error.message}`));
  }
  get("/api/v1/market").then(followMarket, () => {});
  show();
  let connected = false;
  followStream(
    "/api/v1/stream",
    {
      fund: (fund) => store.put(fund),
      rebalance: (rebalance) => store.happened("rebalance", rebalance),
      incident: (incident) => store.happened("incident", incident),
      // A host that lost its accounts drives none of the funds that it showed.
      heartbeat: ({ chain_heads: heads }) => {
        if (store.funds().some((fund) => !(fund.fund in heads))) readAll().catch(() => {});
      },
    },
    (state) => {
      showConnection(state);
      // What was missed while nothing came is read at once.
      if (state === "live" && !connected) readAll().then(() => store.happened("reconnected", null), () => {});
      connected = state === "live";
    },
  );
}

begin();
