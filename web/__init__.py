"""Pages and API. Knows no SpiffWorkflow."""
