"""The size of the HTML from which Gmail clips an email, and hides the rest."""

# Not documented, but measured for years.
GMAIL_CLIP_BYTES = 102 * 1024
# The share of it from which an email is nearly too large.
NEARLY_CLIPPED = 0.9
