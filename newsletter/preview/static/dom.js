// Small DOM helpers. Text is always set as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export async function get(path, query = {}) {
  return readResponse(await fetch(`${path}?${new URLSearchParams(query)}`));
}

export async function post(path, data) {
  return readResponse(await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(data),
  }));
}

// Returns the response's JSON, or throws its problems with the response's status.
export async function readResponse(response) {
  const data = await response.json();
  if (response.ok) return data;
  const error = new Error(data.faults.map(formatProblem).join(" "));
  error.status = response.status;
  throw error;
}

function formatProblem({ message, remedy }) {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return remedy ? `${text}${/[.?!\n]$/.test(text) ? "" : "."} ${remedy}` : text;
}

let hideTimer;

export function toast(text) {
  const box = $("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => { box.hidden = true; }, 4000);
}

export async function copy(text, label) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${label} copied`);
  } catch {
    toast("The browser does not allow this page to copy");
  }
}

// Adds a row of buttons of which one is pressed; returns a function that presses one by its key.
export function segments(box, choices, choose) {
  const buttons = new Map();
  for (const [key, label, title] of choices) {
    const button = make("button", { type: "button", title, textContent: label, onclick: () => choose(key) });
    buttons.set(key, button);
    box.append(button);
  }
  return (key) => {
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === key));
  };
}
