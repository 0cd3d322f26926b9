// The two charts of a fund. Each is seen at once, as a sketch, and becomes plotly's when plotly is there.

import { h, replace, setText } from "./dom.js";
import { leverage, nav, percent } from "./format.js";
import { MARGIN, sketch } from "./sketch.js";

let loading = null;

function runScript(source) {
  return new Promise((resolve, reject) => {
    const script = h("script", { src: source });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly could not be loaded"));
    document.head.append(script);
  });
}

/** Load plotly, once. */
function plotly(assets) {
  loading ??= runScript(`${assets}/plotly.min.js`);
  return loading;
}

const COMPILED = "inband-compiled";

/**
 * Browsers keep the compiled code of a script when it runs for the second time. Plotly takes half a second to compile,
 * so on the first visit it is run once more when nobody waits (a tenth of a second): the second visit has it ready.
 */
function haveItKept(assets) {
  const source = `${assets}/plotly.min.js`;
  if (!window.requestIdleCallback || localStorage.getItem(COMPILED) === source) return;
  localStorage.setItem(COMPILED, source);
  requestIdleCallback(async () => {
    const ours = window.Plotly;
    await runScript(source).catch(() => {});
    window.Plotly = ours;
  });
}

/** Have plotly on its way into the browser's cache, before there is a chart to draw. */
export function expectPlotly(assets) {
  document.head.append(h("link", { rel: "prefetch", href: `${assets}/plotly.min.js`, as: "script" }));
}

/** Resolves when what was changed has been painted. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

/** A series relative to its first value in sight: how much one of it became. */
function relative(values) {
  const first = values.find((value) => value !== null && value !== 0);
  return first === undefined ? values : values.map((value) => (value === null ? null : value / first));
}

const SHORTEST_MS = 60_000;

/** From the first to the last time; no shorter than a bar. */
function spanOf(times) {
  const [first, last] = [Math.min(...times), Math.max(...times)];
  return [Math.min(first, last - SHORTEST_MS), last];
}

/** Lowest and highest of the numbers, with some room. */
function rangeOf(values, room) {
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  if (low > high) return [0, 1];
  const beyond = (high - low) * room || Math.abs(high) * 0.01 || 1;
  return [low - beyond, high + beyond];
}

const line = (name, x, y, ink, extra = {}) => ({ name, x, y, ink, width: 2, hover: "%{y:.4f}", ...extra });

/** Net asset value beside the underlying and the conventional token, each relative to the range's start. */
export function navFigure(series) {
  const times = series.map((row) => row.t);
  const of = (name) => relative(series.map((row) => row[name]));
  const traces = [line("NAV", times, of("nav"), "accent"), line("underlying", times, of("mark"), "faint", { width: 1.3 })];
  if (series.some((row) => row.shadow !== null)) traces.push(line("conventional 3x token", times, of("shadow"), "needle", { width: 1.3, dash: "dot" }));
  const [first, last] = [series[0].nav, series.at(-1).nav];
  return {
    traces,
    areas: [],
    x: spanOf([times[0], times.at(-1)]),
    y: rangeOf(traces.flatMap((trace) => trace.y), 0.06),
    label: (value) => value.toFixed(3),
    format: ".3f",
    said: `Net asset value, from ${nav(first)} to ${nav(last)}${first ? `, ${percent(last / first - 1, 2)}` : ""}`,
  };
}

