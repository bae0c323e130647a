"""From tensors to distributions: stems read fields, an encoder and a decoder, heads predict every cell."""
