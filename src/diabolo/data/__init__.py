"""The data that a user gives, until it is tensors: reading, schema, columns, fields and sources."""
