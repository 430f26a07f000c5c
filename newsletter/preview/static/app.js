// The page's controls. The user's choices are kept in the URL's fragment; all content comes from
// the server.
import { $, copy, get, make, segments, toast } from "./dom.js";
import { prepareDrop } from "./drop.js";
import { clearEnvelope, hasUnsaved, showEnvelope } from "./envelope.js";
import * as frame from "./frame.js";
import { listenToKeys, showShortcuts } from "./keys.js";
import { openSendDialog, prepareSendDialog, showNextCommands } from "./send.js";
import { fitSheet, savePicture, showSheet } from "./sheet.js";
import { showAbout, showFaults, showFindings, showIssueList, showStripped } from "./notes.js";
import { findIn, showDifference, showInbox, showSource } from "./views.js";

const TABS = [
  ["mail", "Mail"], ["inbox", "Inbox"], ["web", "Web page"], ["text", "Plain text"], ["html", "HTML"], ["mjml", "MJML"],
  ["headers", "Headers"], ["request", "API request"], ["compare", "Compare"],
  ["sheet", "Proof sheet"],
];
const WIDTHS = { desktop: 1024, tablet: 768, phone: 390 };
const SCHEMES = [
  ["light", "Light", "As in a light inbox"],
  ["dark", "Dark", "With the email's own dark mode"],
  ["forced", "Forced dark", "As clients darken an email that has no dark mode of its own, or whose dark mode they ignore"],
];
const FRAMED = new Set(["mail", "web"]);
// What an email to one reader has no view for.
const ONLY_OF_ISSUES = new Set(["web", "mjml", "request", "compare"]);
const SINGLE = /^email:/;
const SOURCES = new Set(["text", "html", "mjml", "headers", "request"]);

const initial = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const chosen = {
  issue: "", tab: "mail", width: "1024", scheme: "light", images: "1", client: "", design: "", reader: "sample",
  real: "0", other: "issue", ...initial,
};
let issueState = null;
let stream = null;
let dismissed = 0;

const query = () => ({
  issue: chosen.issue, reader: chosen.reader, real: chosen.real, client: chosen.client, design: chosen.design,
  scheme: chosen.scheme, images: chosen.images, version: issueState?.version ?? 0,
});

function choose(changes) {
  Object.assign(chosen, changes);
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
  updateControls();
}

