// The other tabs: inbox rows, sources with a search, comparison.
import { $, get, make } from "./dom.js";

const NOTES = {
  request: "POST https://api.sendgrid.com/v3/mail/send, with your key in its Authorization header, which is never shown. Indented here; the request itself has no white space.",
  headers: "As they are sent. Date and Message-ID are examples; SendGrid adds its own, and the signatures (DKIM).",
  mjml: "The filled template as it is compiled; the article is inserted afterwards.",
};
let marks = [];
let current = -1;
let searchText = "";

export async function showSource(kind, query) {
  const data = await get(`source/${kind}`, query);
  const box = $("source");
  const scrollTop = box.dataset.kind === kind ? box.scrollTop : 0;
  // The server has highlighted it and escaped all of the email; the page's policy runs no script.
  const fragment = new DOMParser().parseFromString(`<pre>${data.html}</pre>`, "text/html");
  box.replaceChildren(...fragment.querySelector("pre").childNodes);
  box.dataset.kind = kind;
  box.dataset.raw = data.raw;
  box.className = kind;
  box.scrollTop = scrollTop;
  $("source-note").hidden = !NOTES[kind];
  $("source-note").textContent = NOTES[kind] ?? "";
  findIn($("find").value);
}

// Marks every match with the CSS Custom Highlight API, which leaves the text's elements unchanged.
export function findIn(text, by = 0) {
  const box = $("source");
  if (!by) {
    marks = text ? [...findRanges(box, text.toLowerCase())] : [];
    current = text === searchText ? Math.min(Math.max(current, 0), marks.length - 1) : Math.min(0, marks.length - 1);
    searchText = text;
    CSS.highlights?.set("found", new Highlight(...marks));
  } else if (marks.length) current = (current + by + marks.length) % marks.length;
  $("found").textContent = text ? (marks.length ? `${current + 1} of ${marks.length}` : "Nothing found") : "";
  CSS.highlights?.set("current", new Highlight(...(marks[current] ? [marks[current]] : [])));
  if (marks[current]) {
    const markBox = marks[current].getBoundingClientRect();
    const panelBox = box.getBoundingClientRect();
    if (markBox.top < panelBox.top || markBox.bottom > panelBox.bottom) box.scrollTop += markBox.top - panelBox.top - box.clientHeight / 2;
  }
}

function* findRanges(box, text) {
  for (const line of box.children) {
    const lineText = line.textContent.toLowerCase();
    for (let from = lineText.indexOf(text); from >= 0; from = lineText.indexOf(text, from + text.length)) {
      const range = new Range();
      range.setStart(...findPosition(line, from));
      range.setEnd(...findPosition(line, from + text.length));
      yield range;
    }
  }
}

function findPosition(line, offset) {
  const walk = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let node = walk.nextNode();
  while (node && offset > node.length) {
    offset -= node.length;
    node = walk.nextNode();
  }
  return [node, offset];
}

// Widths and line counts as in these clients at their usual size; CSS does the truncating.
const INBOXES = [
  ["Gmail, in the browser", "gmail", (mail) => [
    make("span", { className: "box" }), make("span", { className: "star", textContent: "☆" }),
    make("strong", { className: "from", textContent: mail.sender }),
    make("span", { className: "line" }, make("strong", { textContent: mail.subject }), make("span", { className: "quiet", textContent: ` - ${mail.snippet}` })),
    make("span", { className: "when", textContent: "9:00 AM" })]],
  ["Gmail, on a phone", "gmail-phone", (mail) => [
    make("span", { className: "face", textContent: initial(mail.sender) }),
    make("span", { className: "stack" },
      make("span", { className: "top" }, make("strong", { textContent: mail.sender }), make("span", { className: "when", textContent: "9:00 AM" })),
      make("strong", { className: "one", textContent: mail.subject }), make("span", { className: "one quiet", textContent: mail.snippet }))]],
  ["Apple Mail, on an iPhone", "apple", (mail) => [
    make("span", { className: "unread" }),
    make("span", { className: "stack" },
      make("span", { className: "top" }, make("strong", { textContent: mail.sender }), make("span", { className: "when", textContent: "09:00 ›" })),
      make("span", { className: "one", textContent: mail.subject }), make("span", { className: "two quiet", textContent: mail.snippet }))]],
  ["Outlook for Windows", "outlook", (mail) => [
    make("span", { className: "stack" },
      make("span", { className: "one big", textContent: mail.sender }),
      make("span", { className: "top" }, make("strong", { className: "one blue", textContent: mail.subject }), make("span", { className: "when blue", textContent: "09:00" })),
      make("span", { className: "one quiet", textContent: mail.snippet }))]],
];

const initial = (name) => [...name][0]?.toUpperCase() ?? "?";

export function showInbox(mail) {
  const lengths = `Subject ${[...mail.subject].length} characters, preheader ${[...mail.preheader].length}.`;
  $("panel-inbox").replaceChildren(
    make("p", { className: "note", textContent: `${lengths} Truncated as these clients do at their usual width; a simulation.` }),
    ...INBOXES.map(([name, key, row]) => make("section", {}, make("h2", { textContent: name }), make("div", { className: `inbox-row ${key}` }, ...row(mail)))));
}

export function showDifference(data) {
  const box = $("difference");
  if (data.problem) {
    box.replaceChildren(make("p", { className: "empty", textContent: `Nothing to compare with: ${data.problem}.` }));
    return;
  }
  const changed = data.passages.filter((spans) => spans.some((span) => span.kind !== "same")).length;
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const facts = data.facts.flatMap(([name, old, now]) => [make("dt", { textContent: name }), make("dd", {},
    ...(old === now ? [now || "none"] : [make("del", { textContent: old || "none" }), " ", make("ins", { textContent: now || "none" })]))]);
  box.replaceChildren(
    ...(facts.length ? [make("p", { className: "note", textContent: "Sender, template, footer and the links outside the article; the article itself is always new." }), make("dl", { className: "facts" }, ...facts)] : []),
    make("p", { className: "note", textContent: `Against ${data.against}: ${count(changed, "passage")} changed, ${count(data.added.length, "link")} added, ${count(data.removed.length, "link")} removed.` }),
    make("div", { className: "columns" },
      make("div", { className: "words" }, ...makePassages(data.passages)),
      make("div", { className: "links" }, ...makeLinkList("Links added", data.added, "ins"), ...makeLinkList("Links removed", data.removed, "del"))));
}

const ELEMENTS = { same: "span", added: "ins", removed: "del" };

// Unchanged passages that are not next to a changed one are collapsed.
function makePassages(passages) {
  const changed = passages.map((spans) => spans.some((span) => span.kind !== "same"));
  const out = [];
  let skipped = 0;
  const flush = () => { if (skipped) out.push(make("p", { className: "skipped", textContent: `${skipped} unchanged` })); skipped = 0; };
  passages.forEach((spans, index) => {
    if (!changed[index] && !changed[index - 1] && !changed[index + 1]) { skipped += 1; return; }
    flush();
    out.push(make("p", {}, ...spans.map((span) => make(ELEMENTS[span.kind], { textContent: span.text }))));
  });
  flush();
  return out;
}

function makeLinkList(title, urls, tag) {
  if (!urls.length) return [];
  return [make("h2", { textContent: title }), make("ul", {}, ...urls.map((url) => make("li", {}, make(tag, { textContent: url }))))];
}
