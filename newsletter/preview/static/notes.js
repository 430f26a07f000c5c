// What stands around the mail: the shelf of issues, errors, findings, what a client strips.
import { $, make } from "./dom.js";

// file:line; a file of the issue by its name alone, since its folder is known.
function placeOf(one) {
  const file = one.file.replace(/^(.*\/)?issues\/[^/]+\//, "");
  return one.line ? `${file}:${one.line}` : file;
}

export function showShelf(shelf, current, open) {
  $("issues").replaceChildren(...shelf.issues.map((issue) => {
    const button = make("button", { type: "button", onclick: () => open(issue.name) },
      make("span", { className: "title", textContent: issue.title }),
      make("span", { className: "row" },
        make("time", { textContent: issue.date }),
        make("span", { className: `state ${issue.state}`, textContent: issue.state })));
    if (issue.name === current) button.setAttribute("aria-current", "page");
    return make("li", {}, button);
  }));
  $("issue-select").replaceChildren(...shelf.issues.map((issue) =>
    new Option(`${issue.title} (${issue.state})`, issue.name, false, issue.name === current)));
}

export function showFaults(state) {
  $("alarm").hidden = !state;
  document.body.classList.toggle("alarmed", Boolean(state));
  if (!state) return;
  const many = state.faults.length;
  $("alarm-title").textContent = many === 1 ? "This does not render" : `This does not render: ${many} problems`;
  $("last-good").hidden = !state.proof;
  $("faults").replaceChildren(...state.faults.map(fault));
}

function fault(one) {
  const place = one.file ? (one.line ? `${one.file}:${one.line}` : one.file) : "";
  const item = make("li", {}, make("p", { className: "message", textContent: one.message }));
  if (place) item.prepend(make("p", { className: "place", textContent: place }));
  if (one.remedy) item.append(make("p", { className: "remedy", textContent: one.remedy }));
  if (one.excerpt.length) {
    item.append(make("pre", { tabIndex: 0 }, ...one.excerpt.map(([number, text]) =>
      make("span", { className: number === one.line ? "line here" : "line" },
        make("span", { className: "number", textContent: String(number) }), `${text}\n`))));
  }
  return item;
}

export function showAbout(proof, stale, name) {
  $("about-section").hidden = !proof;
  if (!proof) {
    $("findings-section").hidden = true;
    $("subject").textContent = name;
    $("facts").textContent = "No version of it has rendered yet";
    return;
  }
  $("subject").textContent = proof.title;
  const kilobytes = proof.bytes / 1024;
  $("facts").textContent = stale ? `Last good version of ${proof.source}` : proof.source;
  $("about").replaceChildren(
    ...row("Rendered in", `${proof.milliseconds} ms`),
    ...row("Language", proof.language),
    ...row("State", proof.draft ? "draft: can be tested, not sent" : "ready"));
  const share = Math.min(proof.bytes / proof.limit, 1);
  $("meter-fill").style.width = `${Math.round(share * 100)}%`;
  $("meter").className = share >= 1 ? "meter bad" : share > 0.9 ? "meter look" : "meter";
  const words = `${kilobytes.toFixed(0)} KB of the 102 KB that Gmail shows`;
  $("meter").setAttribute("aria-label", words);
  $("meter-note").textContent = words;
}

const row = (term, words) => [make("dt", { textContent: term }), make("dd", { textContent: words })];

export function showStripped(data) {
  $("simulation").hidden = !data;
  if (!data) return;
  $("client-name").textContent = data.client;
  $("simulation-note").replaceChildren(
    `Not the client itself: what ${data.client} is known not to support is taken out, by `,
    make("a", { href: data.source, target: "_blank", rel: "noreferrer noopener", textContent: "caniemail.com" }),
    ` as of ${data.date}.`);
  $("clipped").hidden = !data.clipped;
  $("clipped").textContent = `${data.client} cuts off the last ${(data.clipped / 1024).toFixed(1)} KB, the footer with them.`;
  $("stripped").replaceChildren(...data.stripped.map((one) => make("li", {},
    make("a", { href: one.url, target: "_blank", rel: "noreferrer noopener", textContent: one.name }),
    make("span", { className: "count", textContent: `${one.count}×` }))));
  if (!data.stripped.length) $("stripped").append(make("li", { textContent: "Nothing of this mail is left out." }));
}

const ORDER = ["error", "warning", "hint"];

export function showFindings(data, goTo) {
  $("findings-section").hidden = false;
  const findings = [...data.findings].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));
  $("findings-count").textContent = findings.length || "";
  $("findings").replaceChildren(...findings.map((one) => {
    const place = placeOf(one);
    return make("li", {}, make("button", { type: "button", className: `finding ${one.severity}`, title: one.meaning, onclick: () => goTo(one.excerpt) },
      make("span", { className: "row" }, make("span", { className: "severity", textContent: one.severity }), make("code", { textContent: one.rule })),
      make("span", { className: "message", textContent: one.message }),
      ...(one.remedy ? [make("span", { className: "remedy", textContent: one.remedy })] : []),
      ...(place ? [make("span", { className: "place", textContent: place })] : [])));
  }));
  for (const [rule, why] of Object.entries(data.allowed)) {
    $("findings").append(make("li", { className: "muted", textContent: `${rule} is allowed: ${why}` }));
  }
  if (!findings.length) $("findings").append(make("li", { className: "fine", textContent: "Nothing to mend." }));
}
