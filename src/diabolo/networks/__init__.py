"""Networks: stems read fields, an encoder and a decoder, heads predict a distribution for every cell."""
