"""Local preview server: shows an issue as recipients will get it, live."""
