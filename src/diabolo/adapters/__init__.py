"""diabolo inside larger machinery: thin adapters, one file each."""
