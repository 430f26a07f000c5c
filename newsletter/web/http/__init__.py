"""HTTP on a public port: limits, headers, what a request carries."""
