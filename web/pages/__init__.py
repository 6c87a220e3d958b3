"""The pages people work on. Views read the request, give one command or ask, and render; rules live in the engine."""
