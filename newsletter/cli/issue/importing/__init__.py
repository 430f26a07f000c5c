"""The walk of ``newsletter import``: URL, file or folder; choose, import, print."""
