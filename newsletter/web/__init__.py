"""What people see in a browser: the public pages, and the editor's preview."""
