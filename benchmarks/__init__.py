"""What a command and a whole order cost, beside the stock engine on the same diagram in the same run."""
