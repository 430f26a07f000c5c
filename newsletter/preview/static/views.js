// The views beside the mail itself: inbox rows, sources with a search, differences.
import { $, get, make } from "./dom.js";

const NOTES = {
  request: "POST https://api.sendgrid.com/v3/mail/send, with your key in its Authorization header, which is never shown. Indented here; the request itself has no white space.",
  headers: "As they leave. Date and Message-ID are examples; SendGrid adds its own, and the signatures (DKIM).",
  mjml: "The filled template as it is compiled; the article is put in after that.",
};
let marks = [];
let at = -1;
let sought = "";

export async function showSource(kind, query) {
  const data = await get(`source/${kind}`, query);
  const box = $("source");
  const place = box.dataset.kind === kind ? box.scrollTop : 0;
  // Coloured by the server, every character of the mail escaped; the page's policy lets nothing run.
  const fragment = new DOMParser().parseFromString(`<pre>${data.html}</pre>`, "text/html");
  box.replaceChildren(...fragment.querySelector("pre").childNodes);
  box.dataset.kind = kind;
  box.dataset.raw = data.raw;
  box.className = kind;
  box.scrollTop = place;
  $("source-note").hidden = !NOTES[kind];
  $("source-note").textContent = NOTES[kind] ?? "";
  findIn($("find").value);
}

// Marks every match by the browser's own highlights; nothing in the text is changed.
export function findIn(words, by = 0) {
  const box = $("source");
  if (!by) {
    marks = words ? [...ranges(box, words.toLowerCase())] : [];
    at = words === sought ? Math.min(Math.max(at, 0), marks.length - 1) : Math.min(0, marks.length - 1);
    sought = words;
    CSS.highlights?.set("found", new Highlight(...marks));
  } else if (marks.length) at = (at + by + marks.length) % marks.length;
  $("found").textContent = words ? (marks.length ? `${at + 1} of ${marks.length}` : "Nothing found") : "";
  CSS.highlights?.set("current", new Highlight(...(marks[at] ? [marks[at]] : [])));
  if (marks[at]) {
    const spot = marks[at].getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    if (spot.top < frame.top || spot.bottom > frame.bottom) box.scrollTop += spot.top - frame.top - box.clientHeight / 2;
  }
}

function* ranges(box, words) {
  for (const line of box.children) {
    const text = line.textContent.toLowerCase();
    for (let from = text.indexOf(words); from >= 0; from = text.indexOf(words, from + words.length)) {
      const range = new Range();
      range.setStart(...point(line, from));
      range.setEnd(...point(line, from + words.length));
      yield range;
    }
  }
}

function point(line, offset) {
  const walk = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let node = walk.nextNode();
  while (node && offset > node.length) {
    offset -= node.length;
    node = walk.nextNode();
  }
  return [node, offset];
}

// Widths and cuts as these clients have them at their usual size; the cut is the browser's own.
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
    make("p", { className: "note", textContent: `${lengths} Cut as these clients cut at their usual width; a simulation.` }),
    ...INBOXES.map(([name, key, row]) => make("section", {}, make("h2", { textContent: name }), make("div", { className: `inbox-row ${key}` }, ...row(mail)))));
}

export function showDifference(data) {
  const box = $("difference");
  if (data.problem) {
    box.replaceChildren(make("p", { className: "empty", textContent: `Nothing to compare with: ${data.problem}.` }));
    return;
  }
  const changed = data.passages.filter((pieces) => pieces.some((one) => one.kind !== "same")).length;
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  box.replaceChildren(
    make("p", { className: "note", textContent: `Against ${data.against}: ${count(changed, "passage")} changed, ${count(data.added.length, "link")} added, ${count(data.removed.length, "link")} removed.` }),
    make("div", { className: "columns" },
      make("div", { className: "words" }, ...folded(data.passages)),
      make("div", { className: "links" }, ...links("Links added", data.added, "ins"), ...links("Links removed", data.removed, "del"))));
}

const ELEMENTS = { same: "span", added: "ins", removed: "del" };

// Unchanged passages away from any change are folded up.
function folded(passages) {
  const near = passages.map((pieces) => pieces.some((one) => one.kind !== "same"));
  const out = [];
  let skipped = 0;
  const flush = () => { if (skipped) out.push(make("p", { className: "skipped", textContent: `${skipped} unchanged` })); skipped = 0; };
  passages.forEach((pieces, index) => {
    if (!near[index] && !near[index - 1] && !near[index + 1]) { skipped += 1; return; }
    flush();
    out.push(make("p", {}, ...pieces.map((one) => make(ELEMENTS[one.kind], { textContent: one.text }))));
  });
  flush();
  return out;
}

function links(title, urls, tag) {
  if (!urls.length) return [];
  return [make("h2", { textContent: title }), make("ul", {}, ...urls.map((url) => make("li", {}, make(tag, { textContent: url }))))];
}
