// The email in its frame. The frame may run nothing: this page accesses it, never the reverse.
import { $ } from "./dom.js";

// Two frames: the next email loads in the hidden one, then the two are swapped.
let [front, back] = document.querySelectorAll("#device iframe");
const IMAGE_WAIT = 400; // milliseconds to wait for external images
const listeners = [];
let latestRequest = 0;

const current = () => front.contentDocument;

// Shows the email and keeps the scroll position.
export async function show(path, query) {
  const request = ++latestRequest;
  // Each has its own URL: a document that an earlier request has loaded is not taken for it.
  const url = new URL(`${path}?${new URLSearchParams({ ...query, request })}`, location.href).href;
  await load(back, url);
  if (request !== latestRequest) return;
  if (back.contentDocument.contentType === "application/json") {
    const { faults } = JSON.parse(back.contentDocument.body.textContent);
    throw new Error(faults.map((problem) => problem.message).join("; "));
  }
  back.contentWindow.scrollTo(front.contentWindow.scrollX, front.contentWindow.scrollY);
  // The frame's sandbox blocks new windows, so that no link navigates it away.
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

function load(frame, url) {
  return new Promise((resolve) => {
    const isLoaded = () => frame.contentDocument?.URL === url;
    const done = () => {
      if (frame.dataset.requested === url && !isLoaded()) return;
      frame.removeEventListener("load", done);
      resolve();
    };
    const poll = () => {
      if (isLoaded() && frame.contentDocument.readyState !== "loading") done();
      else if (frame.dataset.requested === url) setTimeout(poll, IMAGE_WAIT);
    };
    frame.dataset.requested = url;
    frame.addEventListener("load", done);
    frame.contentWindow.location.replace(url);
    setTimeout(poll, IMAGE_WAIT);
  });
}

function on(type, listener) {
  listeners.push([type, listener]);
}

// Calls back with each link that is clicked; links within the email are followed.
export function onLink(callback) {
  on("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link) return;
    event.preventDefault();
    const href = link.getAttribute("href");
    if (href.startsWith("#")) {
      current().getElementById(decodeURIComponent(href.slice(1)))?.scrollIntoView({ block: "start" });
    } else callback(link.textContent.trim() || link.querySelector("img")?.alt || "", href);
  });
}

export const onDragEnter = (listener) => on("dragenter", listener);

export const onKey = (listener) => on("keydown", listener);

// Scrolls to the innermost element with this text, or to one with it in an attribute, and marks it.
export function goTo(excerpt) {
  const page = current();
  const text = excerpt.replace(/\s+/g, " ").trim();
  const found = findByText(page, text) ?? findByAttribute(page, text);
  if (!found) return false;
  found.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  found.animate([{ outline: "3px solid #d9480f", outlineOffset: "3px" }, { outline: "3px solid transparent", outlineOffset: "3px" }], 2400);
  return true;
}

function findByText(page, text) {
  const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_ELEMENT);
  let match = null;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.textContent.replace(/\s+/g, " ").includes(text) && node.getClientRects().length) match = node;
  }
  return text && match !== page.body ? match : null;
}

function findByAttribute(page, text) {
  for (const element of page.querySelectorAll("[href], [src], [alt]")) {
    for (const name of ["href", "src", "alt"]) {
      if (text && element.getAttribute(name)?.includes(text)) return element;
    }
  }
  return null;
}

// The frame's width: by preset, by dragging, by arrow keys.
const grip = $("grip");
const device = $("device");
const MIN_WIDTH = 240;
const MAX_WIDTH = 1400;
const MARGIN = 24;
const BOTTOM_MARGIN = 28;

// The email gets its real width; an email wider than the window is scaled down.
export function setWidth(width) {
  const real = Math.round(Math.min(Math.max(MIN_WIDTH, width), MAX_WIDTH));
  const stage = $("stage");
  const zoom = Math.min(1, (stage.clientWidth - 2 * MARGIN) / real);
  device.style.width = `${real}px`;
  device.style.height = `${(stage.clientHeight - MARGIN - BOTTOM_MARGIN) / zoom}px`;
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

