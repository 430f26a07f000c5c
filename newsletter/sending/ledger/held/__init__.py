"""Hold and release one send of a database that is a copy, or has failed over."""
