"""What the diagram's service tasks do. Knows no SpiffWorkflow and no Flask."""
