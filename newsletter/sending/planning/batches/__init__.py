"""Insert the batches of a send and their recipients."""
