"""What people read: each report is a function of the journal."""
