"""Any source becomes a Post; an editor's folder becomes an Issue."""
