// The proof sheet on a page of its own, of which the server takes a picture.
import { showSheet } from "./sheet.js";

const issue = new URLSearchParams(location.search).get("issue") ?? "";
await showSheet(document.getElementById("sheet"), { issue }, { width: innerWidth });
document.documentElement.dataset.ready = "1";
