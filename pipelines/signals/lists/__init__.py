"""Small lists that the package ships as examples of their form, and the table of unigrams."""
