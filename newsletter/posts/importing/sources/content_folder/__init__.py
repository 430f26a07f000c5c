"""Reader of content folders: Jekyll, Hugo, Zola, Eleventy, Astro, Markdown."""
