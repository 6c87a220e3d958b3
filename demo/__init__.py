"""The demo: simulated customers, bank, couriers and people, all through the same commands as real ones."""
