// The two charts of a fund, drawn by plotly, which is loaded when the first chart is looked at.

let loading = null;

/** Load plotly, once; whoever is going to draw calls this early. */
export function plotly(assets) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${assets}/plotly.min.js`;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function layout(extra) {
  const ink = color("faint");
  const line = color("line");
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, tickfont: { color: ink }, fixedrange: false };
  return {
    margin: { l: 48, r: 14, t: 8, b: 34 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: ink },
    hovermode: "x unified",
    hoverlabel: { bgcolor: color("card"), bordercolor: line, font: { color: color("ink") } },
    legend: { orientation: "h", x: 0, y: 1.12, font: { color: ink } },
    showlegend: true,
    uirevision: "kept",
    ...extra,
    xaxis: { type: "date", ...axis, ...extra.xaxis },
    yaxis: { ...axis, ...extra.yaxis },
  };
}

const CONFIG = { displayModeBar: false, responsive: true };

/** A series relative to its first value in sight: how much one of it became. */
function relative(values) {
  const first = values.find((value) => value !== null && value !== 0);
  return first === undefined ? values : values.map((value) => (value === null ? null : value / first));
}

/** Net asset value beside the underlying and the conventional token, each relative to the range's start. */
export async function drawNav(place, assets, series) {
  const times = series.map((row) => new Date(row.t));
  const line = (name, values, ink, extra = {}) => ({
    x: times,
    y: relative(values),
    name,
    mode: "lines",
    line: { color: color(ink), width: 2, ...extra },
    hovertemplate: "%{y:.4f}",
  });
  const traces = [line("NAV", series.map((row) => row.nav), "accent"), line("underlying", series.map((row) => row.mark), "faint", { width: 1.3 })];
  if (series.some((row) => row.shadow !== null)) {
    traces.push(line("conventional 3x token", series.map((row) => row.shadow), "needle", { width: 1.3, dash: "dot" }));
  }
  await draw(place, assets, traces, layout({ yaxis: { tickformat: ".3f" } }));
}

/** Real leverage with its band, its target range and the rebalances. */
export async function drawLeverage(place, assets, series, fund, rebalances) {
  const [lower, upper] = fund.band.map(Number);
  const [low, high] = fund.target_range.map(Number);
  const across = (from, to, ink, opacity) => ({
    type: "rect",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: from,
    y1: to,
    fillcolor: color(ink),
    opacity,
    line: { width: 0 },
    layer: "below",
  });
  const first = series.length ? series[0].t : 0;
  const shown = rebalances.filter((r) => r.leverage_after !== null && Date.parse(r.finished_at) >= first);
  const traces = [
    {
      x: series.map((row) => new Date(row.t)),
      y: series.map((row) => row.leverage),
      name: "real leverage",
      mode: "lines",
      line: { color: color("accent"), width: 2 },
      hovertemplate: "%{y:.3f}x",
    },
    {
      x: shown.map((r) => new Date(r.finished_at)),
      y: shown.map((r) => Number(r.leverage_after)),
      name: "rebalances",
      mode: "markers",
      marker: { color: color("needle"), size: 9, line: { color: color("card"), width: 1.5 } },
      text: shown.map((r) => `${r.kind}: ${Number(r.leverage_before ?? 0).toFixed(2)}x to ${Number(r.leverage_after).toFixed(2)}x`),
      hovertemplate: "%{text}<extra></extra>",
    },
  ];
  const values = series.map((row) => row.leverage).filter((value) => value !== null);
  const yaxis = { tickformat: ".1f", range: [Math.min(lower, ...values) * 0.93, Math.max(upper, ...values) * 1.05] };
  await draw(place, assets, traces, layout({ yaxis, shapes: [across(lower, upper, "band", 0.45), across(low, high, "target", 0.3)] }));
}

async function draw(place, assets, traces, figure) {
  try {
    const library = await plotly(assets);
    if (!place.isConnected) return;
    place.classList.remove("waiting");
    if (!place.dataset.drawn) place.replaceChildren();
    place.dataset.drawn = "yes";
    await library.react(place, traces, figure, CONFIG);
  } catch (error) {
    noChart(place, error);
  }
}

/** Say in the place of a chart why there is none. */
export function noChart(place, error) {
  if (place.dataset.drawn) window.Plotly.purge(place);
  delete place.dataset.drawn;
  place.classList.add("waiting");
  place.textContent = `No chart: ${error.message}`;
}
