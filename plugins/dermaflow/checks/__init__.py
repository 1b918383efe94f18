"""What can be known to be wrong before anything is paid for. Each module looks at one part and returns problems."""
