"""CSS into style attributes, by premailer."""
