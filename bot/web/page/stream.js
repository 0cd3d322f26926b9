// Server-sent events, and the truth about whether they still come.

const SILENCE_MS = 20_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Follow a stream until the result is called: `on` maps event names to handlers of their parsed data; `said(state)` hears
 * "connecting", "live" or "lost". After a silence the stream is made anew. A page that nobody sees has none: a
 * browser grants one daemon six connections, all its tabs together.
 */
export function followStream(url, on, said) {
  let source = null;
  let timer = 0;
  let pause = 1000;
  let ended = false;

  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(lost, SILENCE_MS);
    pause = 1000;
    said("live");
  };
  const lost = () => {
    clearTimeout(timer);
    source?.close();
    if (ended) return;
    said("lost");
    timer = setTimeout(open, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  };
  const open = () => {
    source = new EventSource(url);
    source.onopen = alive;
    source.onerror = lost;
    source.addEventListener("heartbeat", alive);
    for (const [name, handle] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        alive();
        handle(JSON.parse(event.data));
      });
    }
    timer = setTimeout(lost, SILENCE_MS);
  };
  const rest = () => {
    clearTimeout(timer);
    source?.close();
  };
  const seen = () => {
    rest();
    said("connecting");
    if (!document.hidden) open();
  };
  seen();
  document.addEventListener("visibilitychange", seen);
  return () => {
    ended = true;
    document.removeEventListener("visibilitychange", seen);
    rest();
  };
}
