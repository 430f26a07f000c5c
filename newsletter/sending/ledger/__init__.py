"""What was sent to whom, and which state a send, a batch and a recipient may go to."""
