"""Policies: ordered SQL rules over signals, and the named dialects of them."""
