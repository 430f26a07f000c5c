// The mail in its frame. The frame may run nothing: this page reaches into it, never the other way.
import { $ } from "./dom.js";

// Two frames: the next mail loads behind the one that is read, then takes its place.
let [front, back] = document.querySelectorAll("#device iframe");
const PATIENCE = 400; // milliseconds for pictures from elsewhere
const listeners = [];
let latest = 0;

const current = () => front.contentDocument;

// Shows the mail, and keeps the place that was being read.
export async function show(path, query) {
  const mine = ++latest;
  const url = new URL(`${path}?${new URLSearchParams(query)}`, location.href).href;
  await arrival(back, url);
  if (mine !== latest) return;
  if (back.contentDocument.contentType === "application/json") {
    const { faults } = JSON.parse(back.contentDocument.body.textContent);
    throw new Error(faults.map((fault) => fault.message).join("; "));
  }
  back.contentWindow.scrollTo(front.contentWindow.scrollX, front.contentWindow.scrollY);
  // Links lead nowhere in the frame: what they would open is blocked there.
  for (const link of back.contentDocument.links) {
    if (!link.getAttribute("href").startsWith("#")) link.target = "_blank";
  }
  for (const [type, listener] of listeners) back.contentDocument.addEventListener(type, listener);
  front.className = "back";
  back.className = "front";
  [front.inert, back.inert] = [true, false];
  [front, back] = [back, front];
  front.dataset.shown = query.version;
}

function arrival(frame, url) {
  return new Promise((resolve) => {
    const here = () => frame.contentDocument?.URL === url;
    const done = () => {
      if (frame.dataset.wanted === url && !here()) return;
      frame.removeEventListener("load", done);
      resolve();
    };
    const impatient = () => {
      if (here() && frame.contentDocument.readyState !== "loading") done();
      else if (frame.dataset.wanted === url) setTimeout(impatient, PATIENCE);
    };
    frame.dataset.wanted = url;
    frame.addEventListener("load", done);
    frame.contentWindow.location.replace(url);
    setTimeout(impatient, PATIENCE);
  });
}

function on(type, listener) {
  listeners.push([type, listener]);
}

// Calls back with a link that is clicked; links to places in the mail are followed.
export function onLink(tell) {
  on("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link) return;
    event.preventDefault();
    const href = link.getAttribute("href");
    if (href.startsWith("#")) {
      current().getElementById(decodeURIComponent(href.slice(1)))?.scrollIntoView({ block: "start" });
    } else tell(link.textContent.trim() || link.querySelector("img")?.alt || "", href);
  });
}

export const onKey = (press) => on("keydown", press);

// Scrolls to the first place that reads so, or to an element with such an attribute, and marks it.
export function goTo(excerpt) {
  const page = current();
  const wanted = excerpt.replace(/\s+/g, " ").trim();
  const found = byText(page, wanted) ?? byAttribute(page, wanted);
  if (!found) return false;
  found.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  found.animate([{ outline: "3px solid #d9480f", outlineOffset: "3px" }, { outline: "3px solid transparent", outlineOffset: "3px" }], 2400);
  return true;
}

function byText(page, wanted) {
  const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_ELEMENT);
  let best = null;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.textContent.replace(/\s+/g, " ").includes(wanted) && node.getClientRects().length) best = node;
  }
  return wanted && best !== page.body ? best : null;
}

function byAttribute(page, wanted) {
  for (const element of page.querySelectorAll("[href], [src], [alt]")) {
    for (const name of ["href", "src", "alt"]) {
      if (wanted && element.getAttribute(name)?.includes(wanted)) return element;
    }
  }
  return null;
}

// Width: by preset, by dragging, by arrow keys.
const grip = $("grip");
const device = $("device");
const LEAST = 240;
const MOST = 1400;
const ROOM = 24;
const BELOW = 28;

// The mail gets its real width; what is wider than the window is shown smaller.
export function setWidth(width) {
  const real = Math.round(Math.min(Math.max(LEAST, width), MOST));
  const stage = $("stage");
  const zoom = Math.min(1, (stage.clientWidth - 2 * ROOM) / real);
  device.style.width = `${real}px`;
  device.style.height = `${(stage.clientHeight - ROOM - BELOW) / zoom}px`;
  device.style.transform = `scale(${zoom})`;
  grip.setAttribute("aria-valuenow", String(real));
  grip.setAttribute("aria-valuetext", `${real} pixels`);
  $("width").textContent = zoom < 1 ? `${real} px at ${Math.round(zoom * 100)} %` : `${real} px`;
  return real;
}

new ResizeObserver(() => setWidth(Number(grip.getAttribute("aria-valuenow")))).observe($("stage"));

export function onDrag(done) {
  const move = (event) => {
    const box = device.getBoundingClientRect();
    done(setWidth((event.clientX - (box.left + box.right) / 2) * 2 * (device.offsetWidth / box.width)));
  };
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    document.body.classList.add("dragging");
    grip.addEventListener("pointermove", move);
  });
  const end = () => {
    document.body.classList.remove("dragging");
    grip.removeEventListener("pointermove", move);
  };
  grip.addEventListener("pointerup", end);
  grip.addEventListener("pointercancel", end);
  grip.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -10, ArrowRight: 10, PageDown: -100, PageUp: 100 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    done(setWidth(Number(grip.getAttribute("aria-valuenow")) + step));
  });
}