// Makes the controls show what is chosen.
function updateControls() {
  const single = SINGLE.test(chosen.issue);
  document.body.classList.toggle("single", single);
  if (single && ONLY_OF_ISSUES.has(chosen.tab)) chosen.tab = "mail";
  for (const [key] of TABS) {
    const on = key === chosen.tab;
    const tab = $(`tab-${key}`);
    tab.hidden = single && ONLY_OF_ISSUES.has(key);
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  $("panel-mail").hidden = !FRAMED.has(chosen.tab);
  if (FRAMED.has(chosen.tab)) $("panel-mail").setAttribute("aria-labelledby", `tab-${chosen.tab}`);
  document.body.classList.toggle("web", chosen.tab === "web");
  $("panel-source").hidden = !SOURCES.has(chosen.tab);
  $("panel-inbox").hidden = chosen.tab !== "inbox";
  $("panel-compare").hidden = chosen.tab !== "compare";
  $("panel-sheet").hidden = chosen.tab !== "sheet";
  document.body.classList.toggle("on-sheet", chosen.tab === "sheet");
  if (SOURCES.has(chosen.tab)) $("panel-source").setAttribute("aria-labelledby", `tab-${chosen.tab}`);
  pressWidth(Object.keys(WIDTHS).find((key) => String(WIDTHS[key]) === chosen.width));
  pressScheme(chosen.scheme);
  pressOther(chosen.other);
  $("images").setAttribute("aria-pressed", String(chosen.images === "1"));
  $("client").value = chosen.client;
  $("design").value = chosen.design;
  $("reader").value = chosen.reader;
  $("real").checked = chosen.real === "1";
  $("device").classList.toggle("dark", chosen.scheme !== "light");
  $("eml").href = `eml?${new URLSearchParams(query())}`;
}

// Loads what the open tab shows, then what the chosen client would strip.
async function refresh() {
  if (!issueState?.proof) return;
  const { issue, tab } = chosen;
  try {
    await loadEnvelope();
    if (issue !== chosen.issue) return; // another one was opened meanwhile, and loads itself
    if (FRAMED.has(tab)) await frame.show(tab, query());
    else if (tab === "inbox") showInbox(await get("inbox", query()));
    else if (tab === "compare") showDifference(await get(`compare/${chosen.other}`, query()));
    else if (tab === "sheet") await showSheet($("sheet"), query());
    else await showSource(tab, query());
    showStripped(chosen.client ? await get("stripped", query()) : null);
  } catch (error) {
    toast(error.message);
  }
}

async function loadEnvelope() {
  const { issue } = chosen;
  const stale = issueState.faults.length > 0;
  const [envelope, inbox] = await Promise.all([get("envelope", query()), get("inbox", query())]);
  if (issue === chosen.issue) showEnvelope(envelope, inbox, issue, stale);
}

async function loadNextCommands() {
  showNextCommands(issueState?.proof && !issueState.proof.single ? await get("next", query()) : []);
}

function showState(state) {
  issueState = state;
  const broken = state.faults.length > 0;
  const hidden = broken && dismissed === state.version && state.proof;
  showFaults(broken && !hidden ? state : null);
  $("live").className = broken ? "dot bad" : "dot good";
  $("live-text").textContent = broken ? "Does not render" : "Live";
  $("send").disabled = broken || !state.proof;
  document.body.classList.toggle("stale", Boolean(broken));
  showDesigns(state.proof);
  showAbout(state.proof, broken, chosen.issue);
  if (!state.proof) clearEnvelope();
  $("copy").disabled = !state.proof;
  $("eml").hidden = !state.proof;
  document.title = `${broken ? "● " : ""}${state.proof?.title ?? chosen.issue} – Preview`;
  updateControls();
  return refresh();
}

// Offers the newsletter's designs; the issue's own is the one without a name.
function showDesigns(proof) {
  if (!proof) return;
  const others = (proof.designs ?? []).filter((design) => design !== proof.design);
  $("design").replaceChildren(new Option(proof.design, ""), ...others.map((design) => new Option(design)));
  $("design-row").hidden = !others.length;
  if (!others.includes(chosen.design)) chosen.design = "";
}

function listen() {
  stream?.close();
  stream = new EventSource(`events?${new URLSearchParams({ issue: chosen.issue })}`);
  stream.onmessage = async (event) => {
    if (!chosen.issue) {
      $("live").className = "dot good";
      $("live-text").textContent = "Live";
      const { first } = await loadIssueList();
      if (first) openIssue(first);
      return;
    }
    await showState(JSON.parse(event.data));
    await Promise.allSettled([loadIssueList(), loadFindings(), loadNextCommands()]);
  };
  stream.onerror = () => {
    $("live").className = "dot";
    $("live-text").textContent = "The preview has stopped";
  };
}

async function loadFindings() {
  if (issueState?.proof?.single) $("findings-section").hidden = true;
  else if (issueState?.proof && !issueState.faults.length) showFindings(await get("findings", query()), goTo);
}

async function goTo(excerpt) {
  if (chosen.tab !== "mail") await set({ tab: "mail" });
  if (!frame.goTo(excerpt)) toast("Not visible in the email");
}

async function loadIssueList() {
  const list = await get("issues");
  $("desk").hidden = Boolean(list.first || chosen.issue);
  document.body.classList.toggle("empty-folder", !list.first && !chosen.issue);
  showIssueList(list, chosen.issue, openIssue);
  return list;
}

async function loadReaders() {
  const readers = await get("readers", { real: chosen.real });
  $("reader").replaceChildren(...readers.map((reader) => new Option(reader.label, reader.key)));
  const hasSubscribers = readers.some((reader) => reader.key.startsWith("list-"));
  $("real").closest("label").hidden = !hasSubscribers;
  if (!readers.some((reader) => reader.key === chosen.reader)) chosen.reader = "sample";
}

function openIssue(name) {
  if (name !== chosen.issue && hasUnsaved()) return loadIssueList();
  issueState = null;
  dismissed = 0;
  choose({ issue: name, design: "" });
  return listen();
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
  const shown = TABS.filter(([key]) => !$(`tab-${key}`).hidden);
  const index = shown.findIndex(([key]) => key === chosen.tab);
  const [key] = shown[(index + step + shown.length) % shown.length];
  set({ tab: key });
  $(`tab-${key}`).focus();
});
const pressWidth = segments($("widths"),
  [["desktop", "Desktop", "1024 pixels"], ["tablet", "Tablet", "768 pixels"], ["phone", "Phone", "390 pixels"]], setWidth);
