// The operator's session: a cookie that scripts cannot read, and the token that goes with each change.

import { get, post } from "./api.js";

const PATH = "/api/v1/session";

/** Whether this browser is the operator's, and the CSRF token if so. */
export const currentSession = () => get(PATH);

/** Log in with the operator's token. */
export const login = (token) => post(PATH, { token });

/** End the session. */
export async function logout() {
  const { csrf } = await currentSession();
  await fetch(PATH, { method: "DELETE", headers: { "X-CSRF-Token": csrf ?? "" }, credentials: "same-origin" });
}
