"""The article's HTML, in shapes that every mail client shows well."""
