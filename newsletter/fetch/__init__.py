"""The one way to the network for what an author names: links, images, pages."""
