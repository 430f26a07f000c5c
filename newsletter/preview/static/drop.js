// A post that is dropped on the page, or chosen, is imported as an issue.
import { $, make, readResponse } from "./dom.js";
import * as frame from "./frame.js";

let depth = 0;
const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function setDropping(on) {
  depth = on ? depth : 0;
  document.body.classList.toggle("dropping", on);
  $("drop").hidden = !on;
}

export function prepareDrop(open) {
  const importFile = async (file) => {
    try {
      const response = await fetch(`import?${new URLSearchParams({ name: file.name })}`, { method: "POST", body: file });
      const data = await readResponse(response);
      showImported(data);
      open(data.issue);
    } catch (error) {
      showRefused(error, file.name);
    }
  };
  addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth += 1; setDropping(true); } });
  addEventListener("dragleave", (event) => { if (hasFiles(event) && --depth <= 0) setDropping(false); });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    setDropping(false);
    const [file, ...others] = event.dataTransfer.files;
    if (others.length) showRefused(new Error("Drop one post at a time."), "Several files");
    else if (file) importFile(file);
  });
  frame.onDragEnter((event) => { if (hasFiles(event)) setDropping(true); });
  for (const button of [$("import"), $("desk-import")]) button.onclick = () => $("import-file").click();
  $("import-file").onchange = (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) importFile(file);
  };
}

function showImported(data) {
  $("import-title").textContent = data.state === "unchanged" ? "This post was imported before" : "Imported";
  const rows = [
    ...data.settings.map((note) => [note.key, note.text]),
    ...data.removed.map((entry) => [entry.line ? `removed, line ${entry.line}` : "removed", `“${clip(entry.text)}” (${entry.why})`]),
    ...data.lost.map((phrase) => ["lost", phrase]),
    ...data.set_aside.map((entry) => [`set aside, line ${entry.line}`, `“${clip(entry.text)}” ${entry.why}`]),
  ];
  $("import-text").textContent = `${data.path}: ${data.title}`;
  $("import-rows").replaceChildren(...rows.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]));
  showDialog(data.set_aside.length ? "Passages that are set aside are in set-aside.txt beside the post." : "");
}

function showRefused(error, name) {
  $("import-title").textContent = "Not imported";
  $("import-text").textContent = `${name}: ${error.message}`;
  $("import-rows").replaceChildren();
  showDialog("");
}

function showDialog(note) {
  $("import-note").textContent = note;
  if (!$("import-dialog").open) $("import-dialog").showModal();
}

const clip = (text) => (text.length > 80 ? `${text.slice(0, 79)}…` : text);
