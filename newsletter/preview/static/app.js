// The page: what is chosen is kept in the address, what is shown comes from the server.
import { $, copy, get, make, segments, toast } from "./dom.js";
import * as frame from "./frame.js";
import { showAbout, showFaults, showFindings, showShelf, showStripped } from "./notes.js";
import { findIn, showDifference, showInbox, showSource } from "./views.js";

const TABS = [
  ["mail", "Mail"], ["inbox", "Inbox"], ["web", "Web page"], ["text", "Plain text"], ["html", "HTML"], ["mjml", "MJML"],
  ["headers", "Headers"], ["request", "API request"], ["compare", "Compare"],
];
const WIDTHS = { desktop: 1024, tablet: 768, phone: 390 };
const SCHEMES = [
  ["light", "Light", "As in a light inbox"],
  ["dark", "Dark", "By the mail's own dark rules"],
  ["forced", "Forced dark", "As clients darken mail that brings no rules of its own, or whose rules they ignore"],
];
const FRAMED = new Set(["mail", "web"]);
const SOURCES = new Set(["text", "html", "mjml", "headers", "request"]);

const start = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const chosen = {
  issue: "", tab: "mail", width: "1024", scheme: "light", images: "1", client: "", reader: "sample",
  real: "0", other: "issue", ...start,
};
let view = null;
let stream = null;
let dismissed = 0;

const query = () => ({
  issue: chosen.issue, reader: chosen.reader, real: chosen.real, client: chosen.client,
  scheme: chosen.scheme, images: chosen.images, version: view?.version ?? 0,
});

function choose(changes) {
  Object.assign(chosen, changes);
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
  reflect();
}

// The controls as chosen.
function reflect() {
  for (const [key] of TABS) {
    const on = key === chosen.tab;
    const tab = $(`tab-${key}`);
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  $("panel-mail").hidden = !FRAMED.has(chosen.tab);
  if (FRAMED.has(chosen.tab)) $("panel-mail").setAttribute("aria-labelledby", `tab-${chosen.tab}`);
  document.body.classList.toggle("web", chosen.tab === "web");
  $("panel-source").hidden = !SOURCES.has(chosen.tab);
  $("panel-inbox").hidden = chosen.tab !== "inbox";
  $("panel-compare").hidden = chosen.tab !== "compare";
  if (SOURCES.has(chosen.tab)) $("panel-source").setAttribute("aria-labelledby", `tab-${chosen.tab}`);
  pressWidth(Object.keys(WIDTHS).find((key) => String(WIDTHS[key]) === chosen.width));
  pressScheme(chosen.scheme);
  pressOther(chosen.other);
  $("images").setAttribute("aria-pressed", String(chosen.images === "1"));
  $("client").value = chosen.client;
  $("reader").value = chosen.reader;
  $("real").checked = chosen.real === "1";
  $("device").classList.toggle("dark", chosen.scheme !== "light");
  $("eml").href = `eml?${new URLSearchParams(query())}`;
}

// What the open tab shows; the mail first, what goes with it after.
async function refresh() {
  if (!view?.proof) return;
  const tab = chosen.tab;
  try {
    if (FRAMED.has(tab)) await frame.show(tab, query());
    else if (tab === "inbox") showInbox(await get("inbox", query()));
    else if (tab === "compare") showDifference(await get(`compare/${chosen.other}`, query()));
    else await showSource(tab, query());
    showStripped(chosen.client ? await get("stripped", query()) : null);
  } catch (error) {
    toast(error.message);
  }
}

function shown(state) {
  view = state;
  const broken = state.faults.length > 0;
  const hidden = broken && dismissed === state.version && state.proof;
  showFaults(broken && !hidden ? state : null);
  $("live").className = broken ? "dot bad" : "dot good";
  $("live-text").textContent = broken ? "Does not render" : "Live";
  $("send").disabled = broken || !state.proof;
  document.body.classList.toggle("stale", Boolean(broken));
  showAbout(state.proof, broken, chosen.issue);
  $("copy").disabled = !state.proof;
  $("eml").hidden = !state.proof;
  document.title = `${broken ? "● " : ""}${state.proof?.title ?? chosen.issue} – Preview`;
  reflect();
  return refresh();
}

function listen() {
  stream?.close();
  stream = new EventSource(`events?${new URLSearchParams({ issue: chosen.issue })}`);
  stream.onmessage = async (event) => {
    await shown(JSON.parse(event.data));
    await Promise.allSettled([loadShelf(), loadFindings()]);
  };
  stream.onerror = () => {
    $("live").className = "dot";
    $("live-text").textContent = "The preview has stopped";
  };
}

async function loadFindings() {
  if (view?.proof && !view.faults.length) showFindings(await get("findings", query()), goTo);
}

async function goTo(excerpt) {
  if (chosen.tab !== "mail") await set({ tab: "mail" });
  if (!frame.goTo(excerpt)) toast("This is in no visible place of the mail");
}

async function loadShelf() {
  const shelf = await get("issues");
  if (!chosen.issue) chosen.issue = shelf.first;
  showShelf(shelf, chosen.issue, openIssue);
  return shelf;
}

async function loadReaders() {
  const readers = await get("readers", { real: chosen.real });
  $("reader").replaceChildren(...readers.map((one) => new Option(one.label, one.key)));
  const listed = readers.some((one) => one.key.startsWith("list-"));
  $("real").closest("label").hidden = !listed;
  if (!readers.some((one) => one.key === chosen.reader)) chosen.reader = "sample";
}

function openIssue(name) {
  view = null;
  dismissed = 0;
  choose({ issue: name });
  listen();
}

function set(changes) {
  choose(changes);
  return refresh();
}

function cycle(key, values) {
  const next = values[(values.indexOf(chosen[key]) + 1) % values.length];
  return set({ [key]: next });
}

const setWidth = (key) => choose({ width: String(frame.setWidth(WIDTHS[key])) });

// Controls.
for (const [key, label] of TABS) {
  $("tabs").append(make("button", {
    type: "button", id: `tab-${key}`, role: "tab", textContent: label, onclick: () => set({ tab: key }),
  }));
  const panel = SOURCES.has(key) ? "source" : FRAMED.has(key) ? "mail" : key;
  $(`tab-${key}`).setAttribute("aria-controls", `panel-${panel}`);
}
$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const at = TABS.findIndex(([key]) => key === chosen.tab);
  const [key] = TABS[(at + step + TABS.length) % TABS.length];
  set({ tab: key });
  $(`tab-${key}`).focus();
});
const pressWidth = segments($("widths"),
  [["desktop", "Desktop", "1024 pixels"], ["tablet", "Tablet", "768 pixels"], ["phone", "Phone", "390 pixels"]], setWidth);
