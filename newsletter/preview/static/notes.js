// What is around the email: the list of issues, errors, findings, what a client strips.
import { $, make } from "./dom.js";

// Returns file:line, without the issue's own folder.
function formatLocation(finding) {
  const file = finding.file.replace(/^(.*\/)?issues\/[^/]+\//, "");
  return finding.line ? `${file}:${finding.line}` : file;
}

let shownLists = "";

export function showIssueList(list, current, open) {
  const lists = JSON.stringify([list.issues, list.emails]);
  // A button that is replaced while it is pressed gets no click.
  if (lists !== shownLists) makeIssueList(list, open);
  shownLists = lists;
  for (const button of document.querySelectorAll("#issues button, #emails button")) {
    if (button.dataset.name === current) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (list.emails.some((email) => email.name === current)) $("emails-section").open = true;
  $("issue-select").value = current;
}

function makeIssueList(list, open) {
  const makeEntry = (entry, ...children) => make("li", {},
    make("button", { type: "button", "data-name": entry.name, onclick: () => open(entry.name) }, ...children));
  const makeOption = (entry, text) => new Option(text, entry.name);
  const makeTitle = (entry) => make("span", { className: "title", textContent: entry.title });
  const makeState = ({ state }) => make("span", { className: `state ${state}`, textContent: state });
  $("issues").replaceChildren(...list.issues.map((issue) => makeEntry(issue, makeTitle(issue),
    make("span", { className: "row" }, make("time", { textContent: issue.date }), makeState(issue)))));
  $("emails").replaceChildren(...list.emails.map((email) => makeEntry(email,
    make("span", { className: "row" }, makeTitle(email), ...(email.state ? [makeState(email)] : [])))));
  $("issue-select").replaceChildren(
    ...list.issues.map((issue) => makeOption(issue, `${issue.title} (${issue.state})`)),
    make("optgroup", { label: "Emails to one reader" }, ...list.emails.map((email) => makeOption(email, email.title))));
}

export function showFaults(state) {
  $("alarm").hidden = !state;
  document.body.classList.toggle("alarmed", Boolean(state));
  if (!state) return;
  const count = state.faults.length;
  $("alarm-title").textContent = count === 1 ? "Can't render this email" : `Can't render this email: ${count} problems`;
  $("last-good").hidden = !state.proof;
  $("faults").replaceChildren(...state.faults.map(makeProblem));
}

function makeProblem(problem) {
  const location = problem.file ? (problem.line ? `${problem.file}:${problem.line}` : problem.file) : "";
  const item = make("li", {}, make("p", { className: "message", textContent: problem.message }));
  if (location) item.prepend(make("p", { className: "place", textContent: location }));
  if (problem.remedy) item.append(make("p", { className: "remedy", textContent: problem.remedy }));
  if (problem.excerpt.length) {
    item.append(make("pre", { tabIndex: 0 }, ...problem.excerpt.map(([number, text]) =>
      make("span", { className: number === problem.line ? "line here" : "line" },
        make("span", { className: "number", textContent: String(number) }), `${text}\n`))));
  }
  return item;
}

export function showAbout(proof, stale, name) {
  $("about-section").hidden = !proof;
  if (!proof) {
    $("findings-section").hidden = true;
    $("subject").textContent = name;
    $("facts").textContent = "No version of this email has rendered yet";
    return;
  }
  $("subject").textContent = proof.title;
  const kilobytes = proof.bytes / 1024;
  $("facts").textContent = stale ? `Last good version of ${proof.source}` : proof.source;
  $("about").replaceChildren(
    ...(proof.single ? [] : makeRow("Words", `${proof.words.toLocaleString("en")}, ${proof.minutes} min`)),
    ...makeRow("Links", proof.links),
    ...makeRow("Images", proof.image_bytes ? `${proof.images}, ${formatBytes(proof.image_bytes)}` : proof.images),
    ...makeRow("Language", proof.language),
    ...(proof.single ? [] : makeRow("State", proof.draft ? "draft: can be tested, not sent" : "ready")),
    ...(proof.off ? makeRow("State", "off: signup.welcome isn't set") : []),
    ...(proof.latest ? makeRow("Latest issues", proof.latest) : []),
    ...makeRow("Rendered in", `${proof.milliseconds} ms`));
  const share = Math.min(proof.bytes / proof.limit, 1);
  $("meter-fill").style.width = `${Math.round(share * 100)}%`;
  $("meter").className = share >= 1 ? "meter bad" : share > 0.9 ? "meter warning" : "meter";
  const text = `${kilobytes.toFixed(0)} KB of the 102 KB that Gmail shows`;
  $("meter").setAttribute("aria-label", text);
  $("meter-note").textContent = text;
}

const formatBytes = (bytes) => (bytes < 1_000_000 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`);

const makeRow = (term, text) => [make("dt", { textContent: term }), make("dd", { textContent: String(text) })];

export function showStripped(data) {
  $("simulation").hidden = !data;
  if (!data) return;
  $("client-name").textContent = data.client;
  $("simulation-note").replaceChildren(
    `Not the client itself: what ${data.client} is known not to support is removed, according to `,
    make("a", { href: data.source, target: "_blank", rel: "noreferrer noopener", textContent: "caniemail.com" }),
    ` as of ${data.date}.`);
  $("clipped").hidden = !data.clipped;
  $("clipped").textContent = `${data.client} cuts off the last ${(data.clipped / 1024).toFixed(1)} KB, including the footer.`;
  $("stripped").replaceChildren(...data.stripped.map((feature) => make("li", {},
    make("a", { href: feature.url, target: "_blank", rel: "noreferrer noopener", textContent: feature.name }),
    make("span", { className: "count", textContent: `${feature.count}×` }))));
  if (!data.stripped.length) $("stripped").append(make("li", { textContent: "Nothing is stripped from this email." }));
}

const ORDER = ["error", "warning", "hint"];

export function showFindings(data, goTo) {
  $("findings-section").hidden = false;
  const findings = [...data.findings].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  $("findings-count").textContent = findings.length || "";
  const groups = groupByRule(findings);
  $("findings").replaceChildren(...[...groups.values()].map((group) => make("li", {},
    makeFinding(group[0], goTo),
    // A rule that finds many places is one entry: the others are folded.
    ...(group.length > 1 ? [make("details", { className: "more" },
      make("summary", { textContent: `${group.length - 1} more` }),
      ...group.slice(1).map((finding) => makeFinding({ ...finding, remedy: "" }, goTo)))] : []))));
  for (const [rule, why] of Object.entries(data.allowed)) {
    $("findings").append(make("li", { className: "muted", textContent: `${rule} is allowed: ${why}` }));
  }
  if (!findings.length) $("findings").append(make("li", { className: "fine", textContent: "No problems found." }));
}

function makeFinding(finding, goTo) {
  const location = formatLocation(finding);
  return make("button", { type: "button", className: `finding ${finding.severity}`, title: finding.meaning, onclick: () => goTo(finding.excerpt) },
    make("span", { className: "row" }, make("span", { className: "severity", textContent: finding.severity }), make("code", { textContent: finding.rule })),
    make("span", { className: "message", textContent: finding.message }),
    ...(finding.remedy ? [make("span", { className: "remedy", textContent: finding.remedy })] : []),
    ...(location ? [make("span", { className: "place", textContent: location })] : []));
}

function groupByRule(findings) {
  const groups = new Map();
  for (const finding of findings) groups.set(finding.rule, [...(groups.get(finding.rule) ?? []), finding]);
  return groups;
}
