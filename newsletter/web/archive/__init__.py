"""Archive of sent issues: web pages, feeds, images, static export."""
