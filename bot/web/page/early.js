// Runs before the first paint: a chosen theme does not flash, and what the first view needs is on its way.
"use strict";
(() => {
  const chosen = localStorage.getItem("inband-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;

  const assets = document.currentScript.src.replace(/\/[^/]*$/, "");
  const parts = {
    fund: ["fund", "series", "charts", "sketch", "costs", "promise", "rebalances", "incidents", "verify", "sha256"],
    operator: ["operator", "confirm", "flows", "rebalances", "incidents", "session", "verify", "sha256"],
  };
  const [, view] = location.hash.match(/^#\/(\w+)/) ?? [];
  for (const name of parts[view] ?? []) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href: `${assets}/${name}.js` }));
  }
})();
