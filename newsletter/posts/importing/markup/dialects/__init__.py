"""The markup of each tool, translated by one module per syntax."""
