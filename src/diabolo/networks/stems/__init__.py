"""Modules that read all fields of one kind (stems) and modules that predict them (heads)."""
