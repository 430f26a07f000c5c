"""CSS inlining with premailer."""
