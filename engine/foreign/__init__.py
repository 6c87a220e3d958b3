"""Diagrams that other tools wrote: whose extensions they carry, what is missing to run them, and how it is mended.

`vendors` knows whose namespaces those are, `wording` turns their expressions into ours, `forms` their fields into
forms, `drawing` puts new shapes on the picture, `bench` edits files, and `mendings` are the single fixes.
`engine.executable` joins them.
"""