const pressScheme = segments($("schemes"), SCHEMES, (scheme) => set({ scheme }));
const pressOther = segments($("others"),
  [["issue", "Last issue", "What is new against the issue before"], ["commit", "Last commit", "What has changed since it was committed to git"]],
  (other) => set({ other }));
$("images").onclick = () => cycle("images", ["1", "0"]);
$("client").onchange = (event) => set({ client: event.target.value });
$("reader").onchange = (event) => set({ reader: event.target.value });
$("real").onchange = async (event) => {
  chosen.real = event.target.checked ? "1" : "0";
  await loadReaders();
  await set({});
};
$("issue-select").onchange = (event) => openIssue(event.target.value);
$("copy").onclick = async () => copy((await get("source/html", query())).raw, "HTML");
$("copy-source").onclick = () => copy($("source").dataset.raw ?? "", "Text");
$("last-good").onclick = () => { dismissed = view.version; shown(view); };
$("find").oninput = () => findIn($("find").value);
$("next").onclick = () => findIn($("find").value, 1);
$("previous").onclick = () => findIn($("find").value, -1);
$("find").onkeydown = (event) => {
  if (event.key === "Enter") { event.preventDefault(); findIn($("find").value, event.shiftKey ? -1 : 1); }
};

// A test to the editor.
const dialog = $("send-dialog");
const openDialog = () => {
  $("send-to").value ||= localStorage.getItem("newsletter-test-to") ?? "";
  $("send-result").textContent = "";
  dialog.showModal();
};
$("send").onclick = openDialog;
$("send-cancel").onclick = () => dialog.close();
$("send-form").onsubmit = async (event) => {
  event.preventDefault();
  const to = $("send-to").value.trim();
  const result = $("send-result");
  result.className = "";
  result.textContent = "Sending…";
  $("send-go").disabled = true;
  try {
    const answer = await fetch("test", {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ issue: chosen.issue, to }),
    });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.faults.map((one) => `${one.message}. ${one.remedy ?? ""}`).join(" "));
    localStorage.setItem("newsletter-test-to", to);
    result.className = "good";
    result.textContent = data.sandbox ? `SendGrid has checked it; its sandbox is on, so nothing arrives.` : `Sent ${data.subject} to ${data.to}`;
  } catch (error) {
    result.className = "bad";
    result.textContent = error.message;
  }
  $("send-go").disabled = false;
};

// Keys.
const KEYS = [
  ["1 – 9", "Mail, inbox, web page, plain text, HTML, MJML, headers, request, compare"],
  ["d  t  p", "Desktop, tablet, phone"], ["c", "Light, dark, forced dark"], ["i", "Images on or off"],
  ["/", "Find in the text"], ["j  k", "Next, previous issue"], ["g", "Last good version"],
  ["s", "Send me a test"], ["?", "These shortcuts"],
];
for (const [key, words] of KEYS) $("shortcuts").append(make("dt", {}, make("kbd", { textContent: key })), make("dd", { textContent: words }));
$("help-button").onclick = () => $("help").showModal();

function step(by) {
  const names = [...$("issue-select").options].map((one) => one.value);
  const next = names[names.indexOf(chosen.issue) + by];
  if (next) openIssue(next);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, select, textarea")) return;
  const actions = {
    d: () => setWidth("desktop"), t: () => setWidth("tablet"), p: () => setWidth("phone"),
    c: () => cycle("scheme", ["light", "dark", "forced"]), i: () => cycle("images", ["1", "0"]),
    j: () => step(1), k: () => step(-1), s: openDialog, "?": () => $("help").showModal(),
    g: () => $("alarm").hidden || $("last-good").click(),
    "/": () => { if (!SOURCES.has(chosen.tab)) set({ tab: "html" }); $("find").focus(); },
  };
  const action = actions[event.key] ?? (TABS[event.key - 1] && (() => set({ tab: TABS[event.key - 1][0] })));
  if (!action) return;
  event.preventDefault();
  action();
}
document.addEventListener("keydown", press);
frame.onKey(press);
frame.onLink((text, href) => {
  $("link-section").hidden = false;
  $("link-text").textContent = text;
  $("link-url").textContent = href;
  const web = /^(https?|mailto|tel):/i.test(href);
  $("link-open").hidden = !web;
  if (web) $("link-open").href = href;
  $("link-section").scrollIntoView({ block: "nearest" });
});
frame.onDrag((width) => choose({ width: String(width) }));

const shelf = await loadShelf();
$("newsletter").textContent = shelf.newsletter;
$("client").append(...shelf.clients.map((one) => new Option(one.name, one.key)));
await loadReaders();
frame.setWidth(Number(chosen.width) || WIDTHS.desktop);
choose({});
listen();
