// The proof sheet: phone and desktop, light and dark, side by side at one scale.
import { get, make, readResponse } from "./dom.js";

const FRAMES = [
  ["Phone, light", 390, "light"], ["Phone, dark", 390, "dark"],
  ["Desktop, light", 1024, "light"], ["Desktop, dark", 1024, "dark"],
];
const GAP = 24;
const IN_ONE_ROW = 2 * 390 + 2 * 1024;
const IN_TWO_ROWS = 2 * 1024;
const MIN_ZOOM = 0.26; // below it, desktops get a row of their own
const LOAD_TIMEOUT = 10_000; // milliseconds to wait for external images
let latestRequest = 0;

// Shows the email four times; resolves when all frames are loaded and have their height.
export async function showSheet(box, query, { width = box.clientWidth } = {}) {
  const request = ++latestRequest;
  const mail = await get("inbox", query);
  const figures = FRAMES.map(([label, frameWidth, scheme]) => makeFigure(label, frameWidth, { ...query, scheme, client: "" }));
  if (request !== latestRequest) return;
  const scrollTop = box.scrollTop;
  box.replaceChildren(
    make("p", { className: "sheet-title" }, make("strong", { textContent: mail.subject }), ` · ${mail.sender} <${mail.address}>`),
    make("div", { className: "frames" }, ...figures.map(({ figure }) => figure)));
  fitSheet(box, width);
  await Promise.all(figures.map(({ loaded }) => loaded));
  if (request === latestRequest) box.scrollTop = scrollTop;
}

export function fitSheet(box, width = box.clientWidth) {
  const oneRow = (width - 5 * GAP) / IN_ONE_ROW;
  const zoom = oneRow >= MIN_ZOOM ? oneRow : (width - 3 * GAP) / IN_TWO_ROWS;
  box.style.setProperty("--zoom", String(Math.max(0.1, Math.min(1, zoom))));
}

function makeFigure(label, width, query) {
  const frame = make("iframe", { title: label, src: `mail?${new URLSearchParams(query)}` });
  frame.setAttribute("sandbox", "allow-same-origin");
  const figure = make("figure", {}, make("figcaption", { textContent: label }), make("div", { className: "paper" }, frame));
  figure.style.setProperty("--width", String(width));
  figure.style.setProperty("--height", "600");
  const measure = () => {
    const root = frame.contentDocument?.documentElement;
    if (root) figure.style.setProperty("--height", String(Math.max(root.scrollHeight, 200)));
  };
  const loaded = new Promise((resolve) => {
    const done = () => { measure(); resolve(); };
    frame.addEventListener("load", done);
    setTimeout(done, LOAD_TIMEOUT);
  });
  return { figure, loaded };
}

// Saves the picture that the server's Chromium takes.
export async function savePicture(issue) {
  const response = await fetch("sheet.png", {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ issue }),
  });
  if (!response.ok) await readResponse(response);
  const url = URL.createObjectURL(await response.blob());
  make("a", { href: url, download: `${issue}.png` }).click();
  URL.revokeObjectURL(url);
}
