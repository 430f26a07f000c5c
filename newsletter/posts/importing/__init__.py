"""A post from elsewhere becomes an issue's folder."""
