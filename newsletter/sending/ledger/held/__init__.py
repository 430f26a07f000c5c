"""Hold and release one send of a copied or failed-over database."""
