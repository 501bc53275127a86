"""Ziyin, Li & Meng, Exact solutions of a deep linear network (2022)."""
