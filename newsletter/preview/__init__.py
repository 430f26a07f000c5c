"""The editor's desk: a local page that shows an issue as readers will get it, as it is written."""
