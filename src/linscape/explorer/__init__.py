"""The explorer: a local page on which the landscape of a network is moved by hand.

Data → settings → views → page. Each view asks the library what the call it shows would ask.
"""
