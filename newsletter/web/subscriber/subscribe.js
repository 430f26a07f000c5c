// Signs visitors up without leaving the page. If the script doesn't run or can't reach the
// newsletter's server, the form submits to the newsletter's own page instead.
(() => {
  "use strict";

  const enhance = (form) => {
    const resolve = (path) => new URL(path, form.action);
    let token = null;

    const fetchToken = () => {
      token = fetch(resolve("api/form-token"), { credentials: "omit" })
        .then((response) => (response.ok ? response.json() : null))
        .then((data) => data && data.token)
        .catch(() => null);
    };

    const showMessage = (text, role) => {
      const line = form.querySelector("[data-newsletter-message]") || document.createElement("p");
      line.setAttribute("data-newsletter-message", "");
      line.setAttribute("role", role);
      line.textContent = text;
      form.append(line);
    };

    const post = async () => {
      const fields = Object.fromEntries(new FormData(form));
      const response = await fetch(resolve("api/subscribe"), {
        method: "POST",
        credentials: "omit",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...fields, token: await token }),
      });
      const data = await response.json();
      if (response.ok) {
        form.reset();
        showMessage(data.message, "status");
        return;
      }
      showMessage(data.error, "alert");
      if (data.again) fetchToken();
    };

    form.addEventListener("focusin", fetchToken, { once: true });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!token) fetchToken();
      const button = form.querySelector("button");
      button.disabled = true;
      // The prototype's method: a field named "submit" would shadow the form's own.
      post()
        .catch(() => HTMLFormElement.prototype.submit.call(form))
        .finally(() => {
          button.disabled = false;
        });
    });
  };

  document.querySelectorAll("form[data-newsletter]").forEach(enhance);
})();
