// Small helpers; text is always set as text.

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
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.faults.map((fault) => fault.message).join("; "));
  return data;
}

let fading;

export function toast(words) {
  const box = $("toast");
  box.textContent = words;
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, 4000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not let this page copy");
  }
}

// A row of buttons of which one is pressed; returns a function that presses one by its key.
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
