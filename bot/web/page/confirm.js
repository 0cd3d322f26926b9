// Nothing is done to a fund without a confirmation that takes author and reason.

import { h, setText } from "./dom.js";

const AUTHOR = "inband-author";

function field(id, label, options) {
  const input = h("input", { id, name: id, ...options });
  return { input, row: h("div", {}, h("label", { for: id }, label), input) };
}

/**
 * Ask for confirmation; `act({author, reason, ...})` does it, and its error is shown in the dialog.
 * Resolves to true when it was done, to false when it was left.
 */
export function confirmAction({ title, say, danger = false, asks = null }, act) {
  return new Promise((resolve) => {
    const author = field("author", "Your name", { required: true, maxlength: 200, autocomplete: "name", value: sessionStorage.getItem(AUTHOR) ?? "" });
    const reason = field("reason", "Reason", { required: true, maxlength: 200 });
    const asked = asks ? field(asks.name, asks.label, { inputmode: "decimal", pattern: "[0-9]*[.]?[0-9]+", required: asks.needed }) : null;
    const error = h("p", { class: "error", role: "alert" });
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, title);
    const dialog = h("dialog", { "aria-labelledby": "confirm-title" });
    const close = (done) => {
      dialog.close();
      dialog.remove();
      resolve(done);
    };
    const submit = async (event) => {
      event.preventDefault();
      go.disabled = true;
      setText(error, "");
      sessionStorage.setItem(AUTHOR, author.input.value);
      const said = { author: author.input.value.trim(), reason: reason.input.value.trim() };
      if (asked?.input.value) said[asks.name] = asked.input.value;
      try {
        await act(said);
        close(true);
      } catch (problem) {
        setText(error, problem.message);
        go.disabled = false;
      }
    };
    dialog.append(
      h(
        "form",
        { class: "plain", onsubmit: submit },
        h("h2", { id: "confirm-title" }, title),
        h("p", {}, say),
        author.row,
        reason.row,
        asked?.row,
        error,
        h("div", { class: "actions" }, go, h("button", { type: "button", onclick: () => close(false) }, "Cancel")),
      ),
    );
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(false);
    });
    document.querySelector("#dialogs").append(dialog);
    dialog.showModal();
    (author.input.value ? reason : author).input.focus();
  });
}
