"""MJML to HTML through MRML, checked first."""
