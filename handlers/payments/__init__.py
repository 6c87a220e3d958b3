"""Money in and out: the port to a payment provider, the embedded one, the operations of step 7 and of paying back."""
