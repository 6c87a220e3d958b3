"""Changes the shipped processes at random and sees what becomes of orders: what the check passes must work.

`python -m tests.mutants` plays 500 of them (about as many minutes as a machine has tens of seconds for each hundred);
the tests play a slice. `changes` makes a mutant, `orders` plays it, `verdict` says what is right and what is not.
"""
