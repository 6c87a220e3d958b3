"""Step 19: the evidence pack of an order."""
