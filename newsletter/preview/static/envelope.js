// The head: sender, subject and preheader, changed in place, and the row that an inbox shows.
import { $, make, post } from "./dom.js";

const FIELDS = ["sender_name", "subject", "preheader"];
const SOURCES = {
  "newsletter.yml": "from newsletter.yml", title: "from the title", page: "from the page's description",
  description: "from description", summary: "from summary", excerpt: "from excerpt",
};
const MERGE_TAG = /\{\{(?:[^}]*?default\(\s*(["'])(.*?)\1\s*\))?[^}]*\}\}/g;
const input = (key) => $(`envelope-${key}`);
const bases = {}; // field -> hash of the post that the page showed when its change began
let issue = "";
let shown = null;
let mail = null;
let conflict = "";

const isChanged = (key) => shown !== null && input(key).value !== (input(key).dataset.saved ?? "");
const countCharacters = (text) => [...text].length;
const formatCount = (count) => `${count} character${count === 1 ? "" : "s"}`;

// Returns whether a change is neither saved nor given up, and goes to it.
export function hasUnsaved() {
  const key = FIELDS.find(isChanged);
  if (!key) return false;
  showMessage(`Save your change with Enter, or drop it with Escape, before you leave.`);
  input(key).focus();
  return true;
}

export function showEnvelope(envelope, inbox, name, stale) {
  issue = name;
  shown = envelope;
  mail = inbox;
  for (const key of FIELDS) {
    const field = input(key);
    const setting = envelope.fields[key];
    const changed = isChanged(key) && field.dataset.issue === name;
    field.dataset.saved = setting.value;
    field.dataset.issue = name;
    field.placeholder = setting.fallback;
    field.readOnly = Boolean(envelope.locked) || stale;
    if (!changed) {
      field.value = setting.value;
      delete bases[key];
    }
  }
  if (conflict && isChanged(conflict)) {
    const value = shown.fields[conflict].value;
    bases[conflict] = envelope.sha;
    showMessage(`${envelope.file} has changed since; the page has been reloaded. It now has ${value ? `“${value}”` : "nothing"} here: Enter saves yours, Escape takes it.`);
  } else if (!FIELDS.some(isChanged)) showMessage(envelope.locked ? `Not editable here: ${envelope.locked}.` : "", "muted");
  FIELDS.forEach(updateNote);
  $("inbox-line").replaceChildren(
    make("strong", { className: "from", textContent: inbox.sender, dir: "auto" }),
    make("span", { className: "line", dir: "auto" },
      make("strong", { textContent: inbox.subject }), make("span", { className: "quiet", textContent: ` - ${inbox.snippet}` })),
    make("span", { className: "when", textContent: "9:00 AM" }));
}

export function clearEnvelope() {
  shown = null;
  for (const key of FIELDS) input(key).value = "";
  showMessage("");
  $("inbox-line").replaceChildren();
}

function updateNote(key) {
  const note = $(`envelope-${key}-note`);
  if (!shown) { note.textContent = ""; return; }
  const setting = shown.fields[key];
  const value = input(key).value;
  const effective = { sender_name: mail.sender, subject: mail.subject, preheader: mail.preheader }[key];
  const text = isChanged(key) ? (value || setting.fallback).replace(MERGE_TAG, "$2") : effective;
  const parts = key === "sender_name" ? [mail.address] : [formatCount(countCharacters(text))];
  if (!value) parts.push(SOURCES[setting.from] ?? "inboxes show how the text begins");
  if (isChanged(key)) parts.push("Enter saves, Escape restores");
  note.textContent = parts.join(" · ");
}

function showMessage(text, className = "bad") {
  $("envelope-message").textContent = text;
  $("envelope-message").className = className;
  $("envelope-message").hidden = !text;
}

async function save(key) {
  const field = input(key);
  const value = field.value;
  conflict = "";
  try {
    await post("envelope", { issue, key, value, sha: bases[key] ?? shown.sha });
    field.dataset.saved = value;
    delete bases[key];
    showMessage("");
    updateNote(key);
  } catch (error) {
    if (error.status === 409) conflict = key;
    showMessage(error.message);
  }
}

function restore(key) {
  input(key).value = input(key).dataset.saved ?? "";
  delete bases[key];
  conflict = "";
  showMessage(shown?.locked ? `Not editable here: ${shown.locked}.` : "", "muted");
  updateNote(key);
}

for (const key of FIELDS) {
  const field = input(key);
  field.addEventListener("focus", () => { if (!isChanged(key)) bases[key] = shown?.sha; });
  field.addEventListener("input", () => updateNote(key));
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      restore(key);
      field.blur();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (isChanged(key)) save(key);
    }
  });
}
addEventListener("beforeunload", (event) => { if (FIELDS.some(isChanged)) event.preventDefault(); });
