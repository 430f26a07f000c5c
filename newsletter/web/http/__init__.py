"""HTTP hardening: size and time limits, security headers, form parsing."""
