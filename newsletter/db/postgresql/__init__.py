"""PostgreSQL only: connections, and what its errors mean."""
