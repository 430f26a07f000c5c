"""Settings of a post from elsewhere: other tools' keys and file names."""
