"""The article's HTML, in forms that every mail client shows well."""