/** Real leverage with its band, its target range and the rebalances. */
export function leverageFigure(series, fund, rebalances) {
  const [lower, upper] = fund.band.map(Number);
  const [low, high] = fund.target_range.map(Number);
  const times = series.map((row) => row.t);
  const values = series.map((row) => row.leverage);
  const shown = rebalances.filter((r) => r.leverage_after !== null && Date.parse(r.finished_at) >= times[0]);
  const marks = {
    name: "rebalances",
    marks: true,
    x: shown.map((r) => Date.parse(r.finished_at)),
    y: shown.map((r) => Number(r.leverage_after)),
    ink: "needle",
    text: shown.map((r) => `${r.kind}: ${leverage(r.leverage_before ?? 0, 2)} to ${leverage(r.leverage_after, 2)}`),
    hover: "%{text}<extra></extra>",
  };
  return {
    traces: [line("real leverage", times, values, "accent", { hover: "%{y:.3f}x" }), marks],
    areas: [
      { from: lower, to: upper, ink: "band", opacity: 0.45, name: "band" },
      { from: low, to: high, ink: "target", opacity: 0.3, name: "target range" },
    ],
    x: spanOf([times[0], times.at(-1), ...marks.x]),
    y: rangeOf([lower, upper, ...values, ...marks.y], 0.06),
    label: (value) => value.toFixed(1),
    format: ".1f",
    said: `Real leverage, now ${leverage(values.at(-1), 2)}, in the band of ${leverage(lower, 2)} to ${leverage(upper, 2)}; ${shown.length} rebalances in sight`,
  };
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** The figure in plotly's words. */
function inPlotly(figure, hidden) {
  const ink = color("faint");
  const grid = color("line");
  const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickfont: { color: ink } };
  const traces = figure.traces.map((trace) => ({
    x: trace.x.map((at) => new Date(at)),
    y: trace.y,
    name: trace.name,
    text: trace.text,
    hovertemplate: trace.hover,
    visible: !hidden.has(trace.name),
    mode: trace.marks ? "markers" : "lines",
    ...(trace.marks
      ? { marker: { color: color(trace.ink), size: 9, line: { color: color("card"), width: 1.5 } } }
      : { line: { color: color(trace.ink), width: trace.width, dash: trace.dash } }),
  }));
  const shapes = figure.areas.map(({ from, to, ink: fill, opacity }) => ({
    type: "rect",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: from,
    y1: to,
    fillcolor: color(fill),
    opacity,
    line: { width: 0 },
    layer: "below",
  }));
  const layout = {
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink },
    hovermode: "x unified",
    hoverlabel: { bgcolor: color("card"), bordercolor: grid, font: { color: color("ink") } },
    showlegend: false,
    uirevision: "kept",
    xaxis: { type: "date", range: figure.x.map((at) => new Date(at)), ...axis },
    yaxis: { tickformat: figure.format, range: figure.y, ...axis },
    shapes,
  };
  return [traces, layout, { displayModeBar: false, responsive: true }];
}

/** What the lines are called; each can be put away and had back. */
function makeLegend(hidden, onChange) {
  const element = h("div", { class: "legend" });
  let shown = "";
  const button = (trace) =>
    h(
      "button",
      {
        type: "button",
        "aria-pressed": String(!hidden.has(trace.name)),
        onclick: (event) => {
          const gone = hidden.delete(trace.name) ? false : Boolean(hidden.add(trace.name));
          event.currentTarget.setAttribute("aria-pressed", String(!gone));
          onChange();
        },
      },
      swatch(trace),
      trace.name,
    );
  const swatch = ({ ink, marks, dash }) => h("span", { class: `swatch${marks ? " round" : ""}${dash ? " dotted" : ""}`, style: `color: var(--${ink})` });
  const update = (figure) => {
    const key = figure.traces.map((trace) => trace.name).join();
    if (key === shown) return;
    shown = key;
    replace(element, figure.traces.map(button), figure.areas.map((area) => h("span", { class: "key" }, h("span", { class: "swatch area", style: `color: var(--${area.ink})` }), area.name)));
  };
  return { element, update };
}

/** One chart in its card: `show(figure)` draws it now, `finish()` by plotly, the others tell why not. */
export function makeChart(name, title, extra, assets) {
  const hidden = new Set();
  const legend = makeLegend(hidden, () => redraw());
  const plot = h("div", { class: "plot" });
  const note = h("p", { class: "empty" }, "Loading");
  const said = h("p", { class: "note", hidden: true });
  const place = h("div", { class: "chart", role: "img", "aria-label": title, "data-chart": name }, note);
  const element = h("section", { class: "card" }, h("div", { class: "chart-bar" }, h("h2", {}, title), extra), legend.element, place, said);
  let last = null;
  let drawn = false;

  const show = (figure) => {
    last = figure;
    say("");
    legend.update(figure);
    place.setAttribute("aria-label", figure.said);
    if (drawn) return;
    const { clientWidth, clientHeight } = place;
    const seen = { ...figure, traces: figure.traces.filter((trace) => !hidden.has(trace.name)) };
    replace(place, sketch(seen, clientWidth, clientHeight), plot);
  };
  const finish = async () => {
    const library = await plotly(assets);
    if (!place.isConnected || last === null) return;
    await library.react(plot, ...inPlotly(last, hidden));
    if (drawn) return;
    drawn = true;
    replace(place, plot);
  };
  const redraw = () => {
    show(last);
    if (drawn) finish();
  };
  const clear = () => {
    if (plot.childElementCount) window.Plotly.purge(plot);
    drawn = false;
    last = null;
  };
  const none = (why) => {
    clear();
    setText(note, `No chart: ${why}`);
    replace(place, note);
  };
  const say = (text) => {
    said.hidden = !text;
    setText(said, text);
  };
  const fail = (error) => (last === null ? none(error.message) : say(`Not up to date: ${error.message}.`));
  return { element, show, finish, none, say, fail, end: clear };
}

/** Have plotly draw the charts one after the other, each when what is before it has been painted. */
export async function finishAll(charts, assets) {
  for (const chart of charts) {
    await painted();
    await chart.finish();
  }
  haveItKept(assets);
}
