// Test emails to the editor's own addresses, and the next commands to copy.
import { $, copy, make, post } from "./dom.js";

const STORED = "newsletter-test-to";
const dialog = $("send-dialog");

export function openSendDialog() {
  $("send-to").value ||= localStorage.getItem(STORED) ?? "";
  $("send-result").textContent = "";
  dialog.showModal();
}

export function prepareSendDialog(getIssue) {
  $("send").onclick = openSendDialog;
  $("send-cancel").onclick = () => dialog.close();
  $("send-form").onsubmit = async (event) => {
    event.preventDefault();
    const result = $("send-result");
    result.className = "";
    result.textContent = "Sending…";
    $("send-go").disabled = true;
    try {
      const data = await post("test", { issue: getIssue(), to: $("send-to").value });
      const to = data.to.join(", ");
      localStorage.setItem(STORED, to);
      result.className = "good";
      result.textContent = data.sandbox ? "SendGrid has accepted it in sandbox mode; no email is delivered." : `Sent ${data.subject} to ${to}${data.inline_images.length ? "; images without a public address are inside the email" : ""}`;
    } catch (error) {
      result.className = "bad";
      result.textContent = error.message;
    }
    $("send-go").disabled = false;
  };
}

export function showNextCommands(commands) {
  $("next-section").hidden = !commands.length;
  $("next-commands").replaceChildren(...commands.map(({ label, command }) => make("li", {},
    make("span", { className: "muted", textContent: label }),
    make("span", { className: "row" },
      make("code", { textContent: command }),
      make("button", { type: "button", className: "small", textContent: "Copy", ariaLabel: `Copy: ${command}`, onclick: () => copy(command, "Command") })))));
}
