"""Figure 1, right, of Ziyin, Li & Meng (2022): a residual network as its weight decay grows."""
