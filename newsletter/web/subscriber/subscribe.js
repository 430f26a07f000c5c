// Signs readers up without leaving the page. Where it doesn't run, or the newsletter's server can't
// be reached by it, the form leads to the newsletter's own page.
(() => {
  "use strict";

  const enhance = (form) => {
    const at = (path) => new URL(path, form.action);
    let token = null;

    const fetchToken = () => {
      token = fetch(at("api/form-token"), { credentials: "omit" })
        .then((answer) => (answer.ok ? answer.json() : null))
        .then((answer) => answer && answer.token)
        .catch(() => null);
    };

    const say = (text, role) => {
      const line = form.querySelector("[data-said]") || document.createElement("p");
      line.setAttribute("data-said", "");
      line.setAttribute("role", role);
      line.textContent = text;
      form.append(line);
    };

    const post = async () => {
      const fields = Object.fromEntries(new FormData(form));
      const answer = await fetch(at("api/subscribe"), {
        method: "POST",
        credentials: "omit",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...fields, token: await token }),
      });
      const said = await answer.json();
      if (answer.ok) {
        form.reset();
        say(said.message, "status");
        return;
      }
      say(said.error, "alert");
      if (said.again) fetchToken();
    };

    form.addEventListener("focusin", fetchToken, { once: true });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!token) fetchToken();
      const button = form.querySelector("button");
      button.disabled = true;
      // HTMLFormElement's own, in case a field is named "submit".
      post()
        .catch(() => HTMLFormElement.prototype.submit.call(form))
        .finally(() => {
          button.disabled = false;
        });
    });
  };

  document.querySelectorAll("form[data-newsletter]").forEach(enhance);
})();