const pressScheme = segments($("schemes"), SCHEMES, (scheme) => set({ scheme }));
const pressOther = segments($("others"),
  [
    ["test", "Last test", "What has changed since the last test was sent"],
    ["plan", "Plan", "What has changed since the issue was planned or sent"],
    ["commit", "Last commit", "What has changed since the last git commit"],
    ["issue", "Last issue", "Sender, template, footer and its links, compared with the previous issue"],
  ],
  (other) => set({ other }));
$("images").onclick = () => cycle("images", ["1", "0"]);
$("client").onchange = (event) => set({ client: event.target.value });
$("design").onchange = (event) => {
  const { value } = event.target;
  if (value) toast(`Shown here only. To send it so, put template: ${value} into its front matter`);
  return set({ design: value });
};
$("reader").onchange = (event) => set({ reader: event.target.value });
$("real").onchange = async (event) => {
  chosen.real = event.target.checked ? "1" : "0";
  await loadReaders();
  await set({});
};
$("issue-select").onchange = (event) => openIssue(event.target.value);
$("copy").onclick = async () => copy((await get("source/html", query())).raw, "HTML");
$("copy-source").onclick = () => copy($("source").dataset.raw ?? "", "Text");
$("last-good").onclick = () => { dismissed = issueState.version; showState(issueState); };
$("find").oninput = () => findIn($("find").value);
$("next").onclick = () => findIn($("find").value, 1);
$("previous").onclick = () => findIn($("find").value, -1);
$("find").onkeydown = (event) => {
  if (event.key === "Enter") { event.preventDefault(); findIn($("find").value, event.shiftKey ? -1 : 1); }
};

prepareSendDialog(() => chosen.issue);
prepareDrop(openIssue);
new ResizeObserver(() => fitSheet($("sheet"))).observe($("sheet"));
$("print").onclick = () => print();
$("save-png").onclick = async () => {
  $("save-png").disabled = true;
  toast("Chromium is taking the picture…");
  try {
    await savePicture(chosen.issue);
    toast("Saved");
  } catch (error) {
    toast(error.message);
  }
  $("save-png").disabled = false;
};

function step(by) {
  const names = [...$("issue-select").options].map((option) => option.value);
  const next = names[names.indexOf(chosen.issue) + by];
  if (next) openIssue(next);
}

showShortcuts();
listenToKeys({
  d: () => setWidth("desktop"), t: () => setWidth("tablet"), p: () => setWidth("phone"),
  c: () => cycle("scheme", ["light", "dark", "forced"]), i: () => cycle("images", ["1", "0"]),
  j: () => step(1), k: () => step(-1), s: openSendDialog,
  g: () => $("alarm").hidden || $("last-good").click(),
  "/": () => { if (!SOURCES.has(chosen.tab)) set({ tab: "html" }); $("find").focus(); },
  ...Object.fromEntries(TABS.map(([key], index) => [String((index + 1) % 10), () => set({ tab: key })])),
});
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

addEventListener("focus", () => { loadNextCommands().catch(() => {}); });

const list = await loadIssueList();
chosen.issue ||= list.first;
$("save-png").hidden = !list.chromium;
$("newsletter").textContent = list.newsletter;
$("client").append(...list.clients.map((client) => new Option(client.name, client.key)));
await loadReaders();
frame.setWidth(Number(chosen.width) || WIDTHS.desktop);
choose({});
listen();
