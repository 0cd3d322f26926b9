// Requests to the daemon. Errors carry the daemon's own words.

/** An answer that was not the one asked for: `status`, and the daemon's message. */
export class ApiError extends Error {
  constructor(status, message, field) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

async function answerOf(response) {
  const body = response.headers.get("content-type")?.includes("json") ? await response.json() : null;
  if (!response.ok) {
    throw new ApiError(response.status, body?.error?.message ?? `the daemon answered ${response.status}`, body?.error?.field);
  }
  return body;
}

const asked = new Map();

const request = (path, more = {}) => fetch(path, { headers: { Accept: "application/json", ...more }, credentials: "same-origin" });

/** Ask now for what `get` will be asked for soon, once. */
export function ahead(path) {
  const answer = request(path);
  answer.catch(() => {}); // told to who gets it
  asked.set(path, answer);
}

/** Read JSON. */
export async function get(path) {
  const answer = asked.get(path) ?? request(path);
  asked.delete(path);
  return answerOf(await answer);
}

/** Read JSON as it is now, whatever a cache has. */
export const getNow = async (path) => answerOf(await request(path, { "Cache-Control": "no-cache" }));

/** Why the daemon is not ready, one reason each; none when it is. */
export const unready = async () => (await (await request("/readyz", { "Cache-Control": "no-cache" })).json()).reasons;

/** Send JSON on the operator's behalf; `csrf` is what the login answered. */
export async function post(path, body, csrf = "", key = "") {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (key) headers["Idempotency-Key"] = key;
  return answerOf(await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin" }));
}

/** The path of a fund. */
export const fundPath = (fund, rest = "") => `/api/v1/funds/${encodeURIComponent(fund)}${rest}`;
