"""Wrong texts and labels: a noisy channel, learnt without labels of what is wrong."""
