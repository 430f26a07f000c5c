// Keyboard shortcuts: on the page and in the email's frame.
import { $, make } from "./dom.js";
import * as frame from "./frame.js";

const KEYS = [
  ["1 – 9, 0", "Mail, inbox, web page, plain text, HTML, MJML, headers, request, compare, proof sheet"],
  ["d  t  p", "Desktop, tablet, phone"], ["c", "Light, dark, forced dark"], ["i", "Images on or off"],
  ["/", "Find in the text"], ["j  k", "Next, previous issue"], ["g", "Last good version"],
  ["s", "Send me a test"], ["?", "These shortcuts"],
];

export function showShortcuts() {
  for (const [key, text] of KEYS) $("shortcuts").append(make("dt", {}, make("kbd", { textContent: key })), make("dd", { textContent: text }));
  $("help-button").onclick = () => $("help").showModal();
}

// Calls an action for its key, except while typing and in dialogs.
export function listenToKeys(actions) {
  const all = { ...actions, "?": () => $("help").showModal() };
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, select, textarea")) return;
    if (document.body.classList.contains("empty-folder") && event.key !== "?") return;
    const action = Object.hasOwn(all, event.key) && all[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", onKeyDown);
  frame.onKey(onKeyDown);
}
