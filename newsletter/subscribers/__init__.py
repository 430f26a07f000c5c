"""The list: who may be mailed, and what we know of them."""
