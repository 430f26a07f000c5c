"""The preview's tabs: email, inbox row, web page, sources, comparison."""
