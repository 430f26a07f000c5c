"""Read the posts of a Ghost export: JSON with HTML, Lexical or mobiledoc."""
