"""The steps of ``newsletter import``: open, choose, import, print."""
